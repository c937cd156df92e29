import { chmod, chown, mkdir, mkdtemp, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { canReach, type Owner } from './owner.ts';
import { PORT } from './settings.ts';

/** `sockaddr_un` holds 104 bytes on macOS, 108 on Linux, the ending NUL included. */
const MAX_PATH_BYTES = 100;
const TEMPORARY = 'postern-socket-';

export const socketPath = (folder: string) => join(folder, `.s.PGSQL.${PORT}`);

/**
 * A folder 0700 of the owner's for the socket of one instance: below `runFolder`, or, where the socket's path would be
 * too long or the owner may not go there, below the system's folders for such things.
 */
export async function makeSocketFolder(runFolder: string, name: string, owner: Owner): Promise<string> {
  const first = join(runFolder, name);
  await mkdir(first, { recursive: true, mode: 0o700 });
  if (fits(first) && (await canReach(owner, runFolder))) {
    await chmod(first, 0o700);
    if (owner.switched) await chown(first, owner.uid, owner.gid);
    return first;
  }
  await rmdir(first).catch(() => undefined);
  for (const place of [process.env.XDG_RUNTIME_DIR, tmpdir(), '/tmp']) {
    if (!place || !fits(join(place, `${TEMPORARY}XXXXXX`))) continue;
    try {
      if (!(await canReach(owner, place))) continue;
      const folder = await mkdtemp(join(place, TEMPORARY));
      if (owner.switched) await chown(folder, owner.uid, owner.gid);
      return folder;
    } catch {
      // Missing or closed to us: the next one.
    }
  }
  throw new Error(
    `no folder for PostgreSQL's socket has a path short enough and open to its user; ${runFolder} has not`,
  );
}

/** Removes a socket folder that this or an earlier process made; leaves alone what a file merely claims to be one. */
export async function removeSocketFolder(folder: string, runFolder: string, name: string): Promise<void> {
  const temporary = basename(folder).startsWith(TEMPORARY) && /^[A-Za-z0-9]{6}$/.test(folder.slice(-6));
  if (folder !== join(runFolder, name) && !temporary) return;
  const path = socketPath(folder);
  await rm(path, { force: true });
  await rm(`${path}.lock`, { force: true });
  await rmdir(folder).catch(() => undefined);
}

const fits = (folder: string) => Buffer.byteLength(socketPath(folder)) <= MAX_PATH_BYTES;
