import { chmod, link, mkdir, readdir, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ownIdentity, runningProcess } from '../machine/process-identity.ts';
import { foreignLink, unsafeWay } from './safe-path.ts';

/** The data directory belongs to one running server at a time. */
export interface DataFolder {
  path: string;
  /** Gives the folder free for another server. */
  release(): Promise<void>;
}

/** The data directory cannot be used; the message says why, for the operator. */
export class DataFolderError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'DataFolderError';
  }
}

const LOCK = 'postern.pid';

/**
 * Makes the folder (0700) if need be and takes it for this process. Throws DataFolderError when another server runs on
 * it, when it belongs to another user, or when another user could have put something into it or could put something else in
 * its place; `onUnsafeWay` is told of the last instead, where the operator takes that risk.
 */
export async function openDataFolder(
  path: string,
  onUnsafeWay: (why: string) => void = refuseWay,
): Promise<DataFolder> {
  const [uid, gid] = [process.getuid?.(), process.getgid?.()];
  // Windows has neither; the rights of the folder above hold there.
  const self = uid === undefined || gid === undefined ? undefined : { uid, gid };
  const unsafe = self && (await unsafeWay(path, self));
  if (unsafe !== undefined) onUnsafeWay(`${path} is not safe: ${unsafe}`);
  await mkdir(path, { recursive: true, mode: 0o700 });
  const facts = await stat(path);
  if (!facts.isDirectory()) throw new DataFolderError(`${path} is no directory`);
  if (self && facts.uid !== self.uid) {
    throw new DataFolderError(`${path} belongs to another user (uid ${facts.uid}, this process is ${self.uid})`);
  }
  if (self && (facts.mode & 0o022) !== 0 && (await readdir(path)).length > 0) {
    throw new DataFolderError(`other users can write to ${path}: look at what is in it, then run: chmod 700 ${path}`);
  }
  if ((facts.mode & 0o777) !== 0o700) await chmod(path, 0o700);
  const foreign = self && (await foreignLink(path, self));
  if (foreign !== undefined) throw new DataFolderError(`${foreign} is a symbolic link of another user`);
  await takeLock(join(path, LOCK), path);
  return { path, release: () => rm(join(path, LOCK), { force: true }) };
}

function refuseWay(why: string): never {
  throw new DataFolderError(
    `${why}; choose another --data-dir, or take that right away (--data-dir-way warn: where there are no other users)`,
  );
}

async function takeLock(lock: string, folder: string): Promise<void> {
  const mine = `${await ownIdentity()}\n`;
  // Written first and linked then, so that nobody reads a lock that says nothing yet.
  const draft = `${lock}.${process.pid}`;
  await writeFile(draft, mine, { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < 3; attempt++) {
      try {
        await link(draft, lock);
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const holder = await readFile(lock, 'utf8').catch(() => '');
      const pid = holder === mine ? undefined : await runningProcess(holder);
      if (pid !== undefined) {
        throw new DataFolderError(`${folder} is in use: a server runs on it (process ${pid})`);
      }
      await unlink(lock).catch(() => undefined);
    }
    throw new DataFolderError(`${folder} is in use: another server starts on it`);
  } finally {
    await unlink(draft).catch(() => undefined);
  }
}
