import { randomBytes } from 'node:crypto';
import * as iam from '@aws-sdk/client-iam';
import {
  AssumeRoleCommand,
  type AssumeRoleCommandInput,
  GetAccessKeyInfoCommand,
  GetCallerIdentityCommand,
  GetFederationTokenCommand,
  type GetFederationTokenCommandInput,
  GetSessionTokenCommand,
  type Credentials as Issued,
} from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ACCOUNT,
  type ApiUnderTest,
  allow,
  type Credentials,
  makeUserWithKey,
  refusal,
  startApi,
} from './api-under-test.ts';
import { send } from './signed-request.ts';

let api: ApiUnderTest;
let root: iam.IAMClient;
let ann: Credentials;

const ADMIN = 'arn:aws:iam::aws:policy/AdministratorAccess';
const roleArn = (name: string) => `arn:aws:iam::${ACCOUNT}:role/${name}`;
const userArn = (name: string) => `arn:aws:iam::${ACCOUNT}:user/${name}`;

beforeAll(async () => {
  api = await startApi();
  root = api.iam();
  ann = await makeUserWithKey(root, 'ann', allow(['sts:GetFederationToken', 'sts:GetAccessKeyInfo']));
  await makeRole('Open', ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'], 7200);
  await makeRole('Next', ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity']);
  await makeRole('Plain', ['sts:AssumeRole']);
});
afterAll(() => api.close());

async function makeRole(RoleName: string, Action: string[], MaxSessionDuration = 3600) {
  const Statement = [{ Effect: 'Allow', Principal: '*', Action }];
  const AssumeRolePolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement });
  await root.send(new iam.CreateRoleCommand({ RoleName, AssumeRolePolicyDocument, MaxSessionDuration }));
}

function credentialsOf(made: Issued | undefined): Credentials {
  return {
    accessKeyId: made!.AccessKeyId!,
    secretAccessKey: made!.SecretAccessKey!,
    sessionToken: made!.SessionToken!,
  };
}

const assume = (as: Credentials, role: string, more: Partial<AssumeRoleCommandInput> = {}) =>
  api.sts(as).send(new AssumeRoleCommand({ RoleArn: roleArn(role), RoleSessionName: 'job', ...more }));
const session = async (...args: Parameters<typeof assume>) => credentialsOf((await assume(...args)).Credentials);
const federate = (as: Credentials, more: Partial<GetFederationTokenCommandInput> = {}) =>
  api.sts(as).send(new GetFederationTokenCommand({ Name: 'Bob', ...more }));
const who = (as: Credentials) => api.sts(as).send(new GetCallerIdentityCommand({}));
const lasts = (made: Issued | undefined) => Math.round((made!.Expiration!.getTime() - Date.now()) / 60_000);
const noise = (length: number) => randomBytes(length).toString('base64url').slice(0, length);

