import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyEffect, one, questions, resourceStatementOf, statementOf, statements } from './statements.ts';
import { type Case, decideCase, type Group } from './tables.ts';

type Kind = 'identity' | 'boundary' | 'session' | 'resource';
type Policies = Pick<Group, Kind>;
type Asked = Omit<Case, 'is' | 'for'>;

const RUNS = { numRuns: 2000 };
const resourceStatements = fc.array(resourceStatementOf(anyEffect), { minLength: 1, maxLength: 3 });
const policies: fc.Arbitrary<Policies> = fc.record(
  { identity: statements, boundary: statements, session: statements, resource: resourceStatements },
  { requiredKeys: ['identity'] },
);

function decide(given: Policies, asked: Asked) {
  return decideCase({ about: '', cases: [], ...given }, { ...asked, is: 'allowed', for: '' });
}

/** One more statement in one of the policies that are there. */
function withOneMore(given: Policies, kind: Kind, statement: object, at: number): Policies | undefined {
  const list = given[kind];
  return list && { ...given, [kind]: [...list.slice(0, at % 4), statement, ...list.slice(at % 4)] };
}

function added(effect: 'Allow' | 'Deny') {
  return fc
    .tuple(
      policies,
      one<Kind>('identity', 'boundary', 'session', 'resource'),
      statementOf(one(effect)),
      resourceStatementOf(one(effect)),
      fc.nat(4),
    )
    .map(([given, kind, own, resource, at]) => ({
      before: given,
      after: withOneMore(given, kind, kind === 'resource' ? resource : own, at),
    }));
}

describe('for all policies, callers and requests', () => {
  it('a further Deny never allows', () => {
    fc.assert(
      fc.property(added('Deny'), questions, ({ before, after }, asked) => {
        fc.pre(after !== undefined);
        expect(decide(after!, asked).allowed && !decide(before, asked).allowed).toBe(false);
      }),
      RUNS,
    );
  });

  it('a further Allow never denies', () => {
    fc.assert(
      fc.property(added('Allow'), questions, ({ before, after }, asked) => {
        fc.pre(after !== undefined);
        expect(decide(before, asked).allowed && !decide(after!, asked).allowed).toBe(false);
      }),
      RUNS,
    );
  });

  it('a session policy never gives what the role does not have', () => {
    fc.assert(
      fc.property(policies, statements, questions, ({ session: _, ...role }, session, asked) => {
        // What a federated user has without a session policy is another question: nothing.
        fc.pre(asked.as !== 'guest');
        expect(decide({ ...role, session }, asked).allowed && !decide(role, asked).allowed).toBe(false);
      }),
      RUNS,
    );
  });

  it('a boundary never gives what would not be allowed without it', () => {
    fc.assert(
      fc.property(policies, statements, questions, ({ boundary: _, ...free }, boundary, asked) => {
        expect(decide({ ...free, boundary }, asked).allowed && !decide(free, asked).allowed).toBe(false);
      }),
      RUNS,
    );
  });

  it('without a resource policy, what is allowed is allowed by each kind alone', () => {
    fc.assert(
      fc.property(policies, questions, ({ resource: _, ...own }, asked) => {
        fc.pre(asked.as !== 'root' && asked.as !== 'guest');
        const kinds = [own.identity, own.boundary, own.session].filter((each) => each !== undefined);
        const each = kinds.every((identity) => decide({ identity }, asked).allowed);
        expect(decide(own, asked).allowed).toBe(each);
      }),
      RUNS,
    );
  });

  it('the order of statements does not matter', () => {
    fc.assert(
      fc.property(policies, questions, (given, asked) => {
        const turned = Object.fromEntries(Object.entries(given).map(([kind, list]) => [kind, list.toReversed()]));
        const { effect, limit } = decide(given, asked);
        expect(decide(turned, asked)).toMatchObject({ effect, limit });
      }),
      RUNS,
    );
  });

  it('the explanation tells the same as the decision', () => {
    fc.assert(
      fc.property(policies, questions, (given, asked) => {
        const decision = decide(given, asked);
        const { effect, limit, matched, needed, policies: told } = decision.explain();
        expect({ effect, limit }).toEqual({ effect: decision.effect, limit: decision.limit });
        expect(needed === undefined).toBe(decision.allowed);
        const denies = matched.filter((each) => each.effect === 'Deny');
        expect(denies.length > 0).toBe(effect === 'explicit-deny');
        if (effect === 'explicit-deny') expect(denies.some(({ kind }) => kind === limit)).toBe(true);
        if (effect === 'implicit-deny') {
          const allows = matched.filter((each) => each.kind === limit && each.effect === 'Allow');
          expect(allows).toEqual([]);
        }
        for (const { statements: list } of told) {
          for (const statement of list) expect(statement.matched).toBe(statement.missed.length === 0);
        }
      }),
      RUNS,
    );
  });
});
