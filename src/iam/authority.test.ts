import { describe, expect, it } from 'vitest';
import { createMemoryStore } from '../state/memory-store.ts';
import type { ClusterRecord, GroupRecord, ManagedPolicyRecord, RoleRecord, UserRecord } from '../state/records.ts';
import type { Draft } from '../state/store.ts';
import { createAuthority } from './authority.ts';
import { type Identity, PLAIN_GRANT, type SessionFacts } from './identity.ts';

const ACCOUNT = '123456789012';
const ID = 'abcdefghijklmnopqrstuvwxyz';
const CLUSTER = `arn:aws:dsql:us-east-1:${ACCOUNT}:cluster/${ID}`;
const createdAt = '2026-01-01T00:00:00.000Z';
const iam = (rest: string) => `arn:aws:iam::${ACCOUNT}:${rest}`;
const ADMINISTRATOR = 'arn:aws:iam::aws:policy/AdministratorAccess';

function document(statement: object | object[]): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: statement });
}
const on = (Effect: 'Allow' | 'Deny', Action: string | string[] = '*', more: object = {}) => ({
  Sid: Effect,
  Effect,
  Action,
  Resource: '*',
  ...more,
});
const allow = (action?: string | string[], more?: object) => document(on('Allow', action, more));

const alice: UserRecord = {
  name: 'alice',
  id: 'AIDAALICE',
  path: '/',
  createdAt,
  tags: [{ Key: 'Team', Value: 'red' }],
  policies: {},
  attached: [],
  boundary: null,
  groups: [],
};
const reader: RoleRecord = {
  name: 'reader',
  id: 'AROAREADER',
  path: '/team/',
  createdAt,
  description: '',
  maxSessionDuration: 3600,
  trustPolicy: document({ Effect: 'Allow', Principal: { AWS: iam('user/alice') }, Action: 'sts:AssumeRole' }),
  trustPrincipals: { [iam('user/alice')]: 'AIDAALICE' },
  tags: [
    { Key: 'team', Value: 'red' },
    { Key: 'stage', Value: 'test' },
  ],
  policies: {},
  attached: [],
  boundary: null,
};
const CLUSTER_RECORD: ClusterRecord = {
  id: ID,
  region: 'us-east-1',
  createdAt,
  status: 'ACTIVE',
  deletionProtection: false,
  tags: {},
  policy: null,
  kmsKey: null,
  multiRegion: null,
  database: ID,
  madeBy: null,
};
const READER = iam('role/team/reader');
const devs: GroupRecord = { name: 'devs', id: 'AGPADEVS', path: '/', createdAt, policies: {}, attached: [] };

const session = (facts: Partial<SessionFacts> = {}): SessionFacts => ({
  issuedAt: new Date(createdAt),
  expiresAt: new Date('2026-01-01T01:00:00Z'),
  ...PLAIN_GRANT,
  issuer: undefined,
  ...facts,
});

const identities = {
  root: { kind: 'root', account: ACCOUNT, arn: iam('root'), principalArn: iam('root'), userId: ACCOUNT },
  alice: {
    kind: 'user',
    account: ACCOUNT,
    arn: iam('user/alice'),
    principalArn: iam('user/alice'),
    userId: 'AIDAALICE',
  },
  reader: {
    kind: 'role-session',
    account: ACCOUNT,
    arn: `arn:aws:sts::${ACCOUNT}:assumed-role/reader/one`,
    principalArn: READER,
    userId: 'AROAREADER:one',
  },
  guest: {
    kind: 'federated-user',
    account: ACCOUNT,
    arn: `arn:aws:sts::${ACCOUNT}:federated-user/guest`,
    principalArn: `arn:aws:sts::${ACCOUNT}:federated-user/guest`,
    userId: `${ACCOUNT}:guest`,
  },
} as const satisfies Record<string, Omit<Identity, 'accessKeyId' | 'session'>>;

function who(name: keyof typeof identities, facts?: Partial<SessionFacts>): Identity {
  const issuer = name === 'guest' ? { issuer: iam('user/alice') } : {};
  const temporary = name === 'reader' || name === 'guest' || facts;
  return {
    ...identities[name],
    accessKeyId: 'AKIA',
    session: temporary ? session({ ...issuer, ...facts }) : undefined,
  };
}

