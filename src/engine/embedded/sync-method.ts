import { readFile } from 'node:fs/promises';
import { release } from 'node:os';

/** How PostgreSQL brings its files to the disk before it replays its log (its setting `recovery_init_sync_method`). */
export type SyncMethod = 'fsync' | 'syncfs';

/** In KiB: what others may have waiting for the disk so that all of it is there soon. */
const MOST_WAITING = 256 * 1024;

/**
 * The quicker of the two for a server that starts now. `fsync` asks the disk for each of a thousand files, which takes more
 * than a second while others write there; `syncfs` asks once, and is told of errors by Linux from 5.8 on (PostgreSQL manual,
 * "Error Handling"). But it also waits for all that others have written to the file system.
 */
export async function syncMethod(): Promise<SyncMethod> {
  if (process.platform !== 'linux') return 'fsync';
  return chooseSyncMethod(release(), await readFile('/proc/meminfo', 'latin1').catch(() => ''));
}

/** `meminfo` is the text of /proc/meminfo (proc(5)). */
export function chooseSyncMethod(kernel: string, meminfo: string): SyncMethod {
  const [major = 0, minor = 0] = kernel.split('.').map(Number);
  const tellsErrors = major > 5 || (major === 5 && minor >= 8);
  const waiting = ['Dirty', 'Writeback'].map((name) =>
    Number(new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(meminfo)?.[1]),
  );
  // Unknown is too much.
  return tellsErrors && waiting.reduce((sum, size) => sum + size) <= MOST_WAITING ? 'syncfs' : 'fsync';
}
