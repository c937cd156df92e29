import { createHash } from 'node:crypto';
import { type Head, type Link, MAX_LINE, NO_LINE, readHead, readLine } from './chain.ts';
import type { TrailFile, TrailFolder } from './trail-folder.ts';
import { dayOf, linkBefore, type TrailStart } from './trail-writer.ts';

/** How the log was found when a server opened it; the line that says so stands in the log. */
export interface Opening {
  /** `broken`: something was missing or changed, and the chain goes on in a new file. */
  state: 'new' | 'continued' | 'recovered' | 'broken';
  /** What was wrong. */
  problem?: string;
  /** The line that a killed server has left half written. */
  torn?: TornLine;
}

export interface TornLine {
  bytes: number;
  /** 64 hex digits. */
  sha256: string;
}

export function tornLine(bytes: Buffer): TornLine {
  return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** Where the log goes on. Changes nothing. */
export async function findEnd(
  folder: TrailFolder,
  key: Buffer,
  now: Date,
): Promise<{ start: TrailStart; opening: Opening }> {
  const files = await folder.files();
  const text = await folder.readHead();
  const head = text === undefined ? undefined : readHead(key, text);
  const newest = files.at(-1);
  if (!newest && text === undefined) {
    const start = { first: { file: 1, previous: NO_LINE }, file: { number: 1, day: dayOf(now) }, last: NO_LINE };
    return { start: { ...start, prefix: '' }, opening: { state: 'new' } };
  }
  const end = await lastLine(folder, key, files);
  const problem = problemOf(text, head, end);
  if (problem !== undefined || !newest || !head) {
    const number = Math.max(newest?.number ?? 0, head?.file ?? 0) + 1;
    const last = head && head.last.sequence > (end.link?.sequence ?? 0) ? head.last : (end.link ?? NO_LINE);
    const first = head?.first ?? (await firstOf(folder, key, files, number));
    const start = { first, file: { number, day: dayOf(now) }, last, prefix: '' };
    return { start, opening: { state: 'broken', problem: problem ?? 'the files of the log were missing' } };
  }
  const last = end.link ?? head.first.previous;
  const start = { first: head.first, file: newest, last, prefix: end.torn.length > 0 ? '\n' : '' };
  if (end.torn.length === 0) return { start, opening: { state: 'continued' } };
  return { start, opening: { state: 'recovered', torn: tornLine(end.torn) } };
}

interface End {
  /** Undefined when there is no line, or none that is sealed. */
  link: Link | undefined;
  isSealed: boolean;
  /** What stands behind the last newline of the newest file. */
  torn: Buffer;
}

async function lastLine(folder: TrailFolder, key: Buffer, files: readonly TrailFile[]): Promise<End> {
  let torn = Buffer.alloc(0);
  for (const file of [...files].reverse()) {
    const { bytes } = await folder.tail(file, 2 * MAX_LINE);
    const end = bytes.lastIndexOf(0x0a);
    if (file === files.at(-1)) torn = Buffer.from(bytes.subarray(end + 1));
    if (end < 0) continue;
    const begin = end === 0 ? 0 : bytes.lastIndexOf(0x0a, end - 1) + 1;
    const link = readLine(key, bytes.subarray(begin, end))?.link;
    return { link, isSealed: link !== undefined, torn };
  }
  return { link: undefined, isSealed: true, torn };
}

function problemOf(text: string | undefined, head: Head | undefined, end: End): string | undefined {
  if (text === undefined) return 'the head was missing';
  if (!head) return 'the head was changed';
  if (!end.isSealed) return 'the last line was changed or inserted';
  const last = end.link ?? head.first.previous;
  if (last.sequence < head.last.sequence) {
    return `lines ${last.sequence + 1} to ${head.last.sequence} were missing at the end`;
  }
  if (last.sequence === head.last.sequence && last.seal !== head.last.seal) return 'the last line was another';
  return undefined;
}

async function firstOf(
  folder: TrailFolder,
  key: Buffer,
  files: readonly TrailFile[],
  next: number,
): Promise<Head['first']> {
  const oldest = files[0];
  if (!oldest) return { file: next, previous: NO_LINE };
  return { file: oldest.number, previous: (await linkBefore(folder, key, oldest)) ?? NO_LINE };
}
