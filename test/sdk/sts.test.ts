import * as iam from '@aws-sdk/client-iam';
import { AssumeRoleCommand, GetAccessKeyInfoCommand, GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ACCOUNT,
  type ApiUnderTest,
  allow,
  type Credentials,
  makeUserWithKey,
  refusal,
  startApi,
  trust,
} from './api-under-test.ts';

let api: ApiUnderTest;
let root: iam.IAMClient;
let ann: Credentials;

const userArn = (name: string) => `arn:aws:iam::${ACCOUNT}:user/${name}`;
const roleArn = (name: string) => `arn:aws:iam::${ACCOUNT}:role/${name}`;

beforeAll(async () => {
  api = await startApi();
  root = api.iam();
  ann = await makeUser('ann');
});
afterAll(() => api.close());

const makeUser = (name: string) => makeUserWithKey(root, name);

async function makeRole(RoleName: string, principal: unknown, more: Partial<iam.CreateRoleCommandInput> = {}) {
  const AssumeRolePolicyDocument = trust(principal);
  await root.send(new iam.CreateRoleCommand({ RoleName, AssumeRolePolicyDocument, ...more }));
}

async function assume(as: Credentials, name: string, more: { DurationSeconds?: number } = {}): Promise<Credentials> {
  const command = new AssumeRoleCommand({ RoleArn: roleArn(name), RoleSessionName: 'session', ...more });
  const { Credentials: made } = await api.sts(as).send(command);
  return {
    accessKeyId: made!.AccessKeyId!,
    secretAccessKey: made!.SecretAccessKey!,
    sessionToken: made!.SessionToken!,
  };
}

const who = (as: Credentials) => api.sts(as).send(new GetCallerIdentityCommand({}));
const deniedFor = (arn: string, role: string) => ({
  code: 'AccessDenied',
  status: 403,
  text: `User: ${arn} is not authorized to perform: sts:AssumeRole on resource: ${roleArn(role)}`,
});

describe('GetCallerIdentity', () => {
  it('tells the root user and a user who they are', async () => {
    const rootArn = `arn:aws:iam::${ACCOUNT}:root`;
    expect(await who(api.root)).toMatchObject({ UserId: ACCOUNT, Account: ACCOUNT, Arn: rootArn });
    const identity = await who(ann);
    expect(identity).toMatchObject({ Account: ACCOUNT, Arn: userArn('ann') });
    expect(identity.UserId).toMatch(/^AIDA/);
    const info = new GetAccessKeyInfoCommand({ AccessKeyId: ann.accessKeyId });
    expect((await api.sts().send(info)).Account).toBe(ACCOUNT);
  });

  it('refuses an unknown key, and a known one with a wrong secret', async () => {
    expect(await refusal(who({ accessKeyId: 'AKIAAAAAAAAAAAAAAAAA', secretAccessKey: 'x' }))).toMatchObject({
      code: 'InvalidClientTokenId',
      status: 403,
    });
    expect(await refusal(who({ ...ann, secretAccessKey: 'x' }))).toMatchObject({
      code: 'SignatureDoesNotMatch',
      status: 403,
    });
  });

  it('refuses a request whose time is more than 15 minutes off', async () => {
    for (const [ahead, text] of [
      [16 * 60_000, /^Signature expired: \d{8}T\d{6}Z is now earlier than .* - 15 min\.\)$/],
      [-16 * 60_000, /^Signature not yet current: /],
    ] as const) {
      api.clock.ahead = ahead;
      const refused = await refusal(who(ann));
      api.clock.ahead = 0;
      expect(refused).toMatchObject({ code: 'SignatureDoesNotMatch', status: 403 });
      expect(refused.text).toMatch(text);
    }
  });
});

