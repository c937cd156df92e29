/** Reads a statement's tokens one after the other, and says what is wrong with them in PostgreSQL's words. */
import type { Lexer } from '../sql/lexer.ts';
import { identifierValue, isUnicodeEscapeCharacter, LexicalError, stringValue } from '../sql/lexical-values.ts';

/** An error in a client's SQL, as PostgreSQL's parser would report it. */
export interface SqlError {
  sqlstate: string;
  message: string;
  /** In characters, from 1. */
  position: number;
}

export class SqlErrorThrown extends Error {
  readonly error: SqlError;
  constructor(error: SqlError) {
    super(error.message);
    this.error = error;
  }
}

/** 1-based, in characters of UTF-8, of a byte offset in Latin-1 decoded text. */
function positionOf(sql: string, offset: number): number {
  let position = 1;
  for (let i = 0; i < offset; i++) {
    if ((sql.charCodeAt(i) & 0xc0) !== 0x80) position++;
  }
  return position;
}

function raise(lexer: Lexer, start: number, message: string, sqlstate = '42601'): never {
  throw new SqlErrorThrown({ sqlstate, message, position: positionOf(lexer.sql, start) });
}

function near(lexer: Lexer, message: string, start: number, end: number): string {
  if (start >= lexer.sql.length) return `${message} at end of input`;
  return `${message} at or near "${Buffer.from(lexer.sql.slice(start, end), 'latin1').toString('utf8')}"`;
}

/** What the lexer of PostgreSQL says of a token that it refuses by itself. */
function lexicalComplaint(lexer: Lexer): string | undefined {
  if (lexer.kind === 'junk') {
    return `trailing junk after ${lexer.sql[lexer.start] === '$' ? 'parameter' : 'numeric literal'}`;
  }
  if (lexer.kind !== 'unterminated') return undefined;
  switch (lexer.sql[lexer.start]!.toLowerCase()) {
    case '/':
      return 'unterminated /* comment';
    case '"':
      return 'unterminated quoted identifier';
    case '$':
      return 'unterminated dollar-quoted string';
    case 'b':
      return 'unterminated bit string literal';
    case 'x':
      return 'unterminated hexadecimal string literal';
    case 'u':
      return lexer.sql[lexer.start + 2] === '"' ? 'unterminated quoted identifier' : 'unterminated quoted string';
    default:
      return 'unterminated quoted string';
  }
}

/** The syntax error of meeting the lexer's present token where something else is due. */
export function unexpected(lexer: Lexer): never {
  const message = lexicalComplaint(lexer) ?? 'syntax error';
  raise(lexer, lexer.start, near(lexer, message, lexer.start, lexer.end));
}

export function expectWord(lexer: Lexer, word: string): void {
  if (!lexer.isWord(word)) unexpected(lexer);
  lexer.nextSignificant();
}

/** Evaluates a token, whose kind and text are given since the lexer may be ahead. */
function evaluate<T>(lexer: Lexer, start: number, end: number, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof LexicalError)) throw error;
    raise(lexer, start, error.near ? near(lexer, error.message, start, end) : error.message, error.sqlstate);
  }
}

/** After a U&… token: the character of its UESCAPE clause, if it has one. */
function readUescape(lexer: Lexer): string | undefined {
  if (!lexer.isWord('uescape')) return undefined;
  const kind = lexer.nextSignificant();
  const { start, end } = lexer;
  const text = evaluate(lexer, start, end, () => stringValue(kind, lexer.sql.slice(start, end)));
  if (text === undefined) {
    const complaint = lexicalComplaint(lexer) ?? 'UESCAPE must be followed by a simple string literal';
    raise(lexer, start, near(lexer, complaint, start, end));
  }
  if (!isUnicodeEscapeCharacter(text)) raise(lexer, start, near(lexer, 'invalid Unicode escape character', start, end));
  lexer.nextSignificant();
  return text;
}

/** Reads a name that is not one of `reserved` when it stands without quotes. Undefined when the token is none. */
export function readName(lexer: Lexer, reserved: ReadonlySet<string>): string | undefined {
  const { kind, start, end, sql } = lexer;
  if (kind !== 'identifier' && kind !== 'quoted-identifier' && kind !== 'unicode-identifier') return undefined;
  if (kind === 'identifier' && reserved.has(sql.slice(start, end).toLowerCase())) return undefined;
  lexer.nextSignificant();
  const escapeCharacter = kind === 'unicode-identifier' ? readUescape(lexer) : undefined;
  return evaluate(lexer, start, end, () => identifierValue(kind, sql.slice(start, end), escapeCharacter));
}

/** Reads a string constant. Undefined when the token is none. */
export function readString(lexer: Lexer): string | undefined {
  const { kind, start, end, sql } = lexer;
  if (kind !== 'string' && kind !== 'escape-string' && kind !== 'unicode-string' && kind !== 'dollar-string') {
    return undefined;
  }
  lexer.nextSignificant();
  const escapeCharacter = kind === 'unicode-string' ? readUescape(lexer) : undefined;
  return evaluate(lexer, start, end, () => stringValue(kind, sql.slice(start, end), escapeCharacter));
}

export function refuseName(lexer: Lexer, start: number, message: string, sqlstate: string): never {
  raise(lexer, start, message, sqlstate);
}
