import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contextOf } from '../../src/iam/policy/context.ts';
import { evaluate } from '../../src/iam/policy/evaluate.ts';
import { possible } from '../../src/iam/policy/possible.ts';
import { anyEffect, questions, resourceStatementOf, statements } from './statements.ts';
import { CALLERS, contextRecord, type Group, policySetOf, resourceNamed } from './tables.ts';

const KEYS = ['aws:requesttag/color', 'aws:principaltag/team', 'aws:tagkeys', 'aws:useragent'];
const policies: fc.Arbitrary<Omit<Group, 'about' | 'cases'>> = fc.record(
  {
    identity: statements,
    boundary: statements,
    session: statements,
    resource: fc.array(resourceStatementOf(anyEffect), { minLength: 1, maxLength: 3 }),
  },
  { requiredKeys: ['identity'] },
);

describe('what may be allowed', () => {
  it('is never less, and what is certain never more, than what a request gets, whatever its open keys are', () => {
    const seen = { allowed: 0, conditional: 0, denied: 0 };
    fc.assert(
      fc.property(policies, questions, fc.subarray(KEYS, { minLength: 1 }), (given, asked, open) => {
        const set = policySetOf({ about: '', cases: [], ...given }, asked.as);
        const question = {
          action: asked.do,
          resource: resourceNamed(asked.on),
          caller: { ...CALLERS[asked.as], bounded: given.boundary !== undefined },
        };
        const whole = contextRecord(asked.with);
        const known = Object.fromEntries(Object.entries(whole).filter(([key]) => !open.includes(key)));
        const { answer } = possible(set, { ...question, context: contextOf(known) }, (key) => open.includes(key));
        const { allowed } = evaluate(set, { ...question, context: contextOf(whole) });
        expect(answer).not.toBe(allowed ? 'denied' : 'allowed');
        seen[answer] += 1;
      }),
      { numRuns: 4000 },
    );
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(50);
  });

  it('is exactly what a request gets where nothing is open', () => {
    fc.assert(
      fc.property(policies, questions, (given, asked) => {
        const set = policySetOf({ about: '', cases: [], ...given }, asked.as);
        const caller = { ...CALLERS[asked.as], bounded: given.boundary !== undefined };
        const context = contextOf(contextRecord(asked.with));
        const question = { action: asked.do, resource: resourceNamed(asked.on), caller, context };
        const { allowed, effect } = evaluate(set, question);
        const found = possible(set, question, () => false);
        expect(found.answer).toBe(allowed ? 'allowed' : 'denied');
        expect(found.decision.effect).toBe(effect);
      }),
      { numRuns: 2000 },
    );
  });
});
