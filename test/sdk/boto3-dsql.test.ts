import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HAS_BOTO3 } from '../harness/programs.ts';
import { type ApiUnderTest, CLUSTER_ID, REGION, startApi } from './api-under-test.ts';

if (!HAS_BOTO3) console.info('skipped: boto3 tests need python3 with boto3');

const PEER_REGION = 'eu-west-2';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi({ additionalRegions: [PEER_REGION] });
});
afterAll(() => api?.close());

describe.skipIf(!HAS_BOTO3)('boto3', () => {
  it('makes, uses and deletes clusters, and waits for them', async () => {
    const { stdout } = await promisify(execFile)('python3', [join(import.meta.dirname, 'boto3-dsql.py')], {
      env: {
        PATH: process.env.PATH,
        AWS_ENDPOINT_URL: api.endpoint,
        AWS_ACCESS_KEY_ID: api.root.accessKeyId,
        AWS_SECRET_ACCESS_KEY: api.root.secretAccessKey,
        AWS_DEFAULT_REGION: REGION,
        AWS_CONFIG_FILE: '/dev/null',
        AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
        PEER_REGION,
        CLUSTER_ID,
      },
    });
    const steps = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
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
