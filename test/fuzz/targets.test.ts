import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TARGETS } from './targets.ts';

// A short run with a fixed seed keeps the targets alive; `npm run fuzz` looks for what is new.
describe('what reads from outside keeps its promises', () => {
  test.each(Object.entries(TARGETS))('%s', (_, draw) => {
    const { failed, counterexample, errorInstance } = draw({ seed: 1, numRuns: 2_000 });
    expect(failed, `${fc.stringify(counterexample)}\n${errorInstance}`).toBe(false);
  });
});
