import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';

export interface FileFacts {
  /** In bytes. */
  size: number;
  /** Of its content, in hexadecimal. */
  sha256: string;
}

/** In bytes. Small, since clients wait for as long as its digest takes. */
const CHUNK = 256 * 1024;
/** Files at once: most of the time goes by waiting for the disk. */
const WIDTH = 8;

/** Does the work for all, a few at once. Rejects as the first that fails, when none is under way any more. */
export async function forEach<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const queue = items[Symbol.iterator]();
  let failed = false;
  const lane = async () => {
    for (let next = queue.next(); !next.done && !failed; next = queue.next()) {
      try {
        await work(next.value);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: WIDTH }, lane));
  for (const ended of lanes) if (ended.status === 'rejected') throw ended.reason;
}

/**
 * Copies a file to a new one 0600 that is on the disk when this resolves, and says what was copied. With `read` nothing is
 * written. Throws the system's errors; ENOENT when the file is not there.
 */
export async function copyFile(from: string, to: string, how: 'copy' | 'read' = 'copy'): Promise<FileFacts> {
  const source = await open(from, 'r');
  try {
    const target = how === 'copy' ? await open(to, 'wx', 0o600) : undefined;
    try {
      const hash = createHash('sha256');
      const buffer = Buffer.allocUnsafe(CHUNK);
      let size = 0;
      for (;;) {
        const { bytesRead } = await source.read(buffer, 0, CHUNK, size);
        if (bytesRead === 0) break;
        const bytes = buffer.subarray(0, bytesRead);
        hash.update(bytes);
        await target?.writeFile(bytes);
        size += bytesRead;
      }
      await target?.sync();
      return { size, sha256: hash.digest('hex') };
    } finally {
      await target?.close();
    }
  } finally {
    await source.close();
  }
}