describe('AssumeRole', () => {
  it('tells how much of the space the policies and tags take', async () => {
    expect(await assume(ann, 'Open')).not.toHaveProperty('PackedPolicySize');
    const small = await assume(ann, 'Open', { Policy: allow('dsql:*') });
    expect(small.PackedPolicySize).toBeGreaterThan(0);
    expect(small.PackedPolicySize).toBeLessThan(5);
    const Tags = Array.from({ length: 8 }, (_, i) => ({ Key: `k${i}`, Value: noise(256) }));
    const large = await assume(ann, 'Open', { Tags, PolicyArns: [{ arn: ADMIN }] });
    expect(large.PackedPolicySize).toBeGreaterThan(30);
    expect(large.PackedPolicySize).toBeLessThan(60);
    expect((await who(credentialsOf(large.Credentials))).Arn).toContain('assumed-role/Open/job');
  });

  it('refuses policies and tags that are too large together', async () => {
    const Tags = Array.from({ length: 30 }, (_, i) => ({ Key: `k${i}`, Value: noise(256) }));
    expect(await refusal(assume(ann, 'Open', { Tags }))).toEqual({
      code: 'PackedPolicyTooLarge',
      status: 400,
      text: expect.stringMatching(/^Packed size of session tags consumes 1\d\d% of allotted space\.$/),
    });
    expect((await refusal(assume(ann, 'Open', { Tags, Policy: allow('*') }))).text).toMatch(/^Packed policy consumes /);
  });

  it('makes tokens that both doors take, however full they are', async () => {
    const Tags = Array.from({ length: 14 }, (_, i) => ({ Key: `k${i}`, Value: noise(256) }));
    const full = await assume(ann, 'Open', { Tags, RoleSessionName: noise(64), SourceIdentity: noise(64) });
    expect(full.PackedPolicySize).toBeGreaterThan(65);
    expect(full.Credentials!.SessionToken!.length).toBeLessThanOrEqual(8192);
    expect((await who(credentialsOf(full.Credentials))).Arn).toContain('assumed-role/Open/');
  });

  it.each([
    [{ Policy: '{"Statement":' }, 'MalformedPolicyDocument', /./],
    [{ Policy: allow('nonsense') }, 'MalformedPolicyDocument', /vendor/],
    [{ Policy: 'x'.repeat(2049) }, 'ValidationError', /less than or equal to 2048/],
    [{ PolicyArns: Array(11).fill({ arn: ADMIN }) }, 'ValidationError', /less than or equal to 10/],
    [{ PolicyArns: [{ arn: 'arn:aws:iam::aws:policy/Nonsense' }] }, 'ValidationError', /does not exist/],
    [{ Tags: Array.from({ length: 51 }, (_, i) => ({ Key: `k${i}`, Value: '' })) }, 'ValidationError', /equal to 50/],
    [{ Tags: [tag('a'), tag('A')] }, 'ValidationError', /Duplicate tag keys/],
    [{ Tags: [tag('aws:x')] }, 'ValidationError', /reserved/],
    [{ Tags: [tag('AWS:x')] }, 'ValidationError', /reserved/],
    [{ TransitiveTagKeys: ['a'] }, 'ValidationError', /must be included in the requested tags/],
    [{ Tags: [tag('a')], TransitiveTagKeys: ['a', 'A'] }, 'ValidationError', /Duplicate transitive/],
    [{ SourceIdentity: 'x' }, 'ValidationError', /greater than or equal to 2/],
    [{ SourceIdentity: 'aws:x' }, 'ValidationError', /pattern/],
    [{ RoleArn: 'arn:aws:iam::123456789012:user/ann' }, 'ValidationError', /is invalid/],
  ] as [Partial<AssumeRoleCommandInput>, string, RegExp][])('refuses %j: %s', async (more, code, text) => {
    const refused = await refusal(assume(ann, 'Open', more));
    expect(refused).toMatchObject({ code, status: 400 });
    expect(refused.text).toMatch(text);
  });

  it('takes a customer managed policy of the account', async () => {
    const arn = `arn:aws:iam::${ACCOUNT}:policy/mine`;
    expect(await refusal(assume(ann, 'Open', { PolicyArns: [{ arn }] }))).toMatchObject({ code: 'ValidationError' });
    const createdAt = new Date().toISOString();
    const version = { id: 'v1', document: allow('dsql:*'), createdAt };
    const row = { name: 'mine', id: 'ANPAMINE', path: '/', description: '', createdAt, updatedAt: createdAt, tags: [] };
    await api.store.change((draft) =>
      draft.put('managedPolicies', arn, { ...row, versions: [version], defaultVersion: 'v1', lastVersion: 1 }),
    );
    expect((await assume(ann, 'Open', { PolicyArns: [{ arn }] })).PackedPolicySize).toBeGreaterThan(0);
  });

  it('needs the trust policy to let tags and source identities be set', async () => {
    const denial = (action: string) => ({
      code: 'AccessDenied',
      status: 403,
      text: `User: ${userArn('ann')} is not authorized to perform: ${action} on resource: ${roleArn('Plain')}`,
    });
    expect(await refusal(assume(ann, 'Plain', { Tags: [tag('a')] }))).toEqual(denial('sts:TagSession'));
    expect(await refusal(assume(ann, 'Plain', { SourceIdentity: 'me' }))).toEqual(denial('sts:SetSourceIdentity'));
  });

  it('asks the policies with everything that the call says', async () => {
    api.asked.length = 0;
    await assume(ann, 'Open', {
      ExternalId: 'ext:1',
      SourceIdentity: 'me',
      Tags: [tag('Team', 'blue'), tag('cost', '7')],
      TransitiveTagKeys: ['Team'],
    });
    expect(api.asked.map(({ action }) => action)).toEqual([
      'sts:AssumeRole',
      'sts:TagSession',
      'sts:SetSourceIdentity',
    ]);
    for (const { by, resource, context } of api.asked) {
      expect([by, resource]).toEqual([userArn('ann'), roleArn('Open')]);
      expect(context).toMatchObject({
        'sts:externalid': ['ext:1'],
        'sts:rolesessionname': ['job'],
        'sts:sourceidentity': ['me'],
        'aws:requesttag/team': ['blue'],
        'aws:requesttag/cost': ['7'],
        'aws:tagkeys': ['Team', 'cost'],
        'sts:transitivetagkeys': ['Team'],
        'aws:requestedregion': ['eu-west-1'],
        'aws:sourceip': ['127.0.0.1'],
        'aws:securetransport': ['false'],
      });
    }
    api.asked.length = 0;
    await assume(ann, 'Open');
    const keys = Object.keys(api.asked[0]!.context).filter((key) => key.startsWith('sts:') || key.includes('tag'));
    expect(keys).toEqual(['sts:rolesessionname']);
  });
});

