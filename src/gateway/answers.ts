import { decodeFields } from '../pgwire/fields.ts';
import { FrameScanner, type FrameSink, type Verdict } from '../pgwire/frame-scanner.ts';
import { type ErrorFields, errorResponse, type TransactionStatus } from '../pgwire/messages.ts';
import type { Refusal } from '../sql/dialect/texts.ts';
import { Digest } from './digest.ts';
import { commandTag, engineRules, statusOf } from './engine-messages.ts';

/** What the engine has answered to one request, up to ReadyForQuery. */
export interface Answer {
  status: TransactionStatus;
  /** The engine's error, as it said it. */
  error: Map<string, string> | undefined;
  /** What the client is to get of it; an error of ours may stand in its place. */
  errorFrame: Buffer | undefined;
  /** Command tags as the client sees them; empty for an empty query, undefined for a portal with more rows. */
  tags: (string | undefined)[];
  /** The messages that hold them. */
  tagFrames: Buffer[];
  /** Of a request of ours: the first column of its rows. */
  values: string[];
  /** Of all that depends on data, as the engine said it. */
  digest: string;
  /** Whether the client has got some of it already. */
  streamed: boolean;
  /** What it has not got, but for the last command tag. */
  held: Buffer[];
  lastTag: Buffer | undefined;
}

/** The SQLSTATE of its error. */
export const codeOf = ({ error }: Answer): string | undefined => error?.get('C');

export const errorOf = ({ sqlstate, message, detail }: Refusal): ErrorFields => ({
  severity: 'ERROR',
  code: sqlstate,
  message,
  detail,
});

/** The client gets an error in the place of the last command tag; without one the answer stays as it is. */
export function replace(answer: Answer, failure: Buffer | undefined): void {
  if (!failure) return;
  answer.errorFrame = failure;
  answer.lastTag = undefined;
}

/** How the messages of an answer are read on their way. */
export interface AnswerReader {
  /** A tag that the client is to see, and how often one came before in this answer; says what is wrong with it. */
  tag(tag: string | undefined, index: number): ErrorFields | undefined;
  commandComplete(): Verdict;
  noticeResponse(frame: Buffer): Verdict;
  errorResponse(frame: Buffer): Verdict;
  parameterStatus(frame: Buffer): Verdict;
  parseComplete(): void;
  closeComplete(): void;
  /** The engine waits for what the client copies in. */
  copyIn(): void;
  stream(bytes: Buffer): void;
}

/** In bytes: what is held back of an answer, so that it can be taken back. */
const MAX_HELD = 64 * 1024;
const NOTHING = Buffer.alloc(0);
const FATAL = Buffer.from('\0VFATAL\0');

const RULES = engineRules('13CEGHINSWZs');

interface Pending {
  /** Undefined for a request of ours, whose answer nobody else sees. */
  reader: AnswerReader | undefined;
  answer: Answer;
  digest: Digest;
  heldBytes: number;
  /** The client has been told of an error: nothing more follows. */
  muted: boolean;
  /** Called before what comes after it is read. */
  ready: ((status: TransactionStatus) => void) | undefined;
  resolve: (answer: Answer) => void;
  reject: (error: Error) => void;
}

/** Reads answers whole, in the order of the requests. */
export class Answers {
  readonly #pending: Pending[] = [];
  readonly #scanner: FrameScanner;
  /** A message that is no part of what the digest is made of. */
  #aside: Buffer | undefined;
  readonly #unasked: (frame: Buffer) => Verdict;

  /** `unasked` sees the notices and settings that come with answers to requests of ours. */
  constructor(unasked: (frame: Buffer) => Verdict) {
    this.#unasked = unasked;
    const sink: FrameSink = {
      forward: (bytes) => this.#forward(bytes),
      read: (type, chunk, start, end) => this.#read(type, chunk, start, end),
    };
    this.#scanner = new FrameScanner(RULES, sink, { inOrder: true });
  }

