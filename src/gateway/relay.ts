import type { Socket } from 'node:net';
import { type ChangedRoles, type RoleChange, RoleChanges } from '../audit/role-changes.ts';
import { decodeFields } from '../pgwire/fields.ts';
import type { FrameScanner, Verdict } from '../pgwire/frame-scanner.ts';
import { Malformed } from '../pgwire/malformed.ts';
import { type ErrorFields, errorResponse, type TransactionStatus } from '../pgwire/messages.ts';
import type { Refused } from '../refused.ts';
import { ADMIN_ROLE } from '../roles/catalog-sql.ts';
import type { SessionStatements } from '../statement-log/session-statements.ts';
import { internalErrorFields, refusalFields } from './refuse.ts';
import type { Statements } from './statements.ts';
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

/** In ms: what a client that must go gets to read what it has been sent. */
const LINGER = 60_000;

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

/** Between a client and its session in the engine, until one of them goes or the session must end. */
export abstract class Relay {
  readonly ended: Promise<SessionEnd>;
  protected readonly client: Socket;
  protected readonly engine: Socket;
  protected readonly traffic: Traffic;
  protected readonly mappingsCommitted: () => Promise<void>;
  protected readonly roleChanges: RoleChanges;
  readonly #connectionId: string;
  readonly #onlooker: SessionStatements | undefined;
  readonly #isAdmin: boolean;
  #finish!: (end: SessionEnd) => void;
  #over = false;
  #ending: Ending | undefined;
  #leaving = false;
  protected terminated = false;
  /** Of the engine, when it last was ready. */
  protected status: TransactionStatus = 'I';
  /** Whether the client has sent anything since the engine last was ready. */
  protected asked = false;
  /** Whether an error came since the engine last was ready. */
  protected errored = false;

