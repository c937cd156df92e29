import { describe, expect, it } from 'vitest';
import { type ConditionCase, decideCase, GROUP_FILES, type Group, readCases, reasonOf } from './tables.ts';

describe.each(GROUP_FILES)('%s', (file) => {
  describe.each(readCases<Group>(file))('$about', (group) => {
    it.each(group.cases.map((each) => [JSON.stringify(each), each] as const))('%s', (_, asked) => {
      const decision = decideCase(group, asked);
      expect({ is: decision.effect, for: reasonOf(decision.explain()) }).toEqual({ is: asked.is, for: asked.for });
      expect(decision.allowed).toBe(asked.is === 'allowed');
      expect(decision.explain().needed === undefined).toBe(decision.allowed);
    });
  });
});

describe('conditions', () => {
  it.each(readCases<ConditionCase>('operators').map((each) => [JSON.stringify(each), each] as const))('%s', (_, {
    if: Condition,
    has,
    in: effect = 'Allow',
    holds,
  }) => {
    const [operator, keys] = Object.entries(Condition)[0]!;
    const key = Object.keys(keys)[0]!;
    const statement = { Sid: 'S', Effect: effect, Action: '*', Resource: '*', Condition };
    const all = { Sid: 'All', Effect: 'Allow', Action: '*', Resource: '*' };
    const group: Group = { about: '', identity: effect === 'Deny' ? [all, statement] : [statement], cases: [] };
    const decision = decideCase(group, {
      do: 'dsql:DbConnect',
      ...(has && { with: { [key.toLowerCase()]: has } }),
      is: 'allowed',
      for: '',
    });
    const explanation = decision.explain();
    const found = explanation.policies[0]!.statements.find(({ statement: name }) => name === 'S')!;
    expect(found.matched).toBe(holds);
    expect(decision.allowed).toBe(holds === (effect === 'Allow'));
    if (!holds) {
      const wanted = [Object.values(keys)[0]].flat().map(String);
      const seen = has?.length ? has : undefined;
      expect(found.missed).toEqual([{ part: 'condition', operator, key, wanted, found: seen }]);
    }
    expect(explanation.absentKeys).toEqual(has?.length ? [] : [key]);
  });
});
