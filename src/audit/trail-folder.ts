import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, type FileHandle, mkdir, open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type AppendFile, openAppendFile, writeExactly } from '../machine/append-file.ts';
import { writeAtomically } from '../machine/atomic-file.ts';
import type { Sealer } from '../state/sealer.ts';

/** The files of the audit log, as the writer and the verifier see them. */
export interface TrailFolder {
  /** Oldest first. */
  files(): Promise<TrailFile[]>;
  /** Names of what readers would take for files of the log, and which are none. */
  strangers(): Promise<string[]>;
  /** The end of a file: at most `length` bytes. */
  tail(file: TrailFile, length: number): Promise<{ bytes: Buffer; size: number }>;
  /** The beginning of a file: at most `length` bytes. */
  start(file: TrailFile, length: number): Promise<Buffer>;
  /** One after the other, without their newlines; what is longer than `longest` bytes is cut. */
  lines(file: TrailFile, longest: number): AsyncIterable<{ bytes: Buffer; whole: boolean }>;
  /** Makes the file when it is not there. */
  openFile(file: TrailFile): Promise<AppendFile>;
  remove(file: TrailFile): Promise<void>;
  /** Undefined where there is none. */
  readHead(): Promise<string | undefined>;
  writeHead(text: string): Promise<void>;
  close(): Promise<void>;
}

export interface TrailFile {
  /** Counts up. */
  number: number;
  /** In UTC, `2026-11-24`. */
  day: string;
}

const NAME = /^audit-(\d{8})-(\d{4}-\d\d-\d\d)\.jsonl$/;

export function fileName({ number, day }: TrailFile): string {
  return `audit-${String(number).padStart(8, '0')}-${day}.jsonl`;
}

/** In the data directory. */
export const TRAIL_FOLDER = 'audit';
const HEAD = 'head';
const KEY = 'chain.key';
const KEY_CONTEXT = 'audit chain key';
const KEY_BYTES = 32;

/** Makes the folder (0700). Throws the system's errors. */
export async function makeTrailFolder(dataDir: string): Promise<TrailFolder> {
  const path = join(dataDir, TRAIL_FOLDER);
  await mkdir(path, { recursive: true, mode: 0o700 });
  await chmod(path, 0o700);
  return trailFolder(path);
}

export function trailFolder(path: string): TrailFolder {
  let head: FileHandle | undefined;
  const pathOf = (file: TrailFile) => join(path, fileName(file));
  return {
    async files() {
      return (await readdir(path))
        .flatMap((name) => {
          const [, number, day] = NAME.exec(name) ?? [];
          return number === undefined || day === undefined ? [] : [{ number: Number(number), day }];
        })
        .sort((a, b) => a.number - b.number);
    },
    async strangers() {
      return (await readdir(path)).filter((name) => name.endsWith('.jsonl') && !NAME.test(name)).sort();
    },
    async tail(file, length) {
      const handle = await open(pathOf(file), 'r');
      try {
        const { size } = await handle.stat();
        const from = Math.max(0, size - length);
        return { bytes: await readExactly(handle, from, size - from), size };
      } finally {
        await handle.close();
      }
    },
    async start(file, length) {
      const handle = await open(pathOf(file), 'r');
      try {
        return await readExactly(handle, 0, length);
      } finally {
        await handle.close();
      }
    },
    lines: (file, longest) => linesOf(createReadStream(pathOf(file)), longest),
    async openFile(file) {
      return await openAppendFile(pathOf(file));
    },
    remove: (file) => rm(pathOf(file), { force: true }),
    async readHead() {
      return await readFile(join(path, HEAD), 'latin1').catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return undefined;
        throw error;
      });
    },
    async writeHead(text) {
      if (!head) {
        // Whole at once the first time; then it is overwritten in place, which needs no room on the disk.
        await writeAtomically(join(path, HEAD), text, 0o600);
        head = await open(join(path, HEAD), 'r+');
      } else await writeExactly(head, Buffer.from(text), 0);
    },
    async close() {
      await head?.close();
      head = undefined;
    },
  };
}

async function* linesOf(
  chunks: AsyncIterable<Buffer>,
  longest: number,
): AsyncGenerator<{ bytes: Buffer; whole: boolean }> {
  let rest: Buffer[] = [];
  let length = 0;
  const take = (bytes: Buffer) => {
    if (length < longest) rest.push(bytes);
    length += bytes.length;
  };
  const line = () => {
    const bytes = Buffer.concat(rest).subarray(0, longest);
    rest = [];
    length = 0;
    return bytes;
  };
  for await (const chunk of chunks) {
    let at = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, at)) {
      take(chunk.subarray(at, end));
      at = end + 1;
      yield { bytes: line(), whole: true };
    }
    if (at < chunk.length) take(chunk.subarray(at));
  }
  if (length > 0) yield { bytes: line(), whole: false };
}

async function readExactly(handle: FileHandle, from: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  let at = 0;
  while (at < length) {
    const { bytesRead } = await handle.read(bytes, at, length - at, from + at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return bytes.subarray(0, at);
}

/**
 * The key of the chain: random, and kept beside the log under the seal of the data directory's key, so that the log can
 * be verified after that key was changed. Undefined when there is none. Throws an Error when another key sealed it.
 */
export async function readChainKey(path: string, sealer: Sealer): Promise<Buffer | undefined> {
  const sealed = await readSealed(path);
  if (sealed === undefined) return undefined;
  const key = sealer.openBytes(sealed, KEY_CONTEXT);
  if (!key) throw new Error(`${KEY} is not sealed by the key of the data directory`);
  return key;
}

export async function makeChainKey(path: string, sealer: Sealer): Promise<Buffer> {
  const key = randomBytes(KEY_BYTES);
  await writeKey(path, key, sealer);
  return key;
}

/** Seals it under another key; again, where that was cut off. What neither has sealed stays as it is. */
export async function resealChainKey(path: string, from: Sealer, to: Sealer): Promise<void> {
  const sealed = await readSealed(path);
  if (sealed === undefined || to.openBytes(sealed, KEY_CONTEXT)) return;
  const key = from.openBytes(sealed, KEY_CONTEXT);
  if (key) await writeKey(path, key, to);
}

async function readSealed(path: string): Promise<string | undefined> {
  const text = await readFile(join(path, KEY), 'latin1').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  return text?.trim();
}

function writeKey(path: string, key: Buffer, sealer: Sealer): Promise<void> {
  return writeAtomically(join(path, KEY), `${sealer.seal(key, KEY_CONTEXT)}\n`, 0o600);
}
