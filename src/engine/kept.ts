import { setTimeout as timer } from 'node:timers/promises';
import type { Log } from '../audit/log.ts';
import type { Engine } from './port.ts';

/** A server that is started again whenever it dies. */
export interface KeptEngine {
  /** The one that runs now, or ran last; its socket may be another after a restart. */
  current(): Engine;
  /** Resolves as soon as one runs; with one that has just died, when nobody has noticed yet. Never, once it has failed or stopped. */
  running(): Promise<Engine>;
  /** Why there is none, once a start has failed; undefined while one runs or the first start is under way. */
  readonly away: string | undefined;
  /** Resolves when the server could not be brought back for an hour, with a text that says why. */
  failed: Promise<string>;
  stop(): Promise<void>;
}

/** In ms, before a server is started again that has just been started or could not be: the first, and the longest. */
const FIRST_WAIT = 100;
const LONGEST_WAIT = 1_000;
/** In ms: who has run that long has not ended because of its start. */
const STEADY = 2_000;
/** In ms of waiting: a disk that is full has room again some time; what lasts longer a restart does not mend. */
const PATIENCE = 3_600_000;

/**
 * Throws what the first `start` throws. Later ones are tried again, at once at first, then ever less often. `pause` waits
 * so many ms, or until the signal.
 */
export async function keepRunning(
  start: () => Promise<Engine>,
  log: Log,
  now: () => Date,
  pause: (ms: number, signal: AbortSignal) => Promise<unknown> = (ms, signal) => timer(ms, undefined, { signal }),
): Promise<KeptEngine> {
  let engine = await start();
  let startedAt = now();
  const stopping = new AbortController();
  let stopped: Promise<void> | undefined;
  let restarting: Promise<void> | undefined;
  let running: Promise<Engine> = Promise.resolve(engine);
  let away: string | undefined;
  let wait = 0;
  let waited = 0;
  let fail: (why: string) => void = () => undefined;
  const failed = new Promise<string>((resolve) => {
    fail = resolve;
  });

  watch(engine);

  function watch(watched: Engine): void {
    watched.ended.then((how) => {
      if (stopping.signal.aborted) return;
      running = new Promise((resolve) => {
        restarting = restart(how, resolve);
      });
    });
  }

  async function restart(how: string, runs: (engine: Engine) => void): Promise<void> {
    // A clock that was set back has seen enough, too.
    if (Math.abs(now().getTime() - startedAt.getTime()) >= STEADY) wait = waited = 0;
    log.error({ how }, 'the PostgreSQL of the control database ended and is started again');
    for (let why = how; waited < PATIENCE; ) {
      if (wait > 0) await pause(wait, stopping.signal).catch(() => undefined);
      if (stopping.signal.aborted) return;
      waited += wait;
      wait = Math.min(Math.max(FIRST_WAIT, 2 * wait), LONGEST_WAIT);
      try {
        engine = await start();
        startedAt = now();
        away = undefined;
        watch(engine);
        runs(engine);
        return;
      } catch (error) {
        const { message } = error as Error;
        if (message !== why) log.error({ err: error }, 'the PostgreSQL of the control database does not start');
        away = why = message;
      }
      if (waited >= PATIENCE) how = why;
    }
    fail(how);
  }

  return {
    current: () => engine,
    running: () => running,
    get away() {
      return away;
    },
    failed,
    stop() {
      stopping.abort();
      stopped ??= (restarting ?? Promise.resolve()).then(() => engine.stop());
      return stopped;
    },
  };
}
