import { encodeFields } from '../pgwire/fields.ts';
import { type FrameRule, FrameScanner, PASS, READ, type Verdict } from '../pgwire/frame-scanner.ts';
import { Malformed } from '../pgwire/malformed.ts';
import { type ErrorFields, message, readyForQuery, type TransactionStatus } from '../pgwire/messages.ts';
import { TEXTS } from '../sql/dialect/texts.ts';
import { type Answer, type AnswerReader, Answers, SessionOver } from './answers.ts';
import type { ClusterTransactions } from './cluster-transactions.ts';
import { commandTag, engineRules, isLogMessage, statusOf } from './engine-messages.ts';
import { EngineNotices } from './engine-notices.ts';
import { Prepared } from './prepared.ts';
import { type Reader, refusedReading } from './reader.ts';
import type { Reading } from './reading.ts';
import { Relay, type RelayOptions } from './relay.ts';
import { RequestCollector } from './request-collector.ts';
import { SessionTexts } from './session-texts.ts';
import { Statements } from './statements.ts';
import { changesFor, closingBytes, requestBytes, type Step, simpleSteps, type Writer, type Writing } from './steps.ts';
import { type Request, type RunnerPort, TransactionRunner } from './transaction-runner.ts';

/** In bytes: the service's limit for a message. */
const MAX_MESSAGE = 10 * 1024 * 1024;
/** PQ_SMALL_MESSAGE_LIMIT. */
const SMALL = 10_000;

const CLIENT_RULES = new Map<string, FrameRule>();
for (const type of 'QPBF') CLIENT_RULES.set(type, { treatment: READ, maxLength: MAX_MESSAGE });
for (const type of 'DECHSXcf') CLIENT_RULES.set(type, { treatment: READ, maxLength: SMALL });
CLIENT_RULES.set('d', { treatment: PASS, maxLength: MAX_MESSAGE });

const ENGINE_RULES = engineRules('13CENSZ');

const CODE = {
  Q: 0x51,
  E: 0x45,
  C: 0x43,
  F: 0x46,
  H: 0x48,
  S: 0x53,
  X: 0x58,
  N: 0x4e,
  Z: 0x5a,
  copyDone: 0x63,
  copyFail: 0x66,
  parseComplete: 0x31,
  closeComplete: 0x33,
} as const;

/** A command tag. */
const DEALLOCATE_ALL = 'DEALLOCATE ALL';
const NOTHING = Buffer.alloc(0);
const SYNC = message('S');

export interface TurnRelayOptions extends RelayOptions {
  reader: Reader;
  /** Of the session in the engine. */
  processId: number;
  cluster: ClusterTransactions;
  /** Ends the statement that the engine is at work on. */
  cancel: () => Promise<void>;
  /** In ms, of a clock that only goes forward. */
  now: () => number;
}

function endsTransaction({ verb }: Step): boolean {
  return verb === 'commit' || verb === 'rollback';
}

/**
 * The relay of the dialect dsql. A request (a Query, or extended-query messages up to Sync) is answered before the next
 * one is looked at, since what a transaction may do hangs on what it has done.
 *
 * Outside of transactions, requests that only read go on as they come, and so do their answers. All others are done in
 * steps by the transaction runner, and answers are held back until it is certain that they stand.
 */
export class TurnRelay extends Relay {
  protected readonly clientScanner: FrameScanner;
  protected readonly engineScanner: FrameScanner;
  readonly #answers: Answers;
  readonly #statements: Statements;
  readonly #texts: SessionTexts;
  readonly #cluster: ClusterTransactions;
  readonly #runner: TransactionRunner;
  readonly #writer: Writer;
  readonly #collector: RequestCollector;
  readonly #notices: EngineNotices;
  readonly #prepared = new Prepared();

