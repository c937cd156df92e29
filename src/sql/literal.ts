/** String constants. */

/** Reads the same whatever standard_conforming_strings says. */
export function literal(text: string): string {
  return ` E'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

/** The same to be put into a client's text, one character a byte. */
export function byteLiteral(text: string): string {
  return literal(Buffer.from(text, 'utf8').toString('latin1'));
}

/**
 * A dollar quote that can stand around any part of the text. Not even its beginning occurs there: with what follows it would
 * be the quote too early.
 */
export function dollarQuote(text: string): string {
  // More digits than any that stand there: to try one number after the other would take the square of a hostile text.
  let digits = 1;
  for (const [found] of text.matchAll(/\$q\d*/g)) digits = Math.max(digits, found.length - 1);
  return `$q${'0'.repeat(digits)}$`;
}
