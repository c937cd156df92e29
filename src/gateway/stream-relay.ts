import { type FrameRule, FrameScanner, PASS, READ, type Verdict } from '../pgwire/frame-scanner.ts';
import type { TransactionStatus } from '../pgwire/messages.ts';
import { Lexer } from '../sql/lexer.ts';
import { splitStatements } from '../sql/statements.ts';
import { engineRules, statusOf } from './engine-messages.ts';
import { Relay, type RelayOptions } from './relay.ts';
import { Statements } from './statements.ts';

const MEBIBYTE = 1024 * 1024;
/** In bytes. PostgreSQL's own limit for messages that are passed on, ours for those held in memory. */
const LIMITS = { read: 64 * MEBIBYTE, pass: 0x3fffffff };
/** PQ_SMALL_MESSAGE_LIMIT. */
const SMALL = 10_000;

const CLIENT_RULES = new Map<string, FrameRule>();
for (const type of 'QPF') CLIENT_RULES.set(type, { treatment: READ, maxLength: LIMITS.read });
for (const type of 'SX') CLIENT_RULES.set(type, { treatment: READ, maxLength: SMALL });
for (const type of 'Bd') CLIENT_RULES.set(type, { treatment: PASS, maxLength: LIMITS.pass });
for (const type of 'ECDHcf') CLIENT_RULES.set(type, { treatment: PASS, maxLength: SMALL });

const ENGINE_RULES = engineRules('CENSZ');

const CODE = { Q: 0x51, P: 0x50, S: 0x53, F: 0x46, X: 0x58, C: 0x43, E: 0x45, N: 0x4e, Z: 0x5a } as const;

/** The field `C` of an error that says serialization_failure. */
const CONFLICT = Buffer.from('\0C40001\0');

function isConflict(chunk: Buffer, start: number, end: number): boolean {
  const at = chunk.indexOf(CONFLICT, start);
  return at >= 0 && at < end;
}

const ENDS: ReadonlySet<string> = new Set(['commit', 'end', 'rollback', 'abort', 'prepare']);

/** Whether anything stands behind the end of a transaction in the same text. ROLLBACK TO is none. */
function goesOnBehindEnd(sql: string): boolean {
  const options = { standardConformingStrings: true };
  const statements = splitStatements(sql, options).map(({ start, end }) => sql.slice(start, end));
  return statements
    .filter((text) => text.trim() !== '')
    .slice(0, -1)
    .some((text) => {
      const [first = '', ...more] = wordsOf(new Lexer(text, options));
      return ENDS.has(first) && !more.includes('to');
    });
}

/** Those that matter of a statement about a transaction: it has no more. */
function wordsOf(lexer: Lexer): string[] {
  const words: string[] = [];
  while (lexer.next() !== 'end' && words.length < 4) {
    if (lexer.kind === 'space' || lexer.kind === 'comment') continue;
    words.push(lexer.sql.slice(lexer.start, lexer.end).toLowerCase());
  }
  return words;
}

/**
 * The relay of stock PostgreSQL: bytes go on as they come, whole chunks at a time, each side waiting for the other. Read
 * are only the messages that something is decided on.
 */
export class StreamRelay extends Relay {
  protected readonly clientScanner: FrameScanner;
  protected readonly engineScanner: FrameScanner;
  readonly #statements: Statements;
  /** Once the session must end: a message was forwarded whose ReadyForQuery has not come. */
  #awaitsReady = false;
  /** Once the session must end: its last transaction is over. */
  #sealed = false;

  constructor(options: RelayOptions) {
    super(options);
    this.#statements = new Statements(options.role);
    this.clientScanner = new FrameScanner(CLIENT_RULES, {
      forward: (bytes) => this.toEngine(bytes),
      read: (type, chunk, start, end) => this.#readClient(type, chunk, start, end),
    });
    this.engineScanner = new FrameScanner(ENGINE_RULES, {
      forward: (bytes) => this.toClient(bytes),
      read: (type, chunk, start, end) => this.#readEngine(type, chunk, start, end),
    });
  }

  protected clientEnded(): void {
    this.engine.end();
  }

  protected stopped(): undefined {
    return undefined;
  }

  protected fromEngine(chunk: Buffer): void {
    this.engineScanner.push(chunk);
    this.#endIfDue();
  }

  /**
   * The last transaction is over, and the session waits for nothing more, or the engine still speaks: it is at work for a
   * message that the client had sent ahead, whose answer the client will not get.
   */
  #endIfDue(): void {
    if (this.ending && ((this.#sealed && this.leaving) || this.engineScanner.dropped)) this.concludeEnding();
  }

  #readClient(type: number, chunk: Buffer, start: number, end: number): Verdict {
    // From the moment it must end a session gets one answer at a time, so that no transaction begins unseen.
    const asksForReady = type === CODE.Q || type === CODE.S || type === CODE.F;
    if (this.ending && asksForReady && this.#awaitsReady) {
      this.client.pause();
      return 'hold';
    }
    if (this.ending && asksForReady) this.#awaitsReady = true;
    // What stands behind a COMMIT in the same text would be another transaction, and has begun when it shows.
    if (this.ending && type === CODE.Q && goesOnBehindEnd(chunk.toString('latin1', start + 5, end - 1))) {
      this.concludeEnding();
      return 'stop';
    }
    switch (type) {
      case CODE.Q:
        return this.#statements.query(chunk.subarray(start, end));
      case CODE.P:
        return this.#statements.parse(chunk.subarray(start, end));
      case CODE.X:
        this.terminated = true;
        return undefined;
      default:
        return undefined;
    }
  }

  #readEngine(type: number, chunk: Buffer, start: number, end: number): Verdict {
    switch (type) {
      case CODE.Z:
        return this.#readReady(statusOf(chunk[start + 5]));
      case CODE.C: {
        const frame = chunk.subarray(start, end);
        const verdict = this.#statements.commandComplete();
        this.tagged(verdict instanceof Buffer ? verdict : frame);
        return verdict;
      }
      case CODE.E:
        this.errored = true;
        if (isConflict(chunk, start, end)) this.traffic.conflicts++;
        return this.#statements.errorResponse(chunk.subarray(start, end));
      case CODE.N:
        return this.readNotice(chunk.subarray(start, end), this.#statements);
      default:
        return this.#statements.parameterStatus(chunk.subarray(start, end));
    }
  }

  #readReady(status: TransactionStatus): Verdict {
    if (status === 'I' && this.#statements.takeMappingsChanged()) {
      this.engine.pause();
      this.mappingsCommitted().then(
        () => this.#goOn(),
        () => this.#goOn(),
      );
      return 'hold';
    }
    if (status === 'I') this.traffic.transactions++;
    this.roleChanges.ready(status === 'I', this.errored);
    this.errored = false;
    this.status = status;
    this.asked = false;
    this.#awaitsReady = false;
    this.#statements.readyForQuery();
    if (this.ending) {
      if (status === 'I') {
        this.#sealed = true;
        this.engineScanner.stopAfterThis();
      }
      if (this.clientScanner.held) setImmediate(() => this.#releaseClient());
    }
    return undefined;
  }

  #goOn(): void {
    if (this.over) return;
    this.guarded(() => this.engineScanner.resume(), 'engine');
    this.#endIfDue();
    this.engine.resume();
  }

  /** The client had asked for more than one answer when its session had to end. */
  #releaseClient(): void {
    if (this.over || !this.ending) return;
    if (this.#sealed) {
      this.concludeEnding();
      return;
    }
    this.asked = true;
    this.guarded(() => this.clientScanner.resume(), 'client');
    if (!this.clientScanner.held) this.client.resume();
  }
}