function managed(name: string, text: string): [string, ManagedPolicyRecord] {
  const record = {
    name,
    id: `ANPA${name}`,
    path: '/',
    description: '',
    createdAt,
    updatedAt: createdAt,
    tags: [],
    versions: [
      { id: 'v1', document: document(on('Deny')), createdAt },
      { id: 'v2', document: text, createdAt },
    ],
    defaultVersion: 'v2',
    lastVersion: 2,
  };
  return [iam(`policy/${name}`), record];
}

interface World {
  user?: Partial<UserRecord>;
  role?: Partial<RoleRecord>;
  group?: Partial<GroupRecord>;
  managed?: Record<string, string>;
  clusterPolicy?: string;
  more?: (draft: Draft) => void;
}

async function authorityOf(world: World) {
  const store = createMemoryStore();
  await store.change((draft) => {
    const account = { account: ACCOUNT, region: 'us-east-1', createdAt, rootAccessKeyId: 'AKIA', defaultClusterId: ID };
    draft.put('account', 'this', account);
    draft.put('users', 'alice', { ...alice, ...world.user });
    draft.put('roles', 'reader', { ...reader, ...world.role });
    if (world.group) draft.put('groups', 'devs', { ...devs, ...world.group });
    for (const [name, text] of Object.entries(world.managed ?? {})) {
      draft.put('managedPolicies', ...managed(name, text));
    }
    const policy = world.clusterPolicy === undefined ? null : { document: world.clusterPolicy, version: '1' };
    const tags = { Team: 'red' };
    draft.put('clusters', ID, {
      ...CLUSTER_RECORD,
      tags,
      policy,
    });
    world.more?.(draft);
  });
  return { store, authority: createAuthority({ store, account: ACCOUNT }) };
}

async function decide(
  world: World,
  caller: Identity,
  action = 'dsql:DbConnect',
  resource = CLUSTER,
  context: Record<string, string[]> = {},
) {
  const { authority } = await authorityOf(world);
  return authority.decide(caller, { action, resource, context });
}

describe('the policies of a user', () => {
  it.each<[string, World, string]>([
    ['inline', { user: { policies: { p: allow() } } }, 'user alice'],
    [
      'managed, in their default version',
      { user: { attached: [iam('policy/m')] }, managed: { m: allow() } },
      iam('policy/m'),
    ],
    ["AWS's own", { user: { attached: [ADMINISTRATOR] } }, ADMINISTRATOR],
    ['inline of a group', { user: { groups: ['devs'] }, group: { policies: { p: allow() } } }, 'group devs'],
    [
      'managed of a group',
      { user: { groups: ['devs'] }, group: { attached: [iam('policy/m')] }, managed: { m: allow() } },
      iam('policy/m'),
    ],
  ])('are those that are %s', async (_, world, origin) => {
    const decision = await decide(world, who('alice'));
    expect(decision.allowed).toBe(true);
    expect(decision.matched).toMatchObject([{ kind: 'identity', origin, effect: 'Allow' }]);
  });

  it('are no policies of others', async () => {
    const world = { user: { policies: { p: allow() } }, group: { policies: { p: allow() } } };
    expect((await decide(world, who('reader'))).effect).toBe('implicit-deny');
    expect((await decide({ group: { policies: { p: allow() } } }, who('alice'))).effect).toBe('implicit-deny');
  });

  it('follow what is put, at once', async () => {
    const { store, authority } = await authorityOf({ user: { policies: { p: allow() } } });
    const ask = () => authority.decide(who('alice'), { action: 'dsql:DbConnect', resource: CLUSTER, context: {} });
    expect(ask().allowed).toBe(true);
    await store.change((draft) => draft.put('users', 'alice', { ...alice, policies: { p: document(on('Deny')) } }));
    expect(ask().effect).toBe('explicit-deny');
    await store.change((draft) => draft.put('users', 'alice', { ...alice, id: 'AIDAOTHER', policies: { p: allow() } }));
    expect(ask()).toMatchObject({ allowed: false, because: expect.stringContaining('does not exist any more') });
  });
});

