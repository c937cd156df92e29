import type { Verdict } from '../pgwire/frame-scanner.ts';
import { message } from '../pgwire/messages.ts';
import { type Refusal, TEXTS } from '../sql/dialect/texts.ts';
import { Share, type Space } from '../transactions/space.ts';
import { type Prepared, type PreparedStatement, statementOf, TooMuchPrepared } from './prepared.ts';
import type { Reading } from './reading.ts';
import {
  extendedSteps,
  heldBy,
  isCopyIn,
  isPartial,
  type Piece,
  refusalBytes,
  refusalStep,
  type Step,
  type Writer,
} from './steps.ts';

const NOTHING = Buffer.alloc(0);
const CODE = { P: 0x50, B: 0x42, E: 0x45, C: 0x43 } as const;

/** In bytes: what a request may hold before its Sync. */
const MAX_REQUEST = 32 * 1024 * 1024;

export interface CollectorPort {
  space: Space;
  prepared: Prepared;
  writer: Writer;
  /** Whether a transaction is open. */
  isInBlock(): boolean;
  /** Whether it has failed. */
  isAborted(): boolean;
  /** Undefined for a text that takes longer: it is asked again. */
  read(text: string): Reading | undefined;
  /** Whether it only reads. */
  isQuiet(reading: Reading): boolean;
  /** A text as the engine is to get it; undefined where it stays as it is. */
  translated(original: string, reading: Reading): string | undefined;
}

/**
 * Collects the messages of the extended query protocol up to Sync. Those that only read, outside of transactions, go on as
 * they came: of them nothing is copied, and they are not even told apart.
 */
export class RequestCollector {
  readonly #port: CollectorPort;
  readonly #share: Share;
  #pieces: Piece[] = [];
  /** Why none of it will be done. */
  #refusal: Refusal | undefined;
  /** Whether it must be done in steps, and with it what comes before the next ReadyForQuery. */
  #careful = false;
  #isEmpty = true;
  /** Whether one of the pieces binds a portal. */
  #binds = false;
  /** How many Executes came before it was known that care is needed. */
  #queries = 0;
  /** The piece that is about to come back from the scanner. */
  #next: Piece | undefined;

  constructor(port: CollectorPort) {
    this.#port = port;
    this.#share = new Share(port.space, MAX_REQUEST);
  }

  /** Whether no message has come since the last part was taken. */
  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  /** Whether it must be done in steps. */
  get mustCare(): boolean {
    return this.#careful || this.#port.isInBlock();
  }

  /** Reads one whole message, as the reader of a frame scanner does. What goes on is to be given to `add`. */
  read(type: number, chunk: Buffer, start: number, end: number): Verdict {
    this.#isEmpty = false;
    // It has failed, though nobody has been told.
    if (this.#refusal) return NOTHING;
    try {
      return this.#read(type, chunk, start, end);
    } catch (error) {
      if (!(error instanceof TooMuchPrepared)) throw error;
      this.#refuse(error.refusal);
      return NOTHING;
    }
  }

  #read(type: number, chunk: Buffer, start: number, end: number): Verdict {
    const { prepared } = this.#port;
    let piece: Pick<Piece, 'statement' | 'query' | 'bound'> | undefined;
    let translated: Buffer | undefined;
    switch (type) {
      case CODE.P: {
        const query = this.#parse(chunk.subarray(start, end));
        if (query === 'hold') return query;
        if (!query) break;
        piece = { query };
        if (!this.mustCare) translated = this.#translated(query, chunk.subarray(start, end));
        break;
      }
      case CODE.B: {
        const bound = prepared.bindAgain(chunk, start) ?? prepared.bind(chunk.subarray(start, end));
        if (bound && !this.#port.isQuiet(bound.reading)) this.#careful = true;
        this.#binds = true;
        if (!bound) translated = this.#unknown(chunk.subarray(start, end));
        if (this.mustCare) piece = { bound };
        break;
      }
      case CODE.E:
        if (this.mustCare) piece = { statement: prepared.executed(chunk.subarray(start, end)) };
        else this.#queries++;
        break;
      case CODE.C:
        prepared.close(chunk.subarray(start, end));
        break;
    }
    if (!this.mustCare) return translated;
    const bytes = translated ?? Buffer.from(chunk.subarray(start, end));
    this.#next = { bytes, type, ...piece };
    return bytes;
  }

  #refuse(refusal: Refusal): void {
    this.#drop();
    this.#refusal = refusal;
    this.#careful = true;
  }

