import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import type { Log } from '../audit/log.ts';
import { bootstrapAccount } from '../iam/bootstrap.ts';
import { createKeyUses } from '../iam/key-uses.ts';
import { createKeyRing } from '../iam/keys.ts';
import { createMemoryStore } from '../state/memory-store.ts';
import type { ClusterRecord } from '../state/records.ts';
import { createSealer } from '../state/sealing.ts';
import type { Store } from '../state/store.ts';
import { clusterRecord } from '../state/testing-records.ts';
import { createSessionMaker } from '../sts/session-token.ts';
import { applyDeclaration } from './apply.ts';
import type { ClusterOperations } from './clusters.ts';
import type { Declaration } from './declaration.ts';

const ACCOUNT = '123456789012';
const CLUSTER = 'd'.repeat(26);
const folder = mkdtempSync(join(tmpdir(), 'postern-declared-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const sealer = createSealer(randomBytes(32));
let store: Store;
let changes: string[];
beforeEach(async () => {
  store = createMemoryStore();
  changes = [];
  await bootstrapAccount(store, sealer, {
    account: ACCOUNT,
    region: 'us-east-1',
    clusterId: CLUSTER,
    now: new Date(),
    random: randomBytes,
  });
});

/** A control plane that does as it is told. */
const operations: ClusterOperations = {
  async create(region, { clientToken, deletionProtection = true }) {
    const id = randomBytes(13).toString('hex');
    const madeBy = { clientToken, digest: '' };
    const record = clusterRecord(id, { region, deletionProtection, madeBy, status: 'CREATING' });
    await store.change((draft) => draft.put('clusters', id, record));
    return id;
  },
  settled: (id) => put(id, { status: 'ACTIVE' }),
  protect: ({ id }, deletionProtection) => put(id, { deletionProtection }),
  tag: ({ id, tags }, more) => put(id, { tags: { ...tags, ...more } }),
  putPolicy: ({ id }, document) => put(id, { policy: { document, version: '1' } }),
};

function put(id: string, changes: Partial<ClusterRecord>): Promise<void> {
  return store.change((draft) => draft.put('clusters', id, { ...draft.get('clusters', id)!, ...changes }));
}

async function apply(content: Declaration, env: NodeJS.ProcessEnv = {}): Promise<string[]> {
  changes = [];
  const log = { info: ({ path }: { path: string }) => void changes.push(path) } as unknown as Log;
  await applyDeclaration({
    source: { file: 'postern.json', folder, content },
    iam: { store, sealer, account: ACCOUNT, now: () => new Date(), random: randomBytes, keyUses: createKeyUses() },
    places: { operations, defaultClusterId: CLUSTER, regions: ['us-east-1'] },
    inDatabase: () => Promise.reject(new Error('nobody asked for a database')),
    env,
    log,
    audit: { record: () => undefined },
  });
  return changes;
}

const allow = (action: string, resource = '*') => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: action, Resource: resource }],
});
const trust = (arn: string) => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { AWS: arn }, Action: 'sts:AssumeRole' }],
});
const arn = (name: string) => `arn:aws:iam::${ACCOUNT}:${name}`;
/* biome-ignore lint/suspicious/noTemplateCurlyInString: placeholders of the file. */
const [ROOT, OWN_CLUSTER] = ['arn:aws:iam::${postern:account}:root', '${postern:cluster.default.arn}'];

