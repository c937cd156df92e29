import type { Socket } from 'node:net';
import { type ChangedRoles, type RoleChange, RoleChanges } from '../audit/role-changes.ts';
import { decodeFields } from '../pgwire/fields.ts';
import { type FrameRule, FrameScanner, PASS, READ, type Verdict } from '../pgwire/frame-scanner.ts';
import { Malformed } from '../pgwire/malformed.ts';
import { type ErrorFields, errorResponse, type TransactionStatus } from '../pgwire/messages.ts';
import type { Refused } from '../refused.ts';
import { ADMIN_ROLE } from '../roles/catalog-sql.ts';
import type { SessionStatements } from '../statement-log/session-statements.ts';
import type { Reader } from './reader.ts';
import { internalErrorFields, refusalFields } from './refuse.ts';
import type { Dialect } from './settings.ts';
import { Statements } from './statements.ts';
import type { Traffic } from './traffic.ts';

/** How a session came to its end. */
export type SessionEnd =
  | { reason: 'client-terminated' | 'client-disconnected' | 'engine-closed' }
  | { reason: 'ended'; why: Refused }
  /** The connection has lasted as long as one may. */
  | { reason: 'expired' }
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
  /** Counted into; shared by all relays. */
  traffic: Traffic;
  /** Called before the client learns that a transaction with AWS IAM statements has ended; the answer waits for it. */
  mappingsCommitted: () => Promise<void>;
  /** Told of the session's commands on roles and privileges when their transaction has ended. */
  rolesChanged: (changes: ChangedRoles) => void;
  /** Looks on, for the statement log: all that the client sends and is sent once it is logged in. */
  onlooker?: SessionStatements | undefined;
}

/** How a session that must end will, and its last word; none where the service has none. */
interface Ending {
  end: SessionEnd;
  fields: ErrorFields | undefined;
}

const endingFor = (why: Refused): Ending => ({ end: { reason: 'ended', why }, fields: refusalFields(why) });
/** At the end of its time a connection is just closed: observed of the service. */
const EXPIRED: Ending = { end: { reason: 'expired' }, fields: undefined };

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
  for (const type of 'QPF') rules.set(type, { treatment: READ, maxLength: read });
  for (const type of 'SX') rules.set(type, { treatment: READ, maxLength: SMALL });
  for (const type of 'Bd') rules.set(type, { treatment: PASS, maxLength: pass });
  for (const type of 'ECDHcf') rules.set(type, { treatment: PASS, maxLength: SMALL });
  return rules;
}

/**
 * In bytes. Errors and notices are as long as who raises them wants (RAISE NOTICE in a routine of the client's); ours,
 * and those that stand for a refusal of ours, are short.
 */
const MAX_ENGINE_READ = 64 * 1024;
const ENGINE_RULES = new Map<string, FrameRule>();
for (const type of '123ADGHIKTVWcdnst') ENGINE_RULES.set(type, { treatment: PASS, maxLength: 0x7fffffff });
for (const type of 'CENSZ')
  ENGINE_RULES.set(type, { treatment: READ, maxLength: 0x7fffffff, readUpTo: MAX_ENGINE_READ });

/** In ms: what a client that must go gets to read what it has been sent. */
const LINGER = 60_000;

const CODE = { Q: 0x51, P: 0x50, S: 0x53, F: 0x46, X: 0x58, C: 0x43, E: 0x45, N: 0x4e, Z: 0x5a } as const;

/** First letters of the command tags that are followed: CREATE, COMMIT, ALTER, AWS, DROP, GRANT, REVOKE, ROLLBACK, PREPARE. */
const ROLE_TAG_LETTERS = Buffer.from('CADGRP');

/** What a procedure of ours has changed, from the DETAIL of its message. Undefined for what cannot be read. */
function mappingIn(frame: Buffer): RoleChange['mapping'] {
  try {
    const detail = Buffer.from(decodeFields(frame.subarray(5)).get('D') ?? '', 'latin1').toString('utf8');
    const { role, arn } = JSON.parse(detail) as { role?: unknown; arn?: unknown };
    return typeof role === 'string' && typeof arn === 'string' ? { role, arn } : undefined;
  } catch {
    return undefined;
  }
}

/** What ReadyForQuery says. What nobody knows is not idle. */
function statusOf(byte: number | undefined): TransactionStatus {
  return byte === 0x49 ? 'I' : byte === 0x54 ? 'T' : 'E';
}

/** The field `C` of an error that says serialization_failure. */
const CONFLICT = Buffer.from('\0C40001\0');

