/**
 * PostgreSQL 16's lexical structure (src/backend/parser/scan.l; manual section 4.1) over text of which each character is
 * one byte (Latin-1 decoded), so that offsets are byte offsets. Every byte belongs to exactly one token. Nothing is
 * ever thrown, nothing recurses, and the time is linear in the length.
 */

import { CLASS, DIGIT, HEX, LETTER, NEWLINE, OPERATOR, SELF, SPACE, UNUSUAL } from './character-classes.ts';

export type TokenKind =
  | 'space'
  | 'comment'
  /** A key word or a name. */
  | 'identifier'
  | 'quoted-identifier'
  /** U&"…" */
  | 'unicode-identifier'
  /** '…' with its continuations, as are the next three. */
  | 'string'
  /** E'…', and '…' when standard_conforming_strings is off. */
  | 'escape-string'
  /** U&'…' */
  | 'unicode-string'
  /** B'…' and X'…' */
  | 'bit-string'
  /** The N of N'…', which stands for the key word NCHAR. */
  | 'national-prefix'
  | 'dollar-string'
  /** $1 */
  | 'parameter'
  | 'number'
  /** A number or a parameter that runs into a letter. */
  | 'junk'
  | 'operator'
  /** One of `, ( ) [ ] . ; :` or `:: := .. =>`. */
  | 'punctuation'
  /** A quoted thing or a comment that the text does not end. It reaches to the end. */
  | 'unterminated'
  /** A byte that begins nothing. */
  | 'other'
  | 'end';

export interface LexerOptions {
  /** The session's standard_conforming_strings. Off: a backslash in '…' escapes. */
  standardConformingStrings: boolean;
}

export interface Token {
  kind: TokenKind;
  /** Of the first byte. */
  start: number;
  /** After the last byte. */
  end: number;
}

const BACKSLASH = 0x5c;
const QUOTE = 0x27;
const DOUBLE_QUOTE = 0x22;
const DOLLAR = 0x24;
const MINUS = 0x2d;
const SLASH = 0x2f;
const STAR = 0x2a;
const DOT = 0x2e;
const UNDERSCORE = 0x5f;

function endOfLine(sql: string, from: number): number {
  let i = from;
  while (i < sql.length && (CLASS[sql.charCodeAt(i)]! & NEWLINE) === 0) i++;
  return i;
}

/**
 * After a string's closing quote: where the string goes on, when a line break (and comments) and another quote follow;
 * else -1.
 */
export function continuation(sql: string, from: number): number {
  let broken = false;
  for (let i = from; i < sql.length; ) {
    const c = sql.charCodeAt(i);
    if ((CLASS[c]! & SPACE) !== 0) {
      broken ||= (CLASS[c]! & NEWLINE) !== 0;
      i++;
    } else if (c === MINUS && sql.charCodeAt(i + 1) === MINUS) {
      i = endOfLine(sql, i + 2);
    } else {
      return c === QUOTE && broken ? i + 1 : -1;
    }
  }
  return -1;
}

/** Reads one token after the other into its own fields, so that reading allocates nothing. */
export class Lexer implements Token {
  kind: TokenKind = 'end';
  start = 0;
  end = 0;
  /** Where the token that was present before the last nextSignificant() ends. */
  before = 0;
  readonly sql: string;
  readonly #backslashes: boolean;
  /** What is known of the run of operator characters that ends here, so that none is read twice. */
  #runEnd = 0;
  #runLastUnusual = 0;
  #runTail = 0;

  constructor(sql: string, options: LexerOptions) {
    this.sql = sql;
    this.#backslashes = !options.standardConformingStrings;
  }

  /** Reads the next token of any kind; `end` at the end and ever after. */
  next(): TokenKind {
    this.start = this.end;
    this.kind = this.end < this.sql.length ? this.#read(this.sql.charCodeAt(this.end)) : 'end';
    return this.kind;
  }

  /** Reads on to the next token that is neither space nor comment. */
  nextSignificant(): TokenKind {
    this.before = this.end;
    let kind = this.next();
    while (kind === 'space' || kind === 'comment') kind = this.next();
    return kind;
  }

