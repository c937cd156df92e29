/** String constants to be put into a client's text, one character a byte. */

/** Reads the same whatever standard_conforming_strings says. */
export function byteLiteral(text: string): string {
  const bytes = Buffer.from(text, 'utf8').toString('latin1');
  return ` E'${bytes.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

/** A dollar quote that does not occur in the text, so that it can stand around any part of it. */
export function dollarQuote(text: string): string {
  for (let number = 0; ; number++) {
    const quote = `$q${number}$`;
    if (!text.includes(quote)) return quote;
  }
}
