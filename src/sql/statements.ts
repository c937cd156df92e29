/** Where the statements of a string are, as PostgreSQL's grammar divides it. */
import { Lexer, type LexerOptions } from './lexer.ts';

export interface StatementRange {
  /** Of the first byte after the last semicolon: blanks and comments in front belong to the statement. */
  start: number;
  /** Of the semicolon, or of the end of the text. */
  end: number;
}

/**
 * Finds the semicolons that end a statement: not those in parentheses (CREATE RULE … DO (…; …)) nor between BEGIN ATOMIC
 * and its END (bodies of SQL functions), in which CASE has an END too.
 */
export class StatementEnds {
  #parentheses = 0;
  #blocks = 0;
  /** The word before, in lower case, if it matters. */
  #before = '';

  /** Takes the lexer's token; true when it ends a statement. */
  take(lexer: Lexer): boolean {
    const { kind } = lexer;
    if (kind === 'space' || kind === 'comment') return false;
    if (kind === 'identifier') {
      this.#takeWord(lexer);
      return false;
    }
    this.#before = kind === 'punctuation' && lexer.isMark('.') ? '.' : '';
    if (kind !== 'punctuation') return false;
    if (lexer.isMark('(')) this.#parentheses++;
    else if (lexer.isMark(')')) this.#parentheses = Math.max(0, this.#parentheses - 1);
    else if (lexer.isMark(';') && this.#parentheses === 0 && this.#blocks === 0) return true;
    return false;
  }

  #takeWord(lexer: Lexer): void {
    // The longest word that matters has six letters.
    const length = lexer.end - lexer.start;
    const word = length <= 6 ? lexer.sql.slice(lexer.start, lexer.end).toLowerCase() : '';
    // `x.end` and `AS end` name a column.
    const named = this.#before === '.' || this.#before === 'as';
    if (word === 'atomic' && this.#before === 'begin' && this.#blocks === 0) this.#blocks = 1;
    else if (this.#blocks > 0 && !named && word === 'case') this.#blocks++;
    else if (this.#blocks > 0 && !named && word === 'end') this.#blocks--;
    this.#before = word;
  }
}

/** The byte ranges of the statements at top level, empty ones included, without their semicolons. */
export function splitStatements(sql: string, options: LexerOptions): StatementRange[] {
  const lexer = new Lexer(sql, options);
  const ends = new StatementEnds();
  const ranges: StatementRange[] = [];
  let start = 0;
  while (lexer.next() !== 'end') {
    if (!ends.take(lexer)) continue;
    ranges.push({ start, end: lexer.start });
    start = lexer.end;
  }
  ranges.push({ start, end: sql.length });
  return ranges;
}
