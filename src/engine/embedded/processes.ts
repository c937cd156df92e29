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
      const stat = await procStat(pid);
      // Zombies have no working folder any more, and nothing that could hurt.
      if (stat?.command !== 'postgres' || stat.state === 'Z') return false;
      return (await readlink(`/proc/${pid}/cwd`)) === folder;
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
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (/^\d+$/.test(name) && (await isPostgresOf(Number(name), folder))) found.push(Number(name));
  }
  return found;
}

/** Waits until `done` answers true, asking ever less often; false when `limit` milliseconds have passed. */
export async function waitUntil(done: () => boolean | Promise<boolean>, limit: number): Promise<boolean> {
  const end = performance.now() + limit;
  for (let wait = 2; ; wait = Math.min(wait * 1.5, 50)) {
    if (await done()) return true;
    if (performance.now() > end) return false;
    await pause(wait);
  }
}
