import type { Log } from '../audit/log.ts';
import type { ClusterRecord } from '../state/records.ts';
import type { Draft, Store } from '../state/store.ts';

/** In ms, between two attempts; doubled each time. */
const FIRST_WAIT = 500;
const LONGEST_WAIT = 60_000;

/** The PostgreSQL instances, by the database that they hold: `Fleet`. */
export interface Databases {
  /** Makes it where it is not there yet. */
  wake(database: string): Promise<unknown>;
  isAwake(database: string): boolean;
  /** Ends its sessions and removes its data. Idempotent. */
  remove(database: string): Promise<void>;
}

export interface SettlingOptions {
  store: Store;
  fleet: Pick<Databases, 'wake' | 'remove'>;
  log: Log;
  /** Resolves after this many ms, or rejects when the signal is aborted. */
  pause(ms: number, signal: AbortSignal): Promise<void>;
}

type Cluster = Readonly<ClusterRecord>;

const UNSETTLED = ['CREATING', 'DELETING'] as const satisfies ClusterRecord['status'][];

interface Run {
  again: boolean;
  done: Promise<void>;
}

/**
 * Brings databases to what the records of their clusters say: a CREATING one is made and becomes ACTIVE, the data of
 * DELETING ones are removed and their records after them. The records say it all, so that what a crash has cut off goes
 * on at the next start; what fails is tried again.
 */
export class Settling {
  readonly #options: SettlingOptions;
  /** One at a time for each database. */
  readonly #runs = new Map<string, Run>();
  readonly #closing = new AbortController();

  constructor(options: SettlingOptions) {
    this.#options = options;
  }

  /** Begins now, or once more when what runs for this database has ended. */
  settle(database: string): void {
    if (this.#closing.signal.aborted) return;
    const running = this.#runs.get(database);
    if (running) {
      running.again = true;
      return;
    }
    const run: Run = { again: false, done: Promise.resolve() };
    this.#runs.set(database, run);
    run.done = this.#drive(database, run);
  }

  /** Begins with everything that is not settled: at the start of the server. */
  recover(): void {
    const unsettled = this.#options.store
      .all('clusters')
      .filter(({ status }) => UNSETTLED.some((each) => each === status));
    for (const database of new Set(unsettled.map((cluster) => cluster.database))) this.settle(database);
  }

  /** Resolves when nothing runs. What waits for another attempt never ends by itself. */
  async settled(): Promise<void> {
    while (this.#runs.size > 0) await Promise.all([...this.#runs.values()].map(({ done }) => done));
  }

  /** Lets the step that runs come to its end, and begins no other. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.settled();
  }

  async #drive(database: string, run: Run): Promise<void> {
    const { log, pause } = this.#options;
    const { signal } = this.#closing;
    for (let wait = FIRST_WAIT; ; ) {
      run.again = false;
      let failed = false;
      try {
        await this.#step(database);
        wait = FIRST_WAIT;
      } catch (error) {
        failed = true;
        if (!signal.aborted) log.error({ err: error, database, wait }, 'a cluster cannot be made or deleted yet');
      }
      if (signal.aborted || !(failed || run.again)) break;
      if (failed) {
        await pause(wait, signal).catch(() => undefined);
        wait = Math.min(wait * 2, LONGEST_WAIT);
        if (signal.aborted) break;
      }
    }
    this.#runs.delete(database);
  }

  async #step(database: string): Promise<void> {
    const { store, fleet, log } = this.#options;
    const clusters = store.all('clusters').filter((cluster) => cluster.database === database);
    const isAll = (status: string) => clusters.length > 0 && clusters.every((cluster) => cluster.status === status);
    if (isAll('DELETING')) {
      await fleet.remove(database);
      await this.#each(database, 'DELETING', (draft, { id }) => draft.delete('clusters', id));
    } else if (clusters.some(({ status }) => status === 'CREATING')) {
      await fleet.wake(database);
      await this.#each(database, 'CREATING', (draft, cluster) =>
        draft.put('clusters', cluster.id, { ...cluster, status: 'ACTIVE' }),
      );
    } else {
      return;
    }
    log.info({ database, clusters: clusters.map(({ id }) => id), was: clusters[0]?.status }, 'clusters are settled');
  }

  /** What has got another status meanwhile is left alone: there is another step for it. */
  #each(
    database: string,
    status: (typeof UNSETTLED)[number],
    work: (draft: Draft, cluster: Cluster) => void,
  ): Promise<void> {
    return this.#options.store.change((draft) => {
      for (const cluster of draft.all('clusters')) {
        if (cluster.database === database && cluster.status === status) work(draft, cluster);
      }
    });
  }
}
