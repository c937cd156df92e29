import type { ChildProcess } from 'node:child_process';
import type { Log } from '../../audit/log.ts';
import type { StopHow } from '../port.ts';
import type { Binaries } from './binaries.ts';
import { STOPPING } from './orphan.ts';
import type { Owner } from './owner.ts';
import { readPostmasterPid } from './postmaster-pid.ts';
import { signal, waitUntil } from './processes.ts';
import { runProgram } from './programs.ts';
import { ServerLog } from './server-log.ts';

/** In milliseconds. A server that replays its log after a crash says so, and gets longer. */
const START_LIMIT = 30_000;
const RECOVERY_LIMIT = 120_000;
/** In milliseconds: how late a server that is ready is noticed, at most. Clients wait for that. */
const LOOK_EVERY = 10;
const RECOVERY = /was not properly shut down|redo starts|was interrupted/;

/** One running postmaster. */
export interface Server {
  pid: number;
  /** Resolves when it has ended by itself, with a text that says how. */
  ended: Promise<string>;
  /** Resolves when it has ended, asked or not. */
  exited: Promise<string>;
  /** Idempotent: the first call says how. */
  stop(how?: StopHow): Promise<void>;
}

/** Starts the server of a prepared folder; resolves when it accepts connections. Throws an Error with the last log lines. */
export async function startServer(
  binaries: Binaries,
  owner: Owner,
  folder: string,
  name: string,
  log: Log,
): Promise<Server> {
  const { child, exited, done } = await runProgram(binaries, 'postgres', [], owner, folder);
  // If we are killed, what PostgreSQL writes here fails with EPIPE, which it ignores.
  const serverLog = new ServerLog(child.stderr, name, log);
  const failure = async (how: string) => {
    await done;
    return new Error(`PostgreSQL ${name} did not start (${how})\n${serverLog.tail()}`);
  };

  let ending: string | undefined;
  exited.then(
    (how) => {
      ending = how;
    },
    () => {
      ending = 'not started';
    },
  );
  const begun = performance.now();
  const ready = await Promise.race([
    exited.then(() => false),
    waitUntil(
      async () => {
        if (ending !== undefined) return true;
        const state = await readPostmasterPid(folder);
        if (state?.pid === child.pid && state?.status === 'ready') return true;
        const limit = RECOVERY.test(serverLog.tail()) ? RECOVERY_LIMIT : START_LIMIT;
        if (performance.now() - begun > limit) throw new Error('late');
        return false;
      },
      RECOVERY_LIMIT,
      LOOK_EVERY,
    ).catch(() => false),
  ]);
  if (ending !== undefined) throw await failure(ending);
  const pid = child.pid!;
  if (!ready) {
    await end(child, exited);
    throw await failure(`not ready in ${Math.round((performance.now() - begun) / 1000)} s`);
  }

  let stopping: Promise<void> | undefined;
  const ended = new Promise<string>((resolve) => {
    exited.then((how) => {
      if (!stopping) resolve(`PostgreSQL ${name} ended: ${how}\n${serverLog.tail()}`);
    });
  });
  return {
    pid,
    ended,
    exited,
    stop(how = 'fast') {
      stopping ??= end(child, exited, how);
      return stopping;
    },
  };
}

async function end(child: ChildProcess, exited: Promise<string>, how: StopHow = 'fast'): Promise<void> {
  for (const way of STOPPING) {
    if (how === 'immediate' && way.signal === 'SIGINT') continue;
    if (child.exitCode !== null || child.signalCode !== null) return;
    signal(child.pid!, way.signal);
    const timer = new AbortController();
    const late = new Promise<false>((resolve) => {
      const timeout = setTimeout(() => resolve(false), way.limit);
      timer.signal.addEventListener('abort', () => clearTimeout(timeout));
    });
    const gone = await Promise.race([exited.then(() => true), late]);
    timer.abort();
    if (gone) return;
  }
  throw new Error(`PostgreSQL (process ${child.pid}) does not end`);
}
