import { execFile } from 'node:child_process';
import { readdir, readlink } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { procStat } from '../../machine/process-identity.ts';

const run = promisify(execFile);
const procfs = process.platform === 'linux';

/** Sends the signal; false when the process has gone. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** Is this process a PostgreSQL that works on the folder? `folder` is a real path: no symbolic links in it. */
export async function isPostgresOf(pid: number, folder: string): Promise<boolean> {
  try {
    if (procfs) {
      // Zombies have no working folder any more, and nothing that could hurt.
      if ((await readlink(`/proc/${pid}/cwd`)) !== folder) return false;
      const stat = await procStat(pid);
      return stat?.command === 'postgres' && stat.state !== 'Z';
    }
    const { stdout } = await run('ps', ['-o', 'command=', '-p', String(pid)]);
    return /\bpostgres\b/.test(stdout) && stdout.includes(folder);
  } catch {
    return false;
  }
}

/** All PostgreSQL processes that work on the folder; empty where the system has no list of working folders. */
export async function postgresProcessesOf(folder: string): Promise<number[]> {
  if (!procfs) return [];
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  return stillOf(pids, folder);
}

/** Looked at together: one after the other each would wait for its turn in a busy process. */
const AT_ONCE = 64;

/** Those of the processes that are a PostgreSQL which works on the folder. */
export async function stillOf(pids: readonly number[], folder: string): Promise<number[]> {
  const found: number[] = [];
  for (let from = 0; from < pids.length; from += AT_ONCE) {
    const some = pids.slice(from, from + AT_ONCE);
    const are = await Promise.all(some.map((pid) => isPostgresOf(pid, folder)));
    found.push(...some.filter((_, n) => are[n]));
  }
  return found;
}

/**
 * Waits until `done` answers true, asking ever less often, at last every `longest` milliseconds; false when `limit` have
 * passed.
 */
export async function waitUntil(done: () => boolean | Promise<boolean>, limit: number, longest = 50): Promise<boolean> {
  const end = performance.now() + limit;
  for (let wait = 2; ; wait = Math.min(wait * 1.5, longest)) {
    if (await done()) return true;
    if (performance.now() > end) return false;
    await pause(wait);
  }
}
