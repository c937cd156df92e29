import { describe, expect, it } from 'vitest';
import type { Caller } from './caller.ts';
import { type CompiledPolicy, compileIdentityPolicy, compileResourcePolicy, compileTrustPolicy } from './compile.ts';
import { contextOf } from './context.ts';
import { contextKeysOf } from './context-keys.ts';
import { evaluate, type PolicySet } from './evaluate.ts';
import { parseIdentityPolicy, parseResourcePolicy, parseTrustPolicy } from './parse.ts';

const ALICE = 'arn:aws:iam::123456789012:user/alice';
const CLUSTER = 'arn:aws:dsql:us-east-1:123456789012:cluster/abcdefghijklmnopqrstuvwxyz';
const CALLER: Caller = {
  kind: 'user',
  account: '123456789012',
  arn: ALICE,
  principalArn: ALICE,
  entityId: 'AIDA1',
  bounded: false,
};
const document = (...statements: object[]) => JSON.stringify({ Version: '2012-10-17', Statement: statements });
const allow = { Sid: 'S', Effect: 'Allow', Action: 'dsql:DbConnect', Resource: '*' };
const own = (statement: object, origin = 'user alice') =>
  compileIdentityPolicy('p', parseIdentityPolicy(document(statement)), origin);

function explain(set: Partial<PolicySet>, context: Record<string, string[]> = {}) {
  const policies: PolicySet = { identity: [], boundary: undefined, session: undefined, resource: undefined, ...set };
  const question = { action: 'dsql:DbConnect', resource: CLUSTER, caller: CALLER, context: contextOf(context) };
  return evaluate(policies, question).explain();
}

describe('an explanation', () => {
  it('tells of each statement what did not match, with what was wanted and found', () => {
    const Condition = {
      StringEquals: { 'aws:PrincipalTag/team': ['red', 'blue'] },
      Bool: { 'aws:SecureTransport': true },
    };
    const policy = own({ ...allow, Action: 'dsql:GetCluster', Resource: 'arn:aws:s3:::*', Condition });
    const found = { 'aws:principaltag/team': ['green'] };
    expect(explain({ identity: [policy] }, found)).toMatchObject({
      caller: ALICE,
      effect: 'implicit-deny',
      limit: 'identity',
      policies: [
        {
          kind: 'identity',
          name: 'p',
          origin: 'user alice',
          statements: [
            {
              statement: 'S',
              effect: 'Allow',
              matched: false,
              missed: [
                { part: 'action', negated: false, wanted: ['dsql:GetCluster'] },
                { part: 'resource', negated: false, wanted: ['arn:aws:s3:::*'] },
                {
                  part: 'condition',
                  operator: 'StringEquals',
                  key: 'aws:PrincipalTag/team',
                  wanted: ['red', 'blue'],
                  found: ['green'],
                },
                { part: 'condition', operator: 'Bool', key: 'aws:SecureTransport', wanted: ['true'], found: undefined },
              ],
            },
          ],
        },
      ],
      // The statement is about another action: nobody asked for its keys.
      absentKeys: [],
    });
  });

  it('names the keys that were asked for and are absent, as they were written, each once', () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a policy variable.
    const Resource = 'arn:aws:dsql:*:*:cluster/${aws:PrincipalTag/Cluster}';
    const Condition = {
      StringLike: { 'aws:UserAgent': 'a*', 'AWS:principaltag/cluster': 'x' },
      Null: { 'aws:SourceIp': 'true' },
    };
    const explanation = explain(
      { identity: [own({ ...allow, Resource, Condition })] },
      { 'aws:sourceip': ['10.0.0.1'] },
    );
    expect(explanation.absentKeys).toEqual(['aws:PrincipalTag/Cluster', 'aws:UserAgent']);
  });

  it('finds statements again in the text of their document', () => {
    const text = `{ "Statement" : [ {"Sid":"No","Effect":"Deny","Action":"iam:*","Resource":"*"} ,\n ${JSON.stringify(allow)} ]}`;
    const policy = compileIdentityPolicy('p', parseIdentityPolicy(text));
    const [match] = explain({ identity: [policy] }).matched;
    expect(text.slice(match!.span.start, match!.span.end)).toBe(JSON.stringify(allow));
  });
});