describe('limits', () => {
  const all = { p: allow() };
  it('a boundary limits users and roles', async () => {
    const world = { policies: all, boundary: iam('policy/b') };
    const policies = { b: allow('dsql:DbConnect') };
    for (const name of ['alice', 'reader'] as const) {
      const given = { user: world, role: world, managed: policies };
      expect((await decide(given, who(name))).allowed).toBe(true);
      expect(await decide(given, who(name), 'dsql:DbConnectAdmin')).toMatchObject({
        effect: 'implicit-deny',
        limit: 'boundary',
      });
    }
  });

  it('session policies limit the session, inline and managed ones together', async () => {
    const world = { role: { policies: all }, managed: { s: allow('dsql:GetCluster') } };
    const caller = who('reader', { policies: [allow('dsql:DbConnect')], policyArns: [iam('policy/s')] });
    expect((await decide(world, caller)).allowed).toBe(true);
    expect((await decide(world, caller, 'dsql:GetCluster')).allowed).toBe(true);
    expect(await decide(world, caller, 'dsql:DeleteCluster')).toMatchObject({
      effect: 'implicit-deny',
      limit: 'session',
    });
    expect((await decide(world, who('reader'), 'dsql:DeleteCluster')).allowed).toBe(true);
    expect((await decide(world, who('reader', { policies: [] }))).limit).toBe('session');
  });

  it('a federated user has what its issuer and its session policies allow', async () => {
    const world = { user: { policies: { p: allow(['dsql:DbConnect', 'dsql:GetCluster']) } } };
    const caller = who('guest', { policies: [allow(['dsql:DbConnect', 'iam:GetUser'])] });
    expect((await decide(world, caller)).allowed).toBe(true);
    expect((await decide(world, caller, 'dsql:GetCluster')).limit).toBe('session');
    expect((await decide(world, caller, 'iam:GetUser', iam('user/alice'))).limit).toBe('identity');
    expect((await decide(world, who('guest'))).limit).toBe('session');
  });

  it('a federated user of the root user is limited by its session policies alone', async () => {
    const caller = who('guest', { policies: [allow('dsql:DbConnect')], issuer: iam('root') });
    expect((await decide({}, caller)).allowed).toBe(true);
    expect((await decide({}, caller, 'dsql:GetCluster')).limit).toBe('session');
  });

  it('a federated user whose issuer is gone may do nothing', async () => {
    const caller = who('guest', { policies: [allow()], issuer: iam('user/nobody') });
    expect((await decide({}, caller)).because).toContain('does not exist any more');
    expect((await decide({}, who('guest', { policies: [allow()], issuer: undefined }))).allowed).toBe(false);
  });
});

describe('a policy that is gone or cannot be read', () => {
  const gone = iam('policy/gone');
  const all = { p: allow() };
  const named = document({ Effect: 'Allow', Principal: { AWS: iam('user/alice') }, Action: '*', Resource: '*' });
  it.each<[string, World, Identity, string]>([
    ['attached', { user: { policies: all, attached: [gone] } }, who('alice'), 'identity'],
    ['inline', { user: { policies: { ...all, q: '{' } } }, who('alice'), 'identity'],
    ['group', { user: { policies: all, groups: ['nobody'] } }, who('alice'), 'identity'],
    [
      'inline of a group',
      { user: { policies: all, groups: ['devs'] }, group: { policies: { q: '{' } } },
      who('alice'),
      'identity',
    ],
    [
      'managed',
      { user: { policies: all, attached: [iam('policy/m')] }, managed: { m: '{}' } },
      who('alice'),
      'identity',
    ],
    ['boundary', { user: { policies: all, boundary: gone }, clusterPolicy: named }, who('alice'), 'boundary'],
    [
      'unreadable boundary',
      { user: { policies: all, boundary: iam('policy/m') }, managed: { m: '{}' } },
      who('alice'),
      'boundary',
    ],
    ['managed session policy', { role: { policies: all } }, who('reader', { policyArns: [gone] }), 'session'],
    ['session policy', { role: { policies: all } }, who('reader', { policies: ['{'] }), 'session'],
    ['cluster policy', { user: { policies: all }, clusterPolicy: '{}' }, who('alice'), 'resource'],
    ['cluster policy, for the root user', { clusterPolicy: '{}' }, who('root'), 'resource'],
  ])('denies everything: %s', async (_, world, caller, limit) => {
    const decision = await decide(world, caller);
    expect(decision).toMatchObject({ allowed: false, effect: 'implicit-deny', limit, matched: [] });
    expect(decision.because).toMatch(/does not exist any more|cannot be read/);
    expect(decision.explain()).toMatchObject({ because: decision.because, needed: expect.stringMatching(/\.$/) });
  });
});

