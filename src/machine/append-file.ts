import { type FileHandle, open } from 'node:fs/promises';

/** A file that grows at its end. */
export interface AppendFile {
  size: number;
  /** At `size`, which it moves. Rejects when not all of it could be written. */
  append(bytes: Buffer): Promise<void>;
  truncate(size: number): Promise<void>;
  /** Resolves when what was written is on the disk. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Makes the file (0600) when it is not there. */
export async function openAppendFile(path: string): Promise<AppendFile> {
  const handle = await open(path, 'a+', 0o600);
  let { size } = await handle.stat();
  return {
    get size() {
      return size;
    },
    async append(bytes) {
      await writeExactly(handle, bytes, null);
      size += bytes.length;
    },
    async truncate(to) {
      await handle.truncate(to);
      size = to;
    },
    sync: () => handle.datasync(),
    close: () => handle.close(),
  };
}

/** At `position`, or at the end for null. Rejects when not all of it could be written. */
export async function writeExactly(handle: FileHandle, bytes: Buffer, position: number | null): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const where = position === null ? null : position + at;
    const { bytesWritten } = await handle.write(bytes, at, bytes.length - at, where);
    at += bytesWritten;
  }
}
