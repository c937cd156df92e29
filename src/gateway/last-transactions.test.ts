import { setImmediate as turn } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { Refused } from '../refused.ts';
import { LastTransactions } from './last-transactions.ts';

interface FakeSession {
  processId: number;
  idle: boolean;
  ended: string | undefined;
  end(why: Refused): void;
}

let began: Map<number, string>;
let asked: number[][];
let timers: (() => void)[];
let failure: Error | undefined;
let leaving: LastTransactions<FakeSession>;
beforeEach(() => {
  began = new Map();
  asked = [];
  timers = [];
  failure = undefined;
  leaving = new LastTransactions({
    async transactions(processIds) {
      asked.push([...processIds]);
      if (failure) throw failure;
      return began;
    },
    isOpen: ({ ended }) => ended === undefined,
    after(_, work) {
      timers.push(work);
      return () => undefined;
    },
  });
});

const session = (processId: number): FakeSession => ({
  processId,
  idle: false,
  ended: undefined,
  end(why) {
    this.ended = why.kind;
  },
});
const why = new Refused('mapping-revoked', { detail: 'revoked' });
/** Time goes on to the next look. */
const next = async () => {
  for (const work of timers.splice(0)) work();
  await turn();
};

describe('a session that must not begin another transaction', () => {
  it('is let be while it is in the one that it was in, and ended in the next one', async () => {
    const one = session(1);
    began.set(1, '10:00');
    leaving.watch(one, why);
    await turn();
    for (let i = 0; i < 3; i++) await next();
    expect(one.ended).toBeUndefined();
    began.set(1, '10:01');
    await next();
    expect(one.ended).toBe('mapping-revoked');
    expect(timers).toEqual([]);
  });

  it('is found when it was about to begin one, and let go when it is idle: its next message ends it', async () => {
    const one = session(1);
    leaving.watch(one, why);
    await turn();
    began.set(1, '10:00');
    await next();
    began.delete(1);
    await next();
    expect(timers.length).toBe(1);
    one.idle = true;
    await next();
    expect([one.ended, timers.length]).toEqual([undefined, 0]);
  });

  it('is asked about together with others, once a look, and no more when it is gone', async () => {
    const [one, two] = [session(1), session(2)];
    began.set(1, 'a').set(2, 'b');
    leaving.watch(one, why);
    leaving.watch(two, why);
    leaving.watch(one, why);
    await turn();
    await next();
    one.ended = 'client-terminated';
    await next();
    expect(asked).toEqual([[1], [1, 2], [2]]);
  });

  it('is ended when it cannot be seen', async () => {
    const one = session(1);
    began.set(1, 'a');
    leaving.watch(one, why);
    failure = new Error('gone');
    await next();
    await next();
    expect([one.ended, timers.length]).toEqual(['mapping-revoked', 0]);
  });
});