describe('AssumeRole', () => {
  it('gives credentials that act as the role', async () => {
    await makeRole('Worker', { AWS: userArn('ann') }, { Path: '/app/' });
    await root.send(
      new iam.PutRolePolicyCommand({ RoleName: 'Worker', PolicyName: 'p', PolicyDocument: allow('iam:GetRole') }),
    );
    const command = new AssumeRoleCommand({ RoleArn: roleArn('app/Worker'), RoleSessionName: 's@1' });
    const made = await api.sts(ann).send(command);
    const session = {
      accessKeyId: made.Credentials!.AccessKeyId!,
      secretAccessKey: made.Credentials!.SecretAccessKey!,
      sessionToken: made.Credentials!.SessionToken!,
    };
    const arn = `arn:aws:sts::${ACCOUNT}:assumed-role/Worker/s@1`;
    expect(session.accessKeyId).toMatch(/^ASIA[A-Z2-7]{16}$/);
    expect(session.secretAccessKey).toHaveLength(40);
    expect(session.sessionToken).not.toContain(session.secretAccessKey);
    expect(made.AssumedRoleUser!.Arn).toBe(arn);
    const lasts = made.Credentials!.Expiration!.getTime() - Date.now();
    expect(Math.abs(lasts - 3_600_000)).toBeLessThan(60_000);
    const identity = await who(session);
    expect(identity).toMatchObject({ Arn: arn, UserId: made.AssumedRoleUser!.AssumedRoleId });
    expect((await api.iam(session).send(new iam.GetRoleCommand({ RoleName: 'Worker' }))).Role!.RoleName).toBe('Worker');
    expect(await refusal(api.iam(session).send(new iam.ListUsersCommand({})))).toEqual({
      code: 'AccessDenied',
      status: 403,
      text: `User: ${arn} is not authorized to perform: iam:ListUsers on resource: arn:aws:iam::${ACCOUNT}:user/ because no identity-based policy allows the iam:ListUsers action`,
    });
    expect(await refusal(api.iam(session).send(new iam.GetUserCommand({})))).toMatchObject({
      code: 'ValidationError',
      text: 'Must specify userName when calling with non-User credentials',
    });
  });

  it('leaves it to the policies of the caller where the trust policy names the account', async () => {
    const bob = await makeUser('bob');
    await makeRole('Shared', { AWS: ACCOUNT });
    expect(await refusal(assume(bob, 'Shared'))).toEqual(deniedFor(userArn('bob'), 'Shared'));
    const PolicyDocument = allow('sts:AssumeRole', roleArn('Shared'));
    await root.send(new iam.PutUserPolicyCommand({ UserName: 'bob', PolicyName: 'p', PolicyDocument }));
    expect((await who(await assume(bob, 'Shared'))).Arn).toContain('assumed-role/Shared/session');
    expect((await who(await assume(api.root, 'Shared'))).Arn).toContain('assumed-role/Shared/session');
  });

  it('needs no policy where the trust policy names the caller, unless one denies', async () => {
    const eve = await makeUser('eve');
    await makeRole('Named', { AWS: [userArn('eve'), userArn('ann')] });
    await assume(eve, 'Named');
    const PolicyDocument = '{"Statement":{"Effect":"Deny","Action":"sts:*","Resource":"*"}}';
    await root.send(new iam.PutUserPolicyCommand({ UserName: 'eve', PolicyName: 'no', PolicyDocument }));
    expect(await refusal(assume(eve, 'Named'))).toEqual(deniedFor(userArn('eve'), 'Named'));
    await assume(ann, 'Named');
    expect(await refusal(assume(api.root, 'Named'))).toMatchObject({ code: 'AccessDenied' });
  });

  it('follows a Deny of the trust policy, and trusts nobody whom it does not name', async () => {
    const statements = [
      { Effect: 'Allow', Principal: '*', Action: 'sts:AssumeRole' },
      { Effect: 'Deny', Principal: { AWS: userArn('ann') }, Action: 'sts:*' },
    ];
    const AssumeRolePolicyDocument = JSON.stringify({ Statement: statements });
    await root.send(new iam.CreateRoleCommand({ RoleName: 'NotAnn', AssumeRolePolicyDocument }));
    await makeRole('Service', { Service: 'ec2.amazonaws.com' });
    expect(await refusal(assume(ann, 'NotAnn'))).toEqual(deniedFor(userArn('ann'), 'NotAnn'));
    expect(await refusal(assume(ann, 'Service'))).toEqual(deniedFor(userArn('ann'), 'Service'));
    expect(await refusal(assume(api.root, 'Service'))).toMatchObject({ code: 'AccessDenied' });
    expect(await refusal(assume(ann, 'Missing'))).toEqual(deniedFor(userArn('ann'), 'Missing'));
    await assume(await makeUser('zed'), 'NotAnn');
  });

  it('does not trust a user that was made again under the same name', async () => {
    const first = await makeUser('twin');
    await makeRole('OnlyTwin', { AWS: userArn('twin') });
    await assume(first, 'OnlyTwin');
    await root.send(new iam.DeleteAccessKeyCommand({ UserName: 'twin', AccessKeyId: first.accessKeyId }));
    await root.send(new iam.DeleteUserCommand({ UserName: 'twin' }));
    const second = await makeUser('twin');
    expect(await refusal(assume(second, 'OnlyTwin'))).toEqual(deniedFor(userArn('twin'), 'OnlyTwin'));
    const PolicyDocument = trust({ AWS: userArn('twin') });
    await root.send(new iam.UpdateAssumeRolePolicyCommand({ RoleName: 'OnlyTwin', PolicyDocument }));
    await assume(second, 'OnlyTwin');
  });

  it('limits how long a session lasts', async () => {
    await makeRole('Long', { AWS: '*' }, { MaxSessionDuration: 7200 });
    await makeRole('Short', '*');
    const session = await assume(ann, 'Long', { DurationSeconds: 7200 });
    expect(await refusal(assume(ann, 'Long', { DurationSeconds: 7201 }))).toMatchObject({
      code: 'ValidationError',
      text: 'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
    });
    expect(await refusal(assume(ann, 'Short', { DurationSeconds: 899 }))).toMatchObject({ code: 'ValidationError' });
    expect(await refusal(assume(session, 'Long', { DurationSeconds: 3601 }))).toMatchObject({
      code: 'ValidationError',
      text: 'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining',
    });
    expect((await who(await assume(session, 'Short'))).Arn).toContain('assumed-role/Short/');
  });

  it.each([
    [{ SerialNumber: 'GAHT12345678', TokenCode: '123456' }, 'serialNumber'],
    [{ ProvidedContexts: [{ ProviderArn: 'arn:aws:iam::aws:contextProvider/x' }] }, 'providedContexts'],
  ])('refuses %j, which would be ignored', async (more, parameter) => {
    const command = new AssumeRoleCommand({ RoleArn: roleArn('Short'), RoleSessionName: 'session', ...more });
    expect(await refusal(api.sts(ann).send(command))).toEqual({
      code: 'ValidationError',
      status: 400,
      text: `The parameter ${parameter} is not supported.`,
    });
  });
});

