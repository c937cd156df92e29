import type { AppendFile } from '../machine/append-file.ts';
import { printableJson } from '../machine/printable-json.ts';
import { type Head, type Link, MAX_LINE, NO_LINE, readLine, sealHead, sealLine } from './chain.ts';
import type { Log } from './log.ts';
import type { TrailFile, TrailFolder } from './trail-folder.ts';
import { shortened, type TrailRecord } from './trail-record.ts';

export interface TrailSettings {
  /** In bytes: a file that would become longer gives way to the next. */
  maxSize: number;
  /** How many files are kept, the present one included; 0: all. */
  keep: number;
  /** Whether a line counts as written only when it is on the disk (fdatasync), not when the system has it. */
  sync: boolean;
}

export interface TrailDeps {
  folder: TrailFolder;
  key: Buffer;
  settings: TrailSettings;
  /** Makes the record of a log that could not be written since then, with the number of lines that were lost. */
  resumedRecord: (since: Date, lost: number) => TrailRecord;
  log: Log;
  now: () => Date;
  /** Calls `work` after `ms`; returns what takes it back. */
  after: (ms: number, work: () => void) => () => void;
}

/** Where a writer begins. */
export interface TrailStart {
  first: Head['first'];
  file: TrailFile;
  last: Link;
  /** What stands before the first line: a newline, where a torn line must be closed. */
  prefix: string;
}

interface Entry {
  text: string;
  bytes: number;
  /** Somebody waits for it. */
  done?: { resolve(): void; reject(error: Error): void };
  /** Stays in memory when it could not be written, although who waited for it has been told so. */
  keep: boolean;
}

/** In bytes: what waits in memory, at most. */
const MAX_PENDING = 8 * 1024 * 1024;
/** In bytes: a record with its place in the chain must fit into a line. What is longer is shortened: nobody hides behind length. */
const MAX_RECORD = MAX_LINE - 512;
/** In bytes: what is written at once. */
const MAX_BATCH = 256 * 1024;
/** In ms: how long a line that nobody waits for may wait for others. */
const DELAY = 50;
/** In ms, until it is tried again after a failure. */
const RETRY = 1000;

/**
 * Writes the audit log: records come in, sealed lines go out in batches, in order, each batch followed by the head.
 * What cannot be written stays in memory up to a limit; beyond it lines are lost, and the next line says how many.
 */
export class TrailWriter {
  readonly #deps: TrailDeps;
  #pending: Entry[] = [];
  #pendingBytes = 0;
  #lost = 0;
  /** Of all times, for whoever counts them. */
  #lostEver = 0;
  #failing: Error | undefined;
  /** Since when lines cannot be written, or are lost; undefined when all is well. */
  #since: Date | undefined;
  #running: Promise<void> | undefined;
  #cancelTimer: (() => void) | undefined;
  #closed = false;

  #first: Head['first'];
  #file: TrailFile;
  #open: AppendFile | undefined;
  #last: Link;
  #prefix: string;
  /** The size of the present file up to the last line that counts. */
  #goodSize = 0;
  /** After a write that failed: the file may be longer than that. */
  #torn = false;

  constructor(deps: TrailDeps, { first, file, last, prefix }: TrailStart) {
    this.#deps = deps;
    this.#first = first;
    this.#file = file;
    this.#last = last;
    this.#prefix = prefix;
  }

