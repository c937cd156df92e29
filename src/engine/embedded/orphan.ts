import { chmod, readFile, realpath, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../../audit/log.ts';
import { isAlive, ownIdentity, runningProcess } from '../../machine/process-identity.ts';
import { writeWhole } from './folders.ts';
import type { Owner } from './owner.ts';
import { pidFile, readPostmasterPid } from './postmaster-pid.ts';
import { isPostgresOf, postgresProcessesOf, signal, stillOf, waitUntil } from './processes.ts';

/** How long each way to stop a server may take, in milliseconds, before the next harder one. */
export const STOPPING: readonly { signal: NodeJS.Signals; limit: number }[] = [
  // Fast: sessions end, a checkpoint is written.
  { signal: 'SIGINT', limit: 30_000 },
  // Immediate: as after a crash.
  { signal: 'SIGQUIT', limit: 10_000 },
  { signal: 'SIGKILL', limit: 10_000 },
];

const launcherFile = (folder: string) => join(folder, 'postern.pid');

/** Notes which process looks after the folder's server. */
export async function claim(folder: string, owner: Owner): Promise<void> {
  await writeWhole(launcherFile(folder), `${await ownIdentity()}\n`, owner, false);
}

export async function unclaim(folder: string): Promise<void> {
  await rm(launcherFile(folder), { force: true });
}

/** Throws an Error when another process that is alive looks after the folder's server. */
export async function refuseClaimed(folder: string): Promise<void> {
  const pid = await runningProcess(await readFile(launcherFile(folder), 'utf8').catch(() => ''));
  if (pid !== undefined && pid !== process.pid) throw new Error(`${folder} is in use by process ${pid}`);
}

/**
 * Stops the server that a killed process left running on the folder, and clears what would keep the next one from
 * starting. Returns the socket folder of the server that was there.
 */
export async function stopOrphan(folder: string, log: Log): Promise<string | undefined> {
  const left = await readPostmasterPid(folder);
  if (!left) return undefined;
  const real = await realpath(folder);
  const { pid } = left;
  if (await isPostgresOf(pid, real)) {
    log.warn({ pid, folder }, 'stopping a PostgreSQL that was left running');
    await stopProcess(pid, real);
  } else if (isAlive(pid)) {
    // The pid is another program's by now. PostgreSQL would take that program for itself and refuse to start.
    await rm(pidFile(folder), { force: true });
  }
  // Else the file stays: with it the next server makes sure that no process still uses the old one's shared memory.
  await stopChildren(real);
  return left.socketFolder;
}

/** A postmaster that was killed leaves its children; each must be gone before another server touches the files. */
async function stopChildren(folder: string): Promise<void> {
  for (const how of ['SIGQUIT', 'SIGKILL'] as const) {
    const children = await postgresProcessesOf(folder);
    for (const pid of children) signal(pid, how);
    // One that was just being made is found only by looking at all again, which takes longer.
    const gone = async () =>
      (await stillOf(children, folder)).length === 0 && (await postgresProcessesOf(folder)).length === 0;
    if (await waitUntil(gone, 5_000)) return;
  }
  throw new Error(`processes of an earlier PostgreSQL on ${folder} do not end`);
}

async function stopProcess(pid: number, folder: string): Promise<void> {
  for (const way of STOPPING) {
    if (!signal(pid, way.signal)) return;
    // Asked by folder, not only by pid: a pid may be given away again at once.
    if (await waitUntil(async () => !(await isPostgresOf(pid, folder)), way.limit)) return;
  }
  throw new Error(`a PostgreSQL left running on ${folder} (process ${pid}) does not end`);
}

/**
 * Whose the data are. Root runs the server as whoever owns the folder, and takes a folder of root's own (copied or unpacked by root)
 * for `owner`, whom `adopt` then gives it to. Throws an Error when it is another user's, or not a data folder of PostgreSQL 16.
 */
export async function ownerOf(folder: string, owner: Owner, adopt: () => Promise<void>): Promise<Owner> {
  const version = await readFile(join(folder, 'PG_VERSION'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new Error(`${folder} is not empty and not a data folder of PostgreSQL`);
    throw new Error(`${folder} cannot be read: ${error.message}`);
  });
  if (version.trim() !== '16') throw new Error(`${folder} has data of PostgreSQL ${version.trim()}; this one is 16`);
  const { uid, gid, mode } = await stat(folder);
  if (uid === owner.uid || (owner.switched && uid !== 0)) {
    if ((mode & 0o077) !== 0) await chmod(folder, 0o700);
    return { ...owner, uid, gid };
  }
  if (!owner.switched) throw new Error(`${folder} belongs to another user (uid ${uid})`);
  await adopt();
  return owner;
}