describe('a session', () => {
  it('ends with its time', async () => {
    await makeRole('Timed', '*');
    const session = await assume(ann, 'Timed', { DurationSeconds: 900 });
    api.clock.ahead = 901_000;
    const client = api.sts(session);
    client.config.systemClockOffset = 901_000;
    const refused = await refusal(client.send(new GetCallerIdentityCommand({})));
    const forger = api.sts({ ...session, secretAccessKey: 'guessed' });
    forger.config.systemClockOffset = 901_000;
    const untold = await refusal(forger.send(new GetCallerIdentityCommand({})));
    api.clock.ahead = 0;
    expect(untold).toMatchObject({ code: 'SignatureDoesNotMatch', status: 403 });
    expect(refused).toEqual({
      code: 'ExpiredToken',
      status: 403,
      text: 'The security token included in the request is expired',
    });
  });

  it('ends with its role, also when a role of the same name is made', async () => {
    await makeRole('Brief', '*');
    const session = await assume(ann, 'Brief');
    await who(session);
    await root.send(new iam.DeleteRoleCommand({ RoleName: 'Brief' }));
    expect(await refusal(who(session))).toMatchObject({ code: 'InvalidClientTokenId', status: 403 });
    await makeRole('Brief', '*');
    expect(await refusal(who(session))).toMatchObject({ code: 'InvalidClientTokenId', status: 403 });
  });

  it('is bound to its key', async () => {
    await makeRole('Bound', '*');
    const [one, two] = [await assume(ann, 'Bound'), await assume(ann, 'Bound')];
    const { accessKeyId, secretAccessKey } = one;
    const wrong: Credentials[] = [
      { accessKeyId, secretAccessKey },
      { accessKeyId, secretAccessKey, sessionToken: two.sessionToken! },
      { ...ann, sessionToken: one.sessionToken! },
      { ...one, sessionToken: `${one.sessionToken}A` },
      { ...one, sessionToken: 'x'.repeat(5000) },
    ];
    for (const credentials of wrong) {
      expect(await refusal(who(credentials))).toMatchObject({ code: 'InvalidClientTokenId', status: 403 });
    }
    expect(await refusal(who({ ...one, secretAccessKey: 'x' }))).toMatchObject({ code: 'SignatureDoesNotMatch' });
  });
});
