import { randomBytes } from 'node:crypto';
import {
  CreateOpenIDConnectProviderCommand,
  CreateRoleCommand,
  DeleteAccessKeyCommand,
  DeleteUserCommand,
  DeleteUserPolicyCommand,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam';
import {
  AssumeRoleCommand,
  type AssumeRoleCommandInput,
  AssumeRoleWithWebIdentityCommand,
  type Credentials,
  GetFederationTokenCommand,
  GetSessionTokenCommand,
  STSClient,
} from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SigningCredentials } from '../../src/sigv4/presign.ts';
import { makeUser, policy } from '../harness/identities.ts';
import { makeKey, startIssuer } from '../harness/oidc-issuer.ts';
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

  it('are refused what their session policy leaves out, and let in where it does not', async () => {
    const refused = {
      code: '08006',
      message: DENIED,
      hint: expect.stringMatching(
        /assumed-role\/keeper\/job is not authorized to perform: dsql:DbConnectAdmin on .* no session policy allows/,
      ),
    };
    const narrow = await keeper({ Policy: policy('Allow', 'dsql:DbConnect') });
    await expect(postern.connect('admin', narrow)).rejects.toMatchObject(refused);
    expect(await currentUser('admin', await keeper({ Policy: policy('Allow', 'dsql:DbConnectAdmin') }))).toBe('admin');
    const arn = 'arn:aws:iam::aws:policy/AdministratorAccess';
    expect(await currentUser('admin', await keeper({ PolicyArns: [{ arn }] }))).toBe('admin');
    const both = await keeper({ PolicyArns: [{ arn }], Policy: policy('Deny', 'dsql:DbConnectAdmin') });
    await expect(postern.connect('admin', both)).rejects.toMatchObject({
      hint: expect.stringContaining('with an explicit deny in a session policy'),
    });
  });

  it('of a federated user may what both its session policies and the user may', async () => {
    const keys = await makeUser(postern, 'issuer', policy('Allow', ['sts:GetFederationToken', 'dsql:DbConnectAdmin']));
    const federate = async (as: SigningCredentials, Policy?: string) => {
      const command = new GetFederationTokenCommand({ Name: 'Bob', ...(Policy && { Policy }) });
      return credentialsOf((await new STSClient(postern.awsClient(as)).send(command)).Credentials);
    };
    const refused = {
      code: '08006',
      message: DENIED,
      hint: expect.stringContaining(`User: arn:aws:sts::${ACCOUNT}:federated-user/Bob is not authorized`),
    };
    for (const as of [keys, postern.root]) {
      expect(await currentUser('admin', await federate(as, policy('Allow', '*')))).toBe('admin');
      await expect(postern.connect('admin', await federate(as))).rejects.toMatchObject(refused);
      const narrow = await federate(as, policy('Allow', 'dsql:DbConnect'));
      await expect(postern.connect('admin', narrow)).rejects.toMatchObject(refused);
    }
  });

  it('of a web identity log in, as far as its claims and tags go', async () => {
    const issuer = await startIssuer(await makeKey('rsa', 'RS256'));
    const host = issuer.url.slice('http://'.length);
    const made = await postern.iam.send(
      new CreateOpenIDConnectProviderCommand({ Url: issuer.url, ClientIDList: ['client'] }),
    );
    const trust = {
      Effect: 'Allow',
      Principal: { Federated: made.OpenIDConnectProviderArn },
      Action: ['sts:AssumeRoleWithWebIdentity', 'sts:TagSession'],
      Condition: { StringEquals: { [`${host}:aud`]: 'client' }, StringLike: { [`${host}:sub`]: 'repo:me/*' } },
    };
    const access = {
      Effect: 'Allow',
      Action: 'dsql:DbConnect',
      Resource: '*',
      Condition: { StringEquals: { 'aws:PrincipalTag/Team': 'blue', [`${host}:sub`]: 'repo:me/app' } },
    };
    const document = (statement: object) => JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
    const RoleName = 'deploy';
    await postern.iam.send(new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: document(trust) }));
    const PolicyDocument = document(access);
    await postern.iam.send(new PutRolePolicyCommand({ RoleName, PolicyName: 'access', PolicyDocument }));
    const RoleArn = `arn:aws:iam::${ACCOUNT}:role/${RoleName}`;
    const admin = await postern.connect();
    await admin.query('CREATE ROLE deploy LOGIN');
    await admin.query(`AWS IAM GRANT deploy TO '${RoleArn}'`);
    await admin.end();

    const assume = async (sub: string, team: string) => {
      const tags = { principal_tags: { Team: [team] } };
      const WebIdentityToken = await issuer.sign(issuer.claims({ sub, 'https://aws.amazon.com/tags': tags }));
      const command = new AssumeRoleWithWebIdentityCommand({ RoleArn, RoleSessionName: 'ci', WebIdentityToken });
      return credentialsOf((await postern.sts.send(command)).Credentials);
    };
    expect(await currentUser('deploy', await assume('repo:me/app', 'blue'))).toBe('deploy');
    for (const other of [await assume('repo:me/app', 'red'), await assume('repo:me/other', 'blue')]) {
      await expect(postern.connect('deploy', other)).rejects.toMatchObject({ code: '08006', message: DENIED });
    }
    await expect(assume('repo:you/app', 'blue')).rejects.toMatchObject({ name: 'AccessDenied' });
    await issuer.close();
  });

  it('are asked about by their tags and by where the login comes from', async () => {
    const put = (Condition: object) => {
      const Statement = [{ Effect: 'Allow', Action: 'dsql:DbConnectAdmin', Resource: '*', Condition }];
      const PolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement });
      return postern.iam.send(new PutRolePolicyCommand({ RoleName: 'picky', PolicyName: 'access', PolicyDocument }));
    };
    const Statement = [{ Effect: 'Allow', Principal: { AWS: '*' }, Action: ['sts:AssumeRole', 'sts:TagSession'] }];
    const AssumeRolePolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement });
    await postern.iam.send(new CreateRoleCommand({ RoleName: 'picky', AssumeRolePolicyDocument }));
    const RoleArn = `arn:aws:iam::${ACCOUNT}:role/picky`;
    const session = await keeper({ RoleArn, Tags: [{ Key: 'Team', Value: 'blue' }] });
    await put({
      Bool: { 'aws:SecureTransport': 'true' },
      IpAddress: { 'aws:SourceIp': ['127.0.0.0/8', '::1/128'] },
      StringEquals: { 'aws:RequestedRegion': 'us-east-1', 'aws:PrincipalTag/team': 'blue' },
      Null: { 'aws:UserAgent': 'true', 'aws:TokenIssueTime': 'false' },
      DateLessThan: { 'aws:CurrentTime': '2100-01-01T00:00:00Z' },
    });
    expect(await currentUser('admin', session)).toBe('admin');
    for (const other of [
      { StringEquals: { 'aws:PrincipalTag/Team': 'red' } },
      { Bool: { 'aws:SecureTransport': 'false' } },
      { NotIpAddress: { 'aws:SourceIp': ['127.0.0.0/8', '::1/128'] } },
      { StringEquals: { 'aws:RequestedRegion': 'eu-west-1' } },
      { Bool: { 'aws:MultiFactorAuthPresent': 'false' } },
    ]) {
      await put(other);
      await expect(postern.connect('admin', session)).rejects.toMatchObject({ code: '08006', message: DENIED });
    }
  });
});
