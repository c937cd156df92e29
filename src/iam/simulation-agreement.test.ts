import { beforeEach, describe, expect, it } from 'vitest';
import { createAuthority } from './authority.ts';
import { getContextKeysForPrincipalPolicy } from './context-keys.ts';
import { identityContext } from './decision-context.ts';
import type { Iam } from './iam.ts';
import { namedIdentity } from './named-identity.ts';
import { resourceOf } from './resource.ts';
import { simulatePrincipalPolicy } from './simulation.ts';
import {
  ACCOUNT,
  type Account,
  allow,
  arn,
  CLUSTER,
  deny,
  document,
  ID,
  makeAccount,
  NOW,
  when,
} from './testing-account.ts';

let iam: Iam;
let add: Account['add'];
let addPolicy: Account['addPolicy'];
beforeEach(async () => {
  ({ iam, add, addPolicy } = await makeAccount());
});

interface Result {
  EvalActionName: string;
  EvalDecision: string;
}

const principal = async (input: Parameters<typeof simulatePrincipalPolicy>[1]) =>
  (await simulatePrincipalPolicy(iam, input)).EvaluationResults as Result[];

describe('with the context of a request, the simulated decision', () => {
  const tagged = [{ Key: 'team', Value: 'blue' }];

  beforeEach(async () => {
    const limit = await addPolicy('limit', document(allow(['dsql:*', 's3:*']), deny('s3:Delete*')));
    const managed = await addPolicy('managed', document(allow('dsql:Get*', CLUSTER), allow('s3:Put*', '*')));
    await add('group', 'devs', {
      policies: { g: document(allow('dsql:DbConnect', '*', when('IpAddress', 'aws:SourceIp', '10.0.0.0/8'))) },
      attached: [managed],
    });
    await add('user', 'plain');
    await add('user', 'admin', { attached: ['arn:aws:iam::aws:policy/AdministratorAccess'] });
    await add('user', 'ann', {
      policies: {
        home: document(allow('s3:*', `arn:aws:s3:::home/\${aws:username}/*`)),
        team: document(allow('dsql:DbConnectAdmin', '*', when('StringEquals', 'aws:PrincipalTag/team', 'blue'))),
        never: document(deny('s3:Get*', '*', when('Null', 'aws:TokenIssueTime', 'false'))),
      },
      groups: ['devs'],
      tags: tagged,
    });
    await add('user', 'bounded', { policies: { all: document(allow('*')) }, boundary: limit });
    await add('role', 'reader', {
      policies: {
        r: document(
          allow('s3:*', '*', when('Null', 'aws:username', 'true')),
          deny('*', '*', when('ArnNotLike', 'aws:PrincipalArn', arn('role/*'))),
          allow('dsql:*', '*', when('StringEquals', 'aws:ResourceTag/team', `\${aws:PrincipalTag/team}`)),
        ),
      },
      tags: tagged,
    });
    await add('role', 'limited', { policies: { all: document(allow('*')) }, boundary: limit });
  });

  const PRINCIPALS = ['user/plain', 'user/admin', 'user/ann', 'user/bounded', 'role/reader', 'role/limited'];
  const ACTIONS = [
    'dsql:DbConnect',
    'dsql:DbConnectAdmin',
    'dsql:GetCluster',
    's3:GetObject',
    's3:DeleteObject',
    'iam:GetUser',
  ];
  const RESOURCES = [CLUSTER, 'arn:aws:s3:::home/ann/x', 'arn:aws:s3:::home/bob/x', arn('user/ann'), '*'];
  const REQUESTS: Record<string, readonly string[]>[] = [
    {},
    { 'aws:sourceip': ['10.1.2.3'] },
    { 'aws:sourceip': ['192.0.2.1'] },
  ];
  const POLICIES: [string, string | undefined][] = [
    ['none', undefined],
    [
      'to the user',
      document({ Effect: 'Allow', Principal: { AWS: arn('user/plain') }, Action: 'dsql:*', Resource: '*' }),
    ],
    ['to all', document({ Effect: 'Allow', Principal: '*', Action: ['dsql:*', 'iam:*'], Resource: '*' })],
    [
      'to nobody from outside',
      document({
        Effect: 'Deny',
        Principal: '*',
        Action: '*',
        Resource: '*',
        ...when('NotIpAddress', 'aws:SourceIp', '10.0.0.0/8'),
      }),
    ],
  ];

  it.each(POLICIES)('is that of the authority, with the cluster open %s', async (_, policy) => {
    await iam.store.change((draft) => {
      const cluster = draft.get('clusters', ID)!;
      draft.put('clusters', ID, {
        ...cluster,
        tags: { team: 'blue' },
        policy: policy === undefined ? null : { document: policy, version: '1' },
      });
    });
    const authority = createAuthority({ store: iam.store, account: ACCOUNT });
    const seen = new Set<string>();
    for (const source of PRINCIPALS) {
      const PolicySourceArn = arn(source);
      const identity = namedIdentity(iam.store, ACCOUNT, PolicySourceArn, NOW)!;
      const { tags } = source.startsWith('user/')
        ? iam.store.get('users', source.slice(5))!
        : iam.store.get('roles', source.slice(5))!;
      const given = policy === undefined ? [] : [policy];
      const { ContextKeyNames } = await getContextKeysForPrincipalPolicy(iam, { PolicySourceArn });
      const keys = [...ContextKeyNames, ...(given.length > 0 ? ['aws:SourceIp'] : [])];
      for (const resource of RESOURCES) {
        // Resource policies are simulated for users only, and stand on clusters only.
        const isOpen = given.length > 0 && resource === CLUSTER;
        if (isOpen && !source.startsWith('user/')) continue;
        for (const request of REQUESTS) {
          const asked = (action: string) => ({ action, resource, context: request });
          const named = resourceOf(iam.store, ACCOUNT, resource);
          const context = identityContext(identity, tags, named, asked(''));
          const found = new Map(keys.map((key) => [key.toLowerCase(), context.get(key.toLowerCase())]));
          const results = await principal({
            PolicySourceArn,
            ActionNames: ACTIONS,
            ResourceArns: [resource],
            ContextEntries: [...found].flatMap(([ContextKeyName, values]) =>
              values ? [{ ContextKeyName, ContextKeyType: 'stringList' as const, ContextKeyValues: values }] : [],
            ),
            ...(isOpen && { ResourcePolicy: given[0]! }),
          });
          for (const result of results) {
            const { effect } = authority.decide(identity, asked(result.EvalActionName));
            const simulated = result.EvalDecision.replace('D', '-d').replace('Deny', 'deny');
            expect(`${source} ${result.EvalActionName} ${resource}: ${simulated}`).toBe(
              `${source} ${result.EvalActionName} ${resource}: ${effect}`,
            );
            seen.add(effect);
          }
        }
      }
    }
    expect([...seen].sort()).toEqual(['allowed', 'explicit-deny', 'implicit-deny']);
  });
});
