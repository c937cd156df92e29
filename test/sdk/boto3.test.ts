import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNT, type ApiUnderTest, CLUSTER_ID, REGION, startApi } from './api-under-test.ts';

const probe = spawnSync('python3', ['-c', "import boto3; boto3.client('dsql', region_name='us-east-1')"]);
const present = probe.status === 0;
if (!present) console.info('skipped: boto3 tests need python3 with a boto3 that knows Aurora DSQL');

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

describe.skipIf(!present)('boto3', () => {
  it('lives through every operation', async () => {
    const { stdout } = await promisify(execFile)('python3', [join(import.meta.dirname, 'boto3-story.py')], {
      env: {
        PATH: process.env.PATH,
        AWS_ENDPOINT_URL: api.endpoint,
        AWS_ACCESS_KEY_ID: api.root.accessKeyId,
        AWS_SECRET_ACCESS_KEY: api.root.secretAccessKey,
        AWS_DEFAULT_REGION: REGION,
        AWS_CONFIG_FILE: '/dev/null',
        AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
        POSTERN_ACCOUNT_ID: ACCOUNT,
        POSTERN_CLUSTER_ID: CLUSTER_ID,
      },
    });
    const steps = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    const iamArn = `arn:aws:iam::${ACCOUNT}`;
    expect(steps).toEqual([
      { step: 'root', arn: `${iamArn}:root`, user: `${iamArn}:root` },
      {
        step: 'user',
        arn: `${iamArn}:user/py/boto`,
        year: true,
        read: true,
        tags: [{ Key: 'd', Value: 'e' }],
        listed: ['boto'],
        renamed: 200,
      },
      { step: 'user policy', same: true, names: ['p'] },
      {
        step: 'key',
        listed: 1,
        arn: `${iamArn}:user/boto`,
        allowed: 'boto',
        denied: ['AccessDenied', 403],
        account: ACCOUNT,
        last: 'iam',
      },
      {
        step: 'role',
        trust: true,
        description: 'ü & <x>',
        listed: ['botorole'],
        names: ['p'],
        policy: 'dsql:*',
        tags: [],
      },
      {
        step: 'session',
        arn: `arn:aws:sts::${ACCOUNT}:assumed-role/botorole/boto`,
        endpoint: `${CLUSTER_ID}.dsql.${REGION}.on.aws`,
        year: true,
        clusters: [CLUSTER_ID],
        denied: ['AccessDenied', 403],
      },
      { step: 'presigned', found: true },
      {
        step: 'errors',
        missing: ['NoSuchEntity', 404],
        exists: ['EntityAlreadyExists', 409],
        conflict: ['DeleteConflict', 409],
        malformed: ['MalformedPolicyDocument', 400],
        invalid: ['ValidationError', 400],
        unsupported: ['UnsupportedOperation', 400],
        cluster: ['ResourceNotFoundException', 404],
        operation: ['ValidationException', 400],
        secret: ['SignatureDoesNotMatch', 403],
      },
      { step: 'deleted', inactive: ['InvalidClientTokenId', 403], session: ['InvalidClientTokenId', 403] },
    ]);
  });
});
