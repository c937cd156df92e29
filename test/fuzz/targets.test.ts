import fc from 'fast-check';
import { describe, it } from 'vitest';
import { TARGETS } from './targets.ts';

describe('random input', () => {
  it.each(TARGETS.map((target) => [target.name, target] as const))(
    'is read or refused, and nothing else: %s',
    (_, { property }) => {
      fc.assert(property, { numRuns: 500 });
    },
  );
});