  /** Whether this token is the key word (given in lower case). */
  isWord(word: string): boolean {
    return (
      this.kind === 'identifier' &&
      this.end - this.start === word.length &&
      this.sql.slice(this.start, this.end).toLowerCase() === word
    );
  }

  /** Whether this token is the punctuation mark of one character. */
  isMark(mark: string): boolean {
    return this.kind === 'punctuation' && this.end - this.start === 1 && this.sql[this.start] === mark;
  }

  #at(index: number): number {
    return index < this.sql.length ? this.sql.charCodeAt(index) : 0;
  }

  #is(index: number, flags: number): boolean {
    return (CLASS[this.#at(index)]! & flags) !== 0;
  }

  #skip(from: number, flags: number): number {
    let i = from;
    while (i < this.sql.length && (CLASS[this.sql.charCodeAt(i)]! & flags) !== 0) i++;
    return i;
  }

  #finish(kind: TokenKind, end: number): TokenKind {
    this.end = end;
    return kind;
  }

  #read(c: number): TokenKind {
    const { start } = this;
    const flags = CLASS[c]!;
    if ((flags & SPACE) !== 0) return this.#finish('space', this.#skip(start, SPACE));
    if ((flags & LETTER) !== 0) return this.#readWord(c);
    if ((flags & DIGIT) !== 0) return this.#readNumber();
    if (c === QUOTE) return this.#readString(start + 1, this.#backslashes ? 'escape-string' : 'string');
    if (c === DOUBLE_QUOTE) return this.#readQuotedIdentifier(start + 1, 'quoted-identifier');
    if (c === DOLLAR) return this.#readDollar();
    if (c === MINUS && this.#at(start + 1) === MINUS) return this.#finish('comment', endOfLine(this.sql, start + 2));
    if (c === SLASH && this.#at(start + 1) === STAR) return this.#readBlockComment();
    if ((flags & SELF) !== 0) return this.#readMark(c);
    if ((flags & OPERATOR) !== 0) return this.#readOperator();
    return this.#finish('other', start + 1);
  }

  #readWord(c: number): TokenKind {
    const { start } = this;
    const next = this.#at(start + 1);
    const lower = c | 0x20;
    if (next === QUOTE) {
      if (lower === 0x65) return this.#readString(start + 2, 'escape-string');
      if (lower === 0x62 || lower === 0x78) return this.#readString(start + 2, 'bit-string');
      if (lower === 0x6e) return this.#finish('national-prefix', start + 1);
    }
    if (lower === 0x75 && next === 0x26) {
      if (this.#at(start + 2) === QUOTE) return this.#readString(start + 3, 'unicode-string');
      if (this.#at(start + 2) === DOUBLE_QUOTE) return this.#readQuotedIdentifier(start + 3, 'unicode-identifier');
    }
    let i = start + 1;
    while (this.#is(i, LETTER | DIGIT) || this.#at(i) === DOLLAR) i++;
    return this.#finish('identifier', i);
  }

  #readBlockComment(): TokenKind {
    const { sql } = this;
    let depth = 1;
    for (let i = this.start + 2; i + 1 < sql.length; i++) {
      const c = sql.charCodeAt(i);
      if (c === STAR && sql.charCodeAt(i + 1) === SLASH) {
        depth--;
        i++;
        if (depth === 0) return this.#finish('comment', i + 1);
      } else if (c === SLASH && sql.charCodeAt(i + 1) === STAR) {
        depth++;
        i++;
      }
    }
    return this.#finish('unterminated', sql.length);
  }

  #readString(from: number, kind: 'string' | 'escape-string' | 'unicode-string' | 'bit-string'): TokenKind {
    let i = from;
    while (i < this.sql.length) {
      const c = this.sql.charCodeAt(i);
      if (c === BACKSLASH && kind === 'escape-string') i += 2;
      else if (c !== QUOTE) i++;
      else if (kind !== 'bit-string' && this.#at(i + 1) === QUOTE) i += 2;
      else {
        const more = continuation(this.sql, i + 1);
        if (more < 0) return this.#finish(kind, i + 1);
        i = more;
      }
    }
    return this.#finish('unterminated', this.sql.length);
  }

  #readQuotedIdentifier(from: number, kind: 'quoted-identifier' | 'unicode-identifier'): TokenKind {
    for (let i = this.sql.indexOf('"', from); i >= 0; i = this.sql.indexOf('"', i + 2)) {
      if (this.#at(i + 1) !== DOUBLE_QUOTE) return this.#finish(kind, i + 1);
    }
    return this.#finish('unterminated', this.sql.length);
  }

  #readDollar(): TokenKind {
    const { start, sql } = this;
    if (this.#is(start + 1, DIGIT)) {
      const end = this.#skip(start + 1, DIGIT);
      return this.#is(end, LETTER) ? this.#finish('junk', end + 1) : this.#finish('parameter', end);
    }
    const tagEnd = this.#skip(start + 1, LETTER | DIGIT);
    if (this.#at(tagEnd) !== DOLLAR) return this.#finish('other', start + 1);
    const close = sql.indexOf(sql.slice(start, tagEnd + 1), tagEnd + 1);
    if (close < 0) return this.#finish('unterminated', sql.length);
    return this.#finish('dollar-string', close + tagEnd + 1 - start);
  }

  /** Digits with single underscores between them; `from` when there are none. */
  #digits(from: number, flags: number): number {
    let i = this.#skip(from, flags);
    if (i === from) return from;
    while (this.#at(i) === UNDERSCORE && this.#is(i + 1, flags)) i = this.#skip(i + 1, flags);
    return i;
  }

  #readNumber(): TokenKind {
    const { start } = this;
    const prefix = this.#at(start) === 0x30 ? this.#at(start + 1) | 0x20 : 0;
    if (prefix === 0x78 || prefix === 0x6f || prefix === 0x62) {
      const from = this.#at(start + 2) === UNDERSCORE ? start + 3 : start + 2;
      const end = this.#digits(from, prefix === 0x78 ? HEX : DIGIT);
      return this.#endNumber(end === from ? start + 1 : end);
    }
    let i = this.#digits(start, DIGIT);
    // `1..10` is a number and two dots.
    if (this.#at(i) === DOT && this.#at(i + 1) !== DOT) i = this.#digits(i + 1, DIGIT);
    if ((this.#at(i) | 0x20) === 0x65) {
      const sign = this.#at(i + 1);
      const from = sign === 0x2b || sign === MINUS ? i + 2 : i + 1;
      const end = this.#digits(from, DIGIT);
      if (end > from) i = end;
    }
    return this.#endNumber(i);
  }

  #endNumber(end: number): TokenKind {
    return this.#is(end, LETTER) ? this.#finish('junk', end + 1) : this.#finish('number', end);
  }

  #readMark(c: number): TokenKind {
    const next = this.#at(this.start + 1);
    if (c === DOT && (CLASS[next]! & DIGIT) !== 0) return this.#readNumber();
    const double = (c === DOT && next === DOT) || (c === 0x3a && (next === 0x3a || next === 0x3d));
    return this.#finish('punctuation', this.start + (double ? 2 : 1));
  }

  #readOperator(): TokenKind {
    const { start } = this;
    if (start >= this.#runEnd) this.#measureRun();
    let end = this.#runEnd;
    // `a=-1` is not an operator `=-`: what SQL itself knows cannot end in a sign.
    if (this.#runLastUnusual < start) end = Math.max(start + 1, this.#runTail);
    if (end - start === 2 && this.sql.startsWith('=>', start)) return this.#finish('punctuation', end);
    return this.#finish('operator', end);
  }

  /** Operator characters up to a comment. */
  #measureRun(): void {
    let i = this.start;
    this.#runLastUnusual = -1;
    for (; this.#is(i, OPERATOR); i++) {
      const c = this.#at(i);
      const next = this.#at(i + 1);
      if (i > this.start && ((c === MINUS && next === MINUS) || (c === SLASH && next === STAR))) break;
      if (this.#is(i, UNUSUAL)) this.#runLastUnusual = i;
    }
    this.#runEnd = i;
    while (i > this.start && (this.#at(i - 1) === 0x2b || this.#at(i - 1) === MINUS)) i--;
    this.#runTail = i;
  }
}

/** All tokens, one object each: for callers that can afford it. */
export function* tokens(sql: string, options: LexerOptions): Generator<Token> {
  const lexer = new Lexer(sql, options);
  while (lexer.next() !== 'end') yield { kind: lexer.kind, start: lexer.start, end: lexer.end };
}
