import { automaton } from './automaton.ts';
import { ANY, ANY_IN_SEGMENT, COLON, LITERAL, type Marks, ONE, ONE_IN_SEGMENT } from './marks.ts';

/**
 * `*` and `?` in actions, resources and conditions. No regular expressions, whose backtracking a policy could make endless:
 * here the work is a small multiple of the text's length, and for patterns that are made to be slow a small share of pattern
 * length × text length.
 */
export type Matcher = (text: string) => boolean;

/** Steps for each character of pattern and text before trying is given up. */
const PATIENCE = 4;
/** The pattern is used up. */
const DONE = 5;

/** Text in which `*` and `?` are wildcards, or text in which nothing is. */
export type Part = string | { literal: string };

/**
 * Where a wildcard may run on over a colon.
 * `free`: everywhere.
 * `resource`: the IAM User Guide ("IAM JSON policy elements: Resource") lets wildcards stand in any segment of an ARN, each
 * within its segment, and says that a `*` that is the last character of a segment can expand beyond the colon. What
 * follows the fifth colon is the resource itself: there wildcards match everything.
 * `segments`: behind the fifth colon only, as the ARN condition operators compare segment by segment.
 */
export type Reach = 'free' | 'resource' | 'segments';

/**
 * An action: without regard to case. `*` may stand for anything, colon included. The matcher is asked with the action in
 * lower case, since one action is put to many statements.
 */
export function actionMatcher(pattern: string): Matcher {
  return wildcardMatcher([pattern.toLowerCase()], 'free');
}

export function plainText(parts: readonly Part[]): string {
  return parts.map((part) => (typeof part === 'string' ? part : part.literal)).join('');
}

/** Case matters. */
export function wildcardMatcher(parts: readonly Part[], reach: Reach): Matcher {
  const pattern = plainText(parts);
  const marks = marksOf(parts, reach);
  const { kinds } = marks;
  const first = kinds.findIndex((kind) => kind !== LITERAL);
  if (first === -1) return (text) => text === pattern;
  const prefix = pattern.slice(0, first);
  if (kinds.every((kind, at) => at < first || kind === ANY)) {
    return first === 0 ? () => true : (text) => text.startsWith(prefix);
  }
  if (kinds.every((kind) => kind === LITERAL || kind === ANY)) return starsOnly(pattern, kinds);
  // Each mark but a star takes one character.
  const least = kinds.filter((kind) => kind !== ANY && kind !== ANY_IN_SEGMENT).length;
  const most = least === pattern.length ? least : Number.POSITIVE_INFINITY;
  let thorough: Matcher | undefined;
  return (text) => {
    if (text.length < least || text.length > most || !text.startsWith(prefix)) return false;
    const tried = matches(marks, first, text);
    if (tried !== undefined) return tried;
    thorough ??= automaton(marks, first);
    return thorough(text);
  };
}

/** What stands before, between and behind stars that cross everything: the leftmost place of each is as good as any. */
function starsOnly(pattern: string, kinds: Uint8Array): Matcher {
  const literals: string[] = [];
  let from = 0;
  for (let at = 0; at <= pattern.length; at++) {
    if (at < pattern.length && kinds[at] !== ANY) continue;
    literals.push(pattern.slice(from, at));
    from = at + 1;
  }
  const head = literals[0]!;
  const tail = literals.at(-1)!;
  const between = literals.slice(1, -1);
  const least = literals.reduce((sum, literal) => sum + literal.length, 0);
  return (text) => {
    if (text.length < least || !text.startsWith(head) || (tail !== '' && !text.endsWith(tail))) return false;
    let at = head.length;
    for (const literal of between) {
      const found = text.indexOf(literal, at);
      if (found === -1) return false;
      at = found + literal.length;
    }
    return at <= text.length - tail.length;
  };
}

/** Colons in literal parts do not count as the ends of segments: they come from values, not from who wrote the policy. */
export function marksOf(parts: readonly Part[], reach: Reach): Marks {
  const pattern = plainText(parts);
  const codes = Uint16Array.from(pattern, (_, i) => pattern.charCodeAt(i));
  const kinds = new Uint8Array(pattern.length);
  let colons = reach === 'free' ? 5 : 0;
  let at = 0;
  for (const [index, part] of parts.entries()) {
    if (typeof part === 'object') {
      at += part.literal.length;
      continue;
    }
    const isLast = index === parts.length - 1;
    for (let i = 0; i < part.length; i++, at++) {
      const mark = part[i];
      if (mark === ':') colons += 1;
      const endsSegment = part[i + 1] === ':' || (isLast && i + 1 === part.length);
      const crosses = colons >= 5 || (reach === 'resource' && mark === '*' && endsSegment);
      if (mark === '*') kinds[at] = crosses ? ANY : ANY_IN_SEGMENT;
      else if (mark === '?') kinds[at] = crosses ? ONE : ONE_IN_SEGMENT;
    }
  }
  return { kinds, codes };
}

/**
 * Looks for the leftmost place of what follows each star, and on a mismatch lets the last star take one character more.
 * Older stars need not be tried again, but for one case: a star that keeps to its segment gives up at the colon, and
 * then the last one that crosses colons goes on. Undefined when that takes too many steps.
 */
function matches({ kinds, codes }: Marks, start: number, text: string): boolean | undefined {
  const end = kinds.length;
  let patience = PATIENCE * (end + text.length);
  let mark = start;
  let at = start;
  let crossing = -1;
  let crossingTo = 0;
  let within = -1;
  let withinTo = 0;
  while (patience-- > 0) {
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
  return undefined;
}