describe('the one thing that is needed', () => {
  const named = (statement: object, kind: 'trust' | 'resource'): Partial<PolicySet> => {
    const policy: CompiledPolicy =
      kind === 'trust'
        ? compileTrustPolicy(parseTrustPolicy(document(statement)), 'role reader')
        : compileResourcePolicy(parseResourcePolicy(document(statement)), 'cluster c');
    return { resource: { kind, policy, ids: undefined } };
  };
  it.each<[string, Partial<PolicySet>, string]>([
    ['no policy', {}, `A policy of ${ALICE} needs a statement that allows dsql:DbConnect on ${CLUSTER}.`],
    [
      'a statement about another action',
      { identity: [own({ ...allow, Action: 'dsql:GetCluster' })] },
      `A policy of ${ALICE} needs a statement that allows dsql:DbConnect on ${CLUSTER}.`,
    ],
    [
      'another resource',
      { identity: [own({ ...allow, Resource: `${CLUSTER}x` })] },
      `Statement S of policy p of user alice allows dsql:DbConnect, but not on ${CLUSTER}: add it to its Resource.`,
    ],
    [
      'another resource, in a policy of AWS',
      { identity: [own({ ...allow, Resource: `${CLUSTER}x` }, 'arn:aws:iam::aws:policy/X')] },
      `A policy of ${ALICE} needs a statement that allows dsql:DbConnect on ${CLUSTER}.`,
    ],
    [
      'a condition on an absent key',
      { identity: [own({ ...allow, Condition: { StringEquals: { 'aws:PrincipalTag/a': ['x', 'y'] } } })] },
      'Statement S of policy p of user alice allows dsql:DbConnect only where StringEquals aws:PrincipalTag/a "x", "y" holds; the request does not have it.',
    ],
    [
      'a condition on another value',
      { identity: [own({ ...allow, Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } } })] },
      'Statement S of policy p of user alice allows dsql:DbConnect only where IpAddress aws:SourceIp "10.0.0.0/8" holds; the request has "192.0.2.1".',
    ],
    [
      'no Deny',
      { identity: [own(allow), own({ ...allow, Effect: 'Deny' }, 'group devs')] },
      `Statement S of policy p of group devs denies dsql:DbConnect on ${CLUSTER}: remove it, or narrow it so that it does not match.`,
    ],
    [
      'a boundary',
      { identity: [own(allow)], boundary: [own({ ...allow, Action: 'iam:*' }, 'arn:aws:iam::123456789012:policy/b')] },
      `The permissions boundary of ${ALICE}, policy arn:aws:iam::123456789012:policy/b, needs a statement that allows dsql:DbConnect on ${CLUSTER}.`,
    ],
    [
      'a session policy',
      { identity: [own(allow)], session: [] },
      `The session must be started with a session policy that has a statement that allows dsql:DbConnect on ${CLUSTER}.`,
    ],
    [
      'the trust of the role',
      named({ Sid: 'T', Effect: 'Allow', Principal: { AWS: '999999999999' }, Action: 'sts:AssumeRole' }, 'trust'),
      `The trust policy of role reader needs a statement that allows dsql:DbConnect to ${ALICE}.`,
    ],
    [
      'no Deny of the cluster',
      { identity: [own(allow)], ...named({ ...allow, Sid: 'C', Effect: 'Deny', Principal: '*' }, 'resource') },
      `Statement C of the resource policy of cluster c denies dsql:DbConnect on ${CLUSTER}: remove it, or narrow it so that it does not match.`,
    ],
  ])('%s', (_, set, expected) => {
    expect(explain(set, { 'aws:sourceip': ['192.0.2.1'] }).needed).toBe(expected);
  });

  it('to be named in the trust policy', () => {
    const statement = { Sid: 'T', Effect: 'Allow', Principal: { AWS: '999999999999' }, Action: 'sts:AssumeRole' };
    const policies: PolicySet = {
      identity: [],
      boundary: undefined,
      session: undefined,
      resource: {
        kind: 'trust',
        policy: compileTrustPolicy(parseTrustPolicy(document(statement)), 'role reader'),
        ids: {},
      },
    };
    const question = { action: 'sts:AssumeRole', resource: 'arn:aws:iam::123456789012:role/reader', caller: CALLER };
    expect(evaluate(policies, { ...question, context: contextOf({}) }).explain().needed).toBe(
      `Statement T of the trust policy of role reader must name ${ALICE} as Principal.`,
    );
  });

  it('shows no more than a few values', () => {
    const many = Array.from({ length: 9 }, (_, i) => `v${i}`);
    const policy = own({ ...allow, Condition: { StringEquals: { 'a:b': [...many, 'x'.repeat(1000)] } } });
    expect(explain({ identity: [policy] }, { 'a:b': ['y'.repeat(1000)] }).needed!.length).toBeLessThan(400);
  });
});

it('lists the context keys that policies refer to', () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: policy variables.
  const Resource = ['arn:aws:s3:::${aws:username}/${*}', "arn:aws:s3:::${aws:PrincipalTag/team, 'x'}"];
  const Condition = {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a policy variable.
    StringLike: { 'aws:UserAgent': '${aws:userid}*' },
    NumericEquals: { 'A:n': 1 },
    'ForAnyValue:StringEquals': { 'AWS:USERAGENT': 'x' },
  };
  const older = compileIdentityPolicy('o', parseIdentityPolicy(JSON.stringify({ Statement: { ...allow, Resource } })));
  expect(contextKeysOf([own({ ...allow, Resource, Condition }), older])).toEqual([
    'aws:username',
    'aws:PrincipalTag/team',
    'aws:UserAgent',
    'aws:userid',
    'A:n',
  ]);
});
