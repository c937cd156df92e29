import { chmod, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../audit/log.ts';
import { type AppendFile, openAppendFile } from '../machine/append-file.ts';
import { printableJson } from '../machine/printable-json.ts';
import type { StatementEntry, StatementLog } from './statement-log.ts';

export interface StatementFileSettings {
  /** In bytes: a file that would become longer gives way to the next. */
  readonly maxSize: number;
  /** How many files are kept, the present one included; 0: all. */
  readonly keep: number;
}

export interface StatementFileDeps {
  log: Log;
  now: () => Date;
  /** Calls `work` after `ms`; returns what takes it back. */
  after: (ms: number, work: () => void) => () => void;
}

/** In the data directory. */
export const STATEMENT_FOLDER = 'statements';
const NAME = /^statements-(\d{8})-(\d{4}-\d\d-\d\d)\.jsonl$/;

/** In bytes: what waits in memory, at most. */
const MAX_PENDING = 4 * 1024 * 1024;
/** In ms: how long a line waits for others. */
const DELAY = 200;

/**
 * The statement log: JSON lines in files that follow one another by size and by day (UTC). It is for whoever tunes
 * and looks into things, not for proof: what cannot be written at once is lost, counted, and told by the next line.
 */
export class StatementFile implements StatementLog {
  readonly #folder: string;
  readonly #settings: StatementFileSettings;
  readonly #deps: StatementFileDeps;
  #pending: string[] = [];
  #pendingBytes = 0;
  #file: AppendFile | undefined;
  /** The number and the day of the present file. */
  #number = 0;
  #day = '';
  /** Whether a line may be half written. */
  #torn = false;
  /** Since the last line that was written. */
  #lost = 0;
  #lostEver = 0;
  #failing = false;
  #running: Promise<void> | undefined;
  #cancelTimer: (() => void) | undefined;
  #closed = false;

  /** Makes no file yet: the log may never be turned on. */
  constructor(dataDir: string, settings: StatementFileSettings, deps: StatementFileDeps) {
    this.#folder = join(dataDir, STATEMENT_FOLDER);
    this.#settings = settings;
    this.#deps = deps;
  }

  /** Lines that will never be written. */
  get lost(): number {
    return this.#lostEver;
  }

  statement({ durationMs, ...entry }: StatementEntry): void {
    const time = this.#deps.now().toISOString();
    this.#add(printableJson(JSON.stringify({ time, ...entry, durationMs: Math.round(durationMs * 1000) / 1000 })));
  }

  /** Resolves when what there is has been written or could not be. */
  async flush(): Promise<void> {
    await this.#running;
    await this.#run();
  }

  async close(): Promise<void> {
    await this.flush();
    this.#closed = true;
    this.#cancelTimer?.();
    await this.#file?.close();
    this.#file = undefined;
  }

  #add(line: string): void {
    if (this.#closed || this.#pendingBytes + line.length > MAX_PENDING) {
      this.#lose(1);
      return;
    }
    this.#pending.push(line);
    this.#pendingBytes += line.length;
    if (this.#cancelTimer || this.#running) return;
    this.#cancelTimer = this.#deps.after(DELAY, () => void this.#run());
  }

  #lose(count: number): void {
    this.#lost += count;
    this.#lostEver += count;
  }

  #run(): Promise<void> {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#running ??= this.#drain().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #drain(): Promise<void> {
    while (this.#pending.length > 0) {
      const lines = this.#pending;
      this.#pending = [];
      this.#pendingBytes = 0;
      const lost = this.#lost;
      if (lost > 0) lines.unshift(JSON.stringify({ time: this.#deps.now().toISOString(), lostLines: lost }));
      try {
        await this.#append(Buffer.from(`${this.#torn ? '\n' : ''}${lines.join('\n')}\n`));
        this.#lost -= lost;
        if (this.#failing) this.#deps.log.info({}, 'the statement log can be written again');
        this.#failing = false;
      } catch (error) {
        this.#lose(lines.length - (lost > 0 ? 1 : 0));
        if (!this.#failing) this.#deps.log.error({ err: error }, 'the statement log cannot be written');
        this.#failing = true;
      }
    }
  }

  async #append(bytes: Buffer): Promise<void> {
    const file = await this.#fileFor(bytes.length);
    this.#torn = true;
    await file.append(bytes);
    this.#torn = false;
  }

  /** The file to write so many bytes to: the present one, or the next when it is full or of another day. */
  async #fileFor(length: number): Promise<AppendFile> {
    const day = this.#deps.now().toISOString().slice(0, 10);
    const file = this.#file;
    const fits = file && (file.size === 0 || file.size + length <= this.#settings.maxSize);
    if (fits && this.#day === day) return file;
    if (!file) await this.#findNumber();
    const opened = await openAppendFile(this.#path(this.#number + 1, day));
    this.#file = opened;
    this.#number++;
    this.#day = day;
    this.#torn = false;
    await file?.close().catch(() => undefined);
    await this.#prune().catch((error) => {
      this.#deps.log.warn({ err: error }, 'old files of the statement log could not be removed');
    });
    return opened;
  }

  /** Every run of a server begins a new file: the end of an older one is not known to be whole. */
  async #findNumber(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await chmod(this.#folder, 0o700);
    this.#number = (await this.#numbers()).at(-1)?.number ?? 0;
  }

  async #numbers(): Promise<{ number: number; name: string }[]> {
    return (await readdir(this.#folder))
      .flatMap((name) => {
        const number = NAME.exec(name)?.[1];
        return number === undefined ? [] : [{ number: Number(number), name }];
      })
      .sort((a, b) => a.number - b.number);
  }

  async #prune(): Promise<void> {
    const { keep } = this.#settings;
    if (keep === 0) return;
    for (const { name } of (await this.#numbers()).slice(0, -keep)) await rm(join(this.#folder, name), { force: true });
  }

  #path(number: number, day: string): string {
    return join(this.#folder, `statements-${String(number).padStart(8, '0')}-${day}.jsonl`);
  }
}
