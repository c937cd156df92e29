import { setImmediate as turn } from 'node:timers/promises';
import { pino } from 'pino';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Engine, EngineOptions } from '../engine/port.ts';
import { Fleet, type FleetOptions } from './fleet.ts';

const ONE = 'a'.repeat(26);
const OTHER = 'b'.repeat(26);
const IDLE = 60_000;

/** Engines that start, stop and go away when the test says so. `said` is what happened, in order. */
class FakeHost {
  readonly said: string[] = [];
  readonly running = new Map<string, { die: (how: string) => void; lose: (reason: string) => void }>();
  /** Work that waits for the test, by its name. */
  readonly #held = new Map<string, () => void>();
  readonly hold = new Set<string>();
  readonly fail = new Set<string>();

  async #step(name: string): Promise<void> {
    this.said.push(name);
    if (this.hold.delete(name)) await new Promise<void>((resolve) => this.#held.set(name, resolve));
    if (this.fail.delete(name)) throw new Error(`${name} failed`);
  }

  letGo(name: string): void {
    const go = this.#held.get(name);
    if (!go) throw new Error(`nothing waits for ${name}`);
    this.#held.delete(name);
    go();
  }

  async start({ name, folder }: EngineOptions): Promise<Engine> {
    await this.#step(`start ${name}`);
    if (this.running.has(name)) throw new Error(`${name} runs twice`);
    let die: (how: string) => void = () => undefined;
    const ended = new Promise<string>((resolve) => {
      die = resolve;
    });
    this.running.set(name, { die, lose: () => undefined });
    let stopped: Promise<void> | undefined;
    return {
      socketPath: folder,
      superuser: 'postern',
      pid: 1,
      ended,
      stop: () => {
        stopped ??= this.#step(`stop ${name}`).then(() => void this.running.delete(name));
        return stopped;
      },
    };
  }

  readonly openCatalog: FleetOptions['openCatalog'] = async (engine, { onLost }) => {
    const name = engine.socketPath.slice(-26);
    await this.#step(`open ${name}`);
    const server = this.running.get(name);
    if (server) server.lose = onLost;
    return {
      facts: async () => undefined,
      mappings: async () => [],
      blockers: async () => [],
      transactions: async () => new Map(),
      schemaFacts: async () => ({
        functions: new Set<string>(),
        calling: new Set<string>(),
        cascading: new Set<string>(),
        parents: new Map<string, string[]>(),
        keys: new Map<string, Set<string>>(),
        views: new Set<string>(),
      }),
      lockedRows: async () => [],
      hasRows: async () => false,
      hasJobs: async () => false,
      close: async () => void this.said.push(`close ${name}`),
    };
  };

  stopLeft = (folder: string) => this.#step(`stop left ${folder.slice(-26)}`);
  remove = (folder: string) => this.#step(`remove ${folder.slice(-26)}`);
  clear = (path: string) => this.#step(`clear ${path}`);
}

let host: FakeHost;
let fleet: Fleet;
/** What is to be done later, and when; ended by `pass`. */
let later: { ms: number; work: () => void }[];

function makeFleet(changes: Partial<FleetOptions> = {}): Fleet {
  return new Fleet({
    host,
    openCatalog: host.openCatalog,
    folder: '/clusters',
    durable: true,
    maxConnections: 10,
    idleTime: IDLE,
    after: (ms, work) => {
      const entry = { ms, work };
      later.push(entry);
      return () => {
        later = later.filter((other) => other !== entry);
      };
    },
    log: pino({ level: 'silent' }),
    onMappingsChanged: () => undefined,
    onJobs: () => undefined,
    ...changes,
  });
}

/** The time that everything waits for is over. */
function pass(): void {
  for (const { work } of later.splice(0)) work();
}
const settle = async () => {
  for (let i = 0; i < 5; i++) await turn();
};

beforeEach(() => {
  host = new FakeHost();
  later = [];
  fleet = makeFleet();
});

