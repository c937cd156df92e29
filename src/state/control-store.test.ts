import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { connectTo, silent, startTestEngine, type TestEngine } from '../engine/embedded/test-engine.ts';
import { Refused } from '../refused.ts';
import { type ControlStore, openStore } from './control-store.ts';
import { MIGRATIONS, migrate } from './migrations.ts';
import { clusterRecord } from './testing-records.ts';

let engine: TestEngine;
const open: ControlStore[] = [];

beforeAll(async () => {
  engine = await startTestEngine({ durable: true });
});
afterAll(() => engine.stop());
beforeEach(() => engine.sql('drop schema if exists postern cascade'));
afterEach(async () => {
  for (const store of open.splice(0)) await store.close();
});

async function openAt(socketPath: string | (() => string | Promise<string>)): Promise<ControlStore> {
  const user = { user: 'postern', database: 'postgres' };
  const connection =
    typeof socketPath === 'string'
      ? { socketPath, ...user }
      : async () => ({ socketPath: await socketPath(), ...user });
  const store = await openStore({ connection, log: silent });
  open.push(store);
  return store;
}
const openControl = () => openAt(() => engine.socketPath);
const cluster = (id: string, tags: Record<string, string> = {}) => clusterRecord(id, { tags });
const until = (check: () => void) => vi.waitFor(check, { timeout: 20_000, interval: 10 });

describe('several stores on one database', () => {
  it('shows one store the changes of the other soon after their commit', async () => {
    const [one, two] = [await openControl(), await openControl()];
    await one.change((draft) => draft.put('clusters', 'a', cluster('a')));
    await until(() => expect(two.get('clusters', 'a')).toEqual(cluster('a')));
    await two.change((draft) => draft.delete('clusters', 'a'));
    await until(() => expect(one.get('clusters', 'a')).toBeUndefined());
  });

  it('loses no change when both change the same row at once', async () => {
    const [one, two] = [await openControl(), await openControl()];
    const add = (store: ControlStore) =>
      store.change((draft) => {
        const count = Number(draft.get('clusters', 'n')?.tags.n ?? 0);
        draft.put('clusters', 'n', cluster('n', { n: String(count + 1) }));
      });
    await Promise.all(Array.from({ length: 40 }, (_, index) => add(index % 2 ? one : two)));
    for (const store of [one, two]) await until(() => expect(store.get('clusters', 'n')?.tags).toEqual({ n: '40' }));
  });

  it('opens an empty database from several processes at once', async () => {
    const stores = await Promise.all(Array.from({ length: 4 }, openControl));
    await Promise.all(
      stores.map((store, i) => store.change((draft) => draft.put('clusters', `${i}`, cluster(`${i}`)))),
    );
    const again = await openControl();
    expect(again.all('clusters')).toHaveLength(4);
  });
});

describe('migrations', () => {
  it('refuses a database that a newer Postern has migrated', async () => {
    await (await openControl()).close();
    await engine.sql('insert into postern.migration (version) values ($1)', [MIGRATIONS.length + 1]);
    await expect(openControl()).rejects.toThrow('start a newer one');
  });

  it('leaves the database as it was when a step fails', async () => {
    const client = await connectTo(engine.socketPath, 'postern');
    await expect(migrate(client, ['create table postern.a ()', 'create table postern.a ()'])).rejects.toThrow('exists');
    const { rows } = await client.query(`select from pg_namespace where nspname = 'postern'`);
    expect(rows).toEqual([]);
    await client.end();
  });
});

describe('when the database goes away', () => {
  it('reads from memory and refuses changes while it is away, and goes on when it is back', async () => {
    const store = await openControl();
    await store.change((draft) => draft.put('clusters', 'a', cluster('a')));
    process.kill(engine.pid, 'SIGQUIT');
    await engine.ended;
    await expect(store.change((draft) => draft.put('clusters', 'b', cluster('b')))).rejects.toMatchObject({
      kind: 'service-unavailable',
    });
    expect(store.all('clusters')).toEqual([cluster('a')]);
    await engine.restart();
    await until(() => expect(store.change(() => 'back')).resolves.toBe('back'));
    expect((await openControl()).all('clusters')).toEqual([cluster('a')]);
  });

  it('refuses changes after close', async () => {
    const store = await openControl();
    await store.close();
    await expect(store.change(() => 1)).rejects.toBeInstanceOf(Refused);
  });
});