  /** How many lines were lost since the start, and whether lines can be written now. */
  get state(): { lost: number; failing: boolean; last: Link } {
    return { lost: this.#lostEver, failing: this.#failing !== undefined, last: this.#last };
  }

  /** Nobody waits for it. */
  write(record: TrailRecord): void {
    if (this.#add(record, true)) this.#schedule(this.#failing ? RETRY : DELAY);
  }

  /**
   * Resolves when the line is written. Rejects when it cannot be; with `keep` it is written all the same as soon as that
   * can be done, since it says what has happened, and without it is forgotten.
   */
  commit(record: TrailRecord, { keep }: { keep: boolean }): Promise<void> {
    return new Promise((resolve, reject) => {
      if (!this.#add(record, keep, { resolve, reject })) reject(new Error('too many lines wait to be written'));
      else this.#schedule(0);
    });
  }

  /** Rejects when lines cannot be written now: after a failure it is tried. */
  async ready(): Promise<void> {
    if (this.#failing) await this.flush();
    if (this.#failing) throw this.#failing;
  }

  /** Resolves when what there is has been written or could not be. */
  async flush(): Promise<void> {
    // What runs may have begun before the last record came.
    await this.#running;
    await this.#run();
  }

  async close(): Promise<void> {
    await this.flush();
    this.#closed = true;
    if (this.#pending.length > 0) {
      this.#deps.log.error({ lost: this.#pending.length }, 'the audit log could not be written to its end');
    }
    this.#cancelTimer?.();
    await this.#open?.close();
    this.#open = undefined;
    await this.#deps.folder.close();
  }

  #add(record: TrailRecord, keep: boolean, done?: Entry['done']): boolean {
    let text = printableJson(JSON.stringify(record));
    let bytes = Buffer.byteLength(text);
    if (bytes > MAX_RECORD) {
      text = printableJson(JSON.stringify(shortened(record, bytes)));
      bytes = Buffer.byteLength(text);
    }
    if (this.#closed || this.#pendingBytes + bytes > MAX_PENDING) {
      if (keep) this.#lose(1);
      return false;
    }
    this.#pending.push({ text, bytes, keep, ...(done && { done }) });
    this.#pendingBytes += bytes;
    return true;
  }

  #lose(count: number): void {
    if (this.#lost === 0) this.#deps.log.error({}, 'lines of the audit log are lost');
    this.#since ??= this.#deps.now();
    this.#lost += count;
    this.#lostEver += count;
  }

  #schedule(delay: number): void {
    if (delay === 0) {
      void this.#run();
      return;
    }
    if (this.#cancelTimer || this.#running) return;
    this.#cancelTimer = this.#deps.after(delay, () => {
      this.#cancelTimer = undefined;
      void this.#run();
    });
  }

  #run(): Promise<void> {
    this.#running ??= this.#drain().finally(() => {
      this.#running = undefined;
      // While it fails it is tried again also when nothing waits: somebody may wait for it to be well before he comes.
      if ((this.#pending.length > 0 || this.#failing) && !this.#closed) {
        const waiting = this.#pending.some(({ done }) => done);
        this.#schedule(this.#failing ? (waiting ? 0 : RETRY) : waiting ? 0 : DELAY);
      }
    });
    return this.#running;
  }

  async #drain(): Promise<void> {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    // What comes together is written together.
    await Promise.resolve();
    do {
      const batch = this.#takeBatch();
      try {
        await this.#writeBatch(batch);
      } catch (error) {
        this.#fail(batch, error as Error);
        return;
      }
      for (const { done } of batch) done?.resolve();
      if (this.#failing) {
        this.#failing = undefined;
        this.#deps.log.info({}, 'the audit log can be written again');
      }
    } while (this.#pending.length > 0);
  }

