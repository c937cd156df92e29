import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Conflicts, concerns, PATIENCE, type Party } from './conflicts.ts';

/** A session; what is done to it is written down. */
class FakeParty implements Party {
  readonly done: string[] = [];
  standing: Party['standing'] = 'busy';
  readonly processId: number;

  constructor(processId: number) {
    this.processId = processId;
  }

  async rewind(): Promise<void> {
    this.done.push('rewind');
    this.standing = 'fixed';
  }

  giveUp(): void {
    this.done.push('give up');
  }

  interrupted: ReturnType<Party['interrupt']> = 'done';
  interrupt(): ReturnType<Party['interrupt']> {
    this.done.push('interrupt');
    return this.interrupted;
  }
}

function start() {
  const conflicts = new Conflicts((work, ms) => {
    const timer = setTimeout(work, ms);
    return () => clearTimeout(timer);
  });
  const parties = [1, 2, 3].map((processId) => new FakeParty(processId)) as [FakeParty, FakeParty, FakeParty];
  for (const party of parties) conflicts.join(party);
  return { conflicts, parties };
}

/** What is under way has come to where it waits for something. */
const settled = () => new Promise<void>((resolve) => void setImmediate(resolve));
const rows = (name: string) => [{ schema: undefined, name }];
const locks = (table: string, strength: 'update' | 'key share', ...transactionIds: string[]) => ({
  tables: new Map([[table, { strength, places: undefined }]]),
  transactionIds,
});

describe('who is in the way of a row', () => {
  it('is rewound where he is idle, and the first of the two to commit makes the other lose', async () => {
    const { conflicts, parties } = start();
    const [one, two] = [conflicts.begin(parties[0], true), conflicts.begin(parties[1], true)];
    parties[0].standing = 'idle';
    conflicts.waits(parties[1], true, async () => (parties[0].standing === 'idle' ? [1] : []));
    await settled();
    expect(parties[0].done).toEqual(['rewind']);
    conflicts.commit(two, rows('t'));
    expect(one.lost).toBe(true);
  });

  it('does not lose by a rival who was rolled back', async () => {
    const { conflicts, parties } = start();
    const [one, two] = [conflicts.begin(parties[0], true), conflicts.begin(parties[1], true)];
    conflicts.waits(parties[1], true, async () => [1]);
    await settled();
    conflicts.end(two);
    conflicts.commit(one, rows('t'));
    expect([one.lost, two.lost]).toEqual([false, false]);
  });

  it('is left alone while he is busy, and looked at again when somebody rests', async () => {
    const { conflicts, parties } = start();
    conflicts.begin(parties[0], true);
    conflicts.begin(parties[1], true);
    conflicts.waits(parties[1], true, async () => (parties[0].standing === 'fixed' ? [] : [1]));
    await settled();
    expect(parties[0].done).toEqual([]);
    parties[0].standing = 'idle';
    conflicts.rests();
    await settled();
    expect(parties[0].done).toEqual(['rewind']);
  });

  it('keeps it where he cannot be rewound: who waits gives up', async () => {
    const { conflicts, parties } = start();
    conflicts.begin(parties[0], true);
    conflicts.begin(parties[1], true);
    parties[0].standing = 'fixed';
    conflicts.waits(parties[1], true, async () => [1]);
    await settled();
    expect([parties[0].done, parties[1].done]).toEqual([[], ['give up']]);
  });

  it('is no rival where a whole table is waited for', async () => {
    const { conflicts, parties } = start();
    const [one, two] = [conflicts.begin(parties[0], true), conflicts.begin(parties[1], true)];
    conflicts.waits(parties[1], false, async () => [1]);
    await settled();
    conflicts.commit(one, rows('t'));
    expect(two.lost).toBe(false);
  });

  it('is nobody where PostgreSQL names a process that is no session of a client, or does not answer', async () => {
    const { conflicts, parties } = start();
    conflicts.begin(parties[0], true);
    conflicts.waits(parties[0], true, async () => [99, 1]);
    await settled();
    conflicts.waits(parties[0], true, () => Promise.reject(new Error('gone')));
    await settled();
    expect(parties[0].done).toEqual([]);
  });
});

describe('who is at work in the way of others', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function meet() {
    const { conflicts, parties } = start();
    conflicts.begin(parties[0], true);
    conflicts.begin(parties[1], true);
    conflicts.waits(parties[1], true, async () => [1]);
    return { conflicts, one: parties[0], other: parties[1] };
  }

  it('is cut off when patience has come to its end, and not before', async () => {
    const { one } = meet();
    await vi.advanceTimersByTimeAsync(PATIENCE - 1);
    expect(one.done).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(one.done).toEqual(['interrupt']);
  });

  it('is asked again where that is not possible yet', async () => {
    const { one } = meet();
    one.interrupted = 'later';
    await vi.advanceTimersByTimeAsync(2 * PATIENCE);
    expect(one.done).toEqual(['interrupt', 'interrupt']);
  });

  it('keeps what it has where it cannot be cut off: who waits gives up', async () => {
    const { one, other } = meet();
    one.interrupted = 'never';
    await vi.advanceTimersByTimeAsync(PATIENCE);
    expect(other.done).toEqual(['give up']);
  });

  it('is left alone when nobody waits any more', async () => {
    const { conflicts, one, other } = meet();
    conflicts.waitsNoMore(other);
    await vi.advanceTimersByTimeAsync(10 * PATIENCE);
    expect(one.done).toEqual([]);
  });

  it('is left alone while it waits itself', async () => {
    const { conflicts, one } = meet();
    conflicts.waits(one, true, async () => [99]);
    await vi.advanceTimersByTimeAsync(PATIENCE);
    expect(one.done).toEqual([]);
  });
});

