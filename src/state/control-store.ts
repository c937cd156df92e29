import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';
import type { Log } from '../audit/log.ts';
import { Refused } from '../refused.ts';
import { type ControlConnection, connectControl } from './control-connection.ts';
import { begin, CHANNEL, type Loaded, load, wasCommitted, write } from './control-rows.ts';
import { checkVersion, migrate } from './migrations.ts';
import type { Draft, Store } from './store.ts';
import { drafted } from './tables.ts';

/** Changes that may wait for their turn; more are refused. */
const MAX_WAITING = 1000;
/**
 * Between attempts to reconnect, in milliseconds: the first, and the longest; each is a little longer than the one before,
 * so that a database which is back is found after a tenth more of the time that it was away.
 */
const FIRST_BACKOFF = 25;
const BACKOFF_GROWTH = 1.1;
const LONGEST_BACKOFF = 500;
/** How long a change whose COMMIT went unanswered waits to learn what became of it, in milliseconds. */
const OUTCOME_LIMIT = 30_000;

/** How the store stands to its database. */
export interface StoreHealth {
  /** False while the database is away: reads go on from memory, changes are refused. */
  connected: boolean;
  /** Number of the newest change in memory. */
  revision: number;
  /** In ms: since memory last was known to be the database's state, by a load, a change of ours, or a notice. */
  age: number;
}

export interface ControlStore extends Store {
  health(): StoreHealth;
  /** Lets the changes that were accepted end, then disconnects. Idempotent. */
  close(): Promise<void>;
}

/**
 * The store over the control database. Several processes may have one open: a change locks the one row of
 * `postern.revision`, and brings memory up to date before it reads when another process was faster. Others' changes
 * are seen soon after their commit, by a notice, and all of them after a reconnection.
 *
 * `connection` may be a function, asked before each attempt: a server started again may have another socket. While it is
 * being started the promise waits, so that it is reached as soon as it runs.
 *
 * Throws an Error when the database cannot be reached or is of a newer Postern.
 */
export async function openStore(options: {
  connection: ControlConnection | (() => ControlConnection | Promise<ControlConnection>);
  log: Log;
}): Promise<ControlStore> {
  const { connection, log } = options;
  const store = new OpenStore(typeof connection === 'function' ? connection : () => connection, log);
  await store.open();
  return store;
}