  get expected(): boolean {
    return this.#pending.length > 0;
  }

  /** Whether the client has got some of what is being answered. */
  get streaming(): boolean {
    return this.#pending[0]?.answer.streamed === true;
  }

  /** Rejects when the session ends before. */
  expect(reader?: AnswerReader, ready?: (status: TransactionStatus) => void): Promise<Answer> {
    const answered = new Promise<Answer>((resolve, reject) => {
      this.#pending.push({
        reader,
        answer: {
          status: 'E',
          error: undefined,
          errorFrame: undefined,
          tags: [],
          tagFrames: [],
          values: [],
          digest: '',
          streamed: false,
          held: [],
          lastTag: undefined,
        },
        digest: new Digest(),
        heldBytes: 0,
        muted: false,
        ready,
        resolve,
        reject,
      });
    });
    // A session that is over ends the turn of who waits for another answer: what nobody waits for any more must not end the process.
    answered.catch(() => undefined);
    return answered;
  }

  push(chunk: Buffer): void {
    this.#scanner.push(chunk);
  }

  /** Those who wait for an answer get none. Returns what a client should have got of the first one. */
  end(): Buffer | undefined {
    const [first] = this.#pending;
    // But for its last command tag: nobody knows whether that stands.
    const { held = [], errorFrame } = first?.reader ? first.answer : {};
    const word = Buffer.concat(errorFrame ? [...held, errorFrame] : held);
    for (const { reject } of this.#pending.splice(0)) reject(new SessionOver());
    return word.length > 0 ? word : undefined;
  }

  #forward(bytes: Buffer): void {
    const [pending] = this.#pending;
    if (!pending) return;
    if (bytes === this.#aside) this.#aside = undefined;
    else pending.digest.update(bytes);
    const { reader, answer } = pending;
    if (!reader) {
      pending.heldBytes += bytes.length;
      if (pending.heldBytes <= MAX_HELD) answer.held.push(bytes);
      return;
    }
    if (pending.muted) return;
    if (answer.lastTag) {
      const tag = answer.lastTag;
      answer.lastTag = undefined;
      this.#hold(pending, reader, tag);
    }
    this.#hold(pending, reader, bytes);
  }

  #hold(pending: Pending, reader: AnswerReader, bytes: Buffer): void {
    if (pending.answer.streamed) {
      reader.stream(bytes);
      return;
    }
    pending.answer.held.push(bytes);
    pending.heldBytes += bytes.length;
    if (pending.heldBytes > MAX_HELD) this.#stream(pending, reader);
  }

  #stream({ answer }: Pending, reader: AnswerReader): void {
    if (answer.streamed) return;
    answer.streamed = true;
    for (const bytes of answer.held.splice(0)) reader.stream(bytes);
  }

  #read(type: number, chunk: Buffer, start: number, end: number): Verdict {
    const [pending] = this.#pending;
    if (!pending) return undefined;
    const frame = chunk.subarray(start, end);
    switch (String.fromCharCode(type)) {
      case 'C':
        return this.#tag(pending, frame);
      case 'I':
        return this.#count(pending, '', frame, frame);
      case 's':
        return this.#count(pending, undefined, frame, frame);
      case 'E':
        return this.#error(pending, frame);
      case 'Z':
        return this.#ready(pending, statusOf(chunk[start + 5]));
      case 'G':
      case 'H':
      case 'W':
        return this.#copy(pending, type, frame);
      case '1':
        pending.reader?.parseComplete();
        return this.#beside(frame);
      case '3':
        pending.reader?.closeComplete();
        return this.#beside(frame);
      case 'N':
        return this.#beside(pending.reader ? pending.reader.noticeResponse(frame) : this.#unasked(frame), frame);
      default:
        return this.#beside(pending.reader ? pending.reader.parameterStatus(frame) : this.#unasked(frame), frame);
    }
  }

  /** What goes to the client and has no part in the digest. */
  #beside(verdict: Verdict, frame?: Buffer): Verdict {
    const bytes = verdict === undefined ? frame : verdict;
    if (!(bytes instanceof Buffer) || bytes.length === 0) return NOTHING;
    this.#aside = Buffer.from(bytes);
    return this.#aside;
  }

  #tag(pending: Pending, frame: Buffer): Verdict {
    const verdict = pending.reader?.commandComplete();
    const told = verdict instanceof Buffer ? verdict : frame;
    return this.#count(pending, commandTag(told), told, frame);
  }

  #count(pending: Pending, tag: string | undefined, frame: Buffer, raw: Buffer): Verdict {
    const { answer, reader } = pending;
    if (!reader) {
      pending.digest.update(raw);
      return NOTHING;
    }
    if (pending.muted) return NOTHING;
    const wrong = reader.tag(tag, answer.tags.length);
    answer.tags.push(tag);
    if (wrong) {
      pending.muted = true;
      answer.errorFrame = errorResponse(wrong);
      return NOTHING;
    }
    pending.digest.update(raw);
    if (frame[0] === 0x43) answer.tagFrames.push(Buffer.from(frame));
    if (answer.lastTag) this.#hold(pending, reader, answer.lastTag);
    answer.lastTag = Buffer.from(frame);
    return NOTHING;
  }

  #error(pending: Pending, frame: Buffer): Verdict {
    const { answer, reader } = pending;
    if (answer.errorFrame) {
      // What ends the session comes after the error for which it is ended.
      if (frame.includes(FATAL)) answer.errorFrame = Buffer.concat([answer.errorFrame, frame]);
      return NOTHING;
    }
    answer.error = decodeFields(frame.subarray(5));
    const verdict = reader?.errorResponse(frame);
    answer.errorFrame = verdict instanceof Buffer ? verdict : Buffer.from(frame);
    return NOTHING;
  }

  #copy(pending: Pending, type: number, frame: Buffer): Verdict {
    const { reader, answer } = pending;
    if (!reader) return undefined;
    this.#stream(pending, reader);
    if (answer.lastTag) reader.stream(answer.lastTag);
    answer.lastTag = undefined;
    if (type === 0x47) reader.copyIn();
    return Buffer.from(frame);
  }

  #ready(pending: Pending, status: TransactionStatus): Verdict {
    this.#pending.shift();
    const { answer, digest, resolve, reader } = pending;
    if (!reader) answer.values = firstColumns(Buffer.concat(answer.held.splice(0)));
    answer.status = status;
    answer.digest = digest.end();
    pending.ready?.(status);
    resolve(answer);
    return NOTHING;
  }
}

/** DataRow, CommandComplete, EmptyQueryResponse, PortalSuspended. */
const RESULTS = [0x44, 0x43, 0x49, 0x73];

/** Whole messages, but for those that say that something was done. */
export function withoutResults(frames: readonly Buffer[]): Buffer[] {
  const messages = Buffer.concat(frames);
  const kept: Buffer[] = [];
  for (let at = 0, end = 0; messages.length - at > 4; at = end) {
    end = at + 1 + messages.readInt32BE(at + 1);
    if (!RESULTS.includes(messages[at] as number)) kept.push(messages.subarray(at, end));
  }
  return kept;
}

/** Of the rows in some messages. */
function firstColumns(messages: Buffer): string[] {
  const values: string[] = [];
  for (let at = 0; messages.length - at > 5; at += 1 + messages.readInt32BE(at + 1)) {
    if (messages[at] !== 0x44 || messages.readInt16BE(at + 5) < 1) continue;
    const length = messages.readInt32BE(at + 7);
    values.push(length < 0 ? '' : messages.toString('utf8', at + 11, at + 11 + length));
  }
  return values;
}

/** The session is over: nobody waits for an answer any more. */
export class SessionOver extends Error {
  constructor() {
    super('the session is over');
  }
}
