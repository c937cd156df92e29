import { ANY, ANY_IN_SEGMENT, COLON, LITERAL, type Marks, ONE, ONE_IN_SEGMENT } from './marks.ts';

/**
 * Matches by following all places of the pattern at once, 32 to a word, so that each character of the text costs one pass
 * over the words whatever the pattern is. Slower than trying for ordinary patterns, and not to be slowed down by any.
 * Bit `i` of the state: the marks before the i-th that takes a character have been used up. `start` is the mark, and the
 * place in the text, to begin with.
 */
export function automaton({ kinds, codes }: Marks, start: number): (text: string) => boolean {
  let taking = 0;
  for (let at = start; at < kinds.length; at++) if (!isStar(kinds[at]!)) taking += 1;
  const words = (taking >> 5) + 1;
  const none = new Uint32Array(words);
  const one = new Uint32Array(words);
  const oneInSegment = new Uint32Array(words);
  const any = new Uint32Array(words);
  const anyInSegment = new Uint32Array(words);
  const literals = new Map<number, Uint32Array>();
  let bit = 0;
  for (let at = start; at < kinds.length; at++) {
    const kind = kinds[at];
    if (kind === ANY) set(any, bit);
    else if (kind === ANY_IN_SEGMENT) set(anyInSegment, bit);
    else if (kind === ONE) set(one, bit++);
    else if (kind === ONE_IN_SEGMENT) set(oneInSegment, bit++);
    else if (kind === LITERAL) set(placesOf(literals, codes[at]!, words), bit++);
  }
  return (text) => {
    const state = new Uint32Array(words);
    state[0] = 1;
    for (let at = start; at < text.length; at++) {
      const code = text.charCodeAt(at);
      const literal = literals.get(code) ?? none;
      const within = code !== COLON;
      let carry = 0;
      let alive = 0;
      for (let word = 0; word < words; word++) {
        const now = state[word]!;
        const taken = now & (literal[word]! | one[word]! | (within ? oneInSegment[word]! : 0));
        const stayed = now & (any[word]! | (within ? anyInSegment[word]! : 0));
        const next = (taken << 1) | carry | stayed;
        carry = taken >>> 31;
        state[word] = next;
        alive |= next;
      }
      if (alive === 0) return false;
    }
    return ((state[taking >> 5]! >>> (taking & 31)) & 1) === 1;
  };
}

function isStar(kind: number): boolean {
  return kind === ANY || kind === ANY_IN_SEGMENT;
}

function placesOf(literals: Map<number, Uint32Array>, code: number, words: number): Uint32Array {
  let places = literals.get(code);
  if (!places) {
    places = new Uint32Array(words);
    literals.set(code, places);
  }
  return places;
}

function set(words: Uint32Array, bit: number): void {
  words[bit >> 5]! |= 1 << (bit & 31);
}
