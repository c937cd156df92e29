import { Malformed } from './malformed.ts';

/** What to do with messages of one type. `refuse` is 0, so that a type nobody named is refused. */
export const REFUSE = 0;
export const PASS = 1;
export const READ = 2;

export interface FrameRule {
  treatment: typeof PASS | typeof READ;
  /** The longest message of this type, in bytes, as its length word counts them. */
  maxLength: number;
  /** READ only: what is longer is forwarded unread, since a message that is read is held in memory whole. */
  readUpTo?: number;
}

/**
 * What the reader of a whole message answers: `undefined` leaves it as it is, a Buffer takes its place (an empty one
 * drops it), `hold` stops before it (call `resume` to see it again), `stop` drops it and everything after it.
 */
export type Verdict = undefined | Buffer | 'hold' | 'stop';

export interface FrameSink {
  /** Bytes to forward, in order. They may begin or end inside a message that nobody reads. */
  forward(bytes: Buffer): void;
  /**
   * One whole message of a type with treatment READ: the bytes of `chunk` from `start` to `end`, type byte and length
   * word included. A view of them costs more than looking at a byte, so whoever needs one makes it.
   */
  read(type: number, chunk: Buffer, start: number, end: number): Verdict;
}

const HEADER = 5;

/**
 * Finds the messages in a stream of bytes without copying them: bytes that nobody needs to read go on in runs as large
 * as they came, also when a message ends in a later chunk. Throws Malformed for a type without a rule and for a length
 * outside its rule; after that the scanner must not be used again.
 */
export class FrameScanner {
  readonly #treatment = new Uint8Array(256);
  readonly #maxLength = new Float64Array(256);
  readonly #readUpTo = new Float64Array(256);
  readonly #sink: FrameSink;
  /** Bytes of the current, unread message that are still to come. */
  #skip = 0;
  /** The beginning of a message that cannot be decided on yet. */
  #parts: Buffer[] = [];
  #collected = 0;
  /** How many bytes the message in `#parts` needs before it is worth another look. */
  #needed = 0;
  readonly #inOrder: boolean;
  #state: 'open' | 'held' | 'stopped' = 'open';

  #dropped = false;

  /** `inOrder`: whether everything before a message is forwarded before it is read, not when it has been. */
  constructor(rules: ReadonlyMap<string, FrameRule>, sink: FrameSink, { inOrder = false }: { inOrder?: boolean } = {}) {
    this.#sink = sink;
    this.#inOrder = inOrder;
    for (const [type, rule] of rules) this.treat(type, rule);
  }

  /** Another rule for a type, from the next message on. */
  treat(type: string, rule: FrameRule): void {
    const code = type.charCodeAt(0);
    this.#treatment[code] = rule.treatment;
    this.#maxLength[code] = rule.maxLength;
    this.#readUpTo[code] = rule.treatment === PASS ? 0 : (rule.readUpTo ?? rule.maxLength);
  }

  /** In bytes: what is to come of a message that is forwarded unread. */
  get unread(): number {
    return this.#skip;
  }

  get held(): boolean {
    return this.#state === 'held';
  }

  /** True when every message so far has been forwarded or read whole: the place for a message of our own. */
  get atBoundary(): boolean {
    return this.#skip === 0 && this.#collected === 0;
  }

  /** In bytes: what is kept of messages that are not whole, or held. */
  get collected(): number {
    return this.#collected;
  }

  /** Whether bytes came after the message at which it was stopped. */
  get dropped(): boolean {
    return this.#dropped;
  }

  push(chunk: Buffer): void {
    if (this.#state === 'stopped') {
      this.#dropped = true;
      return;
    }
    if (this.#state === 'held' || this.#collected > 0) {
      this.#parts.push(chunk);
      this.#collected += chunk.length;
      if (this.#state === 'held' || this.#collected < this.#needed) return;
      this.#scan(this.#takeCollected());
    } else {
      this.#scan(chunk);
    }
  }

  /** Called from `read`: the message being read is the last one that goes on. */
  stopAfterThis(): void {
    this.#state = 'stopped';
  }

  /** Goes on after `hold`. */
  resume(): void {
    if (this.#state !== 'held') return;
    this.#state = 'open';
    this.#scan(this.#takeCollected());
  }

  #takeCollected(): Buffer {
    const bytes = this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts, this.#collected);
    this.#parts = [];
    this.#collected = 0;
    return bytes;
  }

  #scan(chunk: Buffer): void {
    const end = chunk.length;
    let run = 0;
    let at = Math.min(this.#skip, end);
    this.#skip -= at;
    while (end - at >= HEADER) {
      const type = chunk[at] as number;
      const treatment = this.#treatment[type];
      const length = chunk.readInt32BE(at + 1);
      if (treatment === REFUSE) throw new Malformed(`invalid message type ${type}`);
      if (length < 4 || length > (this.#maxLength[type] as number)) throw new Malformed('invalid message length');
      const next = at + 1 + length;
      if (length > (this.#readUpTo[type] as number)) {
        if (next > end) {
          this.#skip = next - end;
          at = end;
          break;
        }
        at = next;
        continue;
      }
      if (next > end) {
        this.#needed = 1 + length;
        break;
      }
      if (this.#inOrder && at > run) {
        this.#sink.forward(chunk.subarray(run, at));
        run = at;
      }
      const verdict = this.#sink.read(type, chunk, at, next);
      if (verdict !== undefined) {
        if (at > run) this.#sink.forward(chunk.subarray(run, at));
        if (verdict === 'stop') {
          this.#state = 'stopped';
          return;
        }
        if (verdict === 'hold') {
          this.#state = 'held';
          this.#keep(chunk.subarray(at));
          return;
        }
        if (verdict.length > 0) this.#sink.forward(verdict);
        run = next;
      }
      at = next;
      if (this.#stopped()) {
        if (at > run) this.#sink.forward(chunk.subarray(run, at));
        this.#dropped = at < end;
        return;
      }
    }
    if (at > run) this.#sink.forward(run === 0 && at === end ? chunk : chunk.subarray(run, at));
    if (at < end) {
      if (end - at < HEADER) this.#needed = HEADER;
      this.#keep(chunk.subarray(at));
    }
  }

  #stopped(): boolean {
    return this.#state === 'stopped';
  }

  #keep(bytes: Buffer): void {
    this.#parts = [bytes];
    this.#collected = bytes.length;
  }
}