describe('the conditions of a trust policy', () => {
  const trusting = async (RoleName: string, statements: [Action: string, Condition: object][]) => {
    const Statement = statements.map(([Action, Condition]) => ({
      Effect: 'Allow',
      Principal: '*',
      Action: `sts:${Action}`,
      Condition,
    }));
    const AssumeRolePolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement });
    await root.send(new iam.CreateRoleCommand({ RoleName, AssumeRolePolicyDocument }));
  };
  const outcome = async (role: string, more: Partial<AssumeRoleCommandInput>) =>
    assume(ann, role, more).then(
      () => 'allowed',
      (error: Error) => /perform: (\S+)/.exec(error.message)?.[1] ?? error.message,
    );

  it('ask for the external id and the session name', async () => {
    await trusting('External', [['AssumeRole', { StringEquals: { 'sts:ExternalId': 'secret' } }]]);
    expect(await outcome('External', { ExternalId: 'secret' })).toBe('allowed');
    expect(await outcome('External', { ExternalId: 'Secret' })).toBe('sts:AssumeRole');
    expect(await outcome('External', {})).toBe('sts:AssumeRole');
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a policy variable
    await trusting('OwnName', [['AssumeRole', { StringLike: { 'sts:RoleSessionName': '${aws:username}' } }]]);
    expect(await outcome('OwnName', { RoleSessionName: 'ann' })).toBe('allowed');
    expect(await outcome('OwnName', { RoleSessionName: 'root' })).toBe('sts:AssumeRole');
  });

  it('ask for tags, for which of them stay, and for the source identity', async () => {
    await trusting('Marked', [
      ['AssumeRole', {}],
      [
        'TagSession',
        {
          StringEquals: { 'aws:RequestTag/team': ['blue', 'red'] },
          'ForAllValues:StringEquals': { 'aws:TagKeys': ['Team', 'Cost'], 'sts:TransitiveTagKeys': ['Team'] },
        },
      ],
      ['SetSourceIdentity', { StringLike: { 'sts:SourceIdentity': 'emp-*' } }],
    ]);
    const team = tag('Team', 'blue');
    expect(await outcome('Marked', {})).toBe('allowed');
    expect(await outcome('Marked', { Tags: [team], TransitiveTagKeys: ['Team'] })).toBe('allowed');
    expect(await outcome('Marked', { Tags: [tag('Team', 'green')] })).toBe('sts:TagSession');
    expect(await outcome('Marked', { Tags: [team, tag('Other')] })).toBe('sts:TagSession');
    const both = [team, tag('Cost')];
    expect(await outcome('Marked', { Tags: both, TransitiveTagKeys: ['Cost'] })).toBe('sts:TagSession');
    expect(await outcome('Marked', { SourceIdentity: 'emp-1' })).toBe('allowed');
    expect(await outcome('Marked', { SourceIdentity: 'root' })).toBe('sts:SetSourceIdentity');
  });
});