describe('what was committed since a snapshot', () => {
  it('is known by table, and counts from the first statement on', () => {
    const { conflicts, parties } = start();
    const reader = conflicts.begin(parties[0], true);
    conflicts.commit(conflicts.begin(parties[1], false), rows('before'));
    conflicts.seesFrom(reader);
    conflicts.commit(conflicts.begin(parties[1], false), rows('after'));
    expect(conflicts.wereWritten(reader, rows('before'))).toBe(false);
    expect(conflicts.wereWritten(reader, rows('after'))).toBe(true);
  });

  it('is everything where nobody knows what was written', () => {
    const { conflicts, parties } = start();
    const reader = conflicts.begin(parties[0], true);
    conflicts.commit(conflicts.begin(parties[1], false), undefined);
    expect(conflicts.wereWritten(reader, rows('any'))).toBe(true);
  });

  it('is told of schemas to those in blocks, and becomes everything where it is too much', () => {
    const { conflicts, parties } = start();
    const [block, implied] = [conflicts.begin(parties[0], true), conflicts.begin(parties[1], false)];
    for (let i = 0; i < 1_001; i++) {
      const change = { relations: rows(`t${i}`), everything: false };
      conflicts.commit(conflicts.begin(parties[2], false), [], [change]);
    }
    expect(implied.changes).toEqual([]);
    expect(block.changes).toEqual([{ relations: [], everything: true }]);
  });
});

describe('locks of those who have committed', () => {
  it('are known to older snapshots only', () => {
    const { conflicts, parties } = start();
    const [older, newer] = [conflicts.begin(parties[0], true), conflicts.begin(parties[1], true)];
    conflicts.commit(conflicts.begin(parties[2], true), [], [], locks('t', 'update', '700', '701'));
    conflicts.seesFrom(newer);
    expect(conflicts.locksSince(older)).toEqual([
      { commit: 1, table: 't', strength: 'update', places: undefined, transactionIds: ['700', '701'] },
    ]);
    expect(conflicts.locksSince(newer)).toEqual([]);
  });

  it('are forgotten when nobody is left who began before', () => {
    const { conflicts, parties } = start();
    const older = conflicts.begin(parties[0], true);
    conflicts.commit(conflicts.begin(parties[2], true), [], [], locks('t', 'update', '700'));
    const newer = conflicts.begin(parties[1], true);
    expect(conflicts.hasPastLocks).toBe(true);
    conflicts.end(older);
    expect(conflicts.hasPastLocks).toBe(false);
    expect(conflicts.locksSince(newer)).toEqual([]);
  });

  it('are of use only where others are in a block', () => {
    const { conflicts, parties } = start();
    const mine = conflicts.begin(parties[0], true);
    expect(conflicts.othersAreOpen(mine)).toBe(false);
    conflicts.begin(parties[1], false);
    expect(conflicts.othersAreOpen(mine)).toBe(false);
    conflicts.begin(parties[2], true);
    expect(conflicts.othersAreOpen(mine)).toBe(true);
  });

  it('are unknown to a transaction that has seen more of them than are kept', () => {
    const { conflicts, parties } = start();
    const older = conflicts.begin(parties[0], true);
    for (let i = 0; i <= 10_000; i++) {
      conflicts.commit(conflicts.begin(parties[1], true), [], [], locks('t', 'key share', String(i)));
    }
    const newer = conflicts.begin(parties[2], true);
    expect(conflicts.locksSince(older)).toBeUndefined();
    expect(conflicts.locksSince(newer)).toEqual([]);
  });
});

describe('a change of the schema', () => {
  it.each([
    ['the same table', { schema: 's', name: 't' }, { schema: 's', name: 't' }, true],
    ['one without a schema', { schema: 's', name: 't' }, { schema: undefined, name: 't' }, true],
    ['one of another schema', { schema: 's', name: 't' }, { schema: 'r', name: 't' }, false],
    ['another table', { schema: 's', name: 't' }, { schema: 's', name: 'u' }, false],
  ])('concerns who names %s: %o, %o', (_, changed, named, does) => {
    expect(concerns({ relations: [changed], everything: false }, [named])).toBe(does);
  });

  it('of privileges concerns everybody', () => {
    expect(concerns({ relations: [], everything: true }, [])).toBe(true);
  });
});
