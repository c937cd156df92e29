/** Policy documents and ARNs. */
import {
  nameInArn,
  parsePolicyArn,
  parseRoleArn,
  parseUserArn,
  policyArn,
  roleArn,
  userArn,
} from '../../../src/iam/arn.ts';
import { readAddress, readRange } from '../../../src/iam/policy/addresses.ts';
import type { Caller } from '../../../src/iam/policy/caller.ts';
import {
  type CompiledPolicy,
  compileIdentityPolicy,
  compileResourcePolicy,
  compileTrustPolicy,
} from '../../../src/iam/policy/compile.ts';
import { contextOf } from '../../../src/iam/policy/context.ts';
import { contextKeysOf } from '../../../src/iam/policy/context-keys.ts';
import { evaluate, type PolicySet } from '../../../src/iam/policy/evaluate.ts';
import { parseIdentityPolicy, parseResourcePolicy, parseTrustPolicy } from '../../../src/iam/policy/parse.ts';
import { parsePrincipal } from '../../../src/iam/policy/principal.ts';
import { resourceOf } from '../../../src/iam/resource.ts';
import { Refused } from '../../../src/refused.ts';
import { createMemoryStore } from '../../../src/state/memory-store.ts';
import { allowing, hashOf, must, type Target, utf8 } from '../target.ts';

const USER = 'arn:aws:iam::123456789012:user/u';
const ASKED = {
  action: 's3:GetObject',
  resource: 'arn:aws:s3:::b/u/k',
  caller: {
    kind: 'user',
    account: '123456789012',
    arn: USER,
    principalArn: USER,
    entityId: 'AIDA',
    bounded: false,
  } satisfies Caller,
};
const STATEMENT = {
  Sid: 'S',
  Effect: 'Allow',
  Action: ['s3:Get*', 'sts:AssumeRole'],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: policy variables.
  Resource: "arn:aws:s3:::b/${aws:username}/${a:b, 'c'}*",
  Condition: {
    'ForAnyValue:StringLikeIfExists': { 'aws:TagKeys': ['a*', 'b'] },
    NumericLessThan: { 'a:n': 10 },
    DateGreaterThan: { 'aws:CurrentTime': '2026-03-01T12:00:00Z' },
    Bool: { 'aws:SecureTransport': true },
    NotIpAddress: { 'aws:SourceIp': ['10.0.0.0/8', '2001:db8::/32'] },
    ArnLike: { 'aws:PrincipalArn': 'arn:aws:iam::*:user/*' },
    Null: { 'aws:SourceVpc': 'true' },
  },
};
const { Resource: _, ...trustStatement } = { ...STATEMENT, Action: 'sts:AssumeRole', Principal: { AWS: USER } };
const DOCUMENTS = [
  STATEMENT,
  { ...STATEMENT, Principal: { AWS: ['123456789012', USER], Federated: 'accounts.google.com' } },
  { Effect: 'Deny', NotPrincipal: '*', NotAction: '*', NotResource: '*' },
  trustStatement,
].map((statement) => JSON.stringify({ Version: '2012-10-17', Id: 'i', Statement: [statement] }));
const PIECES = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ',',
  ':',
  '\\u0000',
  '${',
  'null',
  'true',
  '1e9',
  '"Condition"',
  '"Version"',
].concat('"2008-10-17"', '"Principal"', 'Not', 'ForAllValues:', 'IfExists', '*', '?');

const CONTEXTS: Readonly<Record<string, readonly string[]>>[] = [
  {},
  { 'aws:username': ['u'], 'a:b': ['c', ''], 'aws:sourceip': ['10.0.0.1'] },
  { 'aws:username': ['*'], 'a:n': ['9'], 'aws:tagkeys': ['a', 'b', 'x'] },
  { 'a:n': ['true', 'NaN', '1e400'], 'aws:currenttime': ['2027-01-01'], 'aws:sourceip': ['::1', 'x'] },
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a policy variable in a value.
  { 'aws:username': ['${aws:username}'], 'aws:principalarn': [USER], 'aws:sourceip': [] },
];

