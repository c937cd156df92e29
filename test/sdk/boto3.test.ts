import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HAS_BOTO3 } from '../harness/programs.ts';
import { ACCOUNT, type ApiUnderTest, CLUSTER_ID, REGION, startApi } from './api-under-test.ts';
import { runBoto3 } from './boto3.ts';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

describe.skipIf(!HAS_BOTO3)('boto3', () => {
  it('lives through every operation', async () => {
    const steps = await runBoto3(api, 'boto3-story.py', {
      POSTERN_ACCOUNT_ID: ACCOUNT,
      POSTERN_CLUSTER_ID: CLUSTER_ID,
    });
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
