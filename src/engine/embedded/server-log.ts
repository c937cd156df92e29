import type { Readable } from 'node:stream';
import type { Log } from '../../audit/log.ts';

/** Lines kept for the text of an error. */
const KEPT_LINES = 40;
/** Longer lines are cut, in UTF-16 code units. */
const MAX_LINE = 2000;

const HEADER = /^\[([a-z ]+)\] ([A-Z]+): {2}(.*)$/s;

/**
 * Reads what a server writes to standard error. What clients cause (errors of their statements) is no matter of the
 * server's log and may hold their data, so it is dropped; the rest is kept for a while, and warnings and worse are logged.
 */
export class ServerLog {
  readonly #lines: string[] = [];
  readonly #log: Log;
  readonly #name: string;
  #rest = '';
  #cut = false;
  #dropping = false;

  constructor(stream: Readable, name: string, log: Log) {
    this.#log = log;
    this.#name = name;
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => this.#read(text));
    stream.on('end', () => this.#line(this.#rest));
    stream.on('error', () => undefined);
  }

  /** The last lines, oldest first. */
  tail(): string {
    return this.#lines.join('\n');
  }

  #read(text: string): void {
    let start = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      this.#append(text.slice(start, end));
      this.#line(this.#rest);
      this.#rest = '';
      this.#cut = false;
      start = end + 1;
    }
    this.#append(text.slice(start));
  }

  #append(text: string): void {
    if (this.#cut) return;
    this.#rest += text;
    if (this.#rest.length <= MAX_LINE) return;
    this.#rest = this.#rest.slice(0, MAX_LINE);
    this.#cut = true;
  }

  #line(line: string): void {
    if (line === '') return;
    const [, kind, word, text] = HEADER.exec(line) ?? [];
    // Further lines of a text begin with a tab and have no header: they go where their first line went.
    if (kind !== undefined) this.#dropping = kind === 'client backend' && word !== 'PANIC' && word !== 'FATAL';
    if (this.#dropping) return;
    this.#lines.push(line);
    if (this.#lines.length > KEPT_LINES) this.#lines.shift();
    const fields = { engine: this.#name, process: kind };
    if (word === 'WARNING') this.#log.warn(fields, text);
    else if (word === 'ERROR' || word === 'PANIC') this.#log.error(fields, text);
    else if (word === 'FATAL' && kind !== 'client backend') this.#log.error(fields, text);
    else this.#log.debug(fields, text ?? line);
  }
}