const WHOLE = {
  clusters: [{ name: 'default', tags: { stage: 'test' }, deletionProtection: false }],
  oidcProviders: [{ url: 'https://idp.example', clientIds: ['a'], thumbprints: ['a'.repeat(40)], tags: { k: 'v' } }],
  policies: [{ name: 'connect', document: allow('dsql:DbConnect', OWN_CLUSTER), description: 'x', tags: { k: 'v' } }],
  groups: [
    { name: 'staff', path: '/team/', policies: { list: allow('iam:ListUsers') }, attachedPolicies: ['connect'] },
  ],
  users: [
    {
      name: 'ann',
      path: '/team/',
      tags: { team: 'a' },
      permissionsBoundary: 'connect',
      policies: { own: allow('iam:GetUser') },
      attachedPolicies: ['arn:aws:iam::aws:policy/AmazonAuroraDSQLReadOnlyAccess'],
      groups: ['staff'],
      accessKeys: [{ idFrom: 'ANN_ID', secretFrom: 'ANN_SECRET' }],
    },
  ],
  roles: [
    { name: 'second', trustPolicy: trust(arn('role/first')) },
    {
      name: 'first',
      trustPolicy: trust(ROOT),
      description: 'the first',
      maxSessionDuration: 7200,
      tags: { k: 'v' },
      permissionsBoundary: 'connect',
      policies: { own: allow('dsql:DbConnect') },
      attachedPolicies: ['connect'],
    },
  ],
} satisfies Declaration;
const env = { ANN_ID: 'AKIAIOSFODNN7EXAMPLE', ANN_SECRET: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' };

describe('applying a declaration', () => {
  it('makes everything in the order of what needs what', async () => {
    await apply(WHOLE, env);
    expect(store.get('clusters', CLUSTER)).toMatchObject({ tags: { stage: 'test' }, deletionProtection: false });
    expect(store.get('oidcProviders', arn('oidc-provider/idp.example'))).toMatchObject({ clientIds: ['a'] });
    const policy = store.get('managedPolicies', arn('policy/connect'));
    const document = allow('dsql:DbConnect', `arn:aws:dsql:us-east-1:${ACCOUNT}:cluster/${CLUSTER}`);
    expect(JSON.parse(policy?.versions[0]?.document as string)).toEqual(document);
    expect(store.get('groups', 'staff')).toMatchObject({ path: '/team/', attached: [arn('policy/connect')] });
    expect(store.get('users', 'ann')).toMatchObject({
      path: '/team/',
      tags: [{ Key: 'team', Value: 'a' }],
      boundary: arn('policy/connect'),
      attached: ['arn:aws:iam::aws:policy/AmazonAuroraDSQLReadOnlyAccess'],
      groups: ['staff'],
    });
    expect(store.get('roles', 'first')).toMatchObject({
      description: 'the first',
      maxSessionDuration: 7200,
      boundary: arn('policy/connect'),
      attached: [arn('policy/connect')],
    });
    const second = store.get('roles', 'second');
    expect(second?.trustPrincipals).toEqual({ [arn('role/first')]: store.get('roles', 'first')?.id });
  });

  it('gives a user the key that the environment has, sealed', async () => {
    await apply(WHOLE, env);
    const keys = createKeyRing({ store, sealer, sessions: createSessionMaker({ sealer, random: randomBytes }) });
    const { secret, verdict } = keys.find(env.ANN_ID, undefined, new Date());
    expect(secret).toBe(env.ANN_SECRET);
    expect(verdict).toMatchObject({ valid: true, identity: { arn: arn('user/team/ann') } });
    expect(JSON.stringify([store.all('accessKeys'), changes])).not.toContain(env.ANN_SECRET);
  });

  it('changes nothing the second time', async () => {
    expect((await apply(WHOLE, env)).length).toBeGreaterThan(10);
    expect(await apply(WHOLE, env)).toEqual([]);
  });

  it('leaves alone what is not declared', async () => {
    await apply(WHOLE, env);
    const before = ['users', 'roles', 'groups', 'managedPolicies', 'oidcProviders', 'accessKeys'] as const;
    const rows = before.map((table) => store.all(table));
    expect(await apply({})).toEqual([]);
    const bare = { users: [{ name: 'ann' }], groups: [{ name: 'staff' }], clusters: [{ name: 'default' }] };
    expect(await apply(bare)).toEqual([]);
    expect(before.map((table) => store.all(table))).toEqual(rows);
  });

  it.each<[string, (draft: Parameters<Parameters<Store['change']>[0]>[0]) => void, string[]]>([
    [
      'a tag',
      (draft) => draft.put('users', 'ann', { ...draft.get('users', 'ann')!, tags: [{ Key: 'team', Value: 'b' }] }),
      ['declare.users[0].tags'],
    ],
    [
      'a boundary',
      (draft) => draft.put('users', 'ann', { ...draft.get('users', 'ann')!, boundary: null }),
      ['declare.users[0].permissionsBoundary'],
    ],
    [
      'a membership, an attachment and a path',
      (draft) => draft.put('users', 'ann', { ...draft.get('users', 'ann')!, groups: [], attached: [], path: '/' }),
      ['declare.users[0].path', 'declare.users[0].attachedPolicies[0]', 'declare.users[0].groups[0]'],
    ],
    [
      'an inline policy',
      (draft) => draft.put('groups', 'staff', { ...draft.get('groups', 'staff')!, policies: {}, path: '/' }),
      ['declare.groups[0].path', 'declare.groups[0].policies.list'],
    ],
    [
      'a key that is inactive',
      (draft) => draft.put('accessKeys', env.ANN_ID, { ...draft.get('accessKeys', env.ANN_ID)!, active: false }),
      ['declare.users[0].accessKeys[0]'],
    ],
    [
      'the settings of a role',
      (draft) =>
        draft.put('roles', 'first', { ...draft.get('roles', 'first')!, description: 'y', maxSessionDuration: 3600 }),
      ['declare.roles[1]'],
    ],
    [
      'a trust policy',
      (draft) =>
        draft.put('roles', 'first', {
          ...draft.get('roles', 'first')!,
          trustPolicy: JSON.stringify(trust(arn('user/team/ann'))),
        }),
      ['declare.roles[1].trustPolicy'],
    ],
    [
      'whom a role trusts, when that one was made again',
      (draft) => draft.put('roles', 'first', { ...draft.get('roles', 'first')!, id: 'AROAAAAAAAAAAAAAAAAA2' }),
      ['declare.roles[0].trustPolicy'],
    ],
    [
      'a managed policy',
      (draft) => {
        const policy = draft.get('managedPolicies', arn('policy/connect'))!;
        const versions = [1, 2, 3, 4, 5].map((n) => ({
          id: `v${n}`,
          document: JSON.stringify(allow(`dsql:Get${n}`)),
          createdAt: policy.createdAt,
        }));
        const changed = { ...policy, versions, defaultVersion: 'v1', lastVersion: 5 };
        draft.put('managedPolicies', arn('policy/connect'), changed);
      },
      ['declare.policies[0].document'],
    ],
    [
      'an OpenID Connect provider',
      (draft) => {
        const key = arn('oidc-provider/idp.example');
        draft.put('oidcProviders', key, {
          ...draft.get('oidcProviders', key)!,
          clientIds: [],
          thumbprints: [],
          tags: [],
        });
      },
      [
        'declare.oidcProviders[0].clientIds[0]',
        'declare.oidcProviders[0].thumbprints',
        'declare.oidcProviders[0].tags',
      ],
    ],
    [
      'a cluster',
      (draft) =>
        draft.put('clusters', CLUSTER, {
          ...draft.get('clusters', CLUSTER)!,
          tags: { x: 'y' },
          deletionProtection: true,
        }),
      ['declare.clusters[0].deletionProtection', 'declare.clusters[0].tags'],
    ],
  ])('sets right what has drifted: %s', async (_, drift, paths) => {
    await apply(WHOLE, env);
    await store.change(drift);
    expect(await apply(WHOLE, env)).toEqual(paths);
    expect(await apply(WHOLE, env)).toEqual([]);
  });

  it('makes clusters, finds them again by what they were made with, and says their names where they are needed', async () => {
    const principal = { AWS: arn('root') };
    const Statement = { Effect: 'Allow', Principal: principal, Action: 'dsql:*', Resource: '*' };
    const whole = {
      clusters: [{ name: 'orders', tags: { a: 'b' }, policy: { Version: '2012-10-17', Statement } }],
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a placeholder of the file.
      policies: [{ name: 'p', document: allow('dsql:DbConnect', '${postern:cluster.orders.arn}') }],
    };
    expect(await apply(whole)).toEqual([
      'declare.clusters[0]',
      'declare.clusters[0].tags',
      'declare.policies[0]',
      'declare.clusters[0].policy',
    ]);
    expect(await apply(whole)).toEqual([]);
    const [made, ...others] = store.all('clusters').filter(({ id }) => id !== CLUSTER);
    expect(others).toEqual([]);
    expect(made).toMatchObject({ region: 'us-east-1', deletionProtection: true, tags: { a: 'b' } });
    const policy = store.get('managedPolicies', arn('policy/p'))?.versions[0]?.document;
    expect(policy).toContain(`"arn:aws:dsql:us-east-1:${ACCOUNT}:cluster/${made?.id}"`);
  });

  it('goes back to an old version of a policy rather than making the same again', async () => {
    const policies = (action: string) => ({ policies: [{ name: 'p', document: allow(action) }] });
    for (const action of ['dsql:GetCluster', 'dsql:ListClusters', 'dsql:GetCluster']) await apply(policies(action));
    const policy = store.get('managedPolicies', arn('policy/p'));
    expect([policy?.versions.length, policy?.defaultVersion]).toEqual([2, 'v1']);
  });

  it('reads policies from files beside the declaration', async () => {
    writeFileSync(join(folder, 'trust.json'), JSON.stringify(trust(ROOT)));
    await apply({ roles: [{ name: 'r', trustPolicy: 'trust.json' }] });
    expect(JSON.parse(store.get('roles', 'r')?.trustPolicy as string)).toEqual(trust(arn('root')));
  });

  it.each<[string, Declaration, string | RegExp]>([
    [
      'a policy that is none',
      { roles: [{ name: 'r', trustPolicy: { Version: '2012-10-17', Statement: [] } }] },
      /declare\.roles\[0\]\.trustPolicy: /,
    ],
    [
      'somebody to trust who is not there',
      { roles: [{ name: 'r', trustPolicy: trust(arn('user/nobody')) }] },
      /declare\.roles\[0\]\.trustPolicy: Invalid principal in policy/,
    ],
    [
      'roles that trust each other',
      {
        roles: [
          { name: 'a', trustPolicy: trust(arn('role/b')) },
          { name: 'b', trustPolicy: trust(arn('role/a')) },
        ],
      },
      /declare\.roles\[0\]\.trustPolicy: Invalid principal/,
    ],
    [
      'an inline policy with an unknown element',
      { users: [{ name: 'u', policies: { 'my policy': { Version: '2012-10-17', Statements: [] } } }] },
      /declare\.users\[0\]\.policies\["my policy"\]: /,
    ],
    [
      'a policy that is not there',
      { users: [{ name: 'u', attachedPolicies: ['nothing'] }] },
      `declare.users[0].attachedPolicies[0]: Policy ${arn('policy/nothing')} does not exist or is not attachable.`,
    ],
    [
      'a group that is not there',
      { users: [{ name: 'u', groups: ['x'] }] },
      'declare.users[0].groups[0]: The group with name x cannot be found.',
    ],
    ['a name that IAM refuses', { users: [{ name: 'a/b' }] }, /declare\.users\[0\]: 1 validation error detected/],
    [
      'a key that is not in the environment',
      { users: [{ name: 'u', accessKeys: [{ idFrom: 'NO_ID', secretFrom: 'NO_SECRET' }] }] },
      'declare.users[0].accessKeys[0].idFrom: the variable NO_ID is not set',
    ],
    [
      'a placeholder that means nothing',
      { roles: [{ name: 'r', trustPolicy: trust('arn:aws:iam::$' + '{postern:acount}:root') }] },
      'declare.roles[0].trustPolicy: $' + '{postern:acount} means nothing',
    ],
    [
      'a policy file that is not there',
      { roles: [{ name: 'r', trustPolicy: 'none.json' }] },
      /declare\.roles\[0\]\.trustPolicy: none\.json: ENOENT/,
    ],
    [
      'a region that is not served',
      { clusters: [{ name: 'c', region: 'eu-west-1' }] },
      'declare.clusters[0].region: eu-west-1 is not served (--additional-region eu-west-1)',
    ],
    [
      'the default cluster elsewhere',
      { clusters: [{ name: 'default', region: 'eu-west-1' }] },
      'declare.clusters[0].region: the default cluster is in us-east-1 (--region)',
    ],
  ])('names the file and the path of what is refused: %s', async (_, content, message) => {
    const told = await apply(content).then(
      () => undefined,
      (error: Error) => [error.name, error.message],
    );
    const expected = typeof message === 'string' ? `postern.json: ${message}` : expect.stringMatching(message);
    expect(told).toEqual(['ConfigurationError', expected]);
  });

  it('moves no role and no policy', async () => {
    const declared = (path: string) => ({ roles: [{ name: 'r', path, trustPolicy: trust(ROOT) }] });
    await apply(declared('/a/'));
    await expect(apply(declared('/b/'))).rejects.toThrow(
      'declare.roles[0].path: it is there with the path /a/, which cannot be changed',
    );
  });

  it('takes no key of somebody else', async () => {
    const user = (name: string) => ({
      users: [{ name, accessKeys: [{ idFrom: 'ANN_ID', secretFrom: 'ANN_SECRET' }] }],
    });
    await apply(user('ann'), env);
    await expect(apply(user('bob'), env)).rejects.toThrow(/accessKeys\[0\]: The Access Key .* is another user's/);
    const { rootAccessKeyId } = store.get('account', 'this')!;
    await expect(apply(user('ann'), { ...env, ANN_ID: rootAccessKeyId })).rejects.toThrow(/is another user's/);
    await expect(apply(user('ann'), { ...env, ANN_SECRET: 'short' })).rejects.toThrow(
      /accessKeys\[0\]: The secret access key of AKIAIOSFODNN7EXAMPLE is none: 40 to 128/,
    );
  });
});
