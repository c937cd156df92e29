/** A pattern with wildcards, mark by mark. */
export interface Marks {
  /** What each mark is: one of the numbers below. */
  kinds: Uint8Array;
  /** The characters of literal marks. */
  codes: Uint16Array;
}

export const COLON = 58;
export const LITERAL = 0;
/** One character. */
export const ONE = 1;
/** One character that is no colon. */
export const ONE_IN_SEGMENT = 2;
export const ANY = 3;
export const ANY_IN_SEGMENT = 4;
