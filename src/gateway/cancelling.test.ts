import { describe, expect, it } from 'vitest';
import type { TransactionStatus } from '../pgwire/messages.ts';
import { Cancelling, type Running } from './cancelling.ts';

/** An engine that is at work until it is told to stop. */
function start({ streaming = false, status = 'E' as TransactionStatus } = {}) {
  const asked: string[] = [];
  let stop = () => {};
  const port = {
    status,
    streaming,
    waiting: true,
    cancel: async () => {
      asked.push('cancel');
      stop();
    },
    request: async (sql: string): Promise<never> => {
      asked.push(sql);
      return undefined as never;
    },
  };
  const cancelling = new Cancelling(port);
  const work = (): Promise<void> =>
    new Promise((resolve) => {
      stop = resolve;
    });
  const running: Running = { canRepeat: () => true, interruptions: 0, byClient: false };
  return { cancelling, port, asked, work, running };
}

describe('a statement that holds others up', () => {
  it('is cancelled once, and the reason can be told once', async () => {
    const { cancelling, asked, work, running } = start();
    const done = cancelling.during(running, work);
    expect([cancelling.interrupt(), cancelling.interrupt()]).toEqual(['done', 'later']);
    await done;
    expect([await cancelling.take(), await cancelling.take()]).toEqual(['interrupted', undefined]);
    expect(asked).toEqual(['cancel']);
  });

  it('is left to end when it has been cancelled three times', async () => {
    const { cancelling, work, running } = start();
    const answers: string[] = [];
    for (let i = 0; i < 3; i++) {
      const done = cancelling.during(running, work);
      answers.push(cancelling.interrupt());
      await done;
      await cancelling.take();
    }
    void cancelling.during(running, work);
    expect([...answers, cancelling.interrupt()]).toEqual(['done', 'done', 'done', 'never']);
  });

  it.each([
    ['what it has done cannot be repeated', {}, (): boolean => false],
    ['its client has got some of its answer', { streaming: true }, (): boolean => true],
  ])('is left to end where %s', (_, engine, canRepeat) => {
    const { cancelling, asked, work, running } = start(engine);
    void cancelling.during({ ...running, canRepeat }, work);
    expect(cancelling.interrupt()).toBe('never');
    expect(asked).toEqual([]);
  });

  it('has to be asked about later where the engine is at work on something of ours, or on nothing', async () => {
    const { cancelling, port, work, running } = start();
    expect(cancelling.interrupt()).toBe('later');
    port.waiting = false;
    void cancelling.during(running, work);
    expect(cancelling.interrupt()).toBe('later');
  });
});

it('a request to cancel that came too late does not end what comes next', async () => {
  const { cancelling, asked } = start({ status: 'T' });
  cancelling.giveUp();
  expect(await cancelling.take()).toBe('given up');
  expect(asked).toEqual(['cancel', 'SELECT 1']);
});

it('a statement that waits is given up only while there is one', async () => {
  const { cancelling, port, asked } = start();
  port.waiting = false;
  cancelling.giveUp();
  expect(await cancelling.take()).toBeUndefined();
  expect(asked).toEqual([]);
});