  protected constructor({
    client,
    engine,
    role,
    connectionId,
    traffic,
    mappingsCommitted,
    rolesChanged,
    onlooker,
  }: RelayOptions) {
    this.traffic = traffic;
    this.#onlooker = onlooker;
    this.#connectionId = connectionId;
    this.client = client;
    this.engine = engine;
    this.mappingsCommitted = mappingsCommitted;
    this.roleChanges = new RoleChanges(rolesChanged);
    this.#isAdmin = role === ADMIN_ROLE;
    this.ended = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  /** Read what the two sides send. */
  protected abstract readonly clientScanner: FrameScanner;
  protected abstract readonly engineScanner: FrameScanner;
  /** The client sends no more. */
  protected abstract clientEnded(): void;
  protected abstract fromEngine(chunk: Buffer): void;
  /** In bytes: what is kept of what the client has sent. Throws Malformed where that is too much. */
  protected clientHolds(_bytes: number): void {}

  /** The session is over. What is returned the client is still told. */
  protected abstract stopped(): Buffer | undefined;

  /** Whether no transaction is open and nothing is asked. */
  get idle(): boolean {
    return this.status === 'I' && !this.asked;
  }

  protected get over(): boolean {
    return this.#over;
  }

  /** It must end when its transaction has ended, at the latest when it begins another. */
  protected get ending(): boolean {
    return this.#ending !== undefined;
  }

  /** Whether it ends with its transaction, not only when another begins. */
  protected get leaving(): boolean {
    return this.#leaving;
  }

  /** Begins to relay. `greeting` is the first thing that the client is sent. */
  start(greeting: Buffer): void {
    const { client, engine } = this;
    client.on('data', (chunk: Buffer) => this.#onClientData(chunk));
    engine.on('data', (chunk: Buffer) => this.#onEngineData(chunk));
    engine.on('drain', () => {
      if (!this.clientScanner.held) client.resume();
    });
    client.on('drain', () => {
      if (!this.engineScanner.held) engine.resume();
    });
    client.on('close', () => this.#end({ reason: this.terminated ? 'client-terminated' : 'client-disconnected' }));
    client.on('end', () => this.clientEnded());
    client.on('error', () => undefined);
    engine.on('error', () => undefined);
    // PostgreSQL says good-bye itself, unless it was killed; after Terminate nobody waits for one.
    engine.on('close', () => this.#endWith({ reason: 'engine-closed' }, undefined));
    // Whoever has gone while the login was under way says so no more.
    if (client.destroyed) {
      this.#end({ reason: 'client-disconnected' });
      return;
    }
    if (engine.destroyed) {
      this.#endWith({ reason: 'engine-closed' }, undefined);
      return;
    }
    this.#onlooker?.clientGot(greeting);
    client.write(greeting);
    engine.resume();
    client.resume();
  }

  /** Idle sessions learn it at their next message, the others when their transaction has ended. */
  endAtNextTransaction(why: Refused): void {
    this.#ending ??= endingFor(why);
  }

  /** The client's request to cancel is on its way to the engine. */
  clientCancels(): void {}

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

  /** Ends the session now. `why` is said if that is possible between two messages. */
  end(why: Refused): void {
    this.#conclude(endingFor(why));
  }

  #leave(ending: Ending): void {
    if (this.idle) this.#conclude(ending);
    this.#ending ??= ending;
    this.#leaving = true;
  }

  #conclude({ end, fields }: Ending): void {
    this.#endWith(end, fields);
  }

  /** Ends a session that must end. */
  protected concludeEnding(): void {
    if (this.#ending) this.#conclude(this.#ending);
  }

  #onClientData(chunk: Buffer): void {
    if (this.#over) return;
    if (this.#ending && this.idle) {
      this.#conclude(this.#ending);
      return;
    }
    this.traffic.fromClients += chunk.length;
    this.#onlooker?.clientSent(chunk);
    this.asked = true;
    this.guarded(() => {
      this.clientScanner.push(chunk);
      this.clientHolds(this.clientScanner.collected);
    }, 'client');
  }

  #onEngineData(chunk: Buffer): void {
    if (this.#over) return;
    this.guarded(() => this.fromEngine(chunk), 'engine');
  }

  protected toClient(bytes: Buffer): void {
    this.traffic.toClients += bytes.length;
    this.#onlooker?.clientGot(bytes);
    if (!this.client.write(bytes)) this.engine.pause();
  }

  protected toEngine(bytes: Buffer): void {
    if (!this.engine.write(bytes)) this.client.pause();
  }

  /** A command tag as the client sees it. */
  protected tagged(frame: Buffer): void {
    this.traffic.statements++;
    // Nearly all tags are others: SELECT, INSERT, UPDATE, BEGIN.
    if (ROLE_TAG_LETTERS.includes(frame[5] as number)) {
      this.roleChanges.commandComplete(frame.toString('latin1', 5, frame.length - 1));
    }
  }

  protected readNotice(frame: Buffer, statements: Statements): Verdict {
    const verdict = statements.noticeResponse(frame);
    // One of ours, which the client does not get. Only admin can have caused it: another's is forged.
    if (this.#isAdmin && verdict instanceof Buffer && verdict.length === 0) {
      this.roleChanges.mapping(mappingIn(frame));
    }
    return verdict;
  }

  /** What goes wrong in one session, a bug of ours included, ends that session and no other. */
  protected guarded(work: () => void, speaker: 'client' | 'engine'): void {
    try {
      work();
    } catch (error) {
      if (speaker === 'client' && error instanceof Malformed) {
        const { message } = error;
        const fields: ErrorFields = { severity: 'FATAL', code: error.sqlstate, message };
        this.#endWith({ reason: 'protocol-violation', detail: message }, fields);
      } else {
        this.fail(error as Error);
      }
    }
  }

  protected fail(error: Error): void {
    this.#endWith({ reason: 'failed', error }, internalErrorFields(this.#connectionId));
  }

  #endWith(end: SessionEnd, fields: ErrorFields | undefined): void {
    if (this.#over) return;
    const word = fields && this.engineScanner.atBoundary ? errorResponse(fields) : undefined;
    const rest = this.#end(end);
    const { client } = this;
    if (rest) client.write(rest);
    if (word) client.end(word);
    else client.end();
    client.resume();
    // Who does not read would stay for ever, and nobody counts it any more.
    const timer = setTimeout(() => client.destroy(), LINGER);
    timer.unref();
    client.once('close', () => clearTimeout(timer));
  }

  #end(end: SessionEnd): Buffer | undefined {
    if (this.#over) return undefined;
    this.#over = true;
    this.roleChanges.end();
    this.engine.destroy();
    this.#finish(end);
    return this.stopped();
  }
}
