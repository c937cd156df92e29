/**
 * PostgreSQL's scanner takes the beginning of a comment, and all operator characters behind it, for one token; uses two of
 * them, and looks at the rest again (`xcstart` in scan.l). A run of comments that begin in comments costs the square of its
 * length: of 32 KiB more than a second, of 10 MiB hours, in which no signal is heard.
 */

/** PostgreSQL's `op_chars`. */
const RUN = /[~!@#^&|`?+\-*/%<>=]+/y;
/** Two beginnings in one run. Where there is no second, it looks at a run once. */
const TWO_IN_ONE = /\/\*[~!@#^&|`?+\-*/%<>=]*\/\*/;
/** In characters; about two milliseconds. No text that somebody wrote comes near. */
const MAX_LOOKED_AT = 500_000;

/** Whether PostgreSQL's scanner would look at the text's comments again and again. */
export function hasCostlyComments(sql: string): boolean {
  if (!TWO_IN_ONE.test(sql)) return false;
  let end = 0;
  let lookedAt = 0;
  for (let at = sql.indexOf('/*'); at >= 0; at = sql.indexOf('/*', at + 2)) {
    if (at >= end) {
      RUN.lastIndex = at;
      end = at + (RUN.exec(sql)?.[0].length ?? 0);
    }
    lookedAt += end - at;
    if (lookedAt > MAX_LOOKED_AT) return true;
  }
  return false;
}
