import type { Relation } from '../sql/statement-findings.ts';

/** Which commits fail as if another transaction had been first, so that a client's retries can be tried. */
export interface InjectionRule {
  /** Only of transactions that wrote this table. */
  table?: string | undefined;
  /** Every so manieth of them. */
  every?: number | undefined;
  /** How likely each of them is to fail, from 0 to 1. */
  probability?: number | undefined;
  /** Of the random numbers: the same rule with the same seed picks the same commits. */
  seed?: number | undefined;
}

/** Which conflicts are feigned from the start; `allowed`: whether admin may ask for others. */
export interface InjectionOptions {
  allowed: boolean;
  rule: InjectionRule | undefined;
}

/** Says of each commit that writes whether it is to fail. */
export class Injection {
  readonly #rule: InjectionRule;
  readonly #random: () => number;
  #count = 0;

  constructor(rule: InjectionRule) {
    this.#rule = rule;
    this.#random = randomFrom(rule.seed ?? 1);
  }

  /** `wrote`: tables, undefined where they are not known. */
  hits(wrote: readonly Relation[] | undefined): boolean {
    const { table, every, probability } = this.#rule;
    if (table !== undefined && wrote && !wrote.some(({ name }) => name === table)) return false;
    this.#count++;
    if (every !== undefined && this.#count % every !== 0) return false;
    return probability === undefined || this.#random() < probability;
  }
}

/** Numbers from 0 to 1 (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const KEYS = ['table', 'every', 'probability', 'seed'] as const;

/**
 * Reads `table=NAME,every=N,probability=P,seed=N`, of which each may be missing but not all. Throws an Error that says what
 * is wrong.
 */
export function parseInjection(text: string): InjectionRule {
  const rule: InjectionRule = {};
  for (const part of text.split(',')) {
    const [key = '', value = ''] = part.split(/=(.*)/s);
    if (!(KEYS as readonly string[]).includes(key)) throw new Error(`"${part}" is none of ${KEYS.join('=, ')}=`);
    if (key === 'table') rule.table = value;
    else rule[key as 'every' | 'probability' | 'seed'] = Number(value === '' ? NaN : value);
  }
  return checkInjection(rule);
}

/** Throws an Error that says what is wrong. */
function checkInjection(rule: InjectionRule): InjectionRule {
  const { table, every, probability, seed } = rule;
  if (table === '') throw new Error('the table has no name');
  if (every !== undefined && !(Number.isSafeInteger(every) && every > 0)) throw new Error('every must be 1 or more');
  if (probability !== undefined && !(probability >= 0 && probability <= 1)) {
    throw new Error('the probability must be from 0 to 1');
  }
  if (seed !== undefined && !Number.isSafeInteger(seed)) throw new Error('the seed must be a whole number');
  return rule;
}
