import { expect, it } from 'vitest';
import { Outbox } from './outbox.ts';

function start() {
  const writes: string[] = [];
  const outbox = new Outbox((bytes) => writes.push(bytes.toString('latin1')));
  const add = (text: string) => outbox.add(Buffer.from(text));
  const send = (text?: string) => outbox.send(text === undefined ? undefined : Buffer.from(text));
  return { writes, outbox, add, send };
}

it('sends in one piece, in order, what was kept and what comes next', () => {
  const { writes, add, send } = start();
  add('answer ');
  add('tag ');
  expect(writes).toEqual([]);
  send('ready');
  send('notice');
  expect(writes).toEqual(['answer tag ready', 'notice']);
});

it('sends nothing where there is nothing', () => {
  const { writes, outbox, send } = start();
  send();
  expect([outbox.take(), writes]).toEqual([undefined, []]);
});

it('does not keep more than 64 KiB', () => {
  const { writes, add, send } = start();
  const long = 'x'.repeat(64 * 1024);
  add(long);
  add('y');
  expect(writes).toEqual([`${long}y`]);
  send('z');
  expect(writes.at(-1)).toBe('z');
});

it('gives up what it has once', () => {
  const { writes, outbox, add, send } = start();
  add('a');
  expect(outbox.take()?.toString()).toBe('a');
  send('b');
  expect(writes).toEqual(['b']);
});
