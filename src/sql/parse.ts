/**
 * PostgreSQL 16's own parser (libpg-query), guarded. What was observed of it and shapes this file:
 *
 * - A text that nests deeper than the stack throws a RangeError in mid-flight; the instance then goes wrong sooner or
 *   later, up to an endless loop. So whatever is no error of SQL costs the instance: another takes its place.
 * - Up to `DIRECT_BYTES` no text was found that overflows the stack or takes more than about 10 ms. Longer ones belong
 *   into a thread of their own, under a time limit.
 * - Its memory never shrinks.
 * - It takes standard_conforming_strings to be on, and text to be UTF-8. Broken UTF-8 does it no harm.
 */
import createInstance, { type PgQueryInstance } from 'libpg-query/wasm/libpg-query.js';
import { hasCostlyComments } from './comment-runs.ts';

/** One statement of a text. */
export interface ParsedStatement {
  /** Bytes: from the semicolon before (blanks and comments belong to the statement) to the one behind or the end. */
  start: number;
  end: number;
  /** The parse node's name, such as `SelectStmt`, and its fields. */
  tag: string;
  node: object;
}

export type Parsed =
  | { kind: 'statements'; statements: readonly ParsedStatement[] }
  /** PostgreSQL will refuse the text with this message; `position` counts characters from 1, 0 when there is none. */
  | { kind: 'syntax-error'; message: string; position: number }
  /** It nests too deeply for this stack, or in a way that takes too long. */
  | { kind: 'too-deep' };

/** The longest text, in bytes, that may be parsed where others wait. */
export const DIRECT_BYTES = 4_096;
/** An instance whose memory has grown beyond this, in bytes, is given up. (It begins with 128 MiB, of which few are used.) */
const MAX_MEMORY = 192 * 1024 * 1024;

/** The options become the instance, so each needs its own. */
const newInstance = () => createInstance({ print: () => undefined, printErr: () => undefined });

interface RawStatement {
  stmt?: Record<string, object>;
  stmt_location?: number;
  stmt_len?: number;
}

/** Parses one text after the other, synchronously, with an instance in reserve. */
export class Parser {
  #instance: PgQueryInstance | undefined;
  #reserve: PgQueryInstance | undefined;
  #making: Promise<void> | undefined;

  private constructor(instance: PgQueryInstance) {
    this.#instance = instance;
    this.#refill();
  }

  static async create(): Promise<Parser> {
    return new Parser(await newInstance());
  }

  /** Resolves when a broken instance has been replaced: for callers that can wait. */
  async ready(): Promise<void> {
    await this.#making;
  }

  /** `sql` has one character a byte (latin1) and is read up to its first zero byte, as PostgreSQL does. */
  parse(sql: string): Parsed {
    if (sql === '' || sql.startsWith('\0')) return { kind: 'statements', statements: [] };
    if (hasCostlyComments(sql)) return { kind: 'too-deep' };
    const instance = this.#instance;
    // Both instances are lost within a moment: somebody is trying.
    if (instance === undefined) return { kind: 'too-deep' };
    let json: string | Parsed;
    try {
      json = run(instance, sql);
    } catch {
      this.#replace();
      return { kind: 'too-deep' };
    }
    if (instance.HEAPU8.byteLength > MAX_MEMORY) this.#replace();
    if (typeof json !== 'string') return json;
    const { stmts } = JSON.parse(json) as { stmts?: RawStatement[] };
    return { kind: 'statements', statements: (stmts ?? []).flatMap((raw) => statementOf(raw, sql.length)) };
  }

  #replace(): void {
    this.#instance = this.#reserve;
    this.#reserve = undefined;
    this.#refill();
  }

  #refill(): void {
    this.#making ??= newInstance().then((made) => {
      this.#making = undefined;
      if (this.#instance === undefined) {
        this.#instance = made;
        this.#refill();
      } else {
        this.#reserve = made;
      }
    });
  }
}

function statementOf({ stmt, stmt_location: start = 0, stmt_len }: RawStatement, length: number): ParsedStatement[] {
  const entry = stmt && Object.entries(stmt)[0];
  if (!entry) return [];
  // No length means: to the end of the text.
  return [{ start, end: stmt_len === undefined ? length : start + stmt_len, tag: entry[0], node: entry[1] }];
}

/** The tree as JSON, or the error. Throws what the instance throws when it breaks. */
function run(instance: PgQueryInstance, sql: string): string | Parsed {
  const text = instance._malloc(sql.length + 1);
  if (text === 0) throw new Error('out of memory');
  const bytes = instance.HEAPU8;
  Buffer.from(bytes.buffer, bytes.byteOffset + text, sql.length).write(sql, 'latin1');
  bytes[text + sql.length] = 0;
  const result = instance._wasm_parse_query_raw(text);
  if (result === 0) throw new Error('out of memory');
  // struct { char *parse_tree; char *stderr_buffer; PgQueryError *error; }
  const words = instance.HEAPU32;
  const error = words[(result >> 2) + 2] as number;
  let answer: string | Parsed;
  if (error === 0) {
    answer = instance.UTF8ToString(words[result >> 2] as number);
  } else {
    // struct { char *message; char *funcname; char *filename; int lineno; int cursorpos; char *context; }
    const message = instance.UTF8ToString(words[error >> 2] as number);
    answer = { kind: 'syntax-error', message, position: words[(error >> 2) + 4] as number };
  }
  instance._free(text);
  instance._wasm_free_parse_result(result);
  // Not a matter of grammar: the parser's own stack was too small ("memory exhausted at or near …").
  if (
    typeof answer !== 'string' &&
    /^(memory exhausted|out of memory|stack depth)/.test((answer as { message: string }).message)
  ) {
    return { kind: 'too-deep' };
  }
  return answer;
}