describe('a chain of roles', () => {
  it('keeps transitive tags and the source identity, which nobody can change', async () => {
    const first = await session(ann, 'Open', {
      SourceIdentity: 'me',
      Tags: [tag('Team', 'blue'), tag('own')],
      TransitiveTagKeys: ['Team'],
    });
    const second = await assume(first, 'Next', { Tags: [tag('more')] });
    expect(second.SourceIdentity).toBe('me');
    expect((await assume(first, 'Next', { SourceIdentity: 'me' })).SourceIdentity).toBe('me');
    expect(await refusal(assume(first, 'Next', { SourceIdentity: 'you' }))).toMatchObject({
      code: 'AccessDenied',
      text: 'The source identity of the calling session cannot be changed.',
    });
    for (const Key of ['Team', 'TEAM']) {
      const refused = await refusal(assume(first, 'Next', { Tags: [tag(Key, 'red')] }));
      expect(refused).toMatchObject({ code: 'ValidationError', status: 400 });
      expect(refused.text).toContain('conflicts with a transitive tag key');
    }
    // What was inherited is asked for again, also two steps on; what was not transitive is gone.
    const third = credentialsOf(second.Credentials);
    api.asked.length = 0;
    await assume(third, 'Next', { Tags: [tag('own'), tag('more')] });
    expect(api.asked.map(({ action }) => action)).toEqual([
      'sts:AssumeRole',
      'sts:TagSession',
      'sts:SetSourceIdentity',
    ]);
    expect(await refusal(assume(third, 'Next', { Tags: [tag('team')] }))).toMatchObject({ code: 'ValidationError' });
    expect(await refusal(assume(third, 'Plain'))).toMatchObject({
      code: 'AccessDenied',
      text: expect.stringContaining('sts:TagSession'),
    });
    const marked = await session(ann, 'Open', { SourceIdentity: 'me' });
    expect((await refusal(assume(marked, 'Plain'))).text).toContain('sts:SetSourceIdentity');
  });

  it('has links of at most an hour', async () => {
    const first = await session(ann, 'Open', { DurationSeconds: 7200 });
    expect(await refusal(assume(first, 'Open', { DurationSeconds: 3601 }))).toMatchObject({ code: 'ValidationError' });
    expect(lasts((await assume(first, 'Open', { DurationSeconds: 3600 })).Credentials)).toBe(60);
  });

  it('has no more than 50 tags, inherited ones included', async () => {
    const Tags = Array.from({ length: 40 }, (_, i) => tag(`k${i}`));
    const first = await session(ann, 'Open', { Tags, TransitiveTagKeys: Tags.map(({ Key }) => Key) });
    const more = Array.from({ length: 11 }, (_, i) => tag(`m${i}`));
    expect(await refusal(assume(first, 'Next', { Tags: more }))).toMatchObject({ code: 'ValidationError' });
    expect((await assume(first, 'Next', { Tags: more.slice(1) })).PackedPolicySize).toBeGreaterThan(0);
  });
});

