import { randomBytes } from 'node:crypto';
import {
  CreateRoleCommand,
  DeleteAccessKeyCommand,
  DeleteUserCommand,
  DeleteUserPolicyCommand,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam';
import {
  AssumeRoleCommand,
  type AssumeRoleCommandInput,
  type Credentials,
  GetFederationTokenCommand,
  GetSessionTokenCommand,
  STSClient,
} from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SigningCredentials } from '../../src/sigv4/presign.ts';
import { makeUser, policy } from '../harness/identities.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

const DENIED = 'unable to accept connection, access denied';
const ACCOUNT = '123456789012';

let postern: TestServer;
beforeAll(async () => {
  postern = await startTestServer();
  const Statement = [{ Effect: 'Allow', Principal: { AWS: '*' }, Action: ['sts:AssumeRole', 'sts:TagSession'] }];
  const AssumeRolePolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement });
  await postern.iam.send(new CreateRoleCommand({ RoleName: 'keeper', AssumeRolePolicyDocument }));
  const PolicyDocument = policy('Allow', 'dsql:*');
  await postern.iam.send(new PutRolePolicyCommand({ RoleName: 'keeper', PolicyName: 'access', PolicyDocument }));
});
afterAll(() => postern?.stop());

function credentialsOf(made: Credentials | undefined): SigningCredentials {
  return {
    accessKeyId: made?.AccessKeyId as string,
    secretAccessKey: made?.SecretAccessKey as string,
    sessionToken: made?.SessionToken as string,
  };
}

async function keeper(more: Partial<AssumeRoleCommandInput> = {}): Promise<SigningCredentials> {
  const RoleArn = `arn:aws:iam::${ACCOUNT}:role/keeper`;
  const made = await postern.sts.send(new AssumeRoleCommand({ RoleArn, RoleSessionName: 'job', ...more }));
  return credentialsOf(made.Credentials);
}

async function currentUser(role: string, credentials: SigningCredentials): Promise<string> {
  const client = await postern.connect(role, credentials);
  const { rows } = await client.query('SELECT current_user');
  await client.end();
  return rows[0].current_user;
}

describe('temporary credentials', () => {
  it('of GetSessionToken log in as their user, until the user is deleted', async () => {
    const user = { UserName: 'holder' };
    const keys = await makeUser(postern, 'holder', policy('Allow', 'dsql:*'));
    const sts = new STSClient(postern.awsClient(keys));
    const own = credentialsOf((await sts.send(new GetSessionTokenCommand({}))).Credentials);
    expect(await currentUser('admin', own)).toBe('admin');
    const admin = await postern.connect();
    await admin.query('CREATE ROLE holder LOGIN');
    await admin.query(`AWS IAM GRANT holder TO 'arn:aws:iam::${ACCOUNT}:user/holder'`);
    await admin.end();
    await postern.iam.send(new DeleteAccessKeyCommand({ ...user, AccessKeyId: keys.accessKeyId }));
    expect(await currentUser('holder', own)).toBe('holder');
    await postern.iam.send(new DeleteUserPolicyCommand({ ...user, PolicyName: 'access' }));
    await postern.iam.send(new DeleteUserCommand(user));
    await expect(postern.connect('holder', own)).rejects.toMatchObject({ code: '08006', message: DENIED });
  });

  it('log in with a session token that is full of tags', async () => {
    const Tags = Array.from({ length: 19 }, (_, i) => ({ Key: `k${i}`, Value: randomBytes(192).toString('base64') }));
    const session = await keeper({ Tags });
    expect(session.sessionToken?.length).toBeGreaterThan(5000);
    expect(await currentUser('admin', session)).toBe('admin');
  });

  it('are refused what their session policy leaves out', async () => {
    const session = await keeper({ Policy: policy('Allow', 'dsql:DbConnect') });
    await expect(postern.connect('admin', session)).rejects.toMatchObject({
      code: '08006',
      message: DENIED,
      hint: expect.stringContaining('assumed-role/keeper/job is not authorized to perform: dsql:DbConnectAdmin'),
    });
  });

  it('of a federated user without a session policy are refused everything', async () => {
    const made = await postern.sts.send(new GetFederationTokenCommand({ Name: 'Bob' }));
    await expect(postern.connect('admin', credentialsOf(made.Credentials))).rejects.toMatchObject({
      code: '08006',
      message: DENIED,
      hint: expect.stringContaining(`User: arn:aws:sts::${ACCOUNT}:federated-user/Bob is not authorized`),
    });
  });
});
