import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { AwsIamReading } from '../roles/aws-iam-statement.ts';
import { type Refusal, TEXTS } from '../sql/dialect/texts.ts';
import { DIRECT_BYTES, Parser } from '../sql/parse.ts';
import { Memory } from './memory.ts';
import { type Reading, readText } from './reading.ts';
import { isShared, shapeOf, withLength } from './shape.ts';

/** In ms. The longest text that is let through takes a second on a slow machine. */
const TIME_LIMIT = 10_000;
/** Of the thread's own heap. */
const MEMORY_LIMIT_MB = 512;

const NO_AWS_IAM: AwsIamReading = { found: [], error: undefined, statements: 0 };

/** The thread's program is built beside this one's; tests that run from the sources take the built one. */
const PROGRAMS = ['../gateway/reader-thread.js', '../../dist/gateway/reader-thread.js'];

/**
 * Reads statements for all sessions. Short texts are read at once; long ones in a thread, one after the other, so that no
 * session waits for another's text. What was read is remembered.
 */
export class Reader {
  readonly #parser: Parser;
  readonly #remembered = new Memory<Reading>();
  /** By what texts have in common that differ in numbers only. */
  readonly #shapes = new Memory<{ sql: string; reading: Reading }>();
  #thread: Worker | undefined;
  readonly #waiting: { sql: string; done: (reading: Reading) => void }[] = [];
  /** Of the text that the thread reads now. */
  #timer: NodeJS.Timeout | undefined;

  private constructor(parser: Parser) {
    this.#parser = parser;
  }

  static async create(): Promise<Reader> {
    return new Reader(await Parser.create());
  }

  /** `sql` has one character a byte. Undefined for a text that takes longer: ask `readLong`. */
  read(sql: string): Reading | undefined {
    const known = this.#remembered.get(sql);
    if (known) return known;
    if (sql.length > DIRECT_BYTES) return undefined;
    const shape = shapeOf(sql);
    const similar = shape === undefined ? undefined : this.#shapes.get(shape);
    if (similar) return withLength(similar.reading, similar.sql, sql);
    const reading = readText(sql, this.#parser);
    if (shape !== undefined && isShared(sql, reading)) this.#shapes.set(shape, { sql, reading });
    else this.#remembered.set(sql, reading);
    return reading;
  }

  /** Never rejects: what cannot be read is refused. */
  readLong(sql: string): Promise<Reading> {
    return new Promise((done) => {
      this.#waiting.push({ sql, done });
      this.#next();
    });
  }

  async close(): Promise<void> {
    await this.#thread?.terminate();
  }

  #next(): void {
    const [task] = this.#waiting;
    if (this.#timer || !task) return;
    this.#thread ??= this.#startThread();
    this.#timer = setTimeout(() => this.#lose(this.#thread), TIME_LIMIT);
    this.#thread.postMessage(task.sql);
  }

  #finish(reading: Reading): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waiting.shift()?.done(reading);
    this.#next();
  }

  /** The thread works too long, has no memory left or is gone: its text is refused, and the next one gets another. */
  #lose(thread: Worker | undefined): void {
    if (thread === undefined || thread !== this.#thread) return;
    this.#thread = undefined;
    void thread.terminate();
    if (this.#timer) this.#finish(refusedReading(TEXTS.tooComplex));
  }

  #startThread(): Worker {
    const program = PROGRAMS.map((path) => new URL(path, import.meta.url)).find((url) => existsSync(url));
    if (!program) throw new Error(`${fileURLToPath(new URL(PROGRAMS[0] as string, import.meta.url))} is missing`);
    const thread = new Worker(program, { resourceLimits: { maxOldGenerationSizeMb: MEMORY_LIMIT_MB } });
    thread.on('message', (reading: Reading) => {
      if (thread !== this.#thread) return;
      const [task] = this.#waiting;
      if (task) this.#remembered.set(task.sql, reading);
      this.#finish(reading);
    });
    thread.on('error', () => this.#lose(thread));
    thread.on('exit', () => this.#lose(thread));
    thread.unref();
    return thread;
  }
}

/** Of a text that is refused whole. */
export function refusedReading(refusal: Refusal): Reading {
  return { awsIam: NO_AWS_IAM, classification: { kind: 'refused', refusal }, plain: false, quiet: true, weight: 0 };
}