describe('GetSessionToken', () => {
  it('gives a user and the root user a session of themselves', async () => {
    const made = await api.sts(ann).send(new GetSessionTokenCommand({}));
    expect(lasts(made.Credentials)).toBe(12 * 60);
    const own = credentialsOf(made.Credentials);
    expect(await who(own)).toMatchObject({ Arn: userArn('ann'), UserId: (await who(ann)).UserId! });
    const long = await api.sts(ann).send(new GetSessionTokenCommand({ DurationSeconds: 129_600 }));
    expect(lasts(long.Credentials)).toBe(36 * 60);
    const ofRoot = await api.sts().send(new GetSessionTokenCommand({ DurationSeconds: 7200 }));
    expect(lasts(ofRoot.Credentials)).toBe(60);
    expect(lasts((await api.sts().send(new GetSessionTokenCommand({ DurationSeconds: 900 }))).Credentials)).toBe(15);
    expect((await who(credentialsOf(ofRoot.Credentials))).Arn).toBe(`arn:aws:iam::${ACCOUNT}:root`);
  });

  it('needs no permission, and none can be denied', async () => {
    const deny = '{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}';
    const nobody = await makeUserWithKey(root, 'nobody', deny);
    expect((await api.sts(nobody).send(new GetSessionTokenCommand({}))).Credentials).toBeDefined();
  });

  it.each([
    [{ DurationSeconds: 899 }, /greater than or equal to 900/],
    [{ DurationSeconds: 129_601 }, /less than or equal to 129600/],
    [{ SerialNumber: 'GAHT12345678', TokenCode: '123456' }, /The parameter serialNumber is not supported/],
    [{ TokenCode: '123456' }, /The parameter tokenCode is not supported/],
  ])('refuses %j', async (input, text) => {
    const refused = await refusal(api.sts(ann).send(new GetSessionTokenCommand(input)));
    expect(refused).toMatchObject({ code: 'ValidationError', status: 400 });
    expect(refused.text).toMatch(text);
  });

  it('ends with the user, whose name another may take', async () => {
    const gone = await makeUserWithKey(root, 'gone');
    const own = credentialsOf((await api.sts(gone).send(new GetSessionTokenCommand({}))).Credentials);
    await root.send(new iam.DeleteAccessKeyCommand({ UserName: 'gone', AccessKeyId: gone.accessKeyId }));
    expect((await who(own)).Arn).toBe(userArn('gone'));
    await root.send(new iam.UpdateUserCommand({ UserName: 'gone', NewUserName: 'here', NewPath: '/p/' }));
    expect((await who(own)).Arn).toBe(userArn('p/here'));
    await root.send(new iam.DeleteUserCommand({ UserName: 'here' }));
    await root.send(new iam.CreateUserCommand({ UserName: 'gone' }));
    expect(await refusal(who(own))).toMatchObject({ code: 'InvalidClientTokenId', status: 403 });
  });
});

describe('GetFederationToken', () => {
  it('gives a session of a federated user', async () => {
    const Policy = allow('dsql:*');
    const made = await federate(ann, { Policy, PolicyArns: [{ arn: ADMIN }], DurationSeconds: 900 });
    const arn = `arn:aws:sts::${ACCOUNT}:federated-user/Bob`;
    expect(made.FederatedUser).toEqual({ Arn: arn, FederatedUserId: `${ACCOUNT}:Bob` });
    expect(made.PackedPolicySize).toBeGreaterThan(0);
    expect(lasts(made.Credentials)).toBe(15);
    const bob = credentialsOf(made.Credentials);
    expect(await who(bob)).toMatchObject({ Arn: arn, UserId: `${ACCOUNT}:Bob`, Account: ACCOUNT });
    const plain = await federate(ann);
    expect(plain).not.toHaveProperty('PackedPolicySize');
    expect(lasts(plain.Credentials)).toBe(12 * 60);
    expect(lasts((await federate(api.root)).Credentials)).toBe(60);
  });

  it('asks for the federated user by its ARN, and for tags', async () => {
    const resource = `arn:aws:sts::${ACCOUNT}:federated-user/Bob`;
    const carl = await makeUserWithKey(root, 'carl', allow('sts:GetFederationToken', resource));
    await federate(carl);
    expect(await refusal(federate(carl, { Name: 'Eve' }))).toEqual({
      code: 'AccessDenied',
      status: 403,
      text: `User: ${userArn('carl')} is not authorized to perform: sts:GetFederationToken on resource: arn:aws:sts::${ACCOUNT}:federated-user/Eve because no identity-based policy allows the sts:GetFederationToken action`,
    });
    api.asked.length = 0;
    const refused = await refusal(federate(carl, { Tags: [tag('Team', 'blue')] }));
    expect(refused.text).toContain(`not authorized to perform: sts:TagSession on resource: ${resource}`);
    expect(api.asked.map(({ action }) => action)).toEqual(['sts:GetFederationToken', 'sts:TagSession']);
    expect(api.asked[1]!.context).toMatchObject({ 'aws:requesttag/team': ['blue'], 'aws:tagkeys': ['Team'] });
  });

  it.each([
    [{ Name: 'x' }, 'ValidationError'],
    [{ Name: 'x'.repeat(33) }, 'ValidationError'],
    [{ Name: 'a b' }, 'ValidationError'],
    [{ DurationSeconds: 899 }, 'ValidationError'],
    [{ Policy: '{}' }, 'MalformedPolicyDocument'],
    [{ Tags: [tag('a'), tag('A')] }, 'ValidationError'],
    [{ PolicyArns: [{ arn: 'arn:aws:iam::aws:policy/Nonsense' }] }, 'ValidationError'],
    [{ Tags: Array.from({ length: 30 }, (_, i) => tag(`k${i}`, noise(256))) }, 'PackedPolicyTooLarge'],
  ] as [Partial<GetFederationTokenCommandInput>, string][])('refuses %j: %s', async (more, code) => {
    expect(await refusal(federate(api.root, more))).toMatchObject({ code, status: 400 });
  });

  it('gives a session that ends with the user who made it', async () => {
    const host = await makeUserWithKey(root, 'host', allow('sts:*'));
    const bob = credentialsOf((await federate(host)).Credentials);
    await who(bob);
    await root.send(new iam.DeleteUserPolicyCommand({ UserName: 'host', PolicyName: 'p' }));
    await root.send(new iam.DeleteAccessKeyCommand({ UserName: 'host', AccessKeyId: host.accessKeyId }));
    await root.send(new iam.DeleteUserCommand({ UserName: 'host' }));
    expect(await refusal(who(bob))).toMatchObject({ code: 'InvalidClientTokenId', status: 403 });
  });
});

