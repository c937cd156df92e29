import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Caller } from './caller.ts';
import { compileIdentityPolicy } from './compile.ts';
import { contextOf } from './context.ts';
import { denialText } from './denial.ts';
import { evaluate } from './evaluate.ts';
import { parseIdentityPolicy } from './parse.ts';

const CLUSTER = 'arn:aws:dsql:us-east-1:123456789012:cluster/abcdefghijklmnopqrstuvwxyz';
const CALLER: Caller = {
  kind: 'user',
  account: '123456789012',
  arn: 'arn:aws:iam::123456789012:user/u',
  principalArn: 'arn:aws:iam::123456789012:user/u',
  entityId: 'AIDA1',
  bounded: false,
};
const NO_LIMITS = { boundary: undefined, session: undefined, resource: undefined };

function decide(policies: Record<string, object[]>, action: string, resource: string) {
  const identity = Object.entries(policies).map(([name, Statement]) =>
    compileIdentityPolicy(name, parseIdentityPolicy(JSON.stringify({ Version: '2012-10-17', Statement }))),
  );
  return evaluate({ ...NO_LIMITS, identity }, { action, resource, caller: CALLER, context: contextOf({}) });
}

const connect = { Sid: 'Connect', Effect: 'Allow', Action: 'dsql:DbConnect', Resource: CLUSTER };
const never = { Effect: 'Deny', Action: 'dsql:*', Resource: '*' };

describe('a decision', () => {
  it('is a denial where nothing matches', () => {
    expect(decide({}, 'dsql:DbConnect', CLUSTER)).toMatchObject({
      limit: 'identity',
      allowed: false,
      effect: 'implicit-deny',
      because: `no identity-based policy allows dsql:DbConnect on ${CLUSTER}`,
      matched: [],
    });
    expect(decide({ p: [connect] }, 'dsql:DbConnectAdmin', CLUSTER).effect).toBe('implicit-deny');
    expect(decide({ p: [connect] }, 'dsql:DbConnect', CLUSTER.replace('abc', 'xyz')).effect).toBe('implicit-deny');
  });

  it('tells what allowed', () => {
    expect(decide({ p: [connect] }, 'dsql:DbConnect', CLUSTER)).toMatchObject({
      limit: undefined,
      allowed: true,
      effect: 'allowed',
      because: `statement Connect of policy p allows dsql:DbConnect on ${CLUSTER}`,
      matched: [{ policy: 'p', statement: 'Connect', effect: 'Allow' }],
    });
  });

  it('lets an explicit Deny win wherever it stands, and lists all that matched', () => {
    for (const policies of [{ p: [connect, never] }, { p: [never, connect] }, { a: [connect], b: [never] }]) {
      const decision = decide(policies, 'dsql:DbConnect', CLUSTER);
      expect(decision.effect).toBe('explicit-deny');
      expect(decision.allowed).toBe(false);
      expect(decision.matched.map(({ effect }) => effect).sort()).toEqual(['Allow', 'Deny']);
    }
  });

  it('understands what is not named', () => {
    const others = { Effect: 'Allow', NotAction: ['iam:*', 'sts:*'], NotResource: CLUSTER };
    expect(decide({ p: [others] }, 'dsql:GetCluster', '*').allowed).toBe(true);
    expect(decide({ p: [others] }, 'iam:GetUser', '*').allowed).toBe(false);
    expect(decide({ p: [others] }, 'dsql:GetCluster', CLUSTER).allowed).toBe(false);
  });
});

describe('for every set of statements', () => {
  const pattern = (...options: string[]) =>
    fc.oneof(fc.constantFrom(...options), fc.array(fc.constantFrom(...options), { minLength: 1, maxLength: 3 }));
  const actions = pattern(
    '*',
    'dsql:*',
    'dsql:DbConnect',
    'dsql:DbConnect*',
    'iam:GetUser',
    'iam:*User',
    'i?m:GetUser',
  );
  const resources = pattern('*', CLUSTER, 'arn:aws:dsql:*', 'arn:aws:iam::*:user/*', 'arn:aws:iam::1:user/?');
  const legal = (statement: object) => !JSON.stringify(statement).includes('i?m');
  const statement = (effect: 'Allow' | 'Deny') =>
    fc
      .tuple(actions, resources, fc.boolean(), fc.boolean())
      .map(([action, resource, notAction, notResource]) => ({
        Effect: effect,
        [notAction ? 'NotAction' : 'Action']: action,
        [notResource ? 'NotResource' : 'Resource']: resource,
      }))
      .filter(legal);
  const statements = fc.array(fc.oneof(statement('Allow'), statement('Deny')), { minLength: 1, maxLength: 5 });
  const asked = fc.tuple(
    fc.constantFrom('dsql:DbConnect', 'dsql:DbConnectAdmin', 'iam:GetUser', 'iam:DeleteUser'),
    fc.constantFrom(CLUSTER, 'arn:aws:iam::1:user/a', 'arn:aws:iam::1:user/ab', '*'),
  );
  const place = fc.nat(5);
  const insert = (list: object[], at: number, item: object) => [...list.slice(0, at), item, ...list.slice(at)];

  it('adding a Deny never allows', () => {
    fc.assert(
      fc.property(statements, statement('Deny'), place, asked, (list, deny, at, [action, resource]) => {
        const before = decide({ p: list }, action, resource);
        const after = decide({ p: insert(list, at, deny) }, action, resource);
        expect(after.allowed && !before.allowed).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });

  it('adding an Allow never denies', () => {
    fc.assert(
      fc.property(statements, statement('Allow'), place, asked, (list, allow, at, [action, resource]) => {
        const before = decide({ p: list }, action, resource);
        const after = decide({ p: insert(list, at, allow) }, action, resource);
        expect(before.allowed && !after.allowed).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });

  it('neither order nor the split into policies matters', () => {
    fc.assert(
      fc.property(statements, asked, (list, [action, resource]) => {
        const once = decide({ p: list }, action, resource).effect;
        expect(decide({ p: list.toReversed() }, action, resource).effect).toBe(once);
        const split = Object.fromEntries(list.map((each, i) => [`p${i}`, [each]]));
        expect(decide(split, action, resource).effect).toBe(once);
      }),
      { numRuns: 1000 },
    );
  });
});

it('words a denial as AWS does', () => {
  const request = { action: 'dsql:DbConnectAdmin', resource: CLUSTER };
  const arn = 'arn:aws:sts::123456789012:assumed-role/r/s';
  const head = `User: ${arn} is not authorized to perform: dsql:DbConnectAdmin on resource: ${CLUSTER}`;
  const said = (effect: 'explicit-deny' | 'implicit-deny') =>
    (['identity', 'boundary', 'session', 'resource', 'trust'] as const).map((limit) =>
      denialText(arn, request, { effect, limit }),
    );
  expect(said('implicit-deny')).toEqual(
    [
      'identity-based policy',
      'permissions boundary',
      'session policy',
      'resource-based policy',
      'role trust policy',
    ].map((kind) => `${head} because no ${kind} allows the dsql:DbConnectAdmin action`),
  );
  expect(said('explicit-deny')).toEqual(
    [
      'an identity-based policy',
      'a permissions boundary',
      'a session policy',
      'a resource-based policy',
      'the role trust policy',
    ].map((kind) => `${head} with an explicit deny in ${kind}`),
  );
});
