import * as dsql from '@aws-sdk/client-dsql';
import * as iam from '@aws-sdk/client-iam';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  ACCOUNT,
  type ApiUnderTest,
  allow,
  CLUSTER_ARN,
  CLUSTER_ID,
  makeUserWithKey,
  REGION,
  refusal,
  startApi,
} from './api-under-test.ts';

const PEER_REGION = 'eu-west-2';
const WITNESS = 'eu-central-1';
const ANY = `arn:aws:dsql:${REGION}:${ACCOUNT}:cluster/*`;

let api: ApiUnderTest;
let home: dsql.DSQLClient;
beforeAll(async () => {
  api = await startApi({ additionalRegions: [PEER_REGION] });
  home = api.dsql();
});
afterAll(() => api.close());

const waiting = (client: dsql.DSQLClient) => ({ client, maxWaitTime: 30, minDelay: 0.01, maxDelay: 0.05 }) as never;
const policyOf = (...Statement: object[]) =>
  JSON.stringify({ Version: '2012-10-17', Statement: Statement.map((each) => ({ Resource: '*', ...each })) });
const error = (call: Promise<unknown>) => call.then(() => undefined).catch((reason: unknown) => reason);

describe('a cluster over the SDK', () => {
  it('is made, waited for, described, listed, updated and deleted', async () => {
    const tags = { Team: 'blue', 'a b': '' };
    const made = await home.send(new dsql.CreateClusterCommand({ deletionProtectionEnabled: false, tags }));
    const identifier = made.identifier!;
    expect(made).toMatchObject({
      arn: ANY.replace('*', identifier),
      status: 'CREATING',
      deletionProtectionEnabled: false,
      endpoint: `${identifier}.dsql.${REGION}.on.aws`,
    });
    expect(made.multiRegionProperties).toBeUndefined();
    await dsql.waitUntilClusterActive(waiting(home), { identifier });
    const cluster = await home.send(new dsql.GetClusterCommand({ identifier }));
    expect(cluster).toMatchObject({ status: 'ACTIVE', tags });
    expect(cluster.creationTime).toEqual(made.creationTime);
    const found = [];
    for await (const page of dsql.paginateListClusters({ client: home, pageSize: 1 }, {}))
      found.push(...page.clusters!);
    expect(found).toContainEqual({ identifier, arn: made.arn });
    const update = new dsql.UpdateClusterCommand({ identifier, deletionProtectionEnabled: true });
    expect(await home.send(update)).toMatchObject({ identifier, arn: made.arn, status: 'ACTIVE' });
    expect(await error(home.send(new dsql.DeleteClusterCommand({ identifier })))).toMatchObject({
      name: 'ValidationException',
      reason: 'deletionProtectionEnabled',
    });
    await home.send(new dsql.UpdateClusterCommand({ identifier, deletionProtectionEnabled: false }));
    expect(await home.send(new dsql.DeleteClusterCommand({ identifier }))).toMatchObject({ status: 'DELETING' });
    await dsql.waitUntilClusterNotExists(waiting(home), { identifier });
  });

  it('has the names that a VPC endpoint would have', async () => {
    const names = await home.send(new dsql.GetVpcEndpointServiceNameCommand({ identifier: CLUSTER_ID }));
    const [, suffix] = /^com\.amazonaws\.eu-west-1\.(dsql-[0-9a-f]{6})$/.exec(names.serviceName!) ?? [];
    expect(names.clusterVpcEndpoint).toBe(`${CLUSTER_ID}.${suffix}.${REGION}.on.aws`);
  });

  it('is made once for one client token', async () => {
    const input = { clientToken: 'a-token', deletionProtectionEnabled: false };
    const [a, b] = await Promise.all([1, 2].map(() => home.send(new dsql.CreateClusterCommand(input))));
    expect(a!.identifier).toBe(b!.identifier);
    expect(await error(home.send(new dsql.CreateClusterCommand({ ...input, tags: { a: 'b' } })))).toMatchObject({
      name: 'ConflictException',
      resourceId: a!.identifier,
      resourceType: 'cluster',
      $metadata: { httpStatusCode: 409 },
    });
  });
});

