import { createHash } from 'node:crypto';
import { conflict } from './refusals.ts';

/** In ms. AWS does not tell how long a token counts. */
const LIFETIME = 24 * 60 * 60 * 1000;
const MAX_TOKENS = 10_000;

interface Answered {
  digest: string;
  until: number;
  answer: Promise<unknown>;
}

/**
 * The answers to requests with a client token, so that a repeated one is not done twice and has the same answer. In memory:
 * after a restart only CreateCluster knows its tokens, from the clusters that they made; the other operations set what they
 * are asked for, and may be done again.
 */
export class ClientTokens {
  readonly #answers = new Map<string, Answered>();
  readonly #now: () => Date;

  constructor(now: () => Date) {
    this.#now = now;
  }

  /**
   * Runs `work`, or gives the answer that the token has had already. `scope` tells operation, region and resource. What
   * is refused is not remembered. Throws Refused `conflict` for another request with the same token.
   */
  once<T>(
    scope: readonly string[],
    input: { readonly clientToken?: string },
    on: string,
    work: () => Promise<T>,
  ): Promise<T> {
    const { clientToken } = input;
    if (clientToken === undefined) return work();
    const key = [...scope, clientToken].join(' ');
    const digest = digestOf(input);
    const now = this.#now().getTime();
    const known = this.#answers.get(key);
    if (known && known.until > now) {
      return known.digest === digest ? (known.answer as Promise<T>) : Promise.reject(reusedToken(on));
    }
    const answer = work();
    this.#answers.delete(key);
    this.#answers.set(key, { digest, until: now + LIFETIME, answer });
    answer.catch(() => {
      if (this.#answers.get(key)?.answer === answer) this.#answers.delete(key);
    });
    this.#forgetOld(now);
    return answer;
  }

  /** The oldest come first. */
  #forgetOld(now: number): void {
    for (const [key, { until }] of this.#answers) {
      if (until > now && this.#answers.size <= MAX_TOKENS) return;
      this.#answers.delete(key);
    }
  }
}

/** Of what was asked, the token aside; the same for members in any order. */
export function digestOf(input: object): string {
  return createHash('sha256').update(JSON.stringify(input, sorted)).digest('base64url');
}

function sorted(key: string, value: unknown): unknown {
  if (key === 'clientToken') return undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function reusedToken(identifier: string) {
  return conflict(identifier, 'The client token was used before, with other parameters.');
}
