/**
 * `*` and `?` in actions and resources. No regular expressions, whose backtracking a policy could make endless: here the
 * work is a small multiple of pattern length × text length whatever the pattern is.
 */
export type Matcher = (text: string) => boolean;

const COLON = 58;
const LITERAL = 0;
/** One character. */
const ONE = 1;
/** One character that is no colon. */
const ONE_IN_SEGMENT = 2;
const ANY = 3;
const ANY_IN_SEGMENT = 4;
/** The pattern is used up. */
const DONE = 5;

/**
 * An action: without regard to case. `*` may stand for anything, colon included. The matcher is asked with the action in
 * lower case, since one action is put to many statements.
 */
export function actionMatcher(pattern: string): Matcher {
  return matcher(pattern.toLowerCase(), () => true);
}

/**
 * A resource: case matters. The IAM User Guide ("IAM JSON policy elements: Resource") lets wildcards stand in any
 * segment of an ARN, each within its segment, and says that a `*` that is the last character of a segment can expand
 * beyond the colon. What follows the fifth colon is the resource itself: there wildcards match everything.
 */
export function resourceMatcher(pattern: string): Matcher {
  let colons = 0;
  const crossing: boolean[] = [];
  for (let i = 0; i < pattern.length; i++) {
    if (pattern[i] === ':') colons += 1;
    const next = pattern[i + 1];
    crossing.push(colons >= 5 || (pattern[i] === '*' && (next === undefined || next === ':')));
  }
  return matcher(pattern, (at) => crossing[at] === true);
}

function matcher(pattern: string, crosses: (at: number) => boolean): Matcher {
  const first = pattern.search(/[*?]/);
  if (first === -1) return (text) => text === pattern;
  if (/^\*+$/.test(pattern)) return () => true;
  const prefix = pattern.slice(0, first);
  if (/^\*+$/.test(pattern.slice(first)) && crosses(pattern.length - 1)) return (text) => text.startsWith(prefix);

  const kinds = new Uint8Array(pattern.length);
  const codes = new Uint16Array(pattern.length);
  // Each mark but a star takes one character.
  let least = first;
  for (let i = first; i < pattern.length; i++) {
    const mark = pattern[i];
    codes[i] = pattern.charCodeAt(i);
    if (mark === '*') kinds[i] = crosses(i) ? ANY : ANY_IN_SEGMENT;
    else least += 1;
    if (mark === '?') kinds[i] = crosses(i) ? ONE : ONE_IN_SEGMENT;
  }
  const most = least === pattern.length ? least : Number.POSITIVE_INFINITY;
  return (text) =>
    text.length >= least && text.length <= most && text.startsWith(prefix) && matches(kinds, codes, first, text);
}

/**
 * Looks for the leftmost place of what follows each star, and on a mismatch lets the last star take one character more.
 * Older stars need not be tried again, but for one case: a star that keeps to its segment gives up at the colon, and
 * then the last one that crosses colons goes on.
 */
function matches(kinds: Uint8Array, codes: Uint16Array, start: number, text: string): boolean {
  const end = kinds.length;
  let mark = start;
  let at = start;
  let crossing = -1;
  let crossingTo = 0;
  let within = -1;
  let withinTo = 0;
  for (;;) {
    const kind = mark < end ? kinds[mark] : DONE;
    if (kind === ANY) {
      crossing = mark++;
      crossingTo = at;
      within = -1;
      continue;
    }
    if (kind === ANY_IN_SEGMENT) {
      within = mark++;
      withinTo = at;
      continue;
    }
    if (at === text.length) {
      if (kind === DONE) return true;
    } else {
      const code = text.charCodeAt(at);
      if ((kind === LITERAL && codes[mark] === code) || kind === ONE || (kind === ONE_IN_SEGMENT && code !== COLON)) {
        mark += 1;
        at += 1;
        continue;
      }
    }
    if (within !== -1 && withinTo < text.length && text.charCodeAt(withinTo) !== COLON) {
      withinTo += 1;
      at = withinTo;
      mark = within + 1;
    } else if (crossing !== -1 && crossingTo < text.length) {
      crossingTo += 1;
      at = crossingTo;
      mark = crossing + 1;
      within = -1;
    } else {
      return false;
    }
  }
}
