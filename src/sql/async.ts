/**
 * Finds the key word ASYNC where only Aurora DSQL has it: `CREATE [UNIQUE] INDEX ASYNC …`, in which PostgreSQL would take
 * it for the index's name, and `ALTER TABLE ASYNC [IF EXISTS] [ONLY] t VALIDATE CONSTRAINT …`.
 */
import { Lexer } from './lexer.ts';
import { StatementEnds } from './statements.ts';

export interface AsyncWord {
  /** Byte offsets. */
  start: number;
  end: number;
}

/**
 * What the engine gets in the word's place: by it the database knows an index that was asked for in the service's way from a
 * plain CREATE INDEX, which it refuses. Whoever writes it himself gets the index too, and nothing else.
 */
export const ASYNC_MARK = '/*postern:async*/';

const ASYNC = /async/i;
const STANDARD = { standardConformingStrings: true };

/** The statement's first significant token is the lexer's present one. */
function readHead(lexer: Lexer): AsyncWord | undefined {
  if (lexer.isWord('create')) {
    lexer.nextSignificant();
    if (lexer.isWord('unique')) lexer.nextSignificant();
    if (!lexer.isWord('index')) return undefined;
    lexer.nextSignificant();
    return lexer.isWord('async') ? { start: lexer.start, end: lexer.end } : undefined;
  }
  if (!lexer.isWord('alter')) return undefined;
  lexer.nextSignificant();
  if (!lexer.isWord('table')) return undefined;
  lexer.nextSignificant();
  if (!lexer.isWord('async')) return undefined;
  const word = { start: lexer.start, end: lexer.end };
  lexer.nextSignificant();
  if (lexer.isWord('if')) {
    lexer.nextSignificant();
    if (!lexer.isWord('exists')) return undefined;
    lexer.nextSignificant();
  }
  if (lexer.isWord('only')) lexer.nextSignificant();
  // A table may be called async, and its column validate; a name before VALIDATE CONSTRAINT is a table's.
  for (;;) {
    if (!lexer.kind.endsWith('identifier')) return undefined;
    lexer.nextSignificant();
    if (!lexer.isMark('.')) break;
    lexer.nextSignificant();
  }
  if (!lexer.isWord('validate')) return undefined;
  lexer.nextSignificant();
  return lexer.isWord('constraint') ? word : undefined;
}

/** `sql` has one character a byte. A text without these five letters costs one search. */
export function findAsyncWords(sql: string): AsyncWord[] {
  if (!ASYNC.test(sql)) return [];
  const lexer = new Lexer(sql, STANDARD);
  const ends = new StatementEnds();
  const found: AsyncWord[] = [];
  let first = true;
  for (let kind = lexer.nextSignificant(); kind !== 'end'; kind = lexer.nextSignificant()) {
    if (first) {
      // A reader of its own, so that every token passes by `ends`.
      const head = new Lexer(sql, STANDARD);
      head.end = lexer.start;
      head.nextSignificant();
      const word = readHead(head);
      if (word) found.push(word);
    }
    first = ends.take(lexer);
  }
  return found;
}
