import type { Socket } from 'node:net';
import { decodeFields, encodeFields } from '../pgwire/fields.ts';
import { type FrameRule, FrameScanner, PASS, READ, type Verdict } from '../pgwire/frame-scanner.ts';
import { Malformed } from '../pgwire/malformed.ts';
import {
  commandComplete,
  type ErrorFields,
  errorResponse,
  message,
  type TransactionStatus,
} from '../pgwire/messages.ts';
import type { Refused } from '../refused.ts';
import { MAPPING_PROCEDURES, TAG_NOTICE } from '../roles/catalog-sql.ts';
import { refusalFields } from './refuse.ts';
import type { Dialect } from './settings.ts';
import { originalPosition, type Translation, type TranslationOptions, translate } from './translate.ts';

/** How a session came to its end. */
export type SessionEnd =
  | { reason: 'client-terminated' | 'client-disconnected' | 'engine-closed' }
  | { reason: 'ended'; why: Refused }
  | { reason: 'protocol-violation'; detail: string };

export interface RelayOptions {
  client: Socket;
  engine: Socket;
  dialect: Dialect;
  role: string;
  /** Called before the client learns that a transaction with AWS IAM statements has ended; the answer waits for it. */
  mappingsCommitted: () => Promise<void>;
}

const MEBIBYTE = 1024 * 1024;
/** The service's limit for a message; PostgreSQL's own for messages that are passed on, ours for those held in memory. */
const LIMITS = {
  dsql: { read: 10 * MEBIBYTE, pass: 10 * MEBIBYTE },
  postgres: { read: 64 * MEBIBYTE, pass: 0x3fffffff },
} as const;
/** PQ_SMALL_MESSAGE_LIMIT. */
const SMALL = 10_000;

function clientRules(dialect: Dialect): Map<string, FrameRule> {
  const { read, pass } = LIMITS[dialect];
  const rules = new Map<string, FrameRule>();
  for (const type of 'QP') rules.set(type, { treatment: READ, maxLength: read });
  for (const type of 'SX') rules.set(type, { treatment: READ, maxLength: SMALL });
  for (const type of 'BdF') rules.set(type, { treatment: PASS, maxLength: pass });
  for (const type of 'ECDHcf') rules.set(type, { treatment: PASS, maxLength: SMALL });
  return rules;
}

const ENGINE_RULES = new Map<string, FrameRule>();
for (const type of '123ADGHIKTVWcdnst') ENGINE_RULES.set(type, { treatment: PASS, maxLength: 0x7fffffff });
for (const type of 'CENSZ') ENGINE_RULES.set(type, { treatment: READ, maxLength: 0x7fffffff });

const CODE = { Q: 0x51, P: 0x50, S: 0x53, X: 0x58, C: 0x43, E: 0x45, N: 0x4e, Z: 0x5a } as const;
const NOTHING = Buffer.alloc(0);
const TAG_FIELD = Buffer.from(`\0C${TAG_NOTICE}\0`, 'latin1');
const OWN_ROUTINES = Object.values(MAPPING_PROCEDURES).map((name) => `PL/pgSQL function ${name}(`);
const REFUSAL = 'postern_refusal_';
const REFUSAL_ERROR = /^column "postern_refusal_(\d+)" does not exist$/;
/** Refusals that a client may have in flight before the oldest is forgotten (it then sees the engine's own error). */
const MAX_REFUSALS = 1_000;

/**
 * Between a client and its session in the engine: bytes go on as they come, whole chunks at a time, each side waiting
 * for the other. Read are only the messages that something is decided on.
 */
export class Relay {
  readonly ended: Promise<SessionEnd>;
  readonly #client: Socket;
  readonly #engine: Socket;
  readonly #fromClient: FrameScanner;
  readonly #fromEngine: FrameScanner;
  readonly #mappingsCommitted: () => Promise<void>;
  #finish!: (end: SessionEnd) => void;
  #over = false;
  #terminated = false;

  #status: TransactionStatus = 'I';
  /** Whether the client has sent anything since the engine last was ready. */
  #asked = false;
  #ending: Refused | undefined;
  readonly #session: TranslationOptions;

  #nextTag: string | undefined;
  #mappingsChanged = false;
  #refusals = new Map<number, ErrorFields>();
  #refusalCount = 0;
  #translated: { original: string; translation: Translation } | undefined;

