import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * The audit log's lines as a chain: each carries its number, the seal of the line before and its own, an HMAC-SHA-256
 * over all of the line that stands before it. So no line can be changed, removed, inserted or moved by who has not the
 * key without the chain showing it; what is cut off at the end shows in the head.
 */

/** A line's place in the chain. */
export interface Link {
  /** From 1. */
  sequence: number;
  /** 64 hex digits. */
  seal: string;
}

/** What stands before the first line. */
export const NO_LINE: Link = { sequence: 0, seal: '0'.repeat(64) };

/** In bytes, newline included. Longer ones are not written, so they need not be read. */
export const MAX_LINE = 1024 * 1024;

const TAIL = /^(\{.+,"chain":\{"sequence":([1-9]\d{0,14}),"previous":"([0-9a-f]{64})"),"seal":"([0-9a-f]{64})"\}\}$/s;

/** `record` is the text of a JSON object with members. The line ends with a newline. */
export function sealLine(key: Buffer, record: string, previous: Link): { line: string; link: Link } {
  const sequence = previous.sequence + 1;
  const sealed = `${record.slice(0, -1)},"chain":{"sequence":${sequence},"previous":"${previous.seal}"`;
  const seal = hmac(key, 'line', Buffer.from(sealed));
  return { line: `${sealed},"seal":"${seal}"}}\n`, link: { sequence, seal } };
}

export interface SealedLine {
  link: Link;
  /** The seal of the line before. */
  previous: string;
}

/** A line without its newline. Undefined when it does not carry the seal that this key gives it. */
export function readLine(key: Buffer, line: Buffer): SealedLine | undefined {
  // One char a byte: the seal is over bytes, and a decoder could make two texts one.
  const [, sealed, sequence, previous, seal] = TAIL.exec(line.toString('latin1')) ?? [];
  if (sealed === undefined || previous === undefined || seal === undefined) return undefined;
  if (!equal(seal, hmac(key, 'line', line.subarray(0, sealed.length)))) return undefined;
  return { link: { sequence: Number(sequence), seal }, previous };
}

/** How far the log had come when it was last written: what is missing at its end, or at its beginning, shows here. */
export interface Head {
  /** The oldest file that is kept, by number, and the line before it. */
  first: { file: number; previous: Link };
  /** The file that is written to. */
  file: number;
  /** The last line. */
  last: Link;
}

/** In bytes. One length, so that it can be overwritten in place. */
const HEAD_LENGTH = 512;

export function sealHead(key: Buffer, { first, file, last }: Head): string {
  const body = JSON.stringify({ first, file, last });
  return `${`${body} ${hmac(key, 'head', Buffer.from(body))}`.padEnd(HEAD_LENGTH - 1)}\n`;
}

/** Undefined when this key has not sealed it. */
export function readHead(key: Buffer, text: string): Head | undefined {
  const [, body, seal] = /^(\{[!-~]+\}) ([0-9a-f]{64}) *\n$/.exec(text) ?? [];
  if (body === undefined || seal === undefined || !equal(seal, hmac(key, 'head', Buffer.from(body)))) return undefined;
  return JSON.parse(body) as Head;
}

/** `use` keeps a line from being taken for a head. */
function hmac(key: Buffer, use: 'line' | 'head', bytes: Buffer): string {
  return createHmac('sha256', key).update(`${use}\n`).update(bytes).digest('hex');
}

function equal(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