describe('the policy of a cluster', () => {
  const named = (principal: unknown, effect = 'Allow') =>
    document({ Sid: 'C', Effect: effect, Principal: principal, Action: 'dsql:*', Resource: '*' });

  it('allows whom it names', async () => {
    const world = { clusterPolicy: named({ AWS: iam('user/alice') }) };
    expect((await decide(world, who('alice'))).matched).toMatchObject([
      { kind: 'resource', origin: `cluster ${ID}`, statement: 'C' },
    ]);
    expect((await decide(world, who('reader'))).allowed).toBe(false);
    expect((await decide({ clusterPolicy: named({ AWS: READER }) }, who('reader'))).allowed).toBe(true);
    expect((await decide({ clusterPolicy: named({ AWS: identities.reader.arn }) }, who('reader'))).allowed).toBe(true);
    expect((await decide({ clusterPolicy: named({ AWS: identities.guest.arn }) }, who('guest'))).allowed).toBe(true);
  });

  it('is about its cluster only', async () => {
    const world = { clusterPolicy: named('*') };
    expect(
      (await decide(world, who('alice'), 'dsql:DbConnect', CLUSTER.replace('us-east-1', 'eu-west-1'))).allowed,
    ).toBe(false);
    expect((await decide(world, who('alice'), 'dsql:ListClusters', '*')).allowed).toBe(false);
  });

  it('denies the root user too, but never to look at, replace or delete it', async () => {
    const world = { clusterPolicy: named('*', 'Deny') };
    expect(await decide(world, who('root'))).toMatchObject({ effect: 'explicit-deny', limit: 'resource' });
    for (const action of ['dsql:GetClusterPolicy', 'dsql:PutClusterPolicy', 'dsql:DeleteClusterPolicy']) {
      expect((await decide(world, who('root'), action)).allowed).toBe(true);
      expect((await decide({ ...world, user: { policies: { p: allow() } } }, who('alice'), action)).allowed).toBe(
        false,
      );
    }
  });
});

describe('a trust policy', () => {
  const assume = (world: World, caller: Identity, action = 'sts:AssumeRole', role = READER) =>
    decide(world, caller, action, role);

  it('must let the caller in, whatever its own policies say', async () => {
    expect((await assume({}, who('alice'))).allowed).toBe(true);
    const all = { policies: { p: allow() } };
    expect(await assume({ user: all, role: all }, who('reader'))).toMatchObject({ allowed: false, limit: 'trust' });
    expect((await assume({ user: all }, who('alice'), 'sts:TagSession')).limit).toBe('trust');
    expect((await assume({}, who('root'))).limit).toBe('trust');
  });

  it('is that of a role that exists', async () => {
    for (const role of [
      iam('role/reader'),
      iam('role/nobody'),
      '*',
      iam('user/alice'),
      READER.replace(ACCOUNT, '999999999999'),
    ]) {
      expect(await assume({}, who('root'), 'sts:AssumeRole', role)).toMatchObject({ allowed: false, limit: 'trust' });
    }
  });

  it('knows users by their ids', async () => {
    const again = { ...who('alice'), userId: 'AIDANEW' };
    expect((await assume({ user: { id: 'AIDANEW' } }, again)).allowed).toBe(false);
  });

  it('denies everything when it cannot be read', async () => {
    expect(await assume({ role: { trustPolicy: '{' } }, who('alice'))).toMatchObject({
      allowed: false,
      limit: 'trust',
    });
  });

  it('has no say in what is done with a role otherwise, nor in the tags of other sessions', async () => {
    const user = { policies: { p: allow() } };
    expect((await assume({ user }, who('alice'), 'iam:GetRole')).allowed).toBe(true);
    expect((await assume({ user }, who('alice'), 'sts:TagSession', identities.guest.arn)).allowed).toBe(true);
  });

  it('alone decides about web identities', async () => {
    const provider = iam('oidc-provider/id.example.com');
    const trustPolicy = document({
      Effect: 'Allow',
      Principal: { Federated: provider },
      Action: 'sts:AssumeRoleWithWebIdentity',
      Condition: { StringEquals: { 'id.example.com:aud': 'app', 'aws:FederatedProvider': provider } },
    });
    const { authority } = await authorityOf({ role: { trustPolicy } });
    const ask = (claims: Record<string, string[]>, from = provider, resource = READER) =>
      authority.decideTrust(
        { provider: from, claims },
        { action: 'sts:AssumeRoleWithWebIdentity', resource, context: {} },
      );
    const claims = { 'id.example.com:aud': ['app'], 'aws:principalarn': ['arn:forged'] };
    expect(ask(claims)).toMatchObject({ allowed: true, matched: [{ kind: 'trust', origin: 'role reader' }] });
    expect(ask({ 'id.example.com:aud': ['other'] }).limit).toBe('trust');
    expect(ask(claims, `${provider}.evil`).limit).toBe('trust');
    expect(ask(claims, provider, iam('role/nobody')).because).toContain('there is no role');
  });
});

