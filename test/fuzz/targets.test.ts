import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { readFound, readReached } from './corpus.ts';
import { explore, tryInput } from './explore.ts';
import { TARGETS } from './targets.ts';

const CORPUS = fileURLToPath(new URL('corpus', import.meta.url));
const RUNS = 2_000;

// A short run with a fixed seed keeps the targets alive; `npm run fuzz` looks for what is new.
describe('what reads from outside keeps its promises', () => {
  test.each(Object.entries(TARGETS))('%s', async (name, target) => {
    const corpus = readReached(CORPUS, name);
    const { inputs, finding } = await explore(target, { seed: 1, runs: RUNS, corpus });
    expect(finding?.error, JSON.stringify(finding?.input)).toBeUndefined();
    expect(inputs).toBe(RUNS);
  });
});

const found = Object.keys(TARGETS).flatMap((target) =>
  readFound(CORPUS, target).map(({ name, input }) => ({ target, name, input })),
);

describe('what once broke a promise keeps it now', () => {
  test('in every one of the corpus', async () => {
    for (const { target, name, input } of found) {
      expect(await tryInput(TARGETS[target]!, input), `${target}: ${name}`).toBeUndefined();
    }
  });

  test('for targets that are there', () => {
    expect(readdirSync(CORPUS).filter((name) => !Object.hasOwn(TARGETS, name))).toEqual([]);
  });
});

describe('a fuzzer that could not find anything would be worth nothing: it', () => {
  test('finds a wrong decoder, and makes the input that shows it small', async () => {
    const check = (text: string) => {
      if (/user=[^&]*%00/.test(text)) throw new TypeError('read beyond the end');
    };
    const target = { seeds: ['a=1&user=admin&b=2'], vocabulary: ['%', '%00', '&'], check };
    const { finding } = await explore(target, { seed: 1, runs: 20_000 });
    expect(finding?.error).toBeInstanceOf(TypeError);
    expect(finding?.input).toBe('user=%00');
  });

  test('draws the same inputs for the same seed', async () => {
    const drawn = [1, 1, 2].map(async (seed) => {
      const inputs: string[] = [];
      await explore(
        { seeds: ['a,b'], vocabulary: ['x'], check: (text) => void inputs.push(text) },
        { seed, runs: 200 },
      );
      return inputs;
    });
    const [one, again, other] = await Promise.all(drawn);
    expect(one).toEqual(again);
    expect(one).not.toEqual(other);
  });
});