/** A socket in front of the database's, which breaks off when it sees what it waits for. */
class Breaker {
  readonly socketPath: string;
  /** Looks at the bytes of a client, before they are passed on (or are not). */
  seen: (bytes: string) => 'pass' | 'cut-before' | 'cut-after' = () => 'pass';
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(folder: string, target: () => string) {
    this.socketPath = join(folder, '.s.PGSQL.5433');
    this.#server = createServer((client) => {
      const server = dial(target());
      this.#sockets.add(client).add(server);
      for (const socket of [client, server]) socket.on('error', () => undefined);
      server.on('data', (bytes) => client.write(bytes));
      server.on('close', () => client.destroy());
      client.on('close', () => server.end());
      client.on('data', (bytes) => {
        const verdict = this.seen(bytes.toString('latin1'));
        if (verdict === 'cut-before') server.destroy();
        // The server gets to answer; the client never hears it.
        else if (verdict === 'cut-after') {
          server.removeAllListeners('data');
          server.once('data', () => client.destroy());
        }
        if (verdict !== 'cut-before') server.write(bytes);
      });
    });
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(this.socketPath, resolve));
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

describe('when the connection breaks', () => {
  let breaker: Breaker;
  beforeEach(async () => {
    breaker = new Breaker(join(engine.folder, '..'), () => engine.socketPath);
    await breaker.listen();
  });
  afterEach(() => breaker.close());

  const once = (statement: string, verdict: 'cut-before' | 'cut-after') => {
    breaker.seen = (bytes) => {
      if (!bytes.includes(statement)) return 'pass';
      breaker.seen = () => 'pass';
      return verdict;
    };
  };

  it.each([
    { statement: 'begin isolation', verdict: 'cut-before' },
    { statement: 'for update', verdict: 'cut-after' },
    { statement: 'insert into postern.clusters', verdict: 'cut-before' },
    { statement: 'pg_notify', verdict: 'cut-after' },
    { statement: 'commit\0', verdict: 'cut-before' },
  ] as const)('refuses the change and leaves no trace of it: $verdict $statement', async ({ statement, verdict }) => {
    const store = await openAt(breaker.socketPath);
    once(statement, verdict);
    await expect(store.change((draft) => draft.put('clusters', 'a', cluster('a')))).rejects.toMatchObject({
      kind: 'service-unavailable',
    });
    expect(store.all('clusters')).toEqual([]);
    await until(() =>
      expect(store.change((draft) => draft.put('clusters', 'b', cluster('b')))).resolves.toBeUndefined(),
    );
    expect(await engine.sql('select key from postern.clusters')).toEqual([{ key: 'b' }]);
  });

  it('finds out that a change was committed whose commit was not answered, also when others changed since', async () => {
    const [store, other] = [await openAt(breaker.socketPath), await openControl()];
    once('commit\0', 'cut-after');
    const changed = store.change((draft) => {
      draft.put('clusters', 'a', cluster('a'));
      return 'result';
    });
    await until(() => expect(other.get('clusters', 'a')).toBeDefined());
    await other.change((draft) => draft.put('clusters', 'b', cluster('b')));
    await expect(changed).resolves.toBe('result');
    await until(() => expect(store.all('clusters')).toEqual([cluster('a'), cluster('b')]));
  });

  it('waits while the database is being started, and is there as soon as it runs', async () => {
    let runs: (path: string) => void = () => undefined;
    const started = new Promise<string>((resolve) => {
      runs = resolve;
    });
    let asked = 0;
    const store = await openAt(() => (asked++ === 0 ? breaker.socketPath : started));
    await breaker.close();
    await until(() => expect(asked).toBe(2));
    expect(store.health().connected).toBe(false);
    runs(engine.socketPath);
    await until(() => expect(store.health().connected).toBe(true));
    expect(asked).toBe(2);
  });

  it('can be closed while the database is being started and never will be', async () => {
    let asked = 0;
    const store = await openAt(() => (asked++ === 0 ? breaker.socketPath : new Promise(() => undefined)));
    await breaker.close();
    await until(() => expect(asked).toBe(2));
    await store.close();
  });

  it('sees after a reconnection what it was not told of', async () => {
    const [store, other] = [await openAt(breaker.socketPath), await openControl()];
    await breaker.close();
    await other.change((draft) => draft.put('clusters', 'a', cluster('a')));
    expect(store.all('clusters')).toEqual([]);
    breaker = new Breaker(join(engine.folder, '..'), () => engine.socketPath);
    await breaker.listen();
    await until(() => expect(store.all('clusters')).toEqual([cluster('a')]));
  });
});