  #drop(): void {
    this.#pieces = [];
    this.#share.end();
  }

  /** Says whether this is as far as it goes: what comes after COPY … FROM STDIN the engine takes for its own. */
  add(bytes: Buffer): boolean {
    const next = this.#next?.bytes === bytes ? this.#next : undefined;
    if (next) this.#next = undefined;
    if (this.#refusal) return false;
    const piece = next ?? { bytes };
    // All of it is in the statement.
    if (piece.query) piece.bytes = NOTHING;
    if (!this.#share.take(heldBy(piece))) {
      this.#refuse(TEXTS.requestMemory(MAX_REQUEST));
      return false;
    }
    this.#pieces.push(piece);
    return piece.statement !== undefined && isCopyIn(piece.statement);
  }

  /** Whether some rows only are asked for of a statement that writes. */
  get isPartial(): boolean {
    return this.#pieces.some(isPartial);
  }

  take(): readonly Piece[] {
    const pieces = this.#pieces;
    this.#drop();
    this.#binds = false;
    this.#queries = 0;
    this.#isEmpty = true;
    return pieces;
  }

  takeSteps(): Step[] {
    const { writer } = this.#port;
    const binds = this.#binds;
    const [first] = this.#pieces;
    // What comes before it is known that care is needed is not told apart.
    if (first && first.type === undefined) {
      first.prepares = this.#preparedUnseen();
      first.queries = this.#queries;
    }
    const refusal = this.#refusal;
    this.#refusal = undefined;
    const steps = extendedSteps(this.take(), binds, this.#port.isInBlock(), writer);
    return refusal ? [refusalStep(refusal, writer)] : steps;
  }

  /** The session is over. */
  end(): void {
    this.#drop();
  }

  #preparedUnseen(): PreparedStatement[] {
    const seen = new Set(this.#pieces.map(({ query }) => query));
    return this.#port.prepared.unprepared.filter((statement) => !seen.has(statement));
  }

  /** ReadyForQuery: the next request is another one. */
  answered(): void {
    this.#careful = false;
  }

  #parse(frame: Buffer): PreparedStatement | undefined | 'hold' {
    const text = frame.indexOf(0, 5) + 1;
    const end = frame.indexOf(0, text);
    // A message without its terminators is PostgreSQL's to refuse.
    if (text === 0 || end < 0) return undefined;
    const original = frame.toString('latin1', text, end);
    const reading = this.#port.read(original);
    if (!reading) return 'hold';
    const types = Buffer.from(frame.subarray(end + 1));
    const query = { name: frame.toString('latin1', 5, text - 1), original, reading, types };
    this.#port.prepared.parse(query);
    return query;
  }

  /**
   * In the place of a Bind whose statement is not known here: what the engine knew under its name would run without a rule. An
   * engine in whose transaction nothing runs says itself what is wrong.
   */
  #unknown(frame: Buffer): Buffer | undefined {
    const name = statementOf(frame);
    if (name === undefined || this.#port.isAborted()) return undefined;
    return refusalBytes(this.#port.writer, TEXTS.noStatement(Buffer.from(name, 'latin1').toString('utf8')));
  }

  #translated({ name, original, reading }: PreparedStatement, frame: Buffer): Buffer | undefined {
    const sql = this.#port.translated(original, reading);
    if (sql === undefined) return undefined;
    const head = Buffer.from(`${name}\0${sql}`, 'latin1');
    return message('P', head, frame.subarray(5 + name.length + 1 + original.length));
  }
}
