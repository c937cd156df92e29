import { join } from 'node:path';
import type { Log } from '../audit/log.ts';
import type { EngineHost, StopHow } from '../engine/port.ts';
import { Refused } from '../refused.ts';
import type { openRoleCatalog } from '../roles/role-catalog.ts';
import type { AwakeCluster } from './cluster.ts';
import { isClusterId } from './names.ts';

export interface FleetOptions {
  host: EngineHost;
  openCatalog: typeof openRoleCatalog;
  /** The folder of all databases; each has one in it, by its name. */
  folder: string;
  durable: boolean;
  /** Sessions that one PostgreSQL has room for. */
  maxConnections: number;
  /** In ms: for how long nobody must have used a database before it sleeps. 0: it never does. */
  idleTime: number;
  /** Does the work once, `ms` from now; returns how to call it off. */
  after: (ms: number, work: () => void) => () => void;
  log: Log;
  /** Called when the mappings of a database may have changed. */
  onMappingsChanged: (database: string) => void;
  /** Called when there may be jobs to do in a database that is awake or about to be. */
  onJobs: (database: string) => void;
}

/** As long as it is not released, the database does not sleep. Released twice is released once. */
export interface Use {
  release(): void;
}

/** What is known of a database for as long as there is something to know. */
interface Place {
  /** Running, or just starting. */
  awake: Promise<AwakeCluster> | undefined;
  /** Once it has started. */
  running: AwakeCluster | undefined;
  /** Its server on the way down: two must not run on one folder. Never rejects. */
  down: Promise<void> | undefined;
  removal: Promise<void> | undefined;
  uses: number;
  stayAwake: () => void;
}

