import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HAS_BOTO3 } from '../harness/programs.ts';
import { type ApiUnderTest, CLUSTER_ID, REGION, startApi } from './api-under-test.ts';
import { runBoto3 } from './boto3.ts';

const PEER_REGION = 'eu-west-2';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi({ additionalRegions: [PEER_REGION] });
});
afterAll(() => api?.close());

describe.skipIf(!HAS_BOTO3)('boto3', () => {
  it('makes, uses and deletes clusters, and waits for them', async () => {
    const steps = await runBoto3(api, 'boto3-dsql.py', {
      PEER_REGION,
      CLUSTER_ID,
    });
    const [resourceType, none] = ['cluster', 'z'.repeat(26)];
    expect(steps).toEqual([
      { step: 'made', first: 'CREATING', later: 'ACTIVE', tags: { Team: 'blue' }, same: true },
      { step: 'listed', found: true, ordered: true },
      { step: 'tags', tags: { 'a b': 'c/d' } },
      { step: 'policy', same: true },
      { step: 'endpoint service', name: `com.amazonaws.${REGION}.dsql` },
      {
        step: 'errors',
        protected: ['ValidationException', 400, { reason: 'deletionProtectionEnabled' }],
        missing: ['ResourceNotFoundException', 404, { resourceId: none, resourceType }],
        policy: [
          'ResourceNotFoundException',
          404,
          { resourceId: expect.stringMatching(/^[a-z0-9]{26}$/), resourceType: 'cluster-policy' },
        ],
        version: ['ConflictException', 409, { resourceId: expect.stringMatching(/^[a-z0-9]{26}$/), resourceType }],
        stream: ['ValidationException', 400, { reason: 'unknownOperation' }],
      },
      { step: 'deleted', protected: true, status: 'DELETING' },
      {
        step: 'peers',
        made: ['PENDING_SETUP', 'PENDING_SETUP'],
        clusters: true,
        deleted: ['PENDING_DELETE', 'DELETING'],
      },
    ]);
  });
});