describe('multi-Region clusters', () => {
  it('are peers when both name each other, and deleted when both are', async () => {
    const far = api.dsql(api.root, PEER_REGION);
    const create = (client: dsql.DSQLClient, clusters?: string[]) =>
      client.send(
        new dsql.CreateClusterCommand({
          deletionProtectionEnabled: false,
          multiRegionProperties: { witnessRegion: WITNESS, ...(clusters && { clusters }) },
        }),
      );
    const one = await create(home);
    expect(one).toMatchObject({
      status: 'PENDING_SETUP',
      multiRegionProperties: { witnessRegion: WITNESS, clusters: [one.arn] },
    });
    const two = await create(far, [one.arn!]);
    expect(two.arn).toContain(`:${PEER_REGION}:`);
    await home.send(
      new dsql.UpdateClusterCommand({
        identifier: one.identifier!,
        multiRegionProperties: { witnessRegion: WITNESS, clusters: [two.arn!] },
      }),
    );
    await dsql.waitUntilClusterActive(waiting(home), { identifier: one.identifier! });
    await dsql.waitUntilClusterActive(waiting(far), { identifier: two.identifier! });
    expect((await far.send(new dsql.GetClusterCommand({ identifier: two.identifier! }))).multiRegionProperties).toEqual(
      {
        witnessRegion: WITNESS,
        clusters: [two.arn, one.arn],
      },
    );
    expect(await refusal(far.send(new dsql.GetClusterCommand({ identifier: one.identifier! })))).toMatchObject({
      code: 'ResourceNotFoundException',
    });
    const remove = (client: dsql.DSQLClient, identifier?: string) =>
      client.send(new dsql.DeleteClusterCommand({ identifier: identifier! }));
    expect((await remove(home, one.identifier)).status).toBe('PENDING_DELETE');
    expect((await remove(far, two.identifier)).status).toBe('DELETING');
    await dsql.waitUntilClusterNotExists(waiting(home), { identifier: one.identifier! });
    await dsql.waitUntilClusterNotExists(waiting(far), { identifier: two.identifier! });
  });
});