class OpenStore implements ControlStore {
  readonly #connection: () => ControlConnection | Promise<ControlConnection>;
  readonly #log: Log;
  readonly #closing = new AbortController();
  readonly #closed = new Promise<undefined>((resolve) => {
    this.#closing.signal.addEventListener('abort', () => resolve(undefined));
  });
  #memory!: Loaded;
  /** Undefined while the database is away. */
  #client: Client | undefined;
  #reconnected: Promise<void> = Promise.resolve();
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  /** The newest change that the present connection was told of. */
  #announced = 0;
  #catchingUp = false;
  /** In ms, by `performance.now`. */
  #freshAt = performance.now();

  constructor(connection: () => ControlConnection | Promise<ControlConnection>, log: Log) {
    this.#connection = connection;
    this.#log = log;
  }

  get: Store['get'] = (table, key) => this.#memory.tables.get(table, key);

  all: Store['all'] = (table) => this.#memory.tables.all(table);

  health(): StoreHealth {
    const age = performance.now() - this.#freshAt;
    return { connected: this.#client !== undefined, revision: this.#memory.revision, age };
  }

  change<R>(work: (draft: Draft) => R): Promise<R> {
    if (this.#closing.signal.aborted) return Promise.reject(unavailable('the store is closed'));
    if (this.#waiting >= MAX_WAITING)
      return Promise.reject(unavailable('too many changes wait for the control database'));
    return this.#inTurn(() => this.#run(work));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#last;
    await this.#reconnected;
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => undefined);
  }

  async open(): Promise<void> {
    await this.#connect(await this.#connection(), migrate);
  }

  /** Connects and loads everything; only then changes are accepted. */
  async #connect(connection: ControlConnection, prepare: (client: Client) => Promise<void>): Promise<void> {
    const client = await connectControl(connection);
    this.#announced = 0;
    let gone = false;
    client.once('end', () => {
      gone = true;
      this.#lost(client);
    });
    client.on('notification', ({ payload }) => {
      this.#announced = Math.max(this.#announced, Number(payload) || 0);
      this.#catchUp();
    });
    try {
      await prepare(client);
      // First listen, then load: what is committed in between is loaded twice, not missed.
      await client.query(`listen ${CHANNEL}`);
      const loaded = await load(client);
      if (gone) throw new Error('the connection was lost while loading');
      this.#memory = loaded;
      this.#freshAt = performance.now();
      this.#client = client;
      this.#catchUp();
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
  }

  #inTurn<R>(task: () => Promise<R>): Promise<R> {
    this.#waiting += 1;
    const run = this.#last.then(task);
    this.#last = run.then(
      () => {
        this.#waiting -= 1;
      },
      () => {
        this.#waiting -= 1;
      },
    );
    return run;
  }

  async #run<R>(work: (draft: Draft) => R): Promise<R> {
    const client = this.#client;
    if (!client) throw unavailable('the control database cannot be reached');
    const number = await this.#asked(client, async () => {
      const last = await begin(client);
      if (last !== this.#memory.revision) this.#memory = await load(client);
      return last + 1;
    });
    let done: ReturnType<typeof drafted<R>>;
    try {
      done = drafted(this.#memory.tables, work);
    } catch (error) {
      await this.#asked(client, () => client.query('rollback')).catch(() => undefined);
      throw error;
    }
    const { result, writes } = done;
    if (writes.size === 0) {
      await this.#asked(client, () => client.query('rollback')).catch(() => undefined);
      return result;
    }
    const id = randomUUID();
    await this.#asked(client, () => write(client, writes, number, id));
    try {
      await client.query('commit');
    } catch (error) {
      this.#drop(client, error);
      await this.#learnOutcome(number, id);
    }
    if (this.#memory.revision < number) {
      this.#memory.tables.apply(writes);
      this.#memory.revision = number;
      this.#freshAt = performance.now();
    }
    return result;
  }

  /** The answer to a COMMIT did not come. Returns when the change turns out to be committed, else throws Refused. */
  async #learnOutcome(number: number, id: string): Promise<void> {
    const end = performance.now() + OUTCOME_LIMIT;
    while (performance.now() < end && !this.#closing.signal.aborted) {
      const late = new AbortController();
      await Promise.race([this.#reconnected, pause(end - performance.now(), undefined, late).catch(() => undefined)]);
      late.abort();
      const client = this.#client;
      // Lost again meanwhile, or not back in time.
      if (!client) continue;
      try {
        const committed = await wasCommitted(client, number, id);
        this.#memory = await load(client);
        if (committed) return;
        throw unavailable('the control database went away before the commit');
      } catch (error) {
        if (error instanceof Refused) throw error;
        this.#drop(client, error);
      }
    }
    throw unavailable('the control database went away during the commit; whether it took place is not known');
  }

  /** Loads what another process is known to have changed; in turn, not between the statements of a change. */
  #catchUp(): void {
    if (this.#catchingUp || !this.#client || this.#announced <= this.#memory.revision) return;
    this.#catchingUp = true;
    void this.#inTurn(async () => {
      this.#catchingUp = false;
      const client = this.#client;
      // Our own changes are announced to us too, and done by now.
      if (!client || this.#announced <= this.#memory.revision) return;
      try {
        this.#memory = await load(client);
        this.#announced = this.#memory.revision;
        this.#freshAt = performance.now();
      } catch (error) {
        this.#drop(client, error);
      }
    });
  }

  /** Asks the database; whatever it answers but success, the connection is given up and the change refused. */
  async #asked<R>(client: Client, ask: () => Promise<R>): Promise<R> {
    try {
      return await ask();
    } catch (error) {
      this.#drop(client, error);
      throw unavailable(`the control database failed: ${(error as Error).message}`);
    }
  }

  /** Ends the connection at once: its transaction may be in any state. */
  #drop(client: Client, error: unknown): void {
    this.#log.warn({ err: error }, 'the control database failed');
    this.#lost(client);
    void client.end().catch(() => undefined);
  }

  #lost(client: Client): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    if (this.#closing.signal.aborted) return;
    this.#log.warn('the connection to the control database is lost; reads go on from memory');
    this.#reconnected = this.#reconnect();
  }

  async #reconnect(): Promise<void> {
    const { signal } = this.#closing;
    for (let wait = FIRST_BACKOFF; !signal.aborted; wait = Math.min(wait * BACKOFF_GROWTH, LONGEST_BACKOFF)) {
      try {
        const connection = await Promise.race([this.#connection(), this.#closed]);
        // It may never come, once the store is closed.
        if (!connection) return;
        await this.#connect(connection, checkVersion);
        this.#log.info('the control database is back');
        return;
      } catch (error) {
        this.#log.debug({ err: error }, 'the control database is still away');
        await pause(wait, undefined, { signal }).catch(() => undefined);
      }
    }
  }
}

function unavailable(detail: string): Refused<'service-unavailable'> {
  return new Refused('service-unavailable', { detail });
}