function isConflict(chunk: Buffer, start: number, end: number): boolean {
  const at = chunk.indexOf(CONFLICT, start);
  return at >= 0 && at < end;
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
  readonly #traffic: Traffic;
  readonly #onlooker: SessionStatements | undefined;
  readonly #mappingsCommitted: () => Promise<void>;
  readonly #roleChanges: RoleChanges;
  readonly #isAdmin: boolean;
  /** Whether an error came since the engine last was ready. */
  #errored = false;
  #finish!: (end: SessionEnd) => void;
  #over = false;
  #terminated = false;

  #status: TransactionStatus = 'I';
  /** Whether the client has sent anything since the engine last was ready. */
  #asked = false;
  #ending: Ending | undefined;
  /** Whether it ends with its transaction, not only when another begins. */
  #leaving = false;
  /** Once the session must end: a message was forwarded whose ReadyForQuery has not come. */
  #awaitsReady = false;
  /** Once the session must end: its last transaction is over. */
  #sealed = false;

  constructor({
    client,
    engine,
    dialect,
    role,
    connectionId,
    reader,
    traffic,
    mappingsCommitted,
    rolesChanged,
    onlooker,
  }: RelayOptions) {
    this.#statements = new Statements(role, reader, () => this.#showAgain());
    this.#traffic = traffic;
    this.#onlooker = onlooker;
    this.#connectionId = connectionId;
    this.#client = client;
    this.#engine = engine;
    this.#mappingsCommitted = mappingsCommitted;
    this.#roleChanges = new RoleChanges(rolesChanged);
    this.#isAdmin = role === ADMIN_ROLE;
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
        this.#onlooker?.clientGot(bytes);
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
    this.#ending ??= endingFor(why);
  }

  /** Ends the session now if it is idle, else as soon as it is. */
  endWhenIdle(why: Refused): void {
    this.#leave(endingFor(why));
  }

  /** The same, without a word. */
  expire(): void {
    this.#leave(EXPIRED);
  }

  expireNow(): void {
    this.#conclude(EXPIRED);
  }

  #leave(ending: Ending): void {
    if (this.idle) this.#conclude(ending);
    this.#ending ??= ending;
    this.#leaving = true;
  }

  #conclude({ end, fields }: Ending): void {
    this.#endWith(end, fields);
  }

  /** Whether no transaction is open and nothing is asked. */
  get idle(): boolean {
    return this.#status === 'I' && !this.#asked;
  }

  /** Ends the session now. `why` is said if that is possible between two messages. */
  end(why: Refused): void {
    this.#conclude(endingFor(why));
  }

  #onClientData(chunk: Buffer): void {
    if (this.#over) return;
    if (this.#ending && this.idle) {
      this.#conclude(this.#ending);
      return;
    }
    this.#asked = true;
    this.#traffic.fromClients += chunk.length;
    this.#onlooker?.clientSent(chunk);
    this.#guarded(() => this.#fromClient.push(chunk), 'client');
  }

  #onEngineData(chunk: Buffer): void {
    if (this.#over) return;
    this.#traffic.toClients += chunk.length;
    this.#guarded(() => this.#fromEngine.push(chunk), 'engine');
    this.#endIfDue();
  }

  /**
   * The last transaction is over, and the session waits for nothing more, or the engine still speaks: it is at work for a
   * message that the client had sent ahead, whose answer the client will not get.
   */
  #endIfDue(): void {
    if (this.#ending && ((this.#sealed && this.#leaving) || this.#fromEngine.dropped)) this.#conclude(this.#ending);
  }

  #readClient(type: number, chunk: Buffer, start: number, end: number): Verdict {
    // From the moment it must end a session gets one answer at a time, so that no transaction begins unseen.
    const asksForReady = type === CODE.Q || type === CODE.S || type === CODE.F;
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
        this.#traffic.statements++;
        return this.#readTag(chunk.subarray(start, end));
      case CODE.E:
        this.#errored = true;
        if (isConflict(chunk, start, end)) this.#traffic.conflicts++;
        return this.#statements.errorResponse(chunk.subarray(start, end));
      case CODE.N:
        return this.#readNotice(chunk.subarray(start, end));
      default:
        return this.#statements.parameterStatus(chunk.subarray(start, end));
    }
  }

  #readTag(frame: Buffer): Verdict {
    const verdict = this.#statements.commandComplete();
    const told = verdict instanceof Buffer ? verdict : frame;
    // Nearly all tags are others: SELECT, INSERT, UPDATE, BEGIN.
    if (ROLE_TAG_LETTERS.includes(told[5] as number)) {
      this.#roleChanges.commandComplete(told.toString('latin1', 5, told.length - 1));
    }
    return verdict;
  }

  #readNotice(frame: Buffer): Verdict {
    const verdict = this.#statements.noticeResponse(frame);
    // One of ours, which the client does not get. Only admin can have caused it: another's is forged.
    if (this.#isAdmin && verdict instanceof Buffer && verdict.length === 0) {
      this.#roleChanges.mapping(mappingIn(frame));
    }
    return verdict;
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
    if (status === 'I') this.#traffic.transactions++;
    this.#roleChanges.ready(status === 'I', this.#errored);
    this.#errored = false;
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
    this.#endIfDue();
    this.#engine.resume();
  }

  /** The client had asked for more than one answer when its session had to end. */
  #releaseClient(): void {
    if (this.#over || !this.#ending) return;
    if (this.#sealed) {
      this.#conclude(this.#ending);
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
    const client = this.#client;
    if (word) client.end(word);
    else client.end();
    client.resume();
    // Who does not read would stay for ever, and nobody counts it any more.
    const timer = setTimeout(() => client.destroy(), LINGER);
    timer.unref();
    client.once('close', () => clearTimeout(timer));
  }

  #end(end: SessionEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#roleChanges.end();
    this.#engine.destroy();
    this.#finish(end);
  }
}
