import { describe, expect, it } from 'vitest';
import { type KeptEngine, keepRunning } from './kept.ts';
import type { Engine } from './port.ts';

const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** What the next starts come to: a server that dies at once, one that stays, or an error. */
type Start = 'dies' | 'stays' | Error;

interface Kept {
  kept: KeptEngine;
  /** The waits before each start, in ms. */
  waits: number[];
  started: () => number;
  /** Ends the server that runs. */
  kill: (how?: string) => void;
  /** Moves the clock. */
  later: (ms: number) => void;
  /** Resolves when nothing happens any more. */
  quiet: () => Promise<void>;
}

async function keep(starts: Start[], whenUsedUp: Start = 'stays', waiting = async () => {}): Promise<Kept> {
  let time = 0;
  let count = 0;
  let kill: (how: string) => void = () => undefined;
  const waits: number[] = [];
  const start = async (): Promise<Engine> => {
    const next = count++ === 0 ? 'stays' : (starts.shift() ?? whenUsedUp);
    if (next instanceof Error) throw next;
    const ended = new Promise<string>((resolve) => {
      kill = resolve;
    });
    if (next === 'dies') kill('died at once');
    return { socketPath: `/${count}`, superuser: 'postern', pid: count, ended, stop: async () => undefined };
  };
  const pause = async (ms: number) => {
    waits.push(ms);
    await waiting();
  };
  const kept = await keepRunning(start, log, () => new Date(time), pause);
  return {
    kept,
    waits,
    started: () => count,
    kill: (how = 'killed') => kill(how),
    later: (ms) => {
      time += ms;
    },
    quiet: async () => {
      for (let before = -1; before !== count; ) {
        before = count;
        for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

describe('a server that is kept running', () => {
  it('is started again at once, however often it is killed', async () => {
    const { kept, kill, later, quiet, waits, started } = await keep([]);
    for (let n = 0; n < 30; n++) {
      later(5_000);
      kill();
      await quiet();
    }
    expect({ started: started(), waits, at: kept.current().socketPath }).toEqual({ started: 31, waits: [], at: '/31' });
  });

  it('is tried again ever less often while it cannot be started, and is back when it can', async () => {
    const full = new Error('no space left on device');
    const { kept, kill, quiet, waits } = await keep([full, full, full, full, full, full, full]);
    kill();
    await quiet();
    expect(waits).toEqual([100, 200, 400, 800, 1000, 1000, 1000]);
    expect(kept.current().socketPath).toBe('/9');
  });

  it('says while it cannot be started why, and gives the next one to who waits for it', async () => {
    const full = new Error('no space left on device');
    let room: () => void = () => undefined;
    const waiting = new Promise<void>((resolve) => {
      room = resolve;
    });
    const { kept, kill, quiet } = await keep([full], 'stays', () => waiting);
    const first = await kept.running();
    kill();
    await quiet();
    const next = kept.running();
    expect({ away: kept.away, current: kept.current() }).toEqual({ away: 'no space left on device', current: first });
    room();
    expect((await next).socketPath).toBe('/3');
    expect({ away: kept.away, current: kept.current() }).toEqual({ away: undefined, current: await next });
  });

  it('waits also before one that dies as soon as it has started, until it has run for a while', async () => {
    const { kill, quiet, later, waits } = await keep(['dies', 'dies']);
    later(60_000);
    kill();
    await quiet();
    expect(waits).toEqual([100, 200]);
    later(2_000);
    kill();
    await quiet();
    expect(waits).toEqual([100, 200]);
  });

  it.each([
    ['an hour ahead', 3_600_000],
    ['an hour back', -3_600_000],
  ])('takes a clock that was set %s for what it is', async (_, jump) => {
    const { kept, kill, later, quiet, waits } = await keep([]);
    later(jump);
    kill();
    await quiet();
    expect({ waits, at: kept.current().socketPath }).toEqual({ waits: [], at: '/2' });
  });

  it('is given up after an hour of waiting, with the last reason', async () => {
    const { kept, kill, waits } = await keep([], new Error('the files are gone'));
    kill();
    expect(await kept.failed).toBe('the files are gone');
    expect(waits.reduce((sum, ms) => sum + ms, 0)).toBeGreaterThanOrEqual(3_600_000);
  });

  it('is not started again once it is to stop', async () => {
    const { kept, kill, quiet, started } = await keep([]);
    await kept.stop();
    kill();
    await quiet();
    expect(started()).toBe(1);
  });
});
