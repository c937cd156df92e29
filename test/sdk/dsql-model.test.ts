import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Lifecycle } from '../../src/clusters/lifecycle.ts';
import { dsqlRoutes } from '../../src/http/services/dsql.ts';
import type { Members } from '../../src/iam/input.ts';
import { type ApiUnderTest, CLUSTER_ARN, CLUSTER_ID, REGION, startApi } from './api-under-test.ts';
import { inputDifferences, loadServiceModel, outputDifferences } from './service-model.ts';
import { send } from './signed-request.ts';

const model = loadServiceModel('dsql', '2018-05-10');
const routes = dsqlRoutes({ lifecycle: {} as Lifecycle, region: REGION, account: '123456789012' });

describe.skipIf(!model)('the operations of DSQL', () => {
  it('are those of the service model, with its methods and paths', () => {
    const theirs = Object.entries(model!).map(([name, { method, path }]) => `${name} ${method} ${path}`);
    expect(routes.map(({ name, method, path }) => `${name} ${method} ${path}`).sort()).toEqual(theirs.sort());
  });

  it('have its parameters, in the same places and with the same constraints', () => {
    const found = routes.flatMap(({ name, path, query = {}, operation }) => {
      if (typeof operation === 'string') return [];
      const { input } = model![name]!;
      const placed = Object.entries(input.members ?? {}).flatMap(([member, { location, locationName = '' }]) => {
        const ours = path.includes(`{${member}}`)
          ? 'uri'
          : Object.values(query).includes(member)
            ? 'querystring'
            : undefined;
        const named = location !== 'querystring' || query[locationName] === member;
        return ours === location && named ? [] : [`${name}.${member} is in ${ours ?? 'the body'}`];
      });
      return [...placed, ...inputDifferences(input, operation.input as Members, name)];
    });
    expect(found).toEqual([]);
  });

  it('that are not there are those of streams', () => {
    const missing = routes.filter(({ operation }) => typeof operation === 'string').map(({ name }) => name);
    expect(missing.sort()).toEqual(['CreateStream', 'DeleteStream', 'GetStream', 'ListStreams']);
  });
});