describe('waking', () => {
  it('starts a database once for all who want it', async () => {
    const [first, second] = await Promise.all([fleet.wake(ONE), fleet.wake(ONE)]);
    expect(first).toBe(second);
    expect(host.said).toEqual([`start ${ONE}`, `open ${ONE}`]);
  });

  it('is awake only when it has started', async () => {
    host.hold.add(`start ${ONE}`);
    expect(fleet.isAwake(ONE)).toBe(false);
    expect(fleet.awake(ONE)).toBeUndefined();
    const awake = fleet.wake(ONE);
    await settle();
    expect(fleet.isAwake(ONE)).toBe(false);
    expect(fleet.awake(ONE)).toBe(awake);
    host.letGo(`start ${ONE}`);
    await awake;
    expect(fleet.isAwake(ONE)).toBe(true);
    expect(fleet.isAwake(OTHER)).toBe(false);
  });

  it('tells the state of each database, and of a failed start until one succeeds or its data are gone', async () => {
    expect(fleet.state(ONE)).toBe('asleep');
    host.hold.add(`start ${ONE}`);
    host.fail.add(`start ${ONE}`);
    const awake = fleet.wake(ONE);
    await settle();
    expect(fleet.state(ONE)).toBe('starting');
    host.letGo(`start ${ONE}`);
    await expect(awake).rejects.toThrow();
    expect(fleet.state(ONE)).toBe('failed');
    const again = fleet.wake(ONE);
    expect(fleet.state(ONE)).toBe('failed');
    await again;
    expect(fleet.state(ONE)).toBe('awake');
    host.fail.add(`start ${OTHER}`);
    await expect(fleet.wake(OTHER)).rejects.toThrow();
    await fleet.remove(OTHER);
    expect(fleet.state(OTHER)).toBe('asleep');
  });

  it.each([
    'start',
    'open',
  ])('says that it failed (%s), leaves nothing running, and can be tried again', async (step) => {
    host.fail.add(`${step} ${ONE}`);
    await expect(fleet.wake(ONE)).rejects.toMatchObject({ kind: 'engine-unavailable' });
    expect(fleet.awake(ONE)).toBeUndefined();
    expect(host.running.size).toBe(0);
    await fleet.wake(ONE);
    expect(fleet.isAwake(ONE)).toBe(true);
  });
});

describe('a database that nobody uses', () => {
  it('sleeps after the idle time, its catalog session closed, and is woken by the next', async () => {
    await fleet.wake(ONE);
    expect(later.map(({ ms }) => ms)).toEqual([IDLE]);
    pass();
    expect(fleet.isAwake(ONE)).toBe(false);
    await settle();
    expect(host.said.slice(2)).toEqual([`close ${ONE}`, `stop ${ONE}`]);
    await fleet.wake(ONE);
    expect(host.said.slice(4)).toEqual([`start ${ONE}`, `open ${ONE}`]);
  });

  it('has its whole idle time again after each use', async () => {
    await fleet.wake(ONE);
    const [first] = later;
    await fleet.wake(ONE);
    expect(later.length).toBe(1);
    expect(later[0]).not.toBe(first);
  });

  it('never sleeps when the idle time is 0', async () => {
    fleet = makeFleet({ idleTime: 0 });
    await fleet.wake(ONE);
    fleet.use(ONE).release();
    expect(later).toEqual([]);
  });

  it('never sleeps as long as one of its users is there, whoever of them came first', async () => {
    const early = fleet.use(ONE);
    await fleet.wake(ONE);
    const late = fleet.use(ONE);
    expect(later).toEqual([]);
    early.release();
    early.release();
    expect(later).toEqual([]);
    late.release();
    expect(later.length).toBe(1);
    pass();
    await settle();
    expect(fleet.isAwake(ONE)).toBe(false);
  });

  it('does not sleep while another one does', async () => {
    await Promise.all([fleet.wake(ONE), fleet.wake(OTHER)]);
    const use = fleet.use(OTHER);
    pass();
    await settle();
    expect([fleet.isAwake(ONE), fleet.isAwake(OTHER)]).toEqual([false, true]);
    use.release();
  });
});

