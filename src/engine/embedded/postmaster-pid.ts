import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Longer than any that PostgreSQL writes: eight short lines and two paths. In bytes. */
const MAX_LENGTH = 16 * 1024;

/** What a server writes about itself into its data folder (PostgreSQL's `src/include/utils/pidfile.h`). */
export interface PostmasterPid {
  pid: number;
  /** Empty until the socket is open. */
  socketFolder: string;
  /** `starting`, `ready`, `stopping`; empty before the first of them. */
  status: string;
}

/** Undefined for a text that is not (yet) a pid file: the server writes it line by line. */
export function parsePostmasterPid(text: string): PostmasterPid | undefined {
  const lines = text.split('\n');
  const pid = /^\d{1,10}$/.test(lines[0] ?? '') ? Number(lines[0]) : 0;
  if (pid <= 1 || text.length > MAX_LENGTH) return undefined;
  return {
    pid,
    socketFolder: lines[4] ?? '',
    status: (lines[7] ?? '').trim(),
  };
}

export const pidFile = (folder: string) => join(folder, 'postmaster.pid');

export async function readPostmasterPid(folder: string): Promise<PostmasterPid | undefined> {
  try {
    return parsePostmasterPid(await readFile(pidFile(folder), 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
