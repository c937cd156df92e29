import { encodeFields } from '../pgwire/fields.ts';
import { type FrameRule, FrameScanner, PASS, READ, type Verdict } from '../pgwire/frame-scanner.ts';
import { Malformed } from '../pgwire/malformed.ts';
import { type ErrorFields, message, readyForQuery, type TransactionStatus } from '../pgwire/messages.ts';
import { TEXTS } from '../sql/dialect/texts.ts';
import { Share } from '../transactions/space.ts';
import { type Answer, type AnswerReader, Answers, SessionOver } from './answers.ts';
import type { ClusterTransactions } from './cluster-transactions.ts';
import { CopyIn, countSyncs } from './copy-in.ts';
import { commandTag, engineRules, isLogMessage, statusOf } from './engine-messages.ts';
import { EngineNotices } from './engine-notices.ts';
import { Outbox } from './outbox.ts';
import { Prepared } from './prepared.ts';
import { type Reader, refusedReading } from './reader.ts';
import type { Reading } from './reading.ts';
import { Relay, type RelayOptions } from './relay.ts';
import { RequestCollector } from './request-collector.ts';
import type { Request, RunnerPort } from './runner-port.ts';
import { SessionTexts } from './session-texts.ts';
import { Statements } from './statements.ts';
import {
  changesFor,
  closingBytes,
  joinedStep,
  requestBytes,
  type Step,
  simpleSteps,
  type Writer,
  type Writing,
} from './steps.ts';
import { TransactionRunner } from './transaction-runner.ts';

/** In bytes: the service's limit for a message. */
const MAX_MESSAGE = 10 * 1024 * 1024;
/** PQ_SMALL_MESSAGE_LIMIT. */
const SMALL = 10_000;

const CLIENT_RULES = new Map<string, FrameRule>();
for (const type of 'QPBFd') CLIENT_RULES.set(type, { treatment: READ, maxLength: MAX_MESSAGE });
for (const type of 'DECHSXcf') CLIENT_RULES.set(type, { treatment: READ, maxLength: SMALL });

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
  copyData: 0x64,
  copyDone: 0x63,
  copyFail: 0x66,
  parseComplete: 0x31,
  closeComplete: 0x33,
} as const;

