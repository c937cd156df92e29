import { CreateClusterCommand, GetClusterCommand, ListClustersCommand } from '@aws-sdk/client-dsql';
import * as iam from '@aws-sdk/client-iam';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clusterRecord } from '../../src/state/testing-records.ts';
import {
  ACCOUNT,
  type ApiUnderTest,
  allow,
  CLUSTER_ARN,
  CLUSTER_ID,
  REGION,
  refusal,
  startApi,
} from './api-under-test.ts';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

describe('DSQL over HTTP', () => {
  it('describes the default cluster', async () => {
    const cluster = await api.dsql().send(new GetClusterCommand({ identifier: CLUSTER_ID }));
    expect(cluster).toMatchObject({
      identifier: CLUSTER_ID,
      arn: CLUSTER_ARN,
      status: 'ACTIVE',
      deletionProtectionEnabled: true,
      tags: {},
      encryptionDetails: { encryptionType: 'AWS_OWNED_KMS_KEY', encryptionStatus: 'ENABLED' },
      endpoint: `${CLUSTER_ID}.dsql.${REGION}.on.aws`,
    });
    expect(Math.abs(cluster.creationTime!.getTime() - Date.now())).toBeLessThan(60_000);
    const { clusters } = await api.dsql().send(new ListClustersCommand({ maxResults: 1 }));
    expect(clusters).toEqual([{ identifier: CLUSTER_ID, arn: CLUSTER_ARN }]);
  });

  it('lists clusters in pages', async () => {
    const ids = ['b', 'c', 'd'].map((letter) => letter.repeat(26));
    await api.store.change((draft) => {
      for (const id of ids) {
        draft.put('clusters', id, clusterRecord(id));
      }
    });
    const first = await api.dsql().send(new ListClustersCommand({ maxResults: 3 }));
    expect(first.clusters).toHaveLength(3);
    const second = await api.dsql().send(new ListClustersCommand({ nextToken: first.nextToken }));
    expect(second.clusters!.map(({ identifier }) => identifier)).toEqual([ids[2]]);
    expect(second.nextToken).toBeUndefined();
  });

  it('refuses in the words of a JSON service', async () => {
    const missing = 'z'.repeat(26);
    const error = await api
      .dsql()
      .send(new GetClusterCommand({ identifier: missing }))
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      name: 'ResourceNotFoundException',
      resourceId: missing,
      resourceType: 'cluster',
      $metadata: { httpStatusCode: 404 },
    });
    expect(await refusal(api.dsql().send(new GetClusterCommand({ identifier: 'short' })))).toMatchObject({
      code: 'ValidationException',
      status: 400,
    });
    const create = await api
      .dsql()
      .send(new CreateClusterCommand({}))
      .catch((reason: unknown) => reason);
    expect(create).toMatchObject({
      name: 'ValidationException',
      reason: 'unknownOperation',
      message: 'The operation POST /cluster is not supported.',
    });
    const unknown = { accessKeyId: 'AKIAAAAAAAAAAAAAAAAA', secretAccessKey: 'x' };
    expect(await refusal(api.dsql(unknown).send(new ListClustersCommand({})))).toMatchObject({
      code: 'UnrecognizedClientException',
      status: 403,
    });
  });

  it('decides on the ARN of the cluster', async () => {
    await api.iam().send(new iam.CreateUserCommand({ UserName: 'ops' }));
    const put = (PolicyDocument: string) =>
      api.iam().send(new iam.PutUserPolicyCommand({ UserName: 'ops', PolicyName: 'p', PolicyDocument }));
    const { AccessKey } = await api.iam().send(new iam.CreateAccessKeyCommand({ UserName: 'ops' }));
    const ops = api.dsql({ accessKeyId: AccessKey!.AccessKeyId!, secretAccessKey: AccessKey!.SecretAccessKey! });
    await put(allow('dsql:GetCluster', CLUSTER_ARN));
    expect((await ops.send(new GetClusterCommand({ identifier: CLUSTER_ID }))).arn).toBe(CLUSTER_ARN);
    const other = 'y'.repeat(26);
    expect(await refusal(ops.send(new GetClusterCommand({ identifier: other })))).toEqual({
      code: 'AccessDeniedException',
      status: 403,
      text: `User: arn:aws:iam::${ACCOUNT}:user/ops is not authorized to perform: dsql:GetCluster on resource: arn:aws:dsql:${REGION}:${ACCOUNT}:cluster/${other} because no identity-based policy allows the dsql:GetCluster action`,
    });
    expect(await refusal(ops.send(new ListClustersCommand({})))).toMatchObject({ code: 'AccessDeniedException' });
    await put(allow('dsql:List*'));
    expect((await ops.send(new ListClustersCommand({}))).clusters!.length).toBeGreaterThan(0);
  });
});