/**
 * The PostgreSQL instances behind the clusters, one for each database: started when they are wanted, put to sleep when
 * nobody has used them for a while, started again when they have died, and removed with their data.
 */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #places = new Map<string, Place>();
  /** Databases whose last start failed -> why. */
  readonly #failures = new Map<string, string>();
  #closed = false;

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  /**
   * Starts the database's PostgreSQL, making its data where there are none, and counts as use of it. Throws Refused
   * `engine-unavailable`, and `unknown-cluster` while the database is being removed.
   */
  wake(database: string): Promise<AwakeCluster> {
    if (this.#closed) return Promise.reject(shuttingDown());
    const place = this.#place(database);
    if (place.removal) {
      return Promise.reject(new Refused('unknown-cluster', { detail: `database ${database} is being removed` }));
    }
    if (!place.awake) this.#begin(database, place);
    else this.#countDown(database, place);
    return place.awake as Promise<AwakeCluster>;
  }

  /** What runs now, or is just starting. */
  awake(database: string): Promise<AwakeCluster> | undefined {
    return this.#places.get(database)?.awake;
  }

  /** Whether its PostgreSQL runs; not while it is just starting. */
  isAwake(database: string): boolean {
    return this.#places.get(database)?.running !== undefined;
  }

  /** `failed`: the last start did, also while another is being tried. */
  state(database: string): 'awake' | 'starting' | 'failed' | 'asleep' {
    const place = this.#places.get(database);
    if (place?.running) return 'awake';
    if (this.#failures.has(database)) return 'failed';
    return place?.awake ? 'starting' : 'asleep';
  }

  /** For whoever works with the database, or is about to. Neither wakes it nor fails. */
  use(database: string): Use {
    const place = this.#place(database);
    place.uses++;
    place.stayAwake();
    let released = false;
    return {
      release: () => {
        if (released) return;
        released = true;
        place.uses--;
        this.#countDown(database, place);
        this.#forget(database, place);
      },
    };
  }

  /**
   * Stops the database's PostgreSQL, whoever uses it, and removes its data. Idempotent; cut off by a crash, it is
   * finished by calling it again. Throws what the engine host throws; it can then be tried again.
   */
  remove(database: string): Promise<void> {
    if (this.#closed) return Promise.reject(shuttingDown());
    const place = this.#place(database);
    place.removal ??= this.#remove(database, place).finally(() => {
      place.removal = undefined;
      this.#forget(database, place);
    });
    return place.removal;
  }

  /**
   * Clears what a killed process left: servers that still run, databases half made or half removed. `names` is what was
   * in the folder before anything was woken. Never rejects.
   */
  async recover(names: readonly string[]): Promise<void> {
    const { host, folder, log } = this.#options;
    const cleared = names.map(async (name) => {
      const path = join(folder, name);
      try {
        if (!isClusterId(name)) {
          await host.clear(path);
          return;
        }
        const place = this.#place(name);
        if (place.awake || place.removal) return;
        await this.#goDown(name, place, host.stopLeft(path));
      } catch (error) {
        log.warn({ err: error, folder: path }, 'what an earlier process left could not be cleared');
      }
    });
    await Promise.all(cleared);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(
      [...this.#places].map(async ([database, place]) => {
        place.stayAwake();
        await place.removal?.catch(() => undefined);
        await this.#stop(database, place);
      }),
    );
  }

  #place(database: string): Place {
    const known = this.#places.get(database);
    if (known) return known;
    const place: Place = {
      awake: undefined,
      running: undefined,
      down: undefined,
      removal: undefined,
      uses: 0,
      stayAwake: () => undefined,
    };
    this.#places.set(database, place);
    return place;
  }

  /** Nothing stays of a database that nobody uses and that does not run. */
  #forget(database: string, place: Place): void {
    if (place.uses > 0 || place.awake || place.down || place.removal) return;
    if (this.#places.get(database) === place) this.#places.delete(database);
  }

  #begin(database: string, place: Place): void {
    let gone: string | undefined;
    const awake = this.#start(database, place, (why) => {
      gone ??= why;
      if (place.awake === awake) this.#lose(database, place, why);
    });
    place.awake = awake;
    awake.then(
      (cluster) => {
        this.#failures.delete(database);
        place.running = cluster;
        if (gone === undefined) this.#countDown(database, place);
        else this.#lose(database, place, gone);
      },
      (error: Error) => {
        if (!this.#closed) this.#failures.set(database, error.message);
        place.awake = undefined;
        this.#forget(database, place);
      },
    );
  }

  async #start(database: string, place: Place, onLost: (why: string) => void): Promise<AwakeCluster> {
    const { host, openCatalog, folder, durable, maxConnections, log, onMappingsChanged, onJobs } = this.#options;
    await place.down;
    try {
      const engine = await host.start({ name: database, folder: join(folder, database), durable, maxConnections });
      try {
        // Without the catalog nobody can be checked any more.
        const catalog = await openCatalog(engine, {
          onChange: () => onMappingsChanged(database),
          onJobs: () => onJobs(database),
          onLost,
        });
        engine.ended.then((how) => {
          log.error({ database, how }, 'the PostgreSQL of a database ended');
          onLost(how);
        });
        return { engine, catalog };
      } catch (error) {
        await engine.stop().catch(() => undefined);
        throw error;
      }
    } catch (error) {
      if (error instanceof Refused) throw error;
      log.error({ err: error, database }, 'a database does not start');
      throw new Refused('engine-unavailable', {
        detail: `database ${database} does not start: ${(error as Error).message}`,
      });
    }
  }

  /** What runs has died, or is of no more use: the next who wants it starts it anew. */
  #lose(database: string, place: Place, reason: string): void {
    const { running } = place;
    if (!running) return;
    this.#options.log.warn({ database, reason }, 'a database was lost and starts again when it is wanted');
    // A server one of whose processes was killed is replaying its log, and may not hear of a fast shutdown until then.
    this.#takeDown(database, place, running, 'immediate');
  }

  #takeDown(database: string, place: Place, running: AwakeCluster, how: StopHow): void {
    place.stayAwake();
    place.awake = place.running = undefined;
    this.#goDown(database, place, this.#stopped(database, running, how));
  }

  /** The time without use begins now, if it does. */
  #countDown(database: string, place: Place): void {
    const { idleTime, after, log } = this.#options;
    place.stayAwake();
    if (idleTime === 0 || place.uses > 0 || !place.running || place.removal || this.#closed) return;
    place.stayAwake = after(idleTime, () => {
      log.info({ database }, 'a database that nobody uses goes to sleep');
      void this.#stop(database, place);
    });
  }

  /** Stops what runs or is about to. Never rejects. */
  async #stop(database: string, place: Place): Promise<void> {
    if (!place.running) await place.awake?.catch(() => undefined);
    if (place.running) this.#takeDown(database, place, place.running, 'fast');
    await place.down;
  }

  async #stopped(database: string, { engine, catalog }: AwakeCluster, how: StopHow): Promise<void> {
    try {
      // Not one after the other: a session that hangs must not keep the server from its end.
      await Promise.all([catalog.close().catch(() => undefined), engine.stop(how)]);
    } catch (error) {
      this.#options.log.error({ err: error, database }, 'stopping a database failed');
    }
  }

  /** What is started now waits until `stopping` is over. Rejects as it does. */
  #goDown(database: string, place: Place, stopping: Promise<void>): Promise<void> {
    const before = place.down ?? Promise.resolve();
    const down = Promise.allSettled([before, stopping]).then(() => {
      if (place.down === down) place.down = undefined;
      this.#forget(database, place);
    });
    place.down = down;
    return stopping;
  }

  async #remove(database: string, place: Place): Promise<void> {
    const { host, folder, log } = this.#options;
    place.stayAwake();
    await this.#stop(database, place);
    await host.remove(join(folder, database));
    this.#failures.delete(database);
    log.info({ database }, 'a database was removed');
  }
}

function shuttingDown(): Refused {
  return new Refused('shutting-down', { detail: 'the server is shutting down' });
}
