import type { Log } from '../audit/log.ts';
import type { Engine } from './port.ts';

/** A server that is started again whenever it dies. */
export interface KeptEngine {
  /** The one that runs now, or ran last; its socket may be another after a restart. */
  current(): Engine;
  /** Resolves when the server cannot be brought back, with a text that says why. */
  failed: Promise<string>;
  stop(): Promise<void>;
}

/** A server that dies more often than this within an hour has a reason that a restart does not remove. */
const MAX_RESTARTS = 10;
const HOUR = 3_600_000;

/** Throws what the first `start` throws. */
export async function keepRunning(start: () => Promise<Engine>, log: Log, now: () => Date): Promise<KeptEngine> {
  let engine = await start();
  let stopping: Promise<void> | undefined;
  let restarting: Promise<void> | undefined;
  let restarts: number[] = [];
  let fail: (why: string) => void = () => undefined;
  const failed = new Promise<string>((resolve) => {
    fail = resolve;
  });

  watch(engine);

  function watch(watched: Engine): void {
    watched.ended.then((how) => {
      if (stopping) return;
      restarting = restart(how);
    });
  }

  async function restart(how: string): Promise<void> {
    const time = now().getTime();
    restarts = [...restarts.filter((earlier) => time - earlier < HOUR), time];
    if (restarts.length > MAX_RESTARTS) {
      fail(`it ended ${restarts.length} times within an hour, at last: ${how}`);
      return;
    }
    log.error({ how }, 'the PostgreSQL of the control database ended and is started again');
    try {
      engine = await start();
      watch(engine);
    } catch (error) {
      fail((error as Error).message);
    }
  }

  return {
    current: () => engine,
    failed,
    stop() {
      stopping ??= (restarting ?? Promise.resolve()).then(() => engine.stop());
      return stopping;
    },
  };
}
