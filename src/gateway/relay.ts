import type { Socket } from 'node:net';
import { type FrameRule, FrameScanner, PASS, READ, type Verdict } from '../pgwire/frame-scanner.ts';
import { Malformed } from '../pgwire/malformed.ts';
import { type ErrorFields, errorResponse, type TransactionStatus } from '../pgwire/messages.ts';
import type { Refused } from '../refused.ts';
import type { Reader } from './reader.ts';
import { internalErrorFields, refusalFields } from './refuse.ts';
import type { Dialect } from './settings.ts';
import { Statements } from './statements.ts';

/** How a session came to its end. */
export type SessionEnd =
  | { reason: 'client-terminated' | 'client-disconnected' | 'engine-closed' }
  | { reason: 'ended'; why: Refused }
  | { reason: 'protocol-violation'; detail: string }
  | { reason: 'failed'; error: Error };

export interface RelayOptions {
  client: Socket;
  engine: Socket;
  dialect: Dialect;
  /** That of the dialect dsql. */
  reader: Reader | undefined;
  role: string;
  connectionId: string;
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

/** What ReadyForQuery says. What nobody knows is not idle. */
function statusOf(byte: number | undefined): TransactionStatus {
  return byte === 0x49 ? 'I' : byte === 0x54 ? 'T' : 'E';
}

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
  readonly #statements: Statements;
  readonly #connectionId: string;
  readonly #mappingsCommitted: () => Promise<void>;
  #finish!: (end: SessionEnd) => void;
  #over = false;
  #terminated = false;

  #status: TransactionStatus = 'I';
  /** Whether the client has sent anything since the engine last was ready. */
  #asked = false;
  #ending: Refused | undefined;
  /** Once the session must end: a message was forwarded whose ReadyForQuery has not come. */
  #awaitsReady = false;
  /** Once the session must end: its last transaction is over. */
  #sealed = false;

  constructor({ client, engine, dialect, reader, role, connectionId, mappingsCommitted }: RelayOptions) {
    this.#statements = new Statements(role, reader, () => this.#showAgain());
    this.#connectionId = connectionId;
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
      read: (type, chunk, start, end) => this.#readClient(type, chunk, start, end),
    });
    this.#fromEngine = new FrameScanner(ENGINE_RULES, {
      forward: (bytes) => {
        if (!client.write(bytes)) engine.pause();
      },
      read: (type, chunk, start, end) => this.#readEngine(type, chunk, start, end),
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
    // PostgreSQL says good-bye itself, unless it was killed; after Terminate nobody waits for one.
    engine.on('close', () => this.#endWith({ reason: 'engine-closed' }, undefined));
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
    this.#guarded(() => this.#fromClient.push(chunk), 'client');
  }

  #onEngineData(chunk: Buffer): void {
    if (this.#over) return;
    this.#guarded(() => this.#fromEngine.push(chunk), 'engine');
    this.#endIfDropped();
  }

  /**
   * The last transaction is over, and still the engine speaks: it is at work for a message that the client had sent
   * ahead, whose answer the client will not get.
   */
  #endIfDropped(): void {
    if (this.#ending && this.#fromEngine.dropped) this.end(this.#ending);
  }

  #readClient(type: number, chunk: Buffer, start: number, end: number): Verdict {
    // From the moment it must end a session gets one answer at a time, so that no transaction begins unseen.
    const asksForReady = type === CODE.Q || type === CODE.S;
    if (this.#ending && asksForReady && this.#awaitsReady) return this.#hold();
    const verdict = this.#decide(type, chunk, start, end);
    if (verdict === 'hold') return this.#hold();
    if (this.#ending && asksForReady) this.#awaitsReady = true;
    return verdict;
  }

  #decide(type: number, chunk: Buffer, start: number, end: number): Verdict {
    switch (type) {
      case CODE.Q:
        return this.#statements.query(chunk.subarray(start, end));
      case CODE.P:
        return this.#statements.parse(chunk.subarray(start, end));
      case CODE.X:
        this.#terminated = true;
        return undefined;
      default:
        return undefined;
    }
  }

  #hold(): Verdict {
    this.#client.pause();
    return 'hold';
  }

  /** A long statement has been read. */
  #showAgain(): void {
    if (this.#over) return;
    this.#guarded(() => this.#fromClient.resume(), 'client');
    if (!this.#fromClient.held) this.#client.resume();
  }

  #readEngine(type: number, chunk: Buffer, start: number, end: number): Verdict {
    switch (type) {
      case CODE.Z:
        return this.#readReady(statusOf(chunk[start + 5]));
      case CODE.C:
        return this.#statements.commandComplete();
      case CODE.E:
        return this.#statements.errorResponse(chunk.subarray(start, end));
      case CODE.N:
        return this.#statements.noticeResponse(chunk.subarray(start, end));
      default:
        return this.#statements.parameterStatus(chunk.subarray(start, end));
    }
  }

  #readReady(status: TransactionStatus): Verdict {
    if (status === 'I' && this.#statements.takeMappingsChanged()) {
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
    this.#statements.readyForQuery();
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
    this.#guarded(() => this.#fromEngine.resume(), 'engine');
    this.#endIfDropped();
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
    this.#guarded(() => this.#fromClient.resume(), 'client');
    if (!this.#fromClient.held) this.#client.resume();
  }

  /** What goes wrong in one session, a bug of ours included, ends that session and no other. */
  #guarded(work: () => void, speaker: 'client' | 'engine'): void {
    try {
      work();
    } catch (error) {
      if (speaker === 'client' && error instanceof Malformed) {
        const { message } = error;
        const fields: ErrorFields = { severity: 'FATAL', code: '08P01', message };
        this.#endWith({ reason: 'protocol-violation', detail: message }, fields);
      } else {
        this.#endWith({ reason: 'failed', error: error as Error }, internalErrorFields(this.#connectionId));
      }
    }
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
