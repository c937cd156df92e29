import type { Log } from '../audit/log.ts';
import type { AwakeCluster } from '../clusters/cluster.ts';
import type { Use } from '../clusters/fleet.ts';
import { type Job, JobStore, type Outcome } from './job-store.ts';
import { runJob } from './run-job.ts';

export interface RunnerOptions {
  fleet: {
    /** What runs now, or is just starting. */
    awake(database: string): Promise<AwakeCluster> | undefined;
    /** As long as it is not released, the database does not sleep. */
    use(database: string): Use;
  };
  /** Does the work once, `ms` from now; returns how to call it off. */
  after: (ms: number, work: () => void) => () => void;
  log: Log;
}

/** At once in one database; each holds a session, and an index takes its share of memory to sort. */
const MAX_RUNNING = 4;
/** In ms: for how long a client's answer waits for the jobs that its transaction has submitted to begin. */
const BEGIN_TIME = 500;
/** In ms, until the jobs of a database are looked for again after that has failed. */
const AGAIN = 1_000;

/** The work on one database, from the first job to the last. */
interface Place {
  /** There may be jobs that were not seen yet. */
  look: boolean;
  /** Called when they have been seen and begun. */
  waiting: (() => void)[];
  /** Ends the waiting for the next event. */
  wake: () => void;
  ended: Promise<void>;
}

interface Running {
  job: Job;
  ended: Promise<void>;
  /** Resolves when there is something to see of it in the catalog, or it has ended. */
  begun: Promise<void>;
}

/** Runs the jobs of all databases, in the background; each table's one after the other. */
export class JobRunner {
  readonly #options: RunnerOptions;
  readonly #places = new Map<string, Place>();
  readonly #closing = new AbortController();
  readonly #callOff = new Set<() => void>();

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  /**
   * There may be jobs in this database. Resolves when those that are committed now have begun, or after a short time. Never
   * rejects; a database that sleeps stays asleep.
   */
  look(database: string): Promise<void> {
    if (this.#closing.signal.aborted || !this.#options.fleet.awake(database)) return Promise.resolve();
    return new Promise((resolve) => {
      const place = this.#places.get(database) ?? this.#begin(database);
      place.waiting.push(resolve);
      place.look = true;
      place.wake();
    });
  }

  /** Cuts off what runs: it is taken up again by the next start. */
  async close(): Promise<void> {
    this.#closing.abort();
    for (const callOff of this.#callOff) callOff();
    await Promise.all(
      [...this.#places.values()].map((place) => {
        place.wake();
        return place.ended;
      }),
    );
  }

  #begin(database: string): Place {
    const place: Place = { look: true, waiting: [], wake: () => undefined, ended: Promise.resolve() };
    this.#places.set(database, place);
    place.ended = this.#work(database, place)
      .catch((error: Error) => {
        place.look = false;
        if (this.#closing.signal.aborted) return;
        this.#options.log.warn({ err: error, database }, 'the jobs of a database were interrupted');
        this.#after(AGAIN, () => void this.look(database));
      })
      .then(async () => {
        // Asked while the work was about to end.
        if (place.look) await this.look(database);
        for (const resolve of place.waiting) resolve();
      });
    return place;
  }

  async #work(database: string, place: Place): Promise<void> {
    const { fleet } = this.#options;
    const use = fleet.use(database);
    const running = new Set<Running>();
    let store: JobStore | undefined;
    try {
      const awake = await fleet.awake(database);
      if (!awake) return;
      // Asked over the standing session: nearly always there is nothing to do.
      place.look = false;
      if (!(await awake.catalog.hasJobs())) return;
      place.look = true;
      store = await JobStore.open(awake.engine);
      let failed: Error | undefined;
      while (!this.#closing.signal.aborted && (place.look || running.size > 0)) {
        const event = new Promise<void>((resolve) => {
          place.wake = resolve;
        });
        if (place.look) {
          place.look = false;
          const waiting = place.waiting.splice(0);
          const jobs = await store.next().catch((error: Error) => {
            place.waiting.unshift(...waiting);
            throw error;
          });
          const started = this.#startSome(database, jobs, { running, store, awake });
          for (const one of started) {
            void one.ended.then(
              () => this.#ended(place, running, one),
              (error: Error) => {
                failed = error;
                this.#ended(place, running, one);
              },
            );
          }
          // Another look may have started them a moment ago.
          void this.#within(BEGIN_TIME, Promise.all([...running].map(({ begun }) => begun))).then(() => {
            for (const resolve of waiting) resolve();
          });
        }
        // What has ended in the meantime has said so already.
        if (!place.look && running.size > 0) await event;
        if (failed) throw failed;
      }
    } finally {
      // A job must not be taken up twice.
      await Promise.allSettled([...running].map(({ ended }) => ended));
      store?.close();
      use.release();
      this.#places.delete(database);
    }
  }

  #ended(place: Place, running: Set<Running>, one: Running): void {
    running.delete(one);
    // The next one of its table, or one that had no place.
    place.look = true;
    place.wake();
  }

  #startSome(
    database: string,
    jobs: readonly Job[],
    { running, store, awake }: { running: Set<Running>; store: JobStore; awake: AwakeCluster },
  ): Running[] {
    const started: Running[] = [];
    const busy = new Set([...running].map(({ job }) => job.relation));
    const known = new Set([...running].map(({ job }) => job.id));
    for (const job of jobs) {
      if (known.has(job.id) || busy.has(job.relation) || running.size >= MAX_RUNNING) continue;
      busy.add(job.relation);
      const { signal: closing } = this.#closing;
      const pause = (ms: number) => this.#pause(ms);
      const ended = runJob(job, { engine: awake.engine, store, pause, closing }).then((outcome) =>
        this.#report(database, job, outcome),
      );
      const one = { job, ended, begun: this.#begun(job, store, ended) };
      running.add(one);
      started.push(one);
    }
    return started;
  }

  #report(database: string, { jobId, type }: Job, { details }: Outcome): void {
    const facts = { database, jobId, type };
    if (details === undefined) this.#options.log.info(facts, 'a job is completed');
    else this.#options.log.warn({ ...facts, details }, 'a job has failed');
  }

  /** CREATE INDEX CONCURRENTLY commits the index at its beginning and tells nobody. */
  async #begun(job: Job, store: JobStore, ended: Promise<void>): Promise<void> {
    let over = job.type !== 'INDEX_BUILD';
    const end = ended.then(
      () => undefined,
      () => undefined,
    );
    void end.then(() => {
      over = true;
    });
    const until = performance.now() + BEGIN_TIME;
    for (let ms = 2; !over && performance.now() < until; ms = Math.min(2 * ms, 50)) {
      await Promise.race([this.#pause(ms), end]);
      if (over) return;
      const target = await store.target(job).catch(() => undefined);
      if (!target || target.index !== null) return;
    }
  }

  #within(ms: number, work: Promise<unknown>): Promise<unknown> {
    return Promise.race([work, this.#pause(ms)]);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#after(ms, resolve, resolve));
  }

  /** `calledOff` is called in its place when the program is closing. */
  #after(ms: number, work: () => void, calledOff: () => void = () => undefined): void {
    if (this.#closing.signal.aborted) {
      calledOff();
      return;
    }
    const cancel = this.#options.after(ms, () => {
      this.#callOff.delete(callOff);
      work();
    });
    const callOff = () => {
      this.#callOff.delete(callOff);
      cancel();
      calledOff();
    };
    this.#callOff.add(callOff);
  }
}