describe('temporary credentials', () => {
  it('call of IAM and STS what their kind may', async () => {
    const kinds: Record<string, Credentials> = {
      role: await session(ann, 'Open'),
      own: credentialsOf((await api.sts(ann).send(new GetSessionTokenCommand({}))).Credentials),
      rootOwn: credentialsOf((await api.sts().send(new GetSessionTokenCommand({}))).Credentials),
      federated: credentialsOf((await federate(ann)).Credentials),
    };
    const calls = (as: Credentials): Record<string, () => Promise<unknown>> => ({
      GetCallerIdentity: () => who(as),
      AssumeRole: () => assume(as, 'Open'),
      GetSessionToken: () => api.sts(as).send(new GetSessionTokenCommand({})),
      GetFederationToken: () => federate(as),
      GetAccessKeyInfo: () => api.sts(as).send(new GetAccessKeyInfoCommand({ AccessKeyId: ann.accessKeyId })),
      ListUsers: () => api.iam(as).send(new iam.ListUsersCommand({})),
    });
    const cannot = (operation: string) => ({
      code: 'AccessDenied',
      status: 403,
      text: `Cannot call ${operation} with session credentials`,
    });
    const unknown = { code: 'InvalidClientTokenId', status: 403 };
    const byPolicy = { code: 'AccessDenied', text: expect.stringContaining('because no identity-based policy') };
    const own = {
      AssumeRole: undefined,
      GetSessionToken: cannot('GetSessionToken'),
      GetFederationToken: cannot('GetFederationToken'),
      GetAccessKeyInfo: cannot('GetAccessKeyInfo'),
      ListUsers: unknown,
    };
    const expected: Record<string, Record<string, object | undefined>> = {
      role: {
        AssumeRole: undefined,
        GetSessionToken: cannot('GetSessionToken'),
        GetFederationToken: cannot('GetFederationToken'),
        GetAccessKeyInfo: byPolicy,
        ListUsers: byPolicy,
      },
      own,
      rootOwn: own,
      federated: { ...own, AssumeRole: cannot('AssumeRole') },
    };
    for (const [kind, credentials] of Object.entries(kinds)) {
      for (const [operation, call] of Object.entries(calls(credentials))) {
        const wanted = expected[kind]![operation];
        if (wanted === undefined) await call();
        else expect([kind, await refusal(call())]).toMatchObject([kind, wanted]);
      }
    }
  });
});

describe('operations of STS that this server has not', () => {
  it.each([
    'AssumeRoleWithSAML',
    'AssumeRoot',
    'DecodeAuthorizationMessage',
    'GetWebIdentityToken',
    'GetDelegatedAccessToken',
  ])('%s is told as such', async (name) => {
    const body = `Action=${name}&Version=2011-06-15&Something=x`;
    const answer = await send(api.port, api.root, { service: 'sts', body });
    expect(answer.status).toBe(400);
    expect(answer.body).toContain('<Code>UnsupportedOperation</Code>');
    expect(answer.body).toContain(`The operation ${name} is not supported by this server.`);
  });
});

function tag(Key: string, Value = 'x') {
  return { Key, Value };
}
