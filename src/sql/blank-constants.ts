import { Lexer, type TokenKind } from './lexer.ts';

/** In characters: what is read of a text, and what is shown of it. */
const MAX_READ = 64 * 1024;
const MAX_SHOWN = 8 * 1024;

/** What stands for a text of which it cannot be known where its constants end. */
export const UNREADABLE = '(not shown: its constants cannot be told apart)';

/** What a token is replaced with; undefined: it is shown. */
const SHOWN_AS: Record<TokenKind, string | undefined> = {
  space: ' ',
  // People write what they like into comments.
  comment: ' ',
  identifier: undefined,
  'quoted-identifier': undefined,
  'unicode-identifier': undefined,
  string: '?',
  'escape-string': '?',
  'unicode-string': '?',
  'bit-string': '?',
  'national-prefix': '',
  'dollar-string': '?',
  parameter: undefined,
  number: '?',
  junk: '?',
  operator: undefined,
  punctuation: undefined,
  unterminated: '?',
  other: '?',
  end: '',
};

/** Names of settings stand in front of values that need no quotes: SET app.token TO abc. */
const SETTERS: ReadonlySet<string> = new Set(['set', 'alter']);
/** What is made with settings of its own: CREATE FUNCTION … SET app.token TO abc. */
const ROUTINES: ReadonlySet<string> = new Set(['function', 'procedure']);

/**
 * Encodings in which a byte of ASCII may be the second half of a letter, as ParameterStatus names them (PostgreSQL
 * manual, "Supported Character Sets"). PostgreSQL reads a text when it is in the server's encoding, not in this.
 */
const MIXED_ENCODINGS: ReadonlySet<string> = new Set([
  'BIG5',
  'GB18030',
  'GBK',
  'JOHAB',
  'SHIFT_JIS_2004',
  'SJIS',
  'UHC',
]);

/**
 * A statement's text without its constants, comments and the values that SET gives, for a log: statements hold passwords
 * and personal data. Blanks become one, and a long text ends in `…`. `sql` has one character for each byte (Latin-1), as
 * the lexer wants it; the result is text. `encoding` is the client's, as ParameterStatus names it.
 */
export function blankConstants(sql: string, encoding = 'UTF8'): string {
  const read = sql.slice(0, MAX_READ);
  // What is a quote, a backslash or a dollar is known only where a byte of ASCII is a letter of ASCII.
  if (HALF.test(read) && !isReadable(read, encoding)) return UNREADABLE;
  // Whether a backslash before a quote ends a string is a setting of the session: where it matters, nothing is shown.
  const shown = blanked(read, true);
  if (read.includes('\\') && shown !== blanked(read, false)) return UNREADABLE;
  const text = Buffer.from(shown, 'latin1').toString('utf8');
  return text.length > MAX_SHOWN || sql.length > MAX_READ ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });
const HALF = /[\u0080-\u00ff]/;

/** A text that is no UTF-8 in a session that says UTF-8 may be one of another encoding, which the client has just set. */
function isReadable(text: string, encoding: string): boolean {
  if (MIXED_ENCODINGS.has(encoding)) return false;
  if (encoding !== 'UTF8') return true;
  // The last letter may have been cut.
  const whole = text.length < MAX_READ ? text : text.replace(/[\u00c0-\u00ff][\u0080-\u00bf]*$/, '');
  try {
    utf8.decode(Buffer.from(whole, 'latin1'));
    return true;
  } catch {
    return false;
  }
}

function blanked(sql: string, standardConformingStrings: boolean): string {
  const lexer = new Lexer(sql, { standardConformingStrings });
  const values = new SetValues();
  let shown = '';
  /** Whether what stands here goes on with a number that runs into letters. */
  let inJunk = false;
  while (lexer.next() !== 'end' && shown.length <= MAX_SHOWN) {
    const piece = SHOWN_AS[lexer.kind] ?? values.show(lexer) ?? sql.slice(lexer.start, lexer.end);
    if (inJunk && lexer.kind === 'identifier') continue;
    inJunk = lexer.kind === 'junk';
    if (piece === ' ' && (shown === '' || shown.endsWith(' '))) continue;
    shown += piece;
  }
  return shown.trimEnd();
}

/** Follows the tokens of statements that are shown, and knows where the values of SET stand. */
class SetValues {
  /** The first word of the statement, in lower case. */
  #first: string | undefined;
  #sawSet = false;
  #inValue = false;
  /** Of CREATE FUNCTION and the like, whose values end where no comma goes on: the tokens since SET. */
  #isRoutine = false;
  #sinceSet = 0;
  #afterValue = false;

  /** What is shown instead of this token; undefined for the token itself. */
  show(lexer: Lexer): string | undefined {
    const { kind } = lexer;
    if (kind === 'punctuation' && lexer.isMark(';')) {
      this.#first = undefined;
      this.#sawSet = false;
      this.#inValue = false;
      this.#isRoutine = false;
      return undefined;
    }
    if (kind === 'space' || kind === 'comment') return undefined;
    if (this.#isRoutine) return this.#showInRoutine(lexer);
    if (this.#inValue) return kind === 'punctuation' && lexer.isMark(',') ? undefined : '?';
    if (kind === 'identifier') {
      const word = lexer.sql.slice(lexer.start, lexer.end).toLowerCase();
      this.#first ??= word;
      if (this.#first === 'create' && ROUTINES.has(word)) this.#isRoutine = true;
      else if (word === 'set') this.#sawSet = true;
      else if (word === 'to' && this.#sets) this.#inValue = true;
    } else {
      this.#first ??= '';
      const sign = kind === 'operator' && lexer.end - lexer.start === 1 && lexer.sql[lexer.start] === '=';
      if (sign && this.#sets) this.#inValue = true;
    }
    return undefined;
  }

  #showInRoutine(lexer: Lexer): string | undefined {
    const word = lexer.kind === 'identifier' ? lexer.sql.slice(lexer.start, lexer.end).toLowerCase() : '';
    const isComma = lexer.kind === 'punctuation' && lexer.isMark(',');
    if (this.#inValue) {
      if (!this.#afterValue) {
        this.#afterValue = true;
        return '?';
      }
      if (isComma) {
        this.#afterValue = false;
        return undefined;
      }
      this.#inValue = false;
    }
    if (word === 'set') {
      this.#sawSet = true;
      this.#sinceSet = 0;
      return undefined;
    }
    // SET … FROM CURRENT gives none.
    if (word === 'from') this.#sawSet = false;
    const isSign = lexer.kind === 'operator' && lexer.sql.slice(lexer.start, lexer.end) === '=';
    if (this.#sawSet && this.#sinceSet > 0 && (word === 'to' || isSign)) {
      this.#inValue = true;
      this.#afterValue = false;
      this.#sawSet = false;
    }
    this.#sinceSet++;
    return undefined;
  }

  get #sets(): boolean {
    return this.#sawSet && SETTERS.has(this.#first ?? '');
  }
}
