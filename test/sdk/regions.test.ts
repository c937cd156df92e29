import { GetClusterCommand, ListClustersCommand } from '@aws-sdk/client-dsql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clusterRecord } from '../../src/state/testing-records.ts';
import {
  ACCOUNT,
  type ApiUnderTest,
  CLUSTER_ID,
  makeUserWithKey,
  REGION,
  refusal,
  startApi,
} from './api-under-test.ts';

const OTHER = 'us-west-2';
const THERE = 'w'.repeat(26);
let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi({ additionalRegions: [OTHER] });
  await api.store.change((draft) => {
    draft.put('clusters', THERE, clusterRecord(THERE, { region: OTHER, tags: { stage: 'test' } }));
  });
});
afterAll(() => api.close());

describe('the control plane of several regions', () => {
  it.each([
    [REGION, CLUSTER_ID, THERE],
    [OTHER, THERE, CLUSTER_ID],
  ])('shows a request that is signed for %s the clusters of that region only', async (region, own, other) => {
    const dsql = api.dsql(api.root, region);
    const arn = `arn:aws:dsql:${region}:${ACCOUNT}:cluster/${own}`;
    const { clusters } = await dsql.send(new ListClustersCommand({}));
    expect(clusters).toEqual([{ identifier: own, arn }]);
    const { endpoint } = await dsql.send(new GetClusterCommand({ identifier: own }));
    expect(endpoint).toBe(`${own}.dsql.${region}.on.aws`);
    expect(await refusal(dsql.send(new GetClusterCommand({ identifier: other })))).toMatchObject({
      code: 'ResourceNotFoundException',
      status: 404,
    });
  });

  it('refuses a region that is not served, and names those that are', async () => {
    const { code, text } = await refusal(api.dsql(api.root, 'eu-north-1').send(new ListClustersCommand({})));
    expect(code).toBe('InvalidSignatureException');
    expect(text).toContain(`${REGION}, ${OTHER}`);
  });

  it.each([
    ['its own', { 'aws:RequestedRegion': OTHER }, THERE, OTHER, 'allowed'],
    ['its own, by its tags', { 'aws:ResourceTag/stage': 'test' }, THERE, OTHER, 'allowed'],
    ['another', { 'aws:RequestedRegion': OTHER }, CLUSTER_ID, REGION, 'AccessDeniedException'],
  ])('asks policies in the region of the request: %s', async (what, condition, identifier, region, outcome) => {
    const Statement = { Effect: 'Allow', Action: 'dsql:*', Resource: '*', Condition: { StringEquals: condition } };
    const policy = JSON.stringify({ Version: '2012-10-17', Statement });
    const key = await makeUserWithKey(api.iam(), `region-${what.replaceAll(/\W/g, '')}`, policy);
    const call = api.dsql(key, region).send(new GetClusterCommand({ identifier }));
    expect(outcome === 'allowed' ? await call.then(() => 'allowed') : (await refusal(call)).code).toBe(outcome);
  });
});