  /**
   * `collecting`: a request of the extended protocol has begun; `passing`: one is answered as it comes; `working`: one is
   * done in steps.
   */
  #phase: 'ready' | 'collecting' | 'passing' | 'working' = 'ready';
  /** Whether a transaction has ended in what was asked before, without a Sync since. */
  #endedBefore = false;
  /** Whether the session, which must end, ends now. */
  #isDue = false;
  /** Whether the engine takes what the client copies in. */
  #copyIn: 'simple' | 'extended' | undefined;
  /** The message that says that all is copied. */
  #copyEnd: Buffer | undefined;
  /** What is done in steps. Its Sync is none where the engine has it while the client copies. */
  #request: Request = { final: true, simple: true };
  /** What the client copies in before the engine has asked for it. */
  #early: Buffer[] = [];

  /** The Flush that ends a part of the request that is collected. */
  #flush: Buffer | undefined;

  constructor(options: TurnRelayOptions) {
    super(options);
    this.#cluster = options.cluster;
    this.#statements = new Statements(options.role);
    this.#texts = new SessionTexts(
      options.reader,
      () => this.#statements.unreadable,
      () => this.#goOn(),
    );
    this.#answers = new Answers((frame) => this.#readUnasked(frame));
    this.clientScanner = new FrameScanner(CLIENT_RULES, {
      forward: (bytes) => this.#forward(bytes),
      read: (type, chunk, start, end) => this.#readClient(type, chunk, start, end),
    });
    this.engineScanner = new FrameScanner(ENGINE_RULES, {
      forward: (bytes) => this.toClient(bytes),
      read: (type, chunk, start, end) => this.#readEngine(type, chunk, start, end),
    });
    this.#writer = {
      text: (original, reading, writing, place) => this.#write(original, reading, writing, place),
      refusal: (refusal) => this.#statements.refusal(refusal),
    };
    this.#runner = new TransactionRunner(this.#port(options.cancel), options);
    this.#notices = new EngineNotices(options.cluster, this.#runner);
    this.#collector = new RequestCollector({
      prepared: this.#prepared,
      writer: this.#writer,
      isInBlock: () => this.#runner.block !== undefined,
      isAborted: () => this.status === 'E',
      read: (text) => this.#texts.read(text),
      isQuiet: (reading) => this.#isQuiet(reading),
      translated: (original, reading) => this.#statements.translation(original, { reading, simple: false })?.sql,
    });
  }

  protected stopped(): Buffer | undefined {
    this.#runner.leave();
    return this.#answers.end();
  }

  protected clientEnded(): void {
    // What it has asked for is still done.
    void this.#runner.queue(async () => void this.engine.end());
  }

  // What the client sends.

  #forward(bytes: Buffer): void {
    if (this.#phase !== 'collecting') {
      if (this.#phase === 'working' && !this.#copyIn) {
        // What is to take it is not sent yet.
        this.#early.push(bytes);
        this.client.pause();
        return;
      }
      this.#copied(bytes);
      return;
    }
    if (bytes === this.#flush) {
      this.#flush = undefined;
      this.#startCollected(false);
      return;
    }
    this.#collector.add(bytes);
  }

  #copied(bytes: Buffer): void {
    if (this.#copyIn && this.#runner.block) this.#runner.block.sent += bytes.length;
    this.toEngine(bytes);
    if (bytes === this.#copyEnd) this.#copyIn = undefined;
  }

  #forwardEarly(): void {
    for (const bytes of this.#early.splice(0)) this.#copied(bytes);
  }

  #readClient(type: number, chunk: Buffer, start: number, end: number): Verdict {
    if (this.#copyIn) return this.#readCopying(type, chunk, start, end);
    if (this.#phase === 'passing' || this.#phase === 'working') return this.#hold();
    // PostgreSQL leaves out what comes between an error and Sync.
    if (this.#runner.failed && type !== CODE.S && type !== CODE.X) return NOTHING;
    switch (type) {
      case CODE.X:
        this.terminated = true;
        this.toEngine(Buffer.from(chunk.subarray(start, end)));
        return NOTHING;
      case CODE.Q:
      case CODE.F:
        // PostgreSQL does what was sent before, and answers it without a Sync.
        if (this.#phase === 'collecting' && !this.#collector.isEmpty) return this.#doCollectedFirst();
        return type === CODE.Q ? this.#readQuery(chunk.subarray(start, end)) : this.#refuseCall();
      case CODE.S:
        return this.#readSync();
      case CODE.copyDone:
      case CODE.copyFail:
        // Outside of a COPY PostgreSQL takes no notice.
        if (this.#phase === 'ready') return undefined;
        return this.#readExtended(type, chunk, start, end);
      case CODE.H:
        if (this.#phase === 'ready') return undefined;
        // What came before it is on its way to us.
        this.#flush = Buffer.from(chunk.subarray(start, end));
        return this.#flush;
      default:
        return this.#readExtended(type, chunk, start, end);
    }
  }

  /** While the client copies PostgreSQL takes no notice of Sync and Flush, and everything else for an error. */
  #readCopying(type: number, chunk: Buffer, start: number, end: number): Verdict {
    switch (type) {
      case CODE.S:
      case CODE.H:
        return NOTHING;
      case CODE.X:
        this.terminated = true;
        return undefined;
      case CODE.copyDone:
      case CODE.copyFail:
        // The Sync that came with the request is one of those.
        this.#copyEnd = Buffer.concat([chunk.subarray(start, end), this.#copyIn === 'extended' ? SYNC : NOTHING]);
        return this.#copyEnd;
      default:
        throw new Malformed('message in the midst of COPY');
    }
  }

  #hold(): 'hold' {
    this.client.pause();
    return 'hold';
  }

  #goOn(): void {
    if (this.over) return;
    this.guarded(() => this.clientScanner.resume(), 'client');
    if (!this.clientScanner.held) this.client.resume();
  }

  #readQuery(frame: Buffer): Verdict {
    const end = frame.indexOf(0, 5);
    if (end < 0) {
      // PostgreSQL's to refuse.
      this.#phase = 'passing';
      return undefined;
    }
    const original = frame.toString('latin1', 5, end);
    const reading = this.#texts.read(original);
    if (!reading) return this.#hold();
    if (!this.#runner.block && this.#isQuiet(reading)) {
      this.#phase = 'passing';
      const translation = this.#statements.translation(original, { reading, simple: true });
      return translation && message('Q', Buffer.from(translation.sql, 'latin1'), frame.subarray(end));
    }
    this.#start(simpleSteps(original, reading, this.#writer), { final: true, simple: true });
    return NOTHING;
  }

  /** A function that is called by its number is one that nobody has looked at. */
  #refuseCall(): Verdict {
    const reading = refusedReading(TEXTS.functionCall);
    this.#start(simpleSteps('', reading, this.#writer), { final: true, simple: true });
    return NOTHING;
  }

  /** Whether a request outside of a transaction only reads. */
  #isQuiet(reading: Reading): boolean {
    if (!reading.quiet) return false;
    const { classification } = reading;
    if (classification.kind !== 'statements' || !this.#cluster.hasOwnFunctions) return true;
    return !classification.statements.some((statement) => this.#cluster.callsOwn(statement));
  }

  #readExtended(type: number, chunk: Buffer, start: number, end: number): Verdict {
    const verdict = this.#collector.read(type, chunk, start, end);
    if (verdict === 'hold') return this.#hold();
    this.#phase = 'collecting';
    return verdict;
  }

  #readSync(): Verdict {
    if (this.#collector.mustCare || this.#runner.failed) {
      this.#startCollected(true);
      return NOTHING;
    }
    this.#phase = 'passing';
    for (const { bytes } of this.#collector.take()) this.toEngine(bytes);
    return undefined;
  }

  #doCollectedFirst(): 'hold' {
    queueMicrotask(() => this.guarded(() => this.#startCollected(false), 'client'));
    return this.#hold();
  }

  /** What was collected is done. `final`: whether Sync has come. */
  #startCollected(final: boolean): void {
    this.#start(this.#collector.takeSteps(), { final, simple: false });
  }

  /** A text in the form in which the engine is to get it. */
  #write(
    original: string,
    reading: Reading,
    writing: Writing,
    { simple, range }: Parameters<Writer['text']>[3],
  ): ReturnType<Writer['text']> {
    const changes = changesFor(original, reading, writing, range);
    return this.#statements.translation(original, { reading, changes, simple })?.sql;
  }

  // What is done for it.

  #start(steps: readonly Step[], request: Request): void {
    // A session that must end would begin another transaction behind the end of the one that it is in.
    if (this.ending && (this.#endedBefore || steps.slice(0, -1).some(endsTransaction))) {
      this.concludeEnding();
      return;
    }
    this.#endedBefore = !request.final && (this.#endedBefore || steps.some(endsTransaction));
    this.#phase = 'working';
    this.#request = request;
    this.#runner
      .queue(async () => {
        if (this.over) return;
        const rest = await this.#runner.run(steps, request);
        if (request.final) {
          await this.#mappings();
          if (this.over) return;
          this.#collector.answered();
          this.#prepared.answered(this.status === 'I');
          this.toClient(readyForQuery(this.status));
          this.#ready(this.status);
          this.#endIfDue();
        }
        await Promise.all(rest);
        if (this.over) return;
        this.#forwardEarly();
        this.#phase = request.final ? 'ready' : 'collecting';
      })
      .then(
        () => {
          this.#runner.rests();
          this.#goOn();
        },
        (error) => {
          if (!(error instanceof SessionOver)) this.fail(error);
        },
      );
  }

  #port(cancel: () => Promise<void>): RunnerPort {
    const ask = (bytes: Buffer, reader?: AnswerReader): Promise<Answer> => {
      if (this.over) return Promise.reject(new SessionOver());
      const answer = this.#answers.expect(reader, (status) => {
        // What is asked next may be waiting, or copying, in the same breath.
        this.status = status;
        this.#copyIn = undefined;
        this.#cluster.conflicts.waitsNoMore(this.#runner);
      });
      this.toEngine(bytes);
      // Several may be under way when the session ends, of which only the first is waited for.
      answer.catch(() => undefined);
      return answer;
    };
    const prepared = async (step: Step, writing: Writing, work: () => Promise<Answer>): Promise<Answer> => {
      const bytes = step.preparation?.(writing);
      if (!bytes) return work();
      const answer = await ask(bytes);
      // It would fail itself with the same.
      return answer.error ? { ...answer, errorFrame: encodeFields('E', answer.error) } : work();
    };
    const relay = this;
    return {
      get status() {
        return relay.status;
      },
      get waiting() {
        return relay.#answers.expected;
      },
      get streaming() {
        return relay.#answers.streaming;
      },
      ask: (step, writing, tag) =>
        prepared(step, writing, () => {
          this.#prepared.asks(step);
          return ask(step.bytes(writing), this.#answerReader(step, tag));
        }),
      silently: (step, writing) => prepared(step, writing, () => ask(step.bytes(writing))),
      unprepare: (names) => {
        for (const name of names) this.#prepared.forget(name);
        return ask(closingBytes(names));
      },
      request: (sql) => ask(requestBytes(sql)),
      isPrepared: (statement) => this.#prepared.has(statement),
      deliver: (answer) => this.#deliver(answer),
      tell: (frame) => {
        if (frame[0] === CODE.E) this.errored = true;
        else if (frame[0] === CODE.C) this.tagged(frame);
        this.toClient(frame);
      },
      committed: () => this.#mappings(),
      cancel,
      conflicted: () => {
        this.traffic.conflicts++;
      },
    };
  }

  #answerReader(step: Step, tag: (tag: string | undefined, index: number) => ErrorFields | undefined): AnswerReader {
    const statements = this.#statements;
    const request = this.#request;
    return {
      tag: (told, index) => {
        if (told === DEALLOCATE_ALL) this.#prepared.clear();
        return tag(told, index);
      },
      commandComplete: () => statements.commandComplete(),
      noticeResponse: (frame) => this.#readNoticeFrame(frame),
      errorResponse: (frame) => {
        if (this.#copyIn === 'extended') this.toEngine(SYNC);
        this.#copyIn = undefined;
        return statements.errorResponse(frame);
      },
      parameterStatus: (frame) => statements.parameterStatus(frame),
      parseComplete: () => this.#prepared.parseComplete(),
      closeComplete: () => this.#prepared.closeComplete(),
      copyIn: () => {
        // What is copied, and its end, may be a part of the request already.
        if (step.endsCopy) return;
        this.#copyIn = request.simple ? 'simple' : 'extended';
        if (!request.simple) request.final = false;
        this.#forwardEarly();
        this.#goOn();
      },
      stream: (bytes) => this.toClient(bytes),
    };
  }

  #deliver({ held, lastTag, errorFrame, tagFrames }: Answer): void {
    for (const frame of tagFrames) this.tagged(frame);
    if (errorFrame) this.errored = true;
    const frames = [...held, ...(lastTag ? [lastTag] : []), ...(errorFrame ? [errorFrame] : [])];
    if (frames.length > 0) this.toClient(frames.length === 1 ? (frames[0] as Buffer) : Buffer.concat(frames));
  }

  /** The change of a mapping is everywhere before the client knows that it is made. */
  async #mappings(): Promise<void> {
    if (this.status === 'I' && this.#statements.takeMappingsChanged())
      await this.mappingsCommitted().catch(() => undefined);
  }

  // What the engine sends.

  protected fromEngine(chunk: Buffer): void {
    if (this.#answers.expected) this.#answers.push(chunk);
    else this.engineScanner.push(chunk);
    this.#endIfDue();
  }

  #endIfDue(): void {
    if (this.#isDue) this.concludeEnding();
  }

  #readEngine(type: number, chunk: Buffer, start: number, end: number): Verdict {
    switch (type) {
      case CODE.Z: {
        this.status = statusOf(chunk[start + 5]);
        this.#copyIn = undefined;
        this.#cluster.conflicts.waitsNoMore(this.#runner);
        this.#prepared.answered(this.status === 'I');
        this.#ready(this.status);
        if (this.#phase === 'passing') this.#phase = 'ready';
        if (this.clientScanner.held) setImmediate(() => this.#goOn());
        return undefined;
      }
      case CODE.C: {
        const verdict = this.#statements.commandComplete();
        const told = verdict instanceof Buffer ? verdict : chunk.subarray(start, end);
        this.tagged(told);
        if (told[5] === 0x44 && commandTag(told) === DEALLOCATE_ALL) this.#prepared.clear();
        return verdict;
      }
      case CODE.E:
        this.errored = true;
        return this.#statements.errorResponse(chunk.subarray(start, end));
      case CODE.N:
        return this.#readNoticeFrame(chunk.subarray(start, end));
      case CODE.parseComplete:
        this.#prepared.parseComplete();
        return undefined;
      case CODE.closeComplete:
        this.#prepared.closeComplete();
        return undefined;
      default:
        return this.#statements.parameterStatus(chunk.subarray(start, end));
    }
  }

  /** What comes beside the answers to requests of ours. */
  #readUnasked(frame: Buffer): Verdict {
    if (frame[0] === CODE.S) {
      this.#statements.parameterStatus(frame);
      this.toClient(Buffer.from(frame));
    } else if (isLogMessage(frame)) {
      this.#notices.read(frame);
    }
    // What is done again has been told before.
    return NOTHING;
  }

  #readNoticeFrame(frame: Buffer): Verdict {
    return this.#notices.read(frame) ? NOTHING : this.readNotice(frame, this.#statements);
  }

  #ready(status: TransactionStatus): void {
    if (status === 'I') this.traffic.transactions++;
    this.roleChanges.ready(status === 'I', this.errored);
    this.errored = false;
    this.asked = this.clientScanner.held;
    this.#statements.readyForQuery();
    this.#isDue = this.ending && status === 'I' && (this.leaving || this.asked);
  }
}
