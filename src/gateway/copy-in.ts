import type { Verdict } from '../pgwire/frame-scanner.ts';
import { message } from '../pgwire/messages.ts';
import type { AnswerReader, Answers } from './answers.ts';
import { requestBytes } from './steps.ts';

const CODE = { S: 0x53, H: 0x48, X: 0x58, copyDone: 0x63, copyFail: 0x66 } as const;
const NOTHING = Buffer.alloc(0);
const FLUSH = message('H');

/** What no client says. */
const PROBE = 'postern_copy_ended';
const PROBE_BYTES = message('f', Buffer.from(`${PROBE}\0`));

/**
 * What a client copies in (COPY … FROM STDIN), from the engine's word that it takes it to its end. PostgreSQL alone knows
 * where an error ends it, while the client goes on to send: from there on Sync is Sync again, and before it was none.
 */
export class CopyIn {
  readonly #treat: (passes: boolean) => void;
  #state: 'closed' | 'open' | 'ending' = 'closed';
  #syncs = 0;
  /** In bytes: of a message that the engine has got whole, and the client has not sent whole. */
  #owed = 0;

  /** `treat`: whether CopyData goes on unread from the next message on. */
  constructor(treat: (passes: boolean) => void) {
    this.#treat = treat;
  }

  /** Whether what the client sends is the engine's to read. */
  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** Whether what the client has sent is a part of the copy. */
  get isActive(): boolean {
    return this.#state !== 'closed';
  }

  /** Whether the client has sent Sync of which nobody knows what it was taken for. */
  get hasSyncs(): boolean {
    return this.#syncs > 0;
  }

  open(): void {
    this.#enter('open');
  }

  #enter(state: 'closed' | 'open' | 'ending'): void {
    this.#state = state;
    this.#treat(state === 'open');
  }

  /** The request has been answered. */
  answered(): void {
    if (this.#state !== 'closed') this.#enter('closed');
    this.#syncs = 0;
  }

  /**
   * Reads one whole message but CopyData. `probe`: called where only the end of the copying lets the message be, to be sent
   * after everything before it.
   */
  read(frame: Buffer, probe: (bytes: Buffer) => void): Verdict {
    switch (frame[0]) {
      case CODE.S:
        this.#syncs++;
        return undefined;
      case CODE.H:
        return NOTHING;
      case CODE.X:
        return undefined;
      case CODE.copyDone:
      case CODE.copyFail:
        this.#enter('ending');
        // The engine would keep its answer until Sync, which has to wait for it.
        return Buffer.concat([frame, FLUSH]);
      default:
        this.#enter('ending');
        probe(PROBE_BYTES);
        return 'hold';
    }
  }

  /**
   * The engine has an error. `unread`: what is to come of a CopyData message, in bytes, of which it has the beginning.
   * Returns what the engine has to get for it, so that something else can be said to it.
   */
  fail(unread: number): Buffer {
    if (this.#state === 'closed') return NOTHING;
    this.#enter('closed');
    this.#owed = unread;
    return Buffer.alloc(unread);
  }

  /** Whether the engine has failed because of a message that has no place in the midst of copying. */
  isProbe(error: Buffer): boolean {
    return error.includes(PROBE);
  }

  /** What is left of these bytes, which the client has sent. */
  rest(bytes: Buffer): Buffer {
    if (this.#owed === 0) return bytes;
    const known = Math.min(this.#owed, bytes.length);
    this.#owed -= known;
    return bytes.subarray(known);
  }
}

/**
 * How many Syncs the engine has got that were Syncs to it and are not answered yet: what it says before it answers a
 * question of ours. `unasked`: what comes beside.
 */
export function countSyncs(
  answers: Answers,
  send: (bytes: Buffer) => void,
  unasked: (frame: Buffer) => Verdict,
): Promise<number> {
  return new Promise((resolve, reject) => {
    let count = 0;
    let isAnswered = false;
    const answered = () => {
      isAnswered = true;
      return undefined;
    };
    const reader: AnswerReader = {
      tag: answered,
      // In a transaction that has failed.
      errorResponse: answered,
      commandComplete: () => undefined,
      noticeResponse: unasked,
      parameterStatus: unasked,
      parseComplete: () => undefined,
      closeComplete: () => undefined,
      copyIn: () => undefined,
      stream: () => undefined,
    };
    const next = () => {
      const ready = () => {
        if (isAnswered) {
          resolve(count);
          return;
        }
        count++;
        next();
      };
      answers.expect(reader, ready).catch(reject);
    };
    next();
    send(requestBytes('SELECT 1'));
  });
}