describe('the context that IAM itself knows', () => {
  const facts = {
    sourceIdentity: 'jane',
    federatedProvider: iam('oidc-provider/x.y'),
    claims: { 'x.y:sub': ['s'], 'aws:username': ['forged'] },
  };
  it.each<[string, Identity, Record<string, string | undefined>]>([
    [
      'a user',
      who('alice'),
      {
        'aws:PrincipalArn': iam('user/alice'),
        'aws:PrincipalAccount': ACCOUNT,
        'aws:PrincipalType': 'User',
        'aws:userid': 'AIDAALICE',
        'aws:username': 'alice',
        'aws:PrincipalTag/team': 'red',
        'aws:TokenIssueTime': undefined,
        'aws:SourceIdentity': undefined,
        'aws:MultiFactorAuthPresent': undefined,
        'aws:PrincipalIsAWSService': 'false',
        'aws:ViaAWSService': 'false',
      },
    ],
    [
      'a session of GetSessionToken',
      who('alice', {}),
      { 'aws:username': 'alice', 'aws:PrincipalType': 'User', 'aws:TokenIssueTime': createdAt },
    ],
    [
      'a role session',
      who('reader', { ...facts, tags: [{ Key: 'TEAM', Value: 'blue' }] }),
      {
        'aws:PrincipalArn': READER,
        'aws:PrincipalType': 'AssumedRole',
        'aws:userid': 'AROAREADER:one',
        'aws:username': undefined,
        'aws:PrincipalTag/team': 'blue',
        'aws:PrincipalTag/Stage': 'test',
        'aws:TokenIssueTime': createdAt,
        'aws:SourceIdentity': 'jane',
        'aws:FederatedProvider': iam('oidc-provider/x.y'),
        'x.y:sub': 's',
      },
    ],
    [
      'a federated user',
      who('guest', { tags: [{ Key: 'x', Value: '1' }], policies: [allow()] }),
      {
        'aws:PrincipalArn': identities.guest.arn,
        'aws:PrincipalType': 'FederatedUser',
        'aws:userid': `${ACCOUNT}:guest`,
        'aws:username': undefined,
        'aws:PrincipalTag/team': 'red',
        'aws:PrincipalTag/x': '1',
      },
    ],
  ])('%s', async (_, caller, expected) => {
    for (const [key, value] of Object.entries(expected)) {
      const Condition = value === undefined ? { Null: { [key]: 'true' } } : { StringEquals: { [key]: value } };
      const policies = { p: allow('*', { Condition }) };
      const decision = await decide({ user: { policies }, role: { policies } }, caller);
      expect(decision.allowed, `${key} is ${value}: ${decision.explain().needed}`).toBe(true);
    }
  });

  it('the root user', async () => {
    const named = (Condition: object) =>
      document({ Effect: 'Deny', Principal: '*', Action: '*', Resource: '*', Condition });
    const equal = { 'aws:PrincipalArn': iam('root'), 'aws:PrincipalType': 'Account', 'aws:userid': ACCOUNT };
    expect((await decide({ clusterPolicy: named({ StringEquals: equal }) }, who('root'))).effect).toBe('explicit-deny');
    expect((await decide({ clusterPolicy: named({ Null: { 'aws:username': 'false' } }) }, who('root'))).allowed).toBe(
      true,
    );
  });

  it.each<[string, string, Record<string, string | undefined>]>([
    [
      'cluster',
      CLUSTER,
      { 'aws:ResourceTag/team': 'red', 'aws:ResourceAccount': ACCOUNT, 'iam:ResourceTag/team': undefined },
    ],
    [
      'cluster that does not exist',
      CLUSTER.replace(ID, 'b'.repeat(26)),
      { 'aws:ResourceTag/team': undefined, 'aws:ResourceAccount': undefined },
    ],
    [
      'user',
      iam('user/alice'),
      { 'aws:ResourceTag/team': 'red', 'iam:ResourceTag/Team': 'red', 'aws:ResourceAccount': ACCOUNT },
    ],
    ['role', READER, { 'aws:ResourceTag/stage': 'test', 'iam:ResourceTag/stage': 'test' }],
    ['role under another path', iam('role/reader'), { 'aws:ResourceTag/stage': undefined }],
    ['group', iam('group/devs'), { 'aws:ResourceAccount': ACCOUNT, 'aws:ResourceTag/team': undefined }],
    ['managed policy', iam('policy/m'), { 'aws:ResourceTag/k': undefined, 'aws:ResourceAccount': ACCOUNT }],
    ['no entity', '*', { 'aws:ResourceAccount': undefined }],
  ])('the resource: a %s', async (_, resource, expected) => {
    for (const [key, value] of Object.entries(expected)) {
      const Condition = value === undefined ? { Null: { [key]: 'true' } } : { StringEquals: { [key]: value } };
      const world = { user: { policies: { p: allow('*', { Condition }) } }, group: {}, managed: { m: allow() } };
      const decision = await decide(world, who('alice'), 'iam:Anything', resource);
      expect(decision.allowed, `${key} is ${value}: ${decision.explain().needed}`).toBe(true);
    }
  });

  it('has both values of two tags of a cluster whose keys differ in case only', async () => {
    const Condition = { StringEquals: { 'aws:ResourceTag/team': 'red' } };
    const world = (effect: 'Allow' | 'Deny'): World => ({
      user: {
        policies: { p: document([on('Allow', 'dsql:GetCluster'), on(effect, 'dsql:Db*', { Sid: 'T', Condition })]) },
      },
      more: (draft) => draft.put('clusters', ID, { ...CLUSTER_RECORD, tags: { Team: 'blue', team: 'red' } }),
    });
    expect((await decide(world('Allow'), who('alice'))).effect).toBe('implicit-deny');
    expect((await decide(world('Deny'), who('alice'))).effect).toBe('explicit-deny');
  });

  it('stands before what a front says, and a front says the rest', async () => {
    const Condition = { StringEquals: { 'aws:PrincipalArn': iam('user/alice'), 'aws:UserAgent': 'x' } };
    const world = { user: { policies: { p: allow('*', { Condition }) } } };
    const context = { 'aws:principalarn': ['arn:forged'], 'aws:useragent': ['x'] };
    expect((await decide(world, who('alice'), 'dsql:DbConnect', CLUSTER, context)).allowed).toBe(true);
  });
});

it('denies identities of other accounts, the root user of those too', async () => {
  for (const name of ['root', 'alice', 'reader', 'guest'] as const) {
    const all = { policies: { p: allow() } };
    const caller = { ...who(name), account: '999999999999' };
    expect(await decide({ user: all, role: all }, caller)).toMatchObject({
      allowed: false,
      because: expect.stringContaining('of another account'),
    });
  }
});

it('explains what it decided by, also after that has changed', async () => {
  const { store, authority } = await authorityOf({ user: { policies: { p: allow('dsql:DbConnect') } } });
  const decision = authority.decide(who('alice'), { action: 'dsql:DbConnect', resource: CLUSTER, context: {} });
  await store.change((draft) => draft.put('users', 'alice', { ...alice, policies: {} }));
  expect(decision.explain()).toMatchObject({
    caller: iam('user/alice'),
    effect: 'allowed',
    because: `statement Allow of policy p allows dsql:DbConnect on ${CLUSTER}`,
    needed: undefined,
    policies: [
      { kind: 'identity', name: 'p', origin: 'user alice', statements: [{ statement: 'Allow', matched: true }] },
    ],
  });
});
