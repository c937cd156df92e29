import { beforeAll, describe, expect, it } from 'vitest';
import { createAuthority } from '../../iam/authority.ts';
import type { Iam } from '../../iam/iam.ts';
import type { Identity } from '../../iam/identity.ts';
import { checkInput } from '../../iam/input.ts';
import { createMemoryStore } from '../../state/memory-store.ts';
import type { Need } from '../operation.ts';
import { createIamService } from './iam.ts';

const ACCOUNT = '123456789012';
const arn = (rest: string) => `arn:aws:iam::${ACCOUNT}:${rest}`;
const POLICY = arn('policy/p');
const BOUNDARY = arn('policy/boundary');
const PROVIDER = arn('oidc-provider/token.example.com');
const createdAt = '2026-01-01T00:00:00Z';

const store = createMemoryStore();
await store.change((draft) => {
  const holder = { path: '/x/', createdAt, tags: [], policies: {}, attached: [], boundary: BOUNDARY };
  draft.put('users', 'ann', { ...holder, name: 'Ann', id: 'AIDA1', groups: [] });
  draft.put('roles', 'reader', {
    ...holder,
    name: 'Reader',
    id: 'AROA1',
    description: '',
    maxSessionDuration: 3600,
    trustPolicy: '{}',
    trustPrincipals: {},
  });
  draft.put('groups', 'team', { ...holder, name: 'Team', id: 'AGPA1' });
});

const root: Identity = {
  kind: 'root',
  account: ACCOUNT,
  arn: arn('root'),
  principalArn: arn('root'),
  userId: ACCOUNT,
  accessKeyId: 'AKIA',
  session: undefined,
};
const ann: Identity = { ...root, kind: 'user', arn: arn('user/x/Ann'), principalArn: arn('user/x/Ann') };
const service = createIamService({ store, account: ACCOUNT } as Iam);

function needsOf(name: string, parameters: Record<string, string>, caller = root): readonly Need[] {
  const body = Buffer.from(new URLSearchParams({ Action: name, Version: '2010-05-08', ...parameters }).toString());
  const headers = [['content-type', 'application/x-www-form-urlencoded']] as const;
  const asked = service.ask({ method: 'POST', target: '/', headers, body });
  return asked.operation.needs(checkInput(asked.operation.input, asked.input), caller);
}

const user = { UserName: 'ann' };
const role = { RoleName: 'reader' };
const group = { GroupName: 'team' };
const document = { PolicyName: 'p', PolicyDocument: '{}' };
const tags = {
  'Tags.member.1.Key': 'Team',
  'Tags.member.1.Value': 'a',
  'Tags.member.2.Key': 'env',
  'Tags.member.2.Value': '',
};
const tagContext = { 'aws:requesttag/team': ['a'], 'aws:requesttag/env': [''], 'aws:tagkeys': ['Team', 'env'] };
const bounded = { 'iam:permissionsboundary': [BOUNDARY] };
const untag = { 'TagKeys.member.1': 'Team' };

type Row = [operation: string, parameters: Record<string, string>, needs: [string, string, object?][]];

