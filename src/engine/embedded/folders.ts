import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, lstat, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Owner } from './owner.ts';

/** A draft this old (milliseconds) was left by a process that is no more. */
const ABANDONED_AFTER = 60 * 60 * 1000;
/** How long the whole file system may take (milliseconds) before its files are tried one by one. */
const PATIENCE = 500;

/**
 * Makes `folder` whole or not at all: `fill` works on a draft beside it, which is then renamed. Of two processes that
 * make the same folder at once, the second takes the first one's. Nothing is left when `fill` throws.
 */
export async function makeWhole(folder: string, fill: (draft: string) => Promise<void>): Promise<void> {
  const parent = dirname(folder);
  await mkdir(parent, { recursive: true, mode: 0o700 });
  await removeAbandoned(parent, `${basename(folder)}.new-`);
  const draft = join(parent, `${basename(folder)}.new-${randomBytes(6).toString('hex')}`);
  try {
    await fill(draft);
    await rename(draft, folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** Removes a folder at once as far as its name goes; its files follow. It need not be there. */
export async function removeWhole(folder: string): Promise<void> {
  const rest = `${folder}.removing-${randomBytes(6).toString('hex')}`;
  try {
    await rename(folder, rest);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  await syncPath(dirname(folder));
  await rm(rest, { recursive: true });
}

/** Whether the name is that of a draft of `makeWhole`, or of a rest of `removeWhole`. */
export function isUnfinished(name: string): boolean {
  return /\.(new|removing)-[0-9a-f]{12}$/.test(name);
}

async function removeAbandoned(parent: string, prefix: string): Promise<void> {
  for (const name of await readdir(parent)) {
    if (!name.startsWith(prefix)) continue;
    const path = join(parent, name);
    const age = Date.now() - ((await stat(path).catch(() => undefined))?.mtimeMs ?? Date.now());
    if (age > ABANDONED_AFTER) await rm(path, { recursive: true, force: true });
  }
}

/**
 * Brings everything below the folder to the disk. One call for the whole file system takes a tenth of the time of a
 * thousand calls for files, unless others have much to write there: then the files alone may be done first.
 */
export async function syncTree(folder: string): Promise<void> {
  const system = promisify(execFile)('sync', ['-f', folder]);
  const settled = system.then(
    () => 'synced',
    () => 'failed',
  );
  if ((await Promise.race([settled, pause(PATIENCE, 'late', { ref: false })])) === 'synced') return;
  await Promise.any([system, syncFiles(folder)]);
}

async function syncFiles(folder: string): Promise<void> {
  const paths: string[] = [folder];
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile() || entry.isDirectory()) paths.push(join(entry.parentPath, entry.name));
  }
  // Many at once: the file system then commits them together.
  const queue = paths.values();
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (const path of queue) await syncPath(path);
    }),
  );
}

export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    // A running server removes files.
    if (error.code !== 'ENOENT') throw error;
  });
  try {
    await handle?.sync();
  } finally {
    await handle?.close();
  }
}

/** Replaces a small text file 0600 at once, unless it has this text already. */
export async function writeWhole(path: string, text: string, owner: Owner, durable: boolean): Promise<void> {
  if ((await readFile(path, 'utf8').catch(() => undefined)) === text) return;
  const draft = `${path}.new`;
  await rm(draft, { force: true });
  await writeFile(draft, text, { mode: 0o600, flag: 'wx' });
  if (owner.switched) await chown(draft, owner.uid, owner.gid);
  if (durable) await syncPath(draft);
  await rename(draft, path);
  if (durable) await syncPath(dirname(path));
}

export async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
