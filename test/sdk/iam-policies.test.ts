import * as iam from '@aws-sdk/client-iam';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNT, type ApiUnderTest, allow, makeUserWithKey, refusal, startApi } from './api-under-test.ts';

let api: ApiUnderTest;
let root: iam.IAMClient;

beforeAll(async () => {
  api = await startApi();
  root = api.iam();
});
afterAll(() => api.close());

const makeUser = (name: string, policy?: string) => makeUserWithKey(root, name, policy);

describe('inline policies', () => {
  const document = '{ "Statement": {"Effect":"Allow", "Action":"s3:Get*", "Resource":"arn:aws:s3:::a b/(x)!*"} }';

  it('gives a policy back as it was put', async () => {
    await root.send(new iam.CreateUserCommand({ UserName: 'holder' }));
    for (const PolicyName of ['zz', '__proto__', 'aa']) {
      await root.send(new iam.PutUserPolicyCommand({ UserName: 'holder', PolicyName, PolicyDocument: document }));
    }
    const listed = await root.send(new iam.ListUserPoliciesCommand({ UserName: 'holder', MaxItems: 2 }));
    expect(listed).toMatchObject({ PolicyNames: ['__proto__', 'aa'], IsTruncated: true });
    const rest = await root.send(new iam.ListUserPoliciesCommand({ UserName: 'holder', Marker: listed.Marker }));
    expect(rest).toMatchObject({ PolicyNames: ['zz'], IsTruncated: false });
    const read = await root.send(new iam.GetUserPolicyCommand({ UserName: 'holder', PolicyName: '__proto__' }));
    expect(decodeURIComponent(read.PolicyDocument!)).toBe(document);
    expect(read.PolicyDocument).not.toMatch(/[!'()*" ]/);
    await root.send(new iam.DeleteUserPolicyCommand({ UserName: 'holder', PolicyName: 'aa' }));
    const gone = root.send(new iam.GetUserPolicyCommand({ UserName: 'holder', PolicyName: 'aa' }));
    expect(await refusal(gone)).toMatchObject({
      code: 'NoSuchEntity',
      text: 'The user policy with name aa cannot be found.',
    });
  });

  it('refuses what it would not enforce, and names it', async () => {
    await root.send(new iam.CreateUserCommand({ UserName: 'conditional' }));
    const PolicyDocument = JSON.stringify({
      Statement: {
        Effect: 'Allow',
        Action: 's3:*',
        Resource: '*',
        Condition: { Boolean: { 'aws:SecureTransport': 'true' } },
      },
    });
    const put = new iam.PutUserPolicyCommand({ UserName: 'conditional', PolicyName: 'p', PolicyDocument });
    expect(await refusal(root.send(put))).toEqual({
      code: 'MalformedPolicyDocument',
      status: 400,
      text: 'Syntax errors in policy: there is no condition operator "Boolean".',
    });
  });

  it('counts the policies of a user together, without white space', async () => {
    await root.send(new iam.CreateUserCommand({ UserName: 'full' }));
    const many = (n: number) => allow(Array.from({ length: n }, () => `s3:${'x'.repeat(100)}`));
    const small = { UserName: 'full', PolicyName: 'small', PolicyDocument: many(1) + ' '.repeat(5000) };
    await root.send(new iam.PutUserPolicyCommand(small));
    const big = { UserName: 'full', PolicyName: 'big', PolicyDocument: many(18) };
    expect(await refusal(root.send(new iam.PutUserPolicyCommand(big)))).toEqual({
      code: 'LimitExceeded',
      status: 409,
      text: 'Maximum policy size of 2048 bytes exceeded for user full',
    });
  });

  it('lets a user do what its policies say, and no more', async () => {
    const users = `arn:aws:iam::${ACCOUNT}:user/staff/*`;
    const key = await makeUser('clerk', allow(['iam:CreateUser', 'iam:GetUser'], users));
    const clerk = api.iam(key);
    await clerk.send(new iam.CreateUserCommand({ UserName: 'new', Path: '/staff/' }));
    expect((await clerk.send(new iam.GetUserCommand({ UserName: 'new' }))).User!.Path).toBe('/staff/');
    expect(await refusal(clerk.send(new iam.CreateUserCommand({ UserName: 'new2' })))).toEqual({
      code: 'AccessDenied',
      status: 403,
      text: `User: arn:aws:iam::${ACCOUNT}:user/clerk is not authorized to perform: iam:CreateUser on resource: arn:aws:iam::${ACCOUNT}:user/new2 because no identity-based policy allows the iam:CreateUser action`,
    });
    const tagged = { UserName: 'new3', Path: '/staff/', Tags: [{ Key: 'a', Value: 'b' }] };
    expect(await refusal(clerk.send(new iam.CreateUserCommand(tagged)))).toMatchObject({
      code: 'AccessDenied',
      text: expect.stringContaining('iam:TagUser'),
    });
    const Deny = JSON.stringify({ Statement: { Effect: 'Deny', Action: 'iam:*', Resource: '*' } });
    await root.send(new iam.PutUserPolicyCommand({ UserName: 'clerk', PolicyName: 'no', PolicyDocument: Deny }));
    expect(await refusal(clerk.send(new iam.GetUserCommand({ UserName: 'new' })))).toMatchObject({
      code: 'AccessDenied',
      text: expect.stringMatching(/with an explicit deny in an identity-based policy$/),
    });
  });
});

describe('context keys', () => {
  const about = (key: string, Resource = '*') =>
    JSON.stringify({
      Version: '2012-10-17',
      Statement: { Effect: 'Allow', Action: 's3:*', Resource, Condition: { StringEquals: { [key]: 'x' } } },
    });
  const ofPrincipal = async (PolicySourceArn: string, PolicyInputList?: string[]) => {
    const command = new iam.GetContextKeysForPrincipalPolicyCommand({ PolicySourceArn, PolicyInputList });
    return (await root.send(command)).ContextKeyNames!.toSorted();
  };
  const arn = (rest: string) => `arn:aws:iam::${ACCOUNT}:${rest}`;

  it('of policies are each told once', async () => {
    const PolicyInputList = [
      about('aws:SourceIp', `arn:aws:s3:::\${aws:username}`),
      about('AWS:sourceip'),
      allow('s3:*'),
    ];
    const command = new iam.GetContextKeysForCustomPolicyCommand({ PolicyInputList });
    expect((await root.send(command)).ContextKeyNames!.toSorted()).toEqual(['aws:SourceIp', 'aws:username']);
  });

  it('of a user are those of its policies and groups', async () => {
    const inline = (key: string) => ({ PolicyName: 'p', PolicyDocument: about(key) });
    await root.send(new iam.CreateUserCommand({ UserName: 'asked', Path: '/x/' }));
    await root.send(new iam.PutUserPolicyCommand({ UserName: 'asked', ...inline('aws:userid') }));
    await root.send(new iam.CreateGroupCommand({ GroupName: 'asked' }));
    await root.send(new iam.PutGroupPolicyCommand({ GroupName: 'asked', ...inline('aws:UserAgent') }));
    await root.send(new iam.AddUserToGroupCommand({ GroupName: 'asked', UserName: 'asked' }));
    const PolicyArn = arn('policy/asked');
    await root.send(new iam.CreatePolicyCommand({ PolicyName: 'asked', PolicyDocument: about('aws:EpochTime') }));
    const version = { PolicyArn, PolicyDocument: about('aws:CurrentTime'), SetAsDefault: true };
    await root.send(new iam.CreatePolicyVersionCommand(version));
    await root.send(new iam.AttachGroupPolicyCommand({ GroupName: 'asked', PolicyArn }));
    expect(await ofPrincipal(arn('user/x/asked'))).toEqual(['aws:CurrentTime', 'aws:UserAgent', 'aws:userid']);
    const given = [about('aws:SourceIp')];
    expect(await ofPrincipal(arn('group/asked'), given)).toEqual(['aws:CurrentTime', 'aws:SourceIp', 'aws:UserAgent']);
  });

  it('are not told of what is no policy, and of nobody', async () => {
    const custom = new iam.GetContextKeysForCustomPolicyCommand({ PolicyInputList: ['{}'] });
    expect(await refusal(root.send(custom))).toMatchObject({ code: 'InvalidInput', status: 400 });
    expect(await refusal(ofPrincipal(arn('user/asked')))).toMatchObject({ code: 'NoSuchEntity', status: 404 });
    expect(await refusal(ofPrincipal(arn('policy/asked')))).toMatchObject({ code: 'InvalidInput', status: 400 });
  });
});