describe('permission', () => {
  it.each<Row>([
    ['CreateUser', { UserName: 'New', Path: '/y/' }, [['CreateUser', arn('user/y/New')]]],
    [
      'CreateUser',
      { UserName: 'New', PermissionsBoundary: BOUNDARY, ...tags },
      [
        ['CreateUser', arn('user/New'), { ...tagContext, ...bounded }],
        ['TagUser', arn('user/New'), tagContext],
      ],
    ],
    [
      'CreateRole',
      { RoleName: 'New', AssumeRolePolicyDocument: '{}', PermissionsBoundary: BOUNDARY },
      [['CreateRole', arn('role/New'), bounded]],
    ],
    ['GetUser', user, [['GetUser', arn('user/x/Ann')]]],
    ['GetUser', { UserName: 'nobody' }, [['GetUser', arn('user/nobody')]]],
    ['ListUsers', { PathPrefix: '/x' }, [['ListUsers', arn('user/x')]]],
    [
      'UpdateUser',
      { ...user, NewUserName: 'Anna' },
      [
        ['UpdateUser', arn('user/x/Ann')],
        ['UpdateUser', arn('user/x/Anna')],
      ],
    ],
    [
      'UpdateGroup',
      { ...group, NewPath: '/y/' },
      [
        ['UpdateGroup', arn('group/x/Team')],
        ['UpdateGroup', arn('group/y/Team')],
      ],
    ],
    ['CreateGroup', { GroupName: 'New', Path: '/y/' }, [['CreateGroup', arn('group/y/New')]]],
    ['ListGroups', {}, [['ListGroups', arn('group/')]]],
    ['AddUserToGroup', { ...group, ...user }, [['AddUserToGroup', arn('group/x/Team')]]],
    ['RemoveUserFromGroup', { ...group, ...user }, [['RemoveUserFromGroup', arn('group/x/Team')]]],
    ['ListGroupsForUser', user, [['ListGroupsForUser', arn('user/x/Ann')]]],
    ['PutUserPolicy', { ...user, ...document }, [['PutUserPolicy', arn('user/x/Ann'), bounded]]],
    ['DeleteUserPolicy', { ...user, PolicyName: 'p' }, [['DeleteUserPolicy', arn('user/x/Ann'), bounded]]],
    ['GetUserPolicy', { ...user, PolicyName: 'p' }, [['GetUserPolicy', arn('user/x/Ann')]]],
    ['PutRolePolicy', { ...role, ...document }, [['PutRolePolicy', arn('role/x/Reader'), bounded]]],
    ['PutGroupPolicy', { ...group, ...document }, [['PutGroupPolicy', arn('group/x/Team')]]],
    [
      'AttachUserPolicy',
      { ...user, PolicyArn: POLICY },
      [['AttachUserPolicy', arn('user/x/Ann'), { 'iam:policyarn': [POLICY], ...bounded }]],
    ],
    [
      'DetachRolePolicy',
      { ...role, PolicyArn: POLICY },
      [['DetachRolePolicy', arn('role/x/Reader'), { 'iam:policyarn': [POLICY], ...bounded }]],
    ],
    [
      'AttachGroupPolicy',
      { ...group, PolicyArn: POLICY },
      [['AttachGroupPolicy', arn('group/x/Team'), { 'iam:policyarn': [POLICY] }]],
    ],
    ['ListAttachedRolePolicies', role, [['ListAttachedRolePolicies', arn('role/x/Reader')]]],
    [
      'PutUserPermissionsBoundary',
      { ...user, PermissionsBoundary: POLICY },
      [['PutUserPermissionsBoundary', arn('user/x/Ann'), { 'iam:permissionsboundary': [POLICY] }]],
    ],
    ['DeleteRolePermissionsBoundary', role, [['DeleteRolePermissionsBoundary', arn('role/x/Reader'), bounded]]],
    ['TagRole', { ...role, ...tags }, [['TagRole', arn('role/x/Reader'), tagContext]]],
    ['UntagUser', { ...user, ...untag }, [['UntagUser', arn('user/x/Ann'), { 'aws:tagkeys': ['Team'] }]]],
    [
      'CreatePolicy',
      { ...document, Path: '/y/', ...tags },
      [
        ['CreatePolicy', arn('policy/y/p'), tagContext],
        ['TagPolicy', arn('policy/y/p'), tagContext],
      ],
    ],
    ['GetPolicy', { PolicyArn: POLICY }, [['GetPolicy', POLICY]]],
    ['ListPolicies', {}, [['ListPolicies', '*']]],
    ['CreatePolicyVersion', { PolicyArn: POLICY, PolicyDocument: '{}' }, [['CreatePolicyVersion', POLICY]]],
    ['ListEntitiesForPolicy', { PolicyArn: POLICY }, [['ListEntitiesForPolicy', POLICY]]],
    ['UntagPolicy', { PolicyArn: POLICY, ...untag }, [['UntagPolicy', POLICY, { 'aws:tagkeys': ['Team'] }]]],
    [
      'CreateOpenIDConnectProvider',
      { Url: 'https://token.example.com', ...tags },
      [
        ['CreateOpenIDConnectProvider', PROVIDER, tagContext],
        ['TagOpenIDConnectProvider', PROVIDER, tagContext],
      ],
    ],
    ['GetOpenIDConnectProvider', { OpenIDConnectProviderArn: PROVIDER }, [['GetOpenIDConnectProvider', PROVIDER]]],
    ['ListOpenIDConnectProviders', {}, [['ListOpenIDConnectProviders', '*']]],
    [
      'SimulatePrincipalPolicy',
      { PolicySourceArn: arn('user/x/Ann'), 'ActionNames.member.1': 'iam:GetUser' },
      [['SimulatePrincipalPolicy', arn('user/x/Ann')]],
    ],
    [
      'SimulateCustomPolicy',
      { 'PolicyInputList.member.1': '{}', 'ActionNames.member.1': 'iam:GetUser' },
      [['SimulateCustomPolicy', '*']],
    ],
    [
      'GetContextKeysForPrincipalPolicy',
      { PolicySourceArn: arn('user/x/Ann') },
      [['GetContextKeysForPrincipalPolicy', arn('user/x/Ann')]],
    ],
    ['GetAccountSummary', {}, [['GetAccountSummary', '*']]],
    ['GetAccountAuthorizationDetails', {}, [['GetAccountAuthorizationDetails', '*']]],
    ['ListInstanceProfilesForRole', role, [['ListInstanceProfilesForRole', arn('role/x/Reader')]]],
  ])('for %s %j is asked as the reference says', (name, parameters, needs) => {
    const expected = needs.map(([action, resource, context = {}]) => ({ action: `iam:${action}`, resource, context }));
    expect(needsOf(name, parameters)).toEqual(expected);
  });

  it.each(['GetUser', 'ListAccessKeys', 'ListMFADevices'])('for %s without a name is on the caller', (name) => {
    expect(needsOf(name, {}, ann)).toEqual([{ action: `iam:${name}`, resource: arn('user/x/Ann'), context: {} }]);
    expect(needsOf(name, {})).toEqual([{ action: `iam:${name}`, resource: arn('root'), context: {} }]);
  });
});

