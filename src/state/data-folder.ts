import { chmod, link, mkdir, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

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
  const mine = `${process.pid} ${await startTime(process.pid)}\n`;
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
      const [pid, started] = holder.trim().split(' ');
      if (holder !== mine && (await isRunning(Number(pid), started))) {
        throw new DataFolderError(`${folder} is in use: a server runs on it (process ${pid})`);
      }
      await unlink(lock).catch(() => undefined);
    }
    throw new DataFolderError(`${folder} is in use: another server starts on it`);
  } finally {
    await unlink(draft).catch(() => undefined);
  }
}

/** A process id may have been given to another process since: its start time tells them apart where the system says it. */
async function isRunning(pid: number, started: string | undefined): Promise<boolean> {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const now = await startTime(pid);
  return now === '-' || started === '-' || now === started;
}

/** In clock ticks since the system started (proc(5), field 22), with the system's own start; `-` where nobody says. */
async function startTime(pid: number): Promise<string> {
  try {
    const [facts, boot] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
    ]);
    return `${facts.slice(facts.lastIndexOf(')') + 2).split(' ')[19]}@${boot.trim()}`;
  } catch {
    return '-';
  }
}