  constructor({ client, engine, dialect, role, mappingsCommitted }: RelayOptions) {
    this.#session = { role, standardConformingStrings: true };
    this.#client = client;
    this.#engine = engine;
    this.#mappingsCommitted = mappingsCommitted;
    this.ended = new Promise((resolve) => {
      this.#finish = resolve;
    });
    this.#fromClient = new FrameScanner(clientRules(dialect), {
      forward: (bytes) => {
        if (!engine.write(bytes)) client.pause();
      },
      read: (type, frame) => this.#readClient(type, frame),
    });
    this.#fromEngine = new FrameScanner(ENGINE_RULES, {
      forward: (bytes) => {
        if (!client.write(bytes)) engine.pause();
      },
      read: (type, frame) => this.#readEngine(type, frame),
    });
  }

  /** Begins to relay. `greeting` is the first thing that the client is sent. */
  start(greeting: Buffer): void {
    const client = this.#client;
    const engine = this.#engine;
    client.on('data', (chunk: Buffer) => this.#onClientData(chunk));
    engine.on('data', (chunk: Buffer) => this.#onEngineData(chunk));
    engine.on('drain', () => {
      if (!this.#fromClient.held) client.resume();
    });
    client.on('drain', () => {
      if (!this.#fromEngine.held) engine.resume();
    });
    client.on('close', () => this.#end({ reason: this.#terminated ? 'client-terminated' : 'client-disconnected' }));
    client.on('end', () => engine.end());
    client.on('error', () => undefined);
    engine.on('error', () => undefined);
    engine.on('close', () => this.#onEngineClose());
    client.write(greeting);
    engine.resume();
    client.resume();
  }

  /** Idle sessions learn it at their next message, the others when their transaction has ended. */
  endAtNextTransaction(why: Refused): void {
    this.#ending ??= why;
  }

  /** Whether no transaction is open and nothing is asked. */
  get idle(): boolean {
    return this.#status === 'I' && !this.#asked;
  }

  /** Ends the session now. `why` is said if that is possible between two messages. */
  end(why: Refused): void {
    this.#endWith({ reason: 'ended', why }, refusalFields(why));
  }

  #onClientData(chunk: Buffer): void {
    if (this.#over) return;
    if (this.#ending && this.idle) {
      this.end(this.#ending);
      return;
    }
    this.#asked = true;
    try {
      this.#fromClient.push(chunk);
    } catch (error) {
      this.#violation(error);
    }
  }

  #onEngineData(chunk: Buffer): void {
    if (this.#over) return;
    // Nothing is asked, a transaction must not begin, and still the engine speaks: it is at work for a message that the
    // client had sent ahead.
    if (this.#ending && this.#sealed) {
      this.end(this.#ending);
      return;
    }
    this.#fromEngine.push(chunk);
  }

  #sealed = false;

  #readClient(type: number, frame: Buffer): Verdict {
    // From the moment it must end a session gets one answer at a time, so that no transaction begins unseen.
    if (this.#ending && (type === CODE.Q || type === CODE.S)) {
      if (this.#awaitsReady) {
        this.#client.pause();
        return 'hold';
      }
      this.#awaitsReady = true;
    }
    switch (type) {
      case CODE.Q:
        return this.#readQuery(frame, 5);
      case CODE.P:
        return this.#readQuery(frame, frame.indexOf(0, 5) + 1);
      case CODE.X:
        this.#terminated = true;
        return undefined;
      default:
        return undefined;
    }
  }

  #awaitsReady = false;

  /** The query text of Query and Parse is a string that begins at `start`. */
  #readQuery(frame: Buffer, start: number): Verdict {
    const end = frame.indexOf(0, start);
    // A message without its terminators is PostgreSQL's to refuse.
    if (start < 5 || end < 0) return undefined;
    const original = frame.toString('latin1', start, end);
    const translation = translate(original, this.#session, (error) => this.#refuse(error));
    if (frame[0] === CODE.Q) this.#translated = translation && { original, translation };
    if (!translation) return undefined;
    const text = Buffer.from(translation.sql, 'latin1');
    return message(String.fromCharCode(frame[0] as number), frame.subarray(5, start), text, frame.subarray(end));
  }

  /**
   * A statement that is refused goes to the engine as one that must fail, and its error is exchanged: so the refusal
   * comes in order, aborts the transaction, and gives way to `current transaction is aborted`, as PostgreSQL's own do.
   */
  #refuse(error: ErrorFields): string {
    const number = ++this.#refusalCount;
    this.#refusals.set(number, error);
    if (this.#refusals.size > MAX_REFUSALS) this.#refusals.delete(this.#refusals.keys().next().value as number);
    return `SELECT ${REFUSAL}${number}`;
  }

  #readEngine(type: number, frame: Buffer): Verdict {
    switch (type) {
      case CODE.Z:
        return this.#readReady(frame);
      case CODE.C: {
        const tag = this.#nextTag;
        if (tag === undefined) return undefined;
        this.#nextTag = undefined;
        return commandComplete(tag);
      }
      case CODE.E:
        this.#nextTag = undefined;
        return this.#readError(frame);
      case CODE.N:
        if (!frame.includes(TAG_FIELD)) return undefined;
        this.#nextTag = decodeFields(frame.subarray(5)).get('M');
        this.#mappingsChanged = true;
        return NOTHING;
      default:
        if (frame.toString('latin1', 5, 32) === 'standard_conforming_strings') {
          this.#session.standardConformingStrings = frame.toString('latin1', 33, 35) === 'on';
        }
        return undefined;
    }
  }

  #readReady(frame: Buffer): Verdict {
    const status = String.fromCharCode(frame[5] as number) as TransactionStatus;
    if (this.#mappingsChanged && status === 'I') {
      this.#mappingsChanged = false;
      this.#engine.pause();
      this.#mappingsCommitted().then(
        () => this.#goOn(),
        () => this.#goOn(),
      );
      return 'hold';
    }
    this.#status = status;
    this.#asked = false;
    this.#awaitsReady = false;
    this.#translated = undefined;
    if (this.#ending) {
      if (status === 'I') {
        this.#sealed = true;
        this.#fromEngine.stopAfterThis();
      }
      if (this.#fromClient.held) setImmediate(() => this.#releaseClient());
    }
    return undefined;
  }

  #goOn(): void {
    if (this.#over) return;
    this.#fromEngine.resume();
    this.#engine.resume();
  }

  /** The client had asked for more than one answer when its session had to end. */
  #releaseClient(): void {
    if (this.#over || !this.#ending) return;
    if (this.#sealed) {
      this.end(this.#ending);
      return;
    }
    this.#asked = true;
    try {
      this.#fromClient.resume();
    } catch (error) {
      this.#violation(error);
    }
    if (!this.#fromClient.held) this.#client.resume();
  }

  #readError(frame: Buffer): Verdict {
    const fields = decodeFields(frame.subarray(5));
    const refused = REFUSAL_ERROR.exec(fields.get('M') ?? '');
    if (refused) {
      const number = Number(refused[1]);
      const error = this.#refusals.get(number);
      this.#refusals.delete(number);
      return error && errorResponse(error);
    }
    const context = fields.get('W') ?? '';
    if (OWN_ROUTINES.some((name) => context.includes(name))) {
      // The client said AWS IAM …, and need not see what became of it.
      for (const field of 'WFLRpq') fields.delete(field);
      return encodeFields('E', fields);
    }
    const position = fields.get('P');
    if (this.#translated && position !== undefined) {
      const { original, translation } = this.#translated;
      fields.set('P', String(originalPosition(Number(position), original, translation)));
      return encodeFields('E', fields);
    }
    return undefined;
  }

  #violation(error: unknown): void {
    if (!(error instanceof Malformed)) throw error;
    this.#endWith(
      { reason: 'protocol-violation', detail: error.message },
      { severity: 'FATAL', code: '08P01', message: error.message },
    );
  }

  #onEngineClose(): void {
    this.#endWith(
      { reason: 'engine-closed' },
      // PostgreSQL says good-bye itself, unless it was killed; after Terminate nobody waits for one.
      undefined,
    );
  }

  #endWith(end: SessionEnd, fields: ErrorFields | undefined): void {
    if (this.#over) return;
    const word = fields && this.#fromEngine.atBoundary ? errorResponse(fields) : undefined;
    this.#end(end);
    if (word) this.#client.end(word);
    else this.#client.end();
    this.#client.resume();
  }

  #end(end: SessionEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#engine.destroy();
    this.#finish(end);
  }
}