describe('the policy of a cluster', () => {
  const identifier = CLUSTER_ID;
  const put = (client: dsql.DSQLClient, policy: string, more = {}) =>
    client.send(new dsql.PutClusterPolicyCommand({ identifier, policy, ...more }));
  const DENY_PUBLIC = policyOf({
    Effect: 'Deny',
    Principal: '*',
    Action: ['dsql:DbConnect', 'dsql:DbConnectAdmin'],
    Condition: { Null: { 'aws:SourceVpc': 'true' } },
  });

  it('has versions that somebody can expect', async () => {
    const first = await put(home, DENY_PUBLIC);
    expect(await home.send(new dsql.GetClusterPolicyCommand({ identifier }))).toMatchObject({
      policy: DENY_PUBLIC,
      policyVersion: first.policyVersion,
    });
    const second = await put(home, DENY_PUBLIC, { expectedPolicyVersion: first.policyVersion });
    expect(Number(second.policyVersion)).toBe(Number(first.policyVersion) + 1);
    const old = { expectedPolicyVersion: first.policyVersion };
    expect(await refusal(put(home, DENY_PUBLIC, old))).toMatchObject({ code: 'ConflictException', status: 409 });
    const remove = (more = {}) => home.send(new dsql.DeleteClusterPolicyCommand({ identifier, ...more }));
    expect(await refusal(remove(old))).toMatchObject({ code: 'ConflictException' });
    const current = { expectedPolicyVersion: second.policyVersion };
    expect(await remove(current)).toMatchObject({ policyVersion: second.policyVersion });
    expect(await refusal(remove())).toMatchObject({ code: 'ResourceNotFoundException', status: 404 });
    expect(await refusal(home.send(new dsql.GetClusterPolicyCommand({ identifier })))).toMatchObject({
      code: 'ResourceNotFoundException',
    });
    expect(await refusal(put(home, DENY_PUBLIC, current))).toMatchObject({ code: 'ConflictException' });
    // A version that was there once is never there again.
    const third = await put(home, DENY_PUBLIC);
    expect([first.policyVersion, second.policyVersion]).not.toContain(third.policyVersion);
    await remove();
  });

  it.each([
    ['no policy', '{}', /missing element Statement/],
    ['a policy without a principal', allow('dsql:*'), /Missing required field Principal/],
    [
      'access for everybody',
      policyOf({ Effect: 'Allow', Principal: '*', Action: 'dsql:*' }),
      /public access: statement #1/,
    ],
    ['too many characters', `${DENY_PUBLIC}${' '.repeat(20_480)}`, /length less than or equal to 20480/],
  ])('cannot be %s', async (_, policy, text) => {
    const refused = await refusal(put(home, policy));
    expect(refused).toMatchObject({ code: 'ValidationException', status: 400 });
    expect(refused.text).toMatch(text);
    expect(await refusal(home.send(new dsql.CreateClusterCommand({ policy })))).toMatchObject({ code: refused.code });
  });

  it('may have as many characters as the model says', async () => {
    const policy = DENY_PUBLIC + ' '.repeat(20_480 - DENY_PUBLIC.length);
    await put(home, policy);
    expect((await home.send(new dsql.GetClusterPolicyCommand({ identifier }))).policy).toBe(policy);
    await home.send(new dsql.DeleteClusterPolicyCommand({ identifier }));
  });

  it('does not lock out who puts it, unless that is asked for; the root user is never locked out', async () => {
    const keys = await makeUserWithKey(api.iam(), 'locked', allow('dsql:*'));
    const locked = api.dsql(keys);
    const arn = `arn:aws:iam::${ACCOUNT}:user/locked`;
    const policy = policyOf({ Effect: 'Deny', Principal: { AWS: arn }, Action: 'dsql:DeleteClusterPolicy' });
    const refused = await refusal(put(locked, policy));
    expect(refused).toMatchObject({ code: 'ValidationException' });
    expect(refused.text).toContain(`does not allow ${arn} to perform dsql:DeleteClusterPolicy any more`);
    const make = (more = {}) => locked.send(new dsql.CreateClusterCommand({ policy, ...more }));
    expect(await refusal(make())).toMatchObject({ code: 'ValidationException' });
    expect(await refusal(make({ bypassPolicyLockoutSafetyCheck: false }))).toMatchObject({
      code: 'ValidationException',
    });
    await make({ bypassPolicyLockoutSafetyCheck: true });
    await put(locked, policy, { bypassPolicyLockoutSafetyCheck: true });
    expect(await refusal(locked.send(new dsql.DeleteClusterPolicyCommand({ identifier })))).toEqual({
      code: 'AccessDeniedException',
      status: 403,
      text: `User: ${arn} is not authorized to perform: dsql:DeleteClusterPolicy on resource: ${CLUSTER_ARN} with an explicit deny in a resource-based policy`,
    });
    const everybody = policyOf({ Effect: 'Deny', Principal: '*', Action: '*' });
    await put(home, everybody);
    expect(await refusal(home.send(new dsql.GetClusterCommand({ identifier })))).toMatchObject({
      code: 'AccessDeniedException',
    });
    await home.send(new dsql.DeleteClusterPolicyCommand({ identifier }));
    expect((await locked.send(new dsql.GetClusterCommand({ identifier }))).identifier).toBe(identifier);
  });

  it('gives to principals that have no policy of their own', async () => {
    const reader = api.dsql(await makeUserWithKey(api.iam(), 'reader'));
    const get = () => reader.send(new dsql.GetClusterCommand({ identifier }));
    expect(await refusal(get())).toMatchObject({ code: 'AccessDeniedException' });
    const AWS = `arn:aws:iam::${ACCOUNT}:user/reader`;
    await put(home, policyOf({ Effect: 'Allow', Principal: { AWS }, Action: 'dsql:GetCluster' }));
    expect((await get()).identifier).toBe(identifier);
    await home.send(new dsql.DeleteClusterPolicyCommand({ identifier }));
    expect(await refusal(get())).toMatchObject({ code: 'AccessDeniedException' });
  });
});

