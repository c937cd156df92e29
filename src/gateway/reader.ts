import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { AwsIamReading } from '../roles/aws-iam-statement.ts';
import { type Refusal, TEXTS } from '../sql/dialect/texts.ts';
import { DIRECT_BYTES, Parser } from '../sql/parse.ts';
import { type Reading, readText } from './reading.ts';

/** In ms. The longest text that is let through takes a second on a slow machine. */
const TIME_LIMIT = 10_000;
/** Of the thread's own heap. */
const MEMORY_LIMIT_MB = 512;

/** Texts that are remembered: how many, and how many bytes of them. Longer ones than `MAX_REMEMBERED` never are. */
const MAX_ENTRIES = 4_000;
const MAX_BYTES = 8 * 1024 * 1024;
const MAX_REMEMBERED = 64 * 1024;

const NO_AWS_IAM: AwsIamReading = { found: [], error: undefined, statements: 0 };

/** The thread's program is built beside this one's; tests that run from the sources take the built one. */
const PROGRAMS = ['../gateway/reader-thread.js', '../../dist/gateway/reader-thread.js'];

/**
 * Reads statements for all sessions. Short texts are read at once; long ones in a thread, one after the other, so that no
 * session waits for another's text. What was read is remembered.
 */
export class Reader {
  readonly #parser: Parser;
  readonly #remembered = new Map<string, Reading>();
  #bytes = 0;
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
    const reading = readText(sql, this.#parser);
    this.#remember(sql, reading);
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

  /** The oldest go first; one that is used again does not become younger, since that would cost every use. */
  #remember(sql: string, reading: Reading): void {
    if (sql.length > MAX_REMEMBERED || this.#remembered.has(sql)) return;
    this.#remembered.set(sql, reading);
    this.#bytes += sql.length;
    while (this.#bytes > MAX_BYTES || this.#remembered.size > MAX_ENTRIES) {
      const oldest = this.#remembered.keys().next().value as string;
      this.#remembered.delete(oldest);
      this.#bytes -= oldest.length;
    }
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
      if (task) this.#remember(task.sql, reading);
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
  return { awsIam: NO_AWS_IAM, classification: { kind: 'refused', refusal }, plain: false };
}