  #takeBatch(): Entry[] {
    let bytes = 0;
    let count = 0;
    for (const entry of this.#pending) {
      if (count > 0 && bytes + entry.bytes > MAX_BATCH) break;
      bytes += entry.bytes;
      count++;
    }
    this.#pendingBytes -= bytes;
    return this.#pending.splice(0, count);
  }

  /** Puts back what must not be forgotten and tells those who wait. */
  #fail(batch: Entry[], error: Error): void {
    if (!this.#failing) this.#deps.log.error({ err: error }, 'the audit log cannot be written');
    this.#failing = error;
    this.#since ??= this.#deps.now();
    const waiting = [...batch, ...this.#pending];
    this.#pending = [];
    this.#pendingBytes = 0;
    for (const { done, ...entry } of waiting) {
      if (entry.keep) {
        this.#pending.push(entry);
        this.#pendingBytes += entry.bytes;
      }
      done?.reject(error);
    }
  }

  async #writeBatch(batch: readonly Entry[]): Promise<void> {
    const { folder, key, settings, resumedRecord } = this.#deps;
    const lost = this.#lost;
    const texts = batch.map(({ text }) => text);
    const since = this.#since;
    // Also where nothing waits: that the log can be written again is known only when something was.
    if (since) texts.unshift(JSON.stringify(resumedRecord(since, lost)));
    if (texts.length === 0) return;
    await this.#repair();
    let lines = this.#prefix;
    let last = this.#last;
    for (const text of texts) {
      const { line, link } = sealLine(key, text, last);
      lines += line;
      last = link;
    }
    const bytes = Buffer.from(lines);
    const file = await this.#fileFor(bytes.length);
    try {
      await file.append(bytes);
      if (settings.sync) await file.sync();
      await folder.writeHead(sealHead(key, { first: this.#first, file: this.#file.number, last }));
    } catch (error) {
      this.#torn = true;
      await this.#repair().catch(() => undefined);
      throw error;
    }
    this.#goodSize = file.size;
    this.#prefix = '';
    this.#last = last;
    this.#lost -= lost;
    // What was lost meanwhile the next line tells.
    if (this.#lost === 0) this.#since = undefined;
  }

  /** Cuts off what a failed write has left. */
  async #repair(): Promise<void> {
    if (!this.#torn || !this.#open) return;
    await this.#open.truncate(this.#goodSize);
    this.#torn = false;
  }

  /** The file to write so many bytes to: the present one, or the next when it is full or of another day. */
  async #fileFor(length: number): Promise<AppendFile> {
    const { folder, settings, now } = this.#deps;
    if (!this.#open) {
      this.#open = await folder.openFile(this.#file);
      this.#goodSize = this.#open.size;
    }
    const day = dayOf(now());
    const { size } = this.#open;
    if (size === 0 || (this.#file.day >= day && size + length <= settings.maxSize)) return this.#open;
    const next = { number: this.#file.number + 1, day };
    const opened = await folder.openFile(next);
    await this.#open.close().catch(() => undefined);
    this.#open = opened;
    this.#goodSize = opened.size;
    this.#file = next;
    await this.#prune().catch((error) => {
      this.#deps.log.warn({ err: error }, 'old files of the audit log could not be removed');
    });
    return opened;
  }

  /** The head says first that a file is not kept any more, so that its absence is no loss. */
  async #prune(): Promise<void> {
    const { folder, key, settings } = this.#deps;
    if (settings.keep === 0) return;
    const files = await folder.files();
    const kept = files.slice(-settings.keep);
    const oldest = kept[0];
    if (!oldest || oldest.number <= this.#first.file) return;
    this.#first = { file: oldest.number, previous: await this.#before(oldest) };
    await folder.writeHead(sealHead(key, { first: this.#first, file: this.#file.number, last: this.#last }));
    for (const file of files) if (file.number < oldest.number) await folder.remove(file);
  }

  /** The line before a file's first. */
  async #before(file: TrailFile): Promise<Link> {
    if (file.number === this.#file.number) return this.#last;
    return (await linkBefore(this.#deps.folder, this.#deps.key, file)) ?? NO_LINE;
  }
}

/** What a file's first line says of the line before it. Undefined when that line cannot be read. */
export async function linkBefore(folder: TrailFolder, key: Buffer, file: TrailFile): Promise<Link | undefined> {
  const bytes = await folder.start(file, MAX_LINE);
  const line = readLine(key, bytes.subarray(0, Math.max(0, bytes.indexOf(0x0a))));
  return line && { sequence: line.link.sequence - 1, seal: line.previous };
}

export function dayOf(time: Date): string {
  return time.toISOString().slice(0, 10);
}