describe('the tags of a cluster', () => {
  it('are added, replaced, listed and removed', async () => {
    const resourceArn = CLUSTER_ARN;
    const tag = (tags: Record<string, string>) => home.send(new dsql.TagResourceCommand({ resourceArn, tags }));
    const list = async () => (await home.send(new dsql.ListTagsForResourceCommand({ resourceArn }))).tags;
    await tag({ Team: 'blue', team: 'x', 'a/b:c=+-@ .': '' });
    await tag({ Team: 'red' });
    expect(await list()).toEqual({ Team: 'red', team: 'x', 'a/b:c=+-@ .': '' });
    await home.send(new dsql.UntagResourceCommand({ resourceArn, tagKeys: ['team', 'a/b:c=+-@ .', 'absent'] }));
    expect(await list()).toEqual({ Team: 'red' });
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`k${i}`, '']));
    expect(await refusal(tag(many))).toMatchObject({ code: 'ServiceQuotaExceededException', status: 402 });
    await home.send(new dsql.UntagResourceCommand({ resourceArn, tagKeys: ['Team'] }));
  });

  it.each([
    CLUSTER_ARN.replace(REGION, PEER_REGION),
    CLUSTER_ARN.replace(ACCOUNT, '111122223333'),
    `${CLUSTER_ARN}/stream/${'s'.repeat(26)}`,
    'arn:aws:s3:::bucket',
  ])('are not those of %s', async (resourceArn) => {
    expect(await refusal(home.send(new dsql.ListTagsForResourceCommand({ resourceArn })))).toMatchObject({
      code: 'ResourceNotFoundException',
      status: 404,
    });
  });
});