/** As an identity-based, a resource and a trust policy: each parser refuses or reads, and what is read can be asked. */
export const policy: Target = {
  seeds: DOCUMENTS,
  vocabulary: [...PIECES, '"AWS"', '"*"', '"NotAction"', '"__proto__"', '\\ud800', '"Sid":"S",'],
  check(input) {
    const text = utf8(input);
    const own = allowing(Refused, () => compileIdentityPolicy('p', parseIdentityPolicy(text)));
    const resource = allowing(Refused, () => compileResourcePolicy(parseResourcePolicy(text)));
    const trust = allowing(Refused, () => compileTrustPolicy(parseTrustPolicy(text)));
    const on = (kind: 'resource' | 'trust', policy: CompiledPolicy | undefined): PolicySet['resource'] =>
      policy && { kind, policy, ids: { [USER]: 'AIDA' } };
    const context = contextOf(CONTEXTS[hashOf(input) % CONTEXTS.length]!);
    for (const compiled of [own, resource, trust]) {
      if (!compiled) continue;
      contextKeysOf([compiled]);
      for (const { source } of compiled.statements) {
        must(
          text[source.span.start] === '{' && text[source.span.end - 1] === '}',
          'a statement is where its span says',
        );
      }
    }
    for (const set of [on('resource', resource), on('trust', trust), undefined]) {
      const identity = own ? [own] : [];
      const free = evaluate(
        { identity, boundary: undefined, session: undefined, resource: set },
        { ...ASKED, context },
      );
      const limited = evaluate({ identity, boundary: [], session: [], resource: set }, { ...ASKED, context });
      must(!limited.allowed || free.allowed, 'a limit gives nothing');
      must(free.explain().effect === free.effect, 'the explanation is that of the decision');
      must(own !== undefined || set !== undefined || !free.allowed, 'nothing is allowed by no policy');
    }
  },
};

const store = createMemoryStore();

export const arn: Target = {
  seeds: [
    'arn:aws:iam::123456789012:root',
    USER,
    'arn:aws:iam::123456789012:user/division/team/ann@example.com',
    'arn:aws:iam::123456789012:role/aws-service-role/x/r',
    'arn:aws:iam::aws:policy/job-function/Billing',
    'arn:aws:iam::123456789012:policy/p',
    'arn:aws:sts::123456789012:assumed-role/r/s',
    'arn:aws:sts::123456789012:federated-user/bob',
    'arn:aws:iam::123456789012:oidc-provider/accounts.example.com/a',
    'arn:aws:dsql:us-east-1:123456789012:cluster/abcdefghijklmnopqrstuvwxyz',
    '10.0.0.0/8',
    '2001:db8::/32',
    '::ffff:10.0.0.1',
  ],
  vocabulary: [
    'arn:',
    'aws',
    ':',
    '/',
    '//',
    '*',
    '?',
    'role/',
    'user/',
    'policy/',
    '\u0660',
    '\u00e9',
    '::ffff:',
    '/33',
    '%',
  ],
  check(input) {
    const text = utf8(input);
    const user = parseUserArn(text);
    if (user) must(userArn(user.account, user) === text, 'the ARN of a user is that of its parts');
    const role = parseRoleArn(text);
    if (role) must(roleArn(role.account, role) === text, 'the ARN of a role is that of its parts');
    const managed = parsePolicyArn(text);
    if (managed) must(policyArn(managed.owner, managed) === text, 'the ARN of a policy is that of its parts');
    must([user, role, managed].filter((read) => read !== undefined).length <= 1, 'an ARN is of one kind');
    must(!nameInArn(text).includes('/'), 'a name has no slash');
    must(resourceOf(store, '123456789012', text) === undefined, 'an empty account has nothing');
    const [principal] = allowing(Refused, () => parsePrincipal('Principal', new Map([['AWS', text]]))) ?? [];
    if (principal && 'arn' in principal) must(principal.arn === text, 'a principal is the one that was named');
    readAddress(text);
    readRange(text);
  },
};
