import { chmod, link, mkdir, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ownIdentity, runningProcess } from '../machine/process-identity.ts';

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
 * it, or when it belongs to another user.
 */
export async function openDataFolder(path: string): Promise<DataFolder> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const facts = await stat(path);
  if (!facts.isDirectory()) throw new DataFolderError(`${path} is no directory`);
  const user = process.getuid?.();
  if (user !== undefined && facts.uid !== user) {
    throw new DataFolderError(`${path} belongs to another user (uid ${facts.uid}, this process is ${user})`);
  }
  if ((facts.mode & 0o777) !== 0o700) await chmod(path, 0o700);
  await takeLock(join(path, LOCK), path);
  return { path, release: () => rm(join(path, LOCK), { force: true }) };
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
