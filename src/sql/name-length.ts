import { Lexer } from './lexer.ts';

/** How many bytes a name of so many parts (`pg_catalog . version`) takes at the beginning of a text. */
export function nameLength(sql: string, parts: number): number {
  const lexer = new Lexer(sql, { standardConformingStrings: true });
  lexer.nextSignificant();
  for (let rest = parts - 1; rest > 0; rest--) {
    // The dot, and the next part.
    lexer.nextSignificant();
    lexer.nextSignificant();
  }
  return lexer.end;
}
