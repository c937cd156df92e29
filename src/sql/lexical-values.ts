/** What names and constants mean (scan.l, parser.c and scansup.c of PostgreSQL 16), for a client_encoding of UTF8. */
import { continuation, type TokenKind } from './lexer.ts';

/** A name or a constant that PostgreSQL's lexer refuses although it ends. */
export class LexicalError extends Error {
  override readonly name = 'LexicalError';
  readonly sqlstate: string;
  /** Whether PostgreSQL adds `at or near` and the text. */
  readonly near: boolean;
  constructor(message: string, sqlstate = '42601', near = false) {
    super(message);
    this.sqlstate = sqlstate;
    this.near = near;
  }
}

/** NAMEDATALEN - 1, in bytes. */
const MAX_NAME = 63;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeUtf8(bytes: string): string {
  try {
    return UTF8.decode(Buffer.from(bytes, 'latin1'));
  } catch {
    throw new LexicalError('invalid byte sequence for encoding "UTF8"', '22021');
  }
}

function truncate(name: string): string {
  const bytes = Buffer.from(name);
  if (bytes.length <= MAX_NAME) return name;
  let end = MAX_NAME;
  while ((bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end);
}

/** Unicode escapes of U&'…' and U&"…": \XXXX, \+XXXXXX and \\, with surrogate pairs put together. */
function unescapeUnicode(text: string, escapeCharacter: string): string {
  let out = '';
  for (let i = 0; i < text.length; ) {
    const c = text[i]!;
    if (c !== escapeCharacter) {
      out += c;
      i++;
    } else if (text[i + 1] === escapeCharacter) {
      out += escapeCharacter;
      i += 2;
    } else {
      const long = text[i + 1] === '+';
      const digits = text.slice(long ? i + 2 : i + 1, long ? i + 8 : i + 5);
      if (!/^[0-9A-Fa-f]+$/.test(digits) || digits.length !== (long ? 6 : 4)) {
        throw new LexicalError('invalid Unicode escape');
      }
      out += fromCodePoint(Number.parseInt(digits, 16));
      i += long ? 8 : 5;
    }
  }
  return wellFormed(out);
}

function fromCodePoint(code: number): string {
  if (code === 0 || code > 0x10ffff) throw new LexicalError('invalid Unicode escape value');
  return String.fromCodePoint(code);
}

function wellFormed(text: string): string {
  if (!text.isWellFormed()) throw new LexicalError('invalid Unicode surrogate pair');
  return text;
}

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };
const ESCAPE = /\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))/gs;

/** Backslash escapes of E'…'. Works on bytes, since \ooo and \xhh make bytes, of which several may make a character. */
function unescapeBackslashes(bytes: string): string {
  let pending = '';
  let pendingEnd = 0;
  const out = bytes.replace(ESCAPE, (escaped, octal, hex, short, long, other, offset: number) => {
    const digits = short ?? long;
    if (pending !== '' && (digits === undefined || offset !== pendingEnd)) {
      throw new LexicalError('invalid Unicode surrogate pair');
    }
    if (octal !== undefined) return String.fromCharCode(notZero(Number.parseInt(octal, 8) & 0xff));
    if (hex !== undefined) return String.fromCharCode(notZero(Number.parseInt(hex, 16)));
    if (digits === undefined) {
      if (other === 'u' || other === 'U') throw new LexicalError('invalid Unicode escape', '22025');
      return SIMPLE_ESCAPES[other] ?? other;
    }
    pending += fromCodePoint(Number.parseInt(digits, 16));
    pendingEnd = offset + escaped.length;
    if (/^[\ud800-\udbff]$/.test(pending)) return '';
    const whole = wellFormed(pending);
    pending = '';
    return Buffer.from(whole).toString('latin1');
  });
  if (pending !== '') throw new LexicalError('invalid Unicode surrogate pair');
  return decodeUtf8(out);
}

function notZero(byte: number): number {
  if (byte === 0) throw new LexicalError('invalid byte sequence for encoding "UTF8": 0x00', '22021');
  return byte;
}

/**
 * The name that an identifier's text (one character a byte) stands for: ASCII letters of a plain one in lower case, at
 * most 63 bytes of UTF-8 without cutting a character. `escapeCharacter` is the one of a UESCAPE clause.
 * Throws LexicalError.
 */
export function identifierValue(kind: TokenKind, bytes: string, escapeCharacter = '\\'): string {
  if (kind === 'identifier') return truncate(decodeUtf8(bytes.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())));
  const inner = decodeUtf8(bytes.slice(bytes.indexOf('"') + 1, -1).replaceAll('""', '"'));
  const name = kind === 'unicode-identifier' ? unescapeUnicode(inner, escapeCharacter) : inner;
  if (name === '') throw new LexicalError('zero-length delimited identifier', '42601', true);
  return truncate(name);
}

/** The parts of a constant that line breaks interrupt, put together, without the quotes around it. */
function joinParts(bytes: string, backslashes: boolean): string {
  const from = bytes.indexOf("'") + 1;
  let out = '';
  let part = from;
  for (let i = from; i < bytes.length - 1; ) {
    if (backslashes && bytes[i] === '\\') i += 2;
    else if (bytes[i] !== "'") i++;
    else if (bytes[i + 1] === "'") {
      out += `${bytes.slice(part, i)}${backslashes ? "\\'" : "'"}`;
      part = i += 2;
    } else {
      // The lexer has found another part behind: a quote that ends nothing.
      out += bytes.slice(part, i);
      part = i = continuation(bytes, i + 1);
    }
  }
  return out + bytes.slice(part, -1);
}

/**
 * The text that a string constant of any form stands for, bit strings excepted (undefined, as for any other kind).
 * `escapeCharacter` is the one of a UESCAPE clause. Throws LexicalError.
 */
export function stringValue(kind: TokenKind, bytes: string, escapeCharacter = '\\'): string | undefined {
  switch (kind) {
    case 'string':
      return decodeUtf8(joinParts(bytes, false));
    case 'escape-string':
      return unescapeBackslashes(joinParts(bytes, true));
    case 'unicode-string':
      return unescapeUnicode(decodeUtf8(joinParts(bytes, false)), escapeCharacter);
    case 'dollar-string': {
      const tag = bytes.indexOf('$', 1) + 1;
      return decodeUtf8(bytes.slice(tag, -tag));
    }
    default:
      return undefined;
  }
}

/** Whether a character may stand in UESCAPE '…' (scansup.c, check_uescapechar). */
export function isUnicodeEscapeCharacter(text: string): boolean {
  return text.length === 1 && !/[0-9A-Fa-f+'" \t\n\r\f\v]/.test(text) && text.charCodeAt(0) < 0x80;
}