/** A command tag. */
const DEALLOCATE_ALL = 'DEALLOCATE ALL';
const NOTHING = Buffer.alloc(0);
const SYNC = message('S');
const COPY_FAIL = message('f', Buffer.from('\0'));

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
  /** Messages that are not whole, or wait for their turn. */
  readonly #unfinished: Share;
  readonly #prepared: Prepared;

  /**
   * `collecting`: a request of the extended protocol has begun; `passing`: one is answered as it comes; `working`: one is
   * done in steps.
   */
  #phase: 'ready' | 'collecting' | 'passing' | 'working' = 'ready';
  /** Whether a transaction has ended in what was asked before, without a Sync since. */
  #endedBefore = false;
  /** Whether the session, which must end, ends now. */
  #isDue = false;
  /** What the client copies in. */
  readonly #copyIn: CopyIn;
  readonly #outbox: Outbox;
  /** What is done in steps. */
  #request: Request = { final: true, simple: true };
  /** Whether there may be Syncs that the engine has answered and we know nothing of; and how many there are. */
  #isUnclear = false;
  #syncs = 0;
  /** The last step of what is collected, which a Query follows. */
  #unsynced: Step | undefined;
  /** The Flush that ends a part of the request that is collected. */
  #flush: Buffer | undefined;

  constructor(options: TurnRelayOptions) {
    super(options);
    this.#cluster = options.cluster;
    this.#statements = new Statements(options.role, { dsql: true });
    this.#texts = new SessionTexts(
      options.reader,
      () => this.#statements.unreadable,
      () => this.#goOn(),
    );
    this.#outbox = new Outbox((bytes) => super.toClient(bytes));
    this.#answers = new Answers((frame) => this.#readUnasked(frame));
    this.clientScanner = new FrameScanner(CLIENT_RULES, {
      forward: (bytes) => this.#forward(bytes),
      read: (type, chunk, start, end) => this.#readClient(type, chunk, start, end),
    });
    this.engineScanner = new FrameScanner(ENGINE_RULES, {
      forward: (bytes) => this.toClient(bytes),
      read: (type, chunk, start, end) => this.#readEngine(type, chunk, start, end),
    });
    this.#copyIn = new CopyIn((passes) =>
      this.clientScanner.treat('d', { treatment: passes ? PASS : READ, maxLength: MAX_MESSAGE }),
    );
    this.#writer = {
      text: (original, reading, writing, place) => this.#write(original, reading, writing, place),
      refusal: (refusal) => this.#statements.refusal(refusal),
    };
    this.#runner = new TransactionRunner(this.#port(options.cancel), options);
    this.#prepared = new Prepared(options.cluster.spaces.prepared);
    this.#unfinished = new Share(options.cluster.spaces.requests, Number.POSITIVE_INFINITY);
    this.#notices = new EngineNotices(options.cluster, this.#runner);
    this.#collector = new RequestCollector({
      prepared: this.#prepared,
      space: options.cluster.spaces.requests,
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
    this.#collector.end();
    this.#unfinished.end();
    this.#prepared.end();
    const rest = this.#answers.end();
    if (rest) this.#outbox.add(rest);
    return this.#outbox.take();
  }

  override clientCancels(): void {
    this.#runner.clientCancels();
  }

  protected clientEnded(): void {
    if (this.#copyIn.isOpen) this.engine.end();
    // What it has asked for is still done.
    void this.#runner.queue(async () => void this.engine.end());
  }

  // What the client sends.

  #forward(bytes: Buffer): void {
    const rest = this.#copyIn.rest(bytes);
    if (rest.length === 0) return;
    if (this.#phase !== 'collecting') {
      if (this.#copyIn.isActive && this.#runner.block) this.#runner.block.sent += rest.length;
      this.toEngine(rest);
      return;
    }
    const isFlush = rest === this.#flush;
    if (isFlush) this.#flush = undefined;
    if (isFlush || this.#collector.add(rest)) this.#startCollected(false);
  }

  #readClient(type: number, chunk: Buffer, start: number, end: number): Verdict {
    if (this.#copyIn.isOpen) return this.#readCopying(chunk.subarray(start, end));
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
        if (this.#phase === 'collecting' && !this.#collector.isEmpty) {
          const verdict = this.#doCollectedFirst(type, chunk.subarray(start, end));
          if (verdict === 'hold') return verdict;
        }
        return type === CODE.Q ? this.#readQuery(chunk.subarray(start, end)) : this.#refuseCall();
      case CODE.S:
        return this.#readSync();
      case CODE.copyData:
      case CODE.copyDone:
      case CODE.copyFail:
        // Outside of a COPY PostgreSQL takes no notice.
        return NOTHING;
      case CODE.H:
        if (this.#phase === 'ready') return undefined;
        // What came before it is on its way to us.
        this.#flush = Buffer.from(chunk.subarray(start, end));
        return this.#flush;
      default:
        return this.#readExtended(type, chunk, start, end);
    }
  }

  #readCopying(frame: Buffer): Verdict {
    this.terminated ||= frame[0] === CODE.X;
    const verdict = this.#copyIn.read(frame, (bytes) => queueMicrotask(() => this.toEngine(bytes)));
    return verdict === 'hold' ? this.#hold() : verdict;
  }

  #breakOff(reason: string): void {
    const violate = () => {
      throw new Malformed(reason);
    };
    this.guarded(violate, 'client');
  }

  protected override clientHolds(bytes: number): void {
    if (!this.#unfinished.hold(bytes)) throw new Malformed('out of memory', '53200');
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
    const unsynced = this.#unsynced;
    if (!this.#runner.block && !unsynced && this.#isQuiet(reading)) {
      this.#phase = 'passing';
      const translation = this.#statements.translation(original, { reading, simple: true });
      return translation && message('Q', Buffer.from(translation.sql, 'latin1'), frame.subarray(end));
    }
    const steps = simpleSteps(original, reading, this.#writer);
    if (unsynced) steps.unshift(joinedStep(unsynced, steps.shift() as Step));
    this.#unsynced = undefined;
    this.#start(steps, { final: true, simple: true });
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

  /** What was collected is done before a message that follows it without a Sync: all of it, or all but its last step. */
  #doCollectedFirst(type: number, frame: Buffer): 'hold' | undefined {
    let steps: Step[] | undefined;
    if (type === CODE.Q && this.#collector.isPartial) {
      const query = frame.toString('latin1', 5, frame.indexOf(0, 5));
      const reading = this.#texts.read(query);
      if (!reading) return this.#hold();
      steps = this.#collector.takeSteps();
      const joins = simpleSteps(query, reading, this.#writer)[0]?.verb === undefined;
      if (joins && steps.at(-1)?.partial) this.#unsynced = steps.pop();
      if (steps.length === 0) return undefined;
    }
    // What comes before it in the same chunk is collected when it is held.
    const start = () => this.#start(steps ?? this.#collector.takeSteps(), { final: false, simple: false });
    queueMicrotask(() => this.guarded(start, 'client'));
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
          this.#unsynced = undefined;
          this.#prepared.answered(this.status === 'I');
          this.#tellReady(request);
          this.#endIfDue();
        }
        if (!request.final) this.#outbox.send();
        await Promise.all(rest);
        if (this.over) return;
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

  #tellReady({ simple }: Request): void {
    const count = simple ? 1 + this.#syncs : Math.max(1, this.#syncs);
    this.#syncs = 0;
    for (let told = 0; told < count; told++) {
      this.toClient(readyForQuery(this.status));
      this.#ready(this.status);
    }
  }

  #port(cancel: () => Promise<void>): RunnerPort {
    const ask = (bytes: Buffer, reader?: AnswerReader, ready?: () => void): Promise<Answer> => {
      if (this.over) return Promise.reject(new SessionOver());
      const answer = this.#answers.expect(reader, (status) => {
        // What is asked next may be waiting, or copying, in the same breath.
        this.status = status;
        ready?.();
        this.#cluster.conflicts.waitsNoMore(this.#runner);
      });
      this.#gather();
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
          return this.#whenClear(step, (ready) => ask(step.bytes(writing), this.#answerReader(step, tag), ready));
        }),
      silently: (step, writing) => prepared(step, writing, () => ask(step.bytes(writing))),
      unprepare: (names) => ask(closingBytes(names)),
      request: (sql) => ask(requestBytes(sql)),
      requestBytes: (request) => ask(request),
      isPrepared: (statement) => this.#prepared.has(statement),
      deliver: (answer) => this.#deliver(answer),
      tell: (frame) => {
        if (frame[0] === CODE.E) this.errored = true;
        else if (frame[0] === CODE.C) this.tagged(frame);
        this.#outbox.add(frame);
      },
      committed: () => this.#mappings(),
      cancel,
      conflicted: () => {
        this.traffic.conflicts++;
      },
    };
  }

  /** What is asked for before anything is answered goes to the engine in one piece. */
  #gather(): void {
    if (this.engine.writableCorked > 0) return;
    this.engine.cork();
    process.nextTick(() => this.engine.uncork());
  }

  #answerReader(step: Step, tag: (tag: string | undefined, index: number) => ErrorFields | undefined): AnswerReader {
    const statements = this.#statements;
    let isRefused = false;
    return {
      tag: (told, index) => {
        if (told === DEALLOCATE_ALL) this.#prepared.clear();
        if (step.copiesIn) this.toEngine(SYNC);
        const wrong = tag(told, index);
        isRefused ||= wrong !== undefined;
        return wrong;
      },
      commandComplete: () => statements.commandComplete(),
      noticeResponse: (frame) => this.#readNoticeFrame(frame),
      errorResponse: (frame) => {
        if (this.#copyIn.isProbe(frame)) {
          this.#breakOff('message in the midst of COPY');
          return NOTHING;
        }
        const padding = this.#copyIn.fail(this.clientScanner.unread);
        if (padding.length > 0) this.toEngine(padding);
        if (step.copiesIn || step.joined) this.toEngine(SYNC);
        this.#isUnclear = this.#copyIn.hasSyncs || step.joined === true;
        return statements.errorResponse(frame);
      },
      parameterStatus: (frame) => statements.parameterStatus(frame),
      parseComplete: () => this.#prepared.parseComplete(),
      closeComplete: () => this.#prepared.closeComplete(),
      copyIn: () => {
        // The rest of it is left out: the client does not know that it is asked.
        if (isRefused) {
          this.toEngine(COPY_FAIL);
          return;
        }
        this.#copyIn.open();
        this.#goOn();
      },
      stream: (bytes) => this.toClient(bytes),
    };
  }

  /** An answer, when it is known which Syncs of the client the engine has taken for what they are. */
  async #whenClear(step: Step, ask: (ready: () => void) => Promise<Answer>): Promise<Answer> {
    let syncs: Promise<number> | undefined;
    const isReady = () => {
      if (this.#isUnclear) {
        syncs = this.#countSyncs();
        syncs.catch(() => undefined);
      }
      this.#isUnclear = false;
      this.#copyIn.answered();
    };
    const answer = await ask(isReady);
    if (!syncs) return answer;
    const ready = await syncs;
    // A Query that was not left out has been answered as well.
    this.#syncs = step.joined ? Math.max(0, ready - 1) : ready;
    if (step.joined || ready > 0) this.#request.final = ready > 0;
    return answer;
  }

  #countSyncs(): Promise<number> {
    return countSyncs(
      this.#answers,
      (bytes) => this.toEngine(bytes),
      (frame) => this.#readUnasked(frame),
    );
  }

  #deliver({ held, lastTag, errorFrame, tagFrames }: Answer): void {
    for (const frame of tagFrames) this.tagged(frame);
    if (errorFrame) this.errored = true;
    for (const bytes of held) this.#outbox.add(bytes);
    if (lastTag) this.#outbox.add(lastTag);
    if (errorFrame) this.#outbox.add(errorFrame);
  }

  protected override toClient(bytes: Buffer): void {
    this.#outbox.send(bytes);
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