describe('a login while the database goes to sleep', () => {
  it('waits until it is down, and starts it then', async () => {
    await fleet.wake(ONE);
    host.hold.add(`stop ${ONE}`);
    pass();
    const use = fleet.use(ONE);
    const awake = fleet.wake(ONE);
    await settle();
    expect(host.said.at(-1)).toBe(`stop ${ONE}`);
    host.letGo(`stop ${ONE}`);
    await awake;
    expect(host.said.slice(-2)).toEqual([`start ${ONE}`, `open ${ONE}`]);
    expect(later).toEqual([]);
    use.release();
  });

  it('starts it although its stop failed', async () => {
    await fleet.wake(ONE);
    host.fail.add(`stop ${ONE}`);
    host.running.delete(ONE);
    pass();
    await fleet.wake(ONE);
    expect(fleet.isAwake(ONE)).toBe(true);
  });
});

describe('a PostgreSQL that dies', () => {
  it.each<[string, (name: string) => void]>([
    ['by itself', (name) => host.running.get(name)?.die('signal 9')],
    ['with its catalog session', (name) => host.running.get(name)?.lose('the session ended')],
  ])('%s is started again by the next who wants it, its users still counted', async (_, happen) => {
    const use = fleet.use(ONE);
    const first = await fleet.wake(ONE);
    happen(ONE);
    await settle();
    expect(fleet.isAwake(ONE)).toBe(false);
    expect(fleet.awake(ONE)).toBeUndefined();
    const second = await fleet.wake(ONE);
    expect(second).not.toBe(first);
    expect(host.said.filter((step) => step.startsWith('start'))).toHaveLength(2);
    expect(later).toEqual([]);
    use.release();
    expect(later.length).toBe(1);
  });

  it('while it goes to sleep is no loss', async () => {
    await fleet.wake(ONE);
    host.hold.add(`stop ${ONE}`);
    pass();
    host.running.get(ONE)?.die('signal 9');
    host.running.get(ONE)?.lose('the session ended');
    await settle();
    expect(host.said.filter((step) => step.startsWith('stop'))).toHaveLength(1);
    host.letGo(`stop ${ONE}`);
    await fleet.wake(ONE);
    expect(fleet.isAwake(ONE)).toBe(true);
  });

  it('while its catalog is being opened is stopped, and started again by the next', async () => {
    host.hold.add(`open ${ONE}`);
    const first = fleet.wake(ONE);
    await settle();
    host.running.get(ONE)?.die('signal 9');
    host.letGo(`open ${ONE}`);
    await first;
    await settle();
    expect(fleet.isAwake(ONE)).toBe(false);
    await fleet.wake(ONE);
    expect(host.said).toEqual([
      ...[`start ${ONE}`, `open ${ONE}`, `close ${ONE}`, `stop ${ONE}`],
      ...[`start ${ONE}`, `open ${ONE}`],
    ]);
  });
});