describe('a condition in a policy', () => {
  const PERMITTED: Record<string, object> = {
    'iam:AttachUserPolicy': { ArnEquals: { 'iam:PolicyARN': POLICY } },
    'iam:CreateUser': { StringEquals: { 'iam:PermissionsBoundary': BOUNDARY } },
    'iam:PutRolePolicy': { StringEquals: { 'iam:PermissionsBoundary': BOUNDARY } },
    'iam:TagRole': {
      StringEquals: { 'aws:RequestTag/team': 'a' },
      'ForAllValues:StringEquals': { 'aws:TagKeys': ['Team', 'env'] },
    },
    'iam:UntagUser': { 'ForAnyValue:StringEquals': { 'aws:TagKeys': 'Team' } },
  };
  const Statement = Object.entries(PERMITTED).map(([Action, Condition]) => ({
    Effect: 'Allow',
    Action,
    Resource: '*',
    Condition,
  }));
  const holder = { path: '/', createdAt, tags: [], attached: [], boundary: null, groups: [] };
  const authority = createAuthority({ store, account: ACCOUNT });
  const clerk: Identity = {
    ...root,
    kind: 'user',
    arn: arn('user/clerk'),
    principalArn: arn('user/clerk'),
    userId: 'AIDA2',
  };

  beforeAll(async () => {
    const policies = { p: JSON.stringify({ Version: '2012-10-17', Statement }) };
    await store.change((draft) => {
      draft.put('account', 'this', {
        account: ACCOUNT,
        region: 'us-east-1',
        createdAt,
        rootAccessKeyId: '',
        defaultClusterId: '',
      });
      draft.put('users', 'clerk', { ...holder, name: 'clerk', id: 'AIDA2', policies });
    });
  });

  it.each<[string, Record<string, string>, boolean]>([
    ['AttachUserPolicy', { ...user, PolicyArn: POLICY }, true],
    ['AttachUserPolicy', { ...user, PolicyArn: BOUNDARY }, false],
    ['CreateUser', { UserName: 'new', PermissionsBoundary: BOUNDARY }, true],
    ['CreateUser', { UserName: 'new', PermissionsBoundary: POLICY }, false],
    ['CreateUser', { UserName: 'new' }, false],
    ['PutRolePolicy', { ...role, ...document }, true],
    ['PutRolePolicy', { RoleName: 'unbound', ...document }, false],
    ['TagRole', { ...role, ...tags }, true],
    ['TagRole', { ...role, ...tags, 'Tags.member.2.Key': 'other' }, false],
    ['TagRole', { ...role, ...tags, 'Tags.member.1.Value': 'b' }, false],
    ['UntagUser', { ...user, ...untag }, true],
    ['UntagUser', { ...user, 'TagKeys.member.1': 'env' }, false],
  ])('hears of %s %j: %s', (name, parameters, allowed) => {
    const decisions = needsOf(name, parameters, clerk).map(({ action, resource, context = {} }) =>
      authority.decide(clerk, { action, resource, context }),
    );
    expect(decisions.map((decision) => decision.allowed)).toEqual([allowed]);
  });
});