describe('permission', () => {
  beforeEach(() => {
    api.asked.length = 0;
  });

  /** What was asked, with the condition keys that are not those of every request. */
  const asked = () =>
    api.asked.map(({ action, resource, context }) => {
      const own = Object.entries(context).filter(
        ([key, [value]]) => /^(dsql:|aws:requesttag|aws:tagkeys)/.test(key) || value === WITNESS,
      );
      return own.length > 0 ? [action, resource, Object.fromEntries(own)] : [action, resource];
    });

  it('is asked for each thing that CreateCluster does', async () => {
    const peer = ANY.replace(REGION, PEER_REGION).replace('*', 'p'.repeat(26));
    const policy = policyOf({ Effect: 'Deny', Principal: '*', Action: 'dsql:DbConnect' });
    const multiRegionProperties = { witnessRegion: WITNESS, clusters: [peer] };
    await error(
      home.send(new dsql.CreateClusterCommand({ tags: { Team: 'a', team: 'b' }, policy, multiRegionProperties })),
    );
    const tags = { 'aws:requesttag/team': ['a', 'b'], 'aws:tagkeys': ['Team', 'team'] };
    const witness = { 'dsql:witnessregion': [WITNESS] };
    expect(asked()).toEqual([
      ['dsql:CreateCluster', ANY, { ...tags, ...witness }],
      ['dsql:TagResource', ANY, tags],
      ['dsql:PutMultiRegionProperties', ANY, witness],
      ['dsql:PutWitnessRegion', ANY, witness],
      ['dsql:PutWitnessRegion', ANY, { ...witness, 'aws:requestedregion': [WITNESS] }],
      ['dsql:AddPeerCluster', ANY],
      ['dsql:AddPeerCluster', peer],
      ['dsql:PutClusterPolicy', ANY],
      ['dsql:DeleteClusterPolicy', ANY],
    ]);
    api.asked.length = 0;
    await home.send(new dsql.CreateClusterCommand({}));
    expect(asked()).toEqual([['dsql:CreateCluster', ANY]]);
  });

  it('is asked for each thing that UpdateCluster does', async () => {
    const peer = ANY.replace(REGION, PEER_REGION).replace('*', 'p'.repeat(26));
    const identifier = CLUSTER_ID;
    const multiRegionProperties = { witnessRegion: WITNESS, clusters: [peer] };
    await error(home.send(new dsql.UpdateClusterCommand({ identifier, multiRegionProperties })));
    const witness = { 'dsql:witnessregion': [WITNESS] };
    expect(asked()).toEqual([
      ['dsql:UpdateCluster', CLUSTER_ARN, witness],
      ['dsql:GetCluster', CLUSTER_ARN],
      ['dsql:PutMultiRegionProperties', CLUSTER_ARN, witness],
      ['dsql:PutWitnessRegion', CLUSTER_ARN, witness],
      ['dsql:PutWitnessRegion', CLUSTER_ARN, { ...witness, 'aws:requestedregion': [WITNESS] }],
      ['dsql:AddPeerCluster', CLUSTER_ARN],
      ['dsql:AddPeerCluster', peer],
      ['dsql:RemovePeerCluster', `arn:aws:dsql:*:${ACCOUNT}:cluster/*`],
    ]);
    api.asked.length = 0;
    await home.send(new dsql.UpdateClusterCommand({ identifier, deletionProtectionEnabled: true }));
    expect(asked()).toEqual([['dsql:UpdateCluster', CLUSTER_ARN]]);
  });

  const none = 'z'.repeat(26);
  const arn = ANY.replace('*', none);
  const one = { identifier: none };
  it.each([
    ['GetCluster', () => home.send(new dsql.GetClusterCommand(one)), [['dsql:GetCluster', arn]]],
    ['DeleteCluster', () => home.send(new dsql.DeleteClusterCommand(one)), [['dsql:DeleteCluster', arn]]],
    ['ListClusters', () => home.send(new dsql.ListClustersCommand({})), [['dsql:ListClusters', '*']]],
    ['GetClusterPolicy', () => home.send(new dsql.GetClusterPolicyCommand(one)), [['dsql:GetClusterPolicy', arn]]],
    [
      'PutClusterPolicy',
      () => home.send(new dsql.PutClusterPolicyCommand({ ...one, policy: '{}' })),
      [
        ['dsql:PutClusterPolicy', arn],
        ['dsql:DeleteClusterPolicy', arn],
      ],
    ],
    [
      'DeleteClusterPolicy',
      () => home.send(new dsql.DeleteClusterPolicyCommand(one)),
      [['dsql:DeleteClusterPolicy', arn]],
    ],
    [
      'GetVpcEndpointServiceName',
      () => home.send(new dsql.GetVpcEndpointServiceNameCommand(one)),
      [['dsql:GetVpcEndpointServiceName', arn]],
    ],
    [
      'TagResource',
      () => home.send(new dsql.TagResourceCommand({ resourceArn: arn, tags: { A: 'b' } })),
      [['dsql:TagResource', arn, { 'aws:requesttag/a': ['b'], 'aws:tagkeys': ['A'] }]],
    ],
    [
      'UntagResource',
      () => home.send(new dsql.UntagResourceCommand({ resourceArn: arn, tagKeys: ['A', 'b'] })),
      [['dsql:UntagResource', arn, { 'aws:tagkeys': ['A', 'b'] }]],
    ],
    [
      'ListTagsForResource',
      () => home.send(new dsql.ListTagsForResourceCommand({ resourceArn: arn })),
      [['dsql:ListTagsForResource', arn]],
    ],
  ] as [string, () => Promise<unknown>, unknown[]][])('for %s is asked on the ARN', async (_, call, expected) => {
    await error(call());
    expect(asked()).toEqual(expected);
  });

  it('may depend on tags: those that are asked for, and those that the cluster has', async () => {
    const policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Action: ['dsql:CreateCluster', 'dsql:TagResource'],
          Resource: '*',
          Condition: {
            StringEquals: { 'aws:RequestTag/team': 'blue' },
            'ForAllValues:StringEquals': { 'aws:TagKeys': 'team' },
          },
        },
        {
          Effect: 'Allow',
          Action: ['dsql:GetCluster', 'dsql:DeleteCluster', 'dsql:UpdateCluster'],
          Resource: '*',
          Condition: { StringEquals: { 'aws:ResourceTag/team': 'blue' } },
        },
      ],
    });
    const blue = api.dsql(await makeUserWithKey(api.iam(), 'blue', policy));
    const make = (tags: Record<string, string>) =>
      blue.send(new dsql.CreateClusterCommand({ tags, deletionProtectionEnabled: false }));
    for (const tags of [{}, { team: 'red' }, { team: 'blue', other: 'x' }, { team: 'blue', Team: 'red' }]) {
      expect(await refusal(make(tags))).toMatchObject({ code: 'AccessDeniedException' });
    }
    const { identifier, arn: resourceArn } = await make({ team: 'blue' });
    const get = () => blue.send(new dsql.GetClusterCommand({ identifier: identifier! }));
    expect((await get()).tags).toEqual({ team: 'blue' });
    await home.send(new dsql.TagResourceCommand({ resourceArn: resourceArn!, tags: { team: 'red' } }));
    expect(await refusal(get())).toMatchObject({ code: 'AccessDeniedException' });
    await home.send(new dsql.TagResourceCommand({ resourceArn: resourceArn!, tags: { team: 'blue' } }));
    await blue.send(new dsql.DeleteClusterCommand({ identifier: identifier! }));
    // The user can be taken away as any other.
    await api.iam().send(new iam.DeleteUserPolicyCommand({ UserName: 'blue', PolicyName: 'p' }));
    expect(await refusal(make({ team: 'blue' }))).toMatchObject({ code: 'AccessDeniedException' });
  });
});
