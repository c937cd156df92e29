/** What the relays read of the engine's messages. */
import { decodeFields } from '../pgwire/fields.ts';
import { type FrameRule, PASS, READ } from '../pgwire/frame-scanner.ts';
import type { TransactionStatus } from '../pgwire/messages.ts';

/** In bytes: errors and notices are as long as who raises them wants; ours, and what stands for a refusal of ours, are short. */
const MAX_READ = 64 * 1024;
/** Every type that the engine sends to a session that is open. */
const TYPES = '123ACDEGHIKNSTVWZcdnst';

/** How to scan what the engine sends: these types are read, the others go on as they come. */
export function engineRules(read: string): Map<string, FrameRule> {
  const maxLength = 0x7fffffff;
  return new Map(
    [...TYPES].map((type) => [
      type,
      read.includes(type) ? { treatment: READ, maxLength, readUpTo: MAX_READ } : { treatment: PASS, maxLength },
    ]),
  );
}

/** What ReadyForQuery says. What nobody knows is not idle. */
export function statusOf(byte: number | undefined): TransactionStatus {
  return byte === 0x49 ? 'I' : byte === 0x54 ? 'T' : 'E';
}

/** Of a CommandComplete message. */
export function commandTag(frame: Buffer): string {
  return frame.toString('latin1', 5, frame.length - 1);
}

/** The field `V` of a message for the server's own log. */
const LOG = Buffer.from('\0VLOG\0');
const WAITS = /^process \d+ still waiting for \S+ on (\S+)/;
/** Whoever writes a row holds its transaction's lock; who waits for it first holds the tuple's. */
const ROW_LOCKS: ReadonlySet<string> = new Set(['transaction', 'tuple', 'speculative']);
const ACQUIRED = /^process \d+ acquired /;

/** Whether a notice is one that PostgreSQL writes to its log: with `client_min_messages` at `log` it comes to us too. */
export function isLogMessage(frame: Buffer): boolean {
  return frame.includes(LOG);
}

export type LockMessage = { kind: 'waits'; forRow: boolean } | { kind: 'acquired' } | undefined;

/** What `log_lock_waits` has written (PostgreSQL manual, "Error Reporting and Logging"). */
export function lockMessage(frame: Buffer): LockMessage {
  const message = decodeFields(frame.subarray(5)).get('M') ?? '';
  const waits = WAITS.exec(message);
  if (waits) return { kind: 'waits', forRow: ROW_LOCKS.has(waits[1] as string) };
  return ACQUIRED.test(message) ? { kind: 'acquired' } : undefined;
}