describe.skipIf(!model)('answers', () => {
  let api: ApiUnderTest;
  beforeAll(async () => {
    api = await startApi({ additionalRegions: ['eu-west-2'] });
  });
  afterAll(() => api?.close());

  const call = async (method: string, target: string, body?: object) => {
    const raw = { service: 'dsql', region: REGION, method, target, ...(body && { body: JSON.stringify(body) }) };
    const { status, body: text, headers } = await send(api.port, api.root, raw);
    return { status, body: JSON.parse(text) as Record<string, unknown>, headers };
  };

  it('have what the output shapes have, and nothing else', async () => {
    const tags = `/tags/${encodeURIComponent(CLUSTER_ARN)}`;
    const Statement = [{ Effect: 'Deny', Principal: '*', Action: 'dsql:DbConnect', Resource: '*' }];
    const policy = JSON.stringify({ Version: '2012-10-17', Statement });
    const multi = { multiRegionProperties: { witnessRegion: 'eu-central-1' }, deletionProtectionEnabled: false };
    const created = await call('POST', '/cluster', { ...multi, kmsEncryptionKey: 'alias/k', tags: { a: 'b' }, policy });
    const id = created.body['identifier'] as string;
    const answers: [string, Awaited<ReturnType<typeof call>>][] = [
      ['CreateCluster', created],
      ['CreateCluster', await call('POST', '/cluster', {})],
      ['GetCluster', await call('GET', `/cluster/${id}`)],
      ['ListClusters', await call('GET', '/cluster?max-results=1')],
      ['ListClusters', await call('GET', '/cluster')],
      ['UpdateCluster', await call('POST', `/cluster/${CLUSTER_ID}`, { deletionProtectionEnabled: true })],
      ['PutClusterPolicy', await call('POST', `/cluster/${CLUSTER_ID}/policy`, { policy })],
      ['GetClusterPolicy', await call('GET', `/cluster/${CLUSTER_ID}/policy`)],
      ['DeleteClusterPolicy', await call('DELETE', `/cluster/${CLUSTER_ID}/policy`)],
      ['GetVpcEndpointServiceName', await call('GET', `/clusters/${CLUSTER_ID}/vpc-endpoint-service-name`)],
      ['TagResource', await call('POST', tags, { tags: { Team: 'a b' } })],
      ['ListTagsForResource', await call('GET', tags)],
      ['UntagResource', await call('DELETE', `${tags}?tagKeys=Team&tagKeys=x`)],
      ['DeleteCluster', await call('DELETE', `/cluster/${id}?client-token=t`)],
    ];
    for (const [name, { status, body }] of answers) {
      expect([name, status, ...outputDifferences(model![name]!.output, body, name)]).toEqual([name, 200]);
    }
    expect(answers.map(([name]) => name)).toEqual(
      expect.arrayContaining(routes.filter(({ operation }) => typeof operation !== 'string').map(({ name }) => name)),
    );
    await api.lifecycle.settled();
  });

  it('that refuse have the codes, statuses and members of the error shapes', async () => {
    const none = 'z'.repeat(26);
    const missing = `/tags/${encodeURIComponent(CLUSTER_ARN.replace(CLUSTER_ID, none))}`;
    const refusals: [string, string, Awaited<ReturnType<typeof call>>][] = [
      ['GetCluster', 'ResourceNotFoundException', await call('GET', `/cluster/${none}`)],
      ['UpdateCluster', 'ResourceNotFoundException', await call('POST', `/cluster/${none}`, {})],
      ['DeleteCluster', 'ResourceNotFoundException', await call('DELETE', `/cluster/${none}`)],
      ['GetClusterPolicy', 'ResourceNotFoundException', await call('GET', `/cluster/${CLUSTER_ID}/policy`)],
      ['DeleteClusterPolicy', 'ResourceNotFoundException', await call('DELETE', `/cluster/${CLUSTER_ID}/policy`)],
      ['ListTagsForResource', 'ResourceNotFoundException', await call('GET', missing)],
      ['DeleteCluster', 'ValidationException', await call('DELETE', `/cluster/${CLUSTER_ID}`)],
      ['GetCluster', 'ValidationException', await call('GET', '/cluster/short')],
      ['ListClusters', 'ValidationException', await call('GET', '/cluster?max-results=0')],
      ['ListClusters', 'ValidationException', await call('GET', '/cluster?next-token=nonsense')],
      ['CreateCluster', 'ValidationException', await call('POST', '/cluster', { tags: { ü: '' } })],
      ['CreateCluster', 'ValidationException', await call('POST', '/cluster', { policy: '{}' })],
      ['CreateCluster', 'ValidationException', await call('POST', '/cluster', { tags: { 'aws:x': '' } })],
      ['CreateStream', 'ValidationException', await call('POST', `/stream/${CLUSTER_ID}`, {})],
      [
        'PutClusterPolicy',
        'ConflictException',
        await call('POST', `/cluster/${CLUSTER_ID}/policy`, { policy: '{}', expectedPolicyVersion: '1' }),
      ],
    ];
    for (const [operation, code, { status, body, headers }] of refusals) {
      const { status: wanted, shape } = model![operation]!.errors[code]!;
      const told = [operation, headers['x-amzn-errortype'], status, ...outputDifferences(shape, body, operation)];
      expect(told).toEqual([operation, code, wanted]);
    }
    expect(refusals[6]![2].body['reason']).toBe('deletionProtectionEnabled');
    expect(refusals[8]![2].body).toMatchObject({
      reason: 'fieldValidationFailed',
      fieldList: [{ name: 'maxResults', message: 'Member must have value greater than or equal to 1' }],
    });
    expect(refusals[13]![2].body).toMatchObject({
      reason: 'unknownOperation',
      message:
        'The operation CreateStream is not supported: this server does not implement streams (change data capture).',
    });
  });

  it('of a full account are ServiceQuotaExceededException', async () => {
    let last = await call('POST', '/cluster', {});
    for (let made = 0; made < 20 && last.status === 200; made++) last = await call('POST', '/cluster', {});
    const { status, shape } = model!['CreateCluster']!.errors['ServiceQuotaExceededException']!;
    expect([last.status, last.headers['x-amzn-errortype']]).toEqual([status, 'ServiceQuotaExceededException']);
    expect(outputDifferences(shape, last.body, 'CreateCluster')).toEqual([]);
    expect(last.body['message']).toBe('You have reached the cluster limit.');
    await api.lifecycle.settled();
    expect(api.store.all('clusters').filter(({ multiRegion }) => multiRegion === null)).toHaveLength(20);
  });
});
