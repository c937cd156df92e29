/** What every target is made of, and how its check says that a promise is broken. */

/**
 * A decoder of something from outside, and what must hold for any input. Inputs are texts with one character a byte
 * (latin1): what reads UTF-8 decodes them first.
 */
export interface Target {
  /** Valid inputs: mutations of something valid reach deeper than noise. */
  seeds: readonly string[];
  /** Pieces that mean something to the decoder, or that decoders of its kind have stumbled over. */
  vocabulary: readonly string[];
  /** In characters; longer inputs are cut. */
  maxLength?: number;
  /** Throws, or rejects, when a promise of the code is broken. */
  check(input: string): void | Promise<void>;
}

/** Undefined when `work` throws an error of exactly this class or below it; any other error is a finding. */
export function allowing<T>(allowed: new (...args: never[]) => Error, work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof allowed) return undefined;
    throw error;
  }
}

/** The same for code that throws an Error with a text for people: a TypeError or SyntaxError is none. */
export function allowingPlain<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if ((error as Error).constructor === Error) return undefined;
    throw error;
  }
}

export function must(condition: boolean, promise: string): void {
  if (!condition) throw new Error(`broken promise: ${promise}`);
}

export function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** The text that bytes are in UTF-8. */
export function utf8(input: string): string {
  return Buffer.from(input, 'latin1').toString('utf8');
}

/** What a check needs besides the input, always the same for the same input. */
export function hashOf(input: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < input.length; i++) hash = Math.imul(hash ^ input.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