describe('removing a database', () => {
  it('stops it, whoever uses it, and removes its data', async () => {
    fleet.use(ONE);
    await fleet.wake(ONE);
    await fleet.remove(ONE);
    expect(host.said.slice(2)).toEqual([`close ${ONE}`, `stop ${ONE}`, `remove ${ONE}`]);
    expect(fleet.awake(ONE)).toBeUndefined();
  });

  it('that sleeps does not wake it', async () => {
    await fleet.remove(ONE);
    await fleet.remove(ONE);
    expect(host.said).toEqual([`remove ${ONE}`, `remove ${ONE}`]);
  });

  it('is done once for all who ask at once', async () => {
    await Promise.all([fleet.remove(ONE), fleet.remove(ONE)]);
    expect(host.said).toEqual([`remove ${ONE}`]);
  });

  it('while it wakes waits for the start, and those who woke it get what they may', async () => {
    host.hold.add(`start ${ONE}`);
    const awake = fleet.wake(ONE);
    const removed = fleet.remove(ONE);
    await settle();
    expect(host.said).toEqual([`start ${ONE}`]);
    host.letGo(`start ${ONE}`);
    await Promise.all([awake, removed]);
    expect(host.said.slice(1)).toEqual([`open ${ONE}`, `close ${ONE}`, `stop ${ONE}`, `remove ${ONE}`]);
    expect(later).toEqual([]);
  });

  it('while it wakes in vain removes what there is', async () => {
    host.hold.add(`start ${ONE}`);
    host.fail.add(`start ${ONE}`);
    const awake = fleet.wake(ONE).catch((error) => error.kind);
    const removed = fleet.remove(ONE);
    await settle();
    host.letGo(`start ${ONE}`);
    await removed;
    expect(await awake).toBe('engine-unavailable');
    expect(host.said.at(-1)).toBe(`remove ${ONE}`);
  });

  it('while it goes to sleep waits for that', async () => {
    await fleet.wake(ONE);
    host.hold.add(`stop ${ONE}`);
    pass();
    const removed = fleet.remove(ONE);
    await settle();
    expect(host.said.at(-1)).toBe(`stop ${ONE}`);
    host.letGo(`stop ${ONE}`);
    await removed;
    expect(host.said.slice(-2)).toEqual([`stop ${ONE}`, `remove ${ONE}`]);
  });

  it('refuses who wants to wake it meanwhile', async () => {
    host.hold.add(`remove ${ONE}`);
    const removed = fleet.remove(ONE);
    await expect(fleet.wake(ONE)).rejects.toMatchObject({ kind: 'unknown-cluster' });
    await settle();
    host.letGo(`remove ${ONE}`);
    await removed;
    expect(host.said).toEqual([`remove ${ONE}`]);
  });

  it('can be tried again when it failed', async () => {
    host.fail.add(`remove ${ONE}`);
    await expect(fleet.remove(ONE)).rejects.toThrow('failed');
    await fleet.remove(ONE);
    expect(host.said).toEqual([`remove ${ONE}`, `remove ${ONE}`]);
  });
});

describe('after a killed process', () => {
  it('servers that were left are stopped, and what is half made or half removed is cleared', async () => {
    await fleet.recover([ONE, `${OTHER}.removing-0123456789ab`]);
    expect(host.said).toEqual([`stop left ${ONE}`, `clear /clusters/${OTHER}.removing-0123456789ab`]);
  });

  it('who wants a database waits until the server that was left is down', async () => {
    host.hold.add(`stop left ${ONE}`);
    const recovered = fleet.recover([ONE, OTHER]);
    const awake = fleet.wake(ONE);
    await settle();
    expect(host.said).not.toContain(`start ${ONE}`);
    host.letGo(`stop left ${ONE}`);
    await Promise.all([recovered, awake]);
    expect(host.said).toContain(`start ${ONE}`);
  });

  it('a database that is awake already is left alone, and one failure stands in nobody else’s way', async () => {
    await fleet.wake(ONE);
    host.fail.add(`stop left ${OTHER}`);
    await fleet.recover([ONE, OTHER, 'x']);
    expect(host.said.slice(2)).toEqual([`stop left ${OTHER}`, 'clear /clusters/x']);
    await fleet.wake(OTHER);
    expect(fleet.isAwake(OTHER)).toBe(true);
  });
});

describe('closing', () => {
  it('stops all, waits for what starts, sleeps or is removed, and starts nothing any more', async () => {
    const names = [ONE, OTHER, 'c'.repeat(26), 'd'.repeat(26)] as const;
    await Promise.all([fleet.wake(names[0]), fleet.wake(names[1])]);
    const steps = [`start ${names[2]}`, `remove ${names[3]}`, `stop ${names[1]}`];
    for (const step of steps) host.hold.add(step);
    const starting = fleet.wake(names[2]);
    const removed = fleet.remove(names[3]);
    await settle();
    let closed = false;
    const closing = fleet.close().then(() => {
      closed = true;
    });
    for (const step of steps) {
      await settle();
      expect(closed).toBe(false);
      host.letGo(step);
    }
    await Promise.all([closing, starting, removed]);
    expect(host.running.size).toBe(0);
    expect(later).toEqual([]);
    await expect(fleet.wake(ONE)).rejects.toMatchObject({ kind: 'shutting-down' });
    await expect(fleet.remove(ONE)).rejects.toMatchObject({ kind: 'shutting-down' });
  });
});
