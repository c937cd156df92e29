import * as iam from '@aws-sdk/client-iam';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNT, type ApiUnderTest, allow, makeUserWithKey, refusal, startApi, trust } from './api-under-test.ts';

let api: ApiUnderTest;
let root: iam.IAMClient;

const ADMINISTRATOR = 'arn:aws:iam::aws:policy/AdministratorAccess';
const READ_ONLY = 'arn:aws:iam::aws:policy/ReadOnlyAccess';
const arnOf = (name: string, path = '/') => `arn:aws:iam::${ACCOUNT}:policy${path}${name}`;

beforeAll(async () => {
  api = await startApi();
  root = api.iam();
  for (let i = 0; i < 11; i++) {
    await root.send(new iam.CreatePolicyCommand({ PolicyName: `p${i}`, PolicyDocument: allow('s3:*') }));
  }
  const inPath = { PolicyName: 'inPath', Path: '/app/', PolicyDocument: allow('s3:*') };
  await root.send(new iam.CreatePolicyCommand(inPath));
});
afterAll(() => api.close());

type Rest = Omit<iam.ListAttachedUserPoliciesCommandInput, 'UserName'>;

/** The three kinds of entities that hold policies, and the commands of each. */
const HOLDERS = [
  {
    kind: 'user',
    quota: 'PoliciesPerUser',
    make: (UserName: string) => root.send(new iam.CreateUserCommand({ UserName })),
    remove: (UserName: string) => root.send(new iam.DeleteUserCommand({ UserName })),
    attach: (UserName: string, PolicyArn: string) =>
      root.send(new iam.AttachUserPolicyCommand({ UserName, PolicyArn })),
    detach: (UserName: string, PolicyArn: string) =>
      root.send(new iam.DetachUserPolicyCommand({ UserName, PolicyArn })),
    list: (UserName: string, rest: Rest = {}) =>
      root.send(new iam.ListAttachedUserPoliciesCommand({ UserName, ...rest })),
  },
  {
    kind: 'role',
    quota: 'PoliciesPerRole',
    make: (RoleName: string) =>
      root.send(new iam.CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: trust({ AWS: ACCOUNT }) })),
    remove: (RoleName: string) => root.send(new iam.DeleteRoleCommand({ RoleName })),
    attach: (RoleName: string, PolicyArn: string) =>
      root.send(new iam.AttachRolePolicyCommand({ RoleName, PolicyArn })),
    detach: (RoleName: string, PolicyArn: string) =>
      root.send(new iam.DetachRolePolicyCommand({ RoleName, PolicyArn })),
    list: (RoleName: string, rest: Rest = {}) =>
      root.send(new iam.ListAttachedRolePoliciesCommand({ RoleName, ...rest })),
  },
  {
    kind: 'group',
    quota: 'PoliciesPerGroup',
    make: (GroupName: string) => root.send(new iam.CreateGroupCommand({ GroupName })),
    remove: (GroupName: string) => root.send(new iam.DeleteGroupCommand({ GroupName })),
    attach: (GroupName: string, PolicyArn: string) =>
      root.send(new iam.AttachGroupPolicyCommand({ GroupName, PolicyArn })),
    detach: (GroupName: string, PolicyArn: string) =>
      root.send(new iam.DetachGroupPolicyCommand({ GroupName, PolicyArn })),
    list: (GroupName: string, rest: Rest = {}) =>
      root.send(new iam.ListAttachedGroupPoliciesCommand({ GroupName, ...rest })),
  },
];

describe.each(HOLDERS)('managed policies of a $kind', ({ kind, quota, make, remove, attach, detach, list }) => {
  it('are attached once, listed by name and detached', async () => {
    await make('holder');
    for (const arn of [READ_ONLY, arnOf('p1'), arnOf('inPath', '/app/'), arnOf('p1')]) await attach('HOLDER', arn);
    const listed = await list('holder');
    expect(listed).toMatchObject({
      AttachedPolicies: [
        { PolicyName: 'inPath', PolicyArn: arnOf('inPath', '/app/') },
        { PolicyName: 'p1', PolicyArn: arnOf('p1') },
        { PolicyName: 'ReadOnlyAccess', PolicyArn: READ_ONLY },
      ],
      IsTruncated: false,
    });
    expect((await list('holder', { PathPrefix: '/app/' })).AttachedPolicies).toHaveLength(1);
    const first = await list('holder', { MaxItems: 2 });
    expect(first.AttachedPolicies).toHaveLength(2);
    const rest = await list('holder', { Marker: first.Marker });
    expect(rest.AttachedPolicies).toEqual([{ PolicyName: 'ReadOnlyAccess', PolicyArn: READ_ONLY }]);
    expect(await refusal(remove('holder'))).toEqual({
      code: 'DeleteConflict',
      status: 409,
      text: 'Cannot delete entity, must detach all policies first.',
    });
    for (const arn of [READ_ONLY, arnOf('p1'), arnOf('inPath', '/app/')]) await detach('holder', arn);
    await remove('holder');
  });

  it('must exist', async () => {
    await make('careful');
    expect(await refusal(attach('careful', arnOf('nothing')))).toEqual({
      code: 'NoSuchEntity',
      status: 404,
      text: `Policy ${arnOf('nothing')} does not exist or is not attachable.`,
    });
    expect(await refusal(detach('careful', READ_ONLY))).toEqual({
      code: 'NoSuchEntity',
      status: 404,
      text: `Policy ${READ_ONLY} was not found.`,
    });
    const invalid = { code: 'InvalidInput', status: 400, text: 'ARN not-the-arn-of-a-policy is not valid.' };
    expect(await refusal(attach('careful', 'not-the-arn-of-a-policy'))).toEqual(invalid);
    expect(await refusal(detach('careful', 'not-the-arn-of-a-policy'))).toEqual(invalid);
    const nobody = { code: 'NoSuchEntity', text: `The ${kind} with name nobody cannot be found.` };
    expect(await refusal(attach('nobody', READ_ONLY))).toMatchObject(nobody);
    expect(await refusal(detach('nobody', READ_ONLY))).toMatchObject(nobody);
    expect(await refusal(list('nobody'))).toMatchObject(nobody);
  });

  it('are at most ten', async () => {
    await make('full');
    for (let i = 0; i < 10; i++) await attach('full', arnOf(`p${i}`));
    await attach('full', arnOf('p0'));
    expect(await refusal(attach('full', arnOf('p10')))).toEqual({
      code: 'LimitExceeded',
      status: 409,
      text: `Cannot exceed quota for ${quota}: 10`,
    });
  });
});

describe('permissions boundaries', () => {
  const boundary = (PermissionsBoundaryArn: string) => ({ PermissionsBoundaryType: 'Policy', PermissionsBoundaryArn });
  const AssumeRolePolicyDocument = trust({ AWS: ACCOUNT });

  it('are given to a user when it is made and later', async () => {
    const made = await root.send(new iam.CreateUserCommand({ UserName: 'bound', PermissionsBoundary: ADMINISTRATOR }));
    expect(made.User!.PermissionsBoundary).toEqual(boundary(ADMINISTRATOR));
    const read = async () => (await root.send(new iam.GetUserCommand({ UserName: 'bound' }))).User!;
    const put = { UserName: 'bound', PermissionsBoundary: arnOf('p1') };
    await root.send(new iam.PutUserPermissionsBoundaryCommand(put));
    expect((await read()).PermissionsBoundary).toEqual(boundary(arnOf('p1')));
    const { Users } = await root.send(new iam.ListUsersCommand({}));
    expect(Users!.find((user) => user.UserName === 'bound')).not.toHaveProperty('PermissionsBoundary');
    const remove = () => root.send(new iam.DeleteUserPermissionsBoundaryCommand({ UserName: 'bound' }));
    await remove();
    await remove();
    expect(await read()).not.toHaveProperty('PermissionsBoundary');
  });

  it('are given to a role when it is made and later', async () => {
    const create = { RoleName: 'bound', AssumeRolePolicyDocument, PermissionsBoundary: arnOf('p1') };
    const made = await root.send(new iam.CreateRoleCommand(create));
    expect(made.Role!.PermissionsBoundary).toEqual(boundary(arnOf('p1')));
    const read = async () => (await root.send(new iam.GetRoleCommand({ RoleName: 'bound' }))).Role!;
    const put = { RoleName: 'bound', PermissionsBoundary: ADMINISTRATOR };
    await root.send(new iam.PutRolePermissionsBoundaryCommand(put));
    expect((await read()).PermissionsBoundary).toEqual(boundary(ADMINISTRATOR));
    await root.send(new iam.DeleteRolePermissionsBoundaryCommand({ RoleName: 'bound' }));
    expect(await read()).not.toHaveProperty('PermissionsBoundary');
  });

  it('must be policies that exist', async () => {
    await root.send(new iam.CreateUserCommand({ UserName: 'unbound' }));
    await root.send(new iam.CreateRoleCommand({ RoleName: 'unbound', AssumeRolePolicyDocument }));
    const missing = arnOf('nothing');
    const never = { UserName: 'never', RoleName: 'never', AssumeRolePolicyDocument };
    const unbound = { UserName: 'unbound', RoleName: 'unbound' };
    for (const command of [
      (PermissionsBoundary: string) => new iam.CreateUserCommand({ ...never, PermissionsBoundary }),
      (PermissionsBoundary: string) => new iam.PutUserPermissionsBoundaryCommand({ ...unbound, PermissionsBoundary }),
      (PermissionsBoundary: string) => new iam.CreateRoleCommand({ ...never, PermissionsBoundary }),
      (PermissionsBoundary: string) => new iam.PutRolePermissionsBoundaryCommand({ ...unbound, PermissionsBoundary }),
    ]) {
      const call = (arn: string) => root.send(command(arn) as iam.CreateUserCommand);
      expect(await refusal(call(missing))).toEqual({
        code: 'NoSuchEntity',
        status: 404,
        text: `Scope ARN: ${missing} does not exist or is not attachable.`,
      });
      expect(await refusal(call('not-the-arn-of-a-policy'))).toMatchObject({ code: 'InvalidInput', status: 400 });
    }
    const put = { UserName: 'nobody', PermissionsBoundary: ADMINISTRATOR };
    expect(await refusal(root.send(new iam.PutUserPermissionsBoundaryCommand(put)))).toMatchObject({
      code: 'NoSuchEntity',
      text: 'The user with name nobody cannot be found.',
    });
  });
});

describe('entities of a policy', () => {
  it('are listed by kind, path and use, in pages', async () => {
    const PolicyArn = arnOf('p10');
    const attach = { PolicyArn };
    for (const UserName of ['u1', 'u2']) {
      await root.send(new iam.CreateUserCommand({ UserName, Path: UserName === 'u2' ? '/deep/' : '/' }));
      await root.send(new iam.AttachUserPolicyCommand({ UserName, ...attach }));
    }
    const role = { RoleName: 'r1', AssumeRolePolicyDocument: trust({ AWS: ACCOUNT }), PermissionsBoundary: PolicyArn };
    await root.send(new iam.CreateRoleCommand(role));
    const { Group } = await root.send(new iam.CreateGroupCommand({ GroupName: 'g1' }));
    await root.send(new iam.AttachGroupPolicyCommand({ GroupName: 'g1', ...attach }));

    const list = async (input: Omit<iam.ListEntitiesForPolicyCommandInput, 'PolicyArn'> = {}) => {
      const found = await root.send(new iam.ListEntitiesForPolicyCommand({ PolicyArn, ...input }));
      const names = [
        ...found.PolicyGroups!.map((group) => group.GroupName),
        ...found.PolicyRoles!.map((each) => each.RoleName),
        ...found.PolicyUsers!.map((user) => user.UserName),
      ];
      return { names, ...found };
    };
    const all = await list();
    expect(all.names).toEqual(['g1', 'r1', 'u1', 'u2']);
    expect(all.PolicyGroups).toEqual([{ GroupName: 'g1', GroupId: Group!.GroupId }]);
    expect(all.PolicyUsers![0]!.UserId).toMatch(/^AIDA/);
    expect(all.PolicyRoles![0]!.RoleId).toMatch(/^AROA/);
    expect((await list({ EntityFilter: 'User' })).names).toEqual(['u1', 'u2']);
    expect((await list({ EntityFilter: 'Role' })).names).toEqual(['r1']);
    expect((await list({ EntityFilter: 'AWSManagedPolicy' })).names).toEqual([]);
    expect((await list({ PathPrefix: '/deep/' })).names).toEqual(['u2']);
    expect((await list({ PolicyUsageFilter: 'PermissionsBoundary' })).names).toEqual(['r1']);
    expect((await list({ PolicyUsageFilter: 'PermissionsPolicy' })).names).toEqual(['g1', 'u1', 'u2']);
    const first = await list({ MaxItems: 3 });
    expect(first).toMatchObject({ names: ['g1', 'r1', 'u1'], IsTruncated: true });
    expect(await list({ Marker: first.Marker })).toMatchObject({ names: ['u2'], IsTruncated: false });
    const missing = new iam.ListEntitiesForPolicyCommand({ PolicyArn: arnOf('nothing') });
    expect(await refusal(root.send(missing))).toMatchObject({ code: 'NoSuchEntity' });
  });
});

describe('managed policies and boundaries', () => {
  it('decide from the next call on', async () => {
    const worker = api.iam(await makeUserWithKey(root, 'worker'));
    const list = () => worker.send(new iam.ListUsersCommand({}));
    const create = (GroupName: string) => worker.send(new iam.CreateGroupCommand({ GroupName }));
    expect(await refusal(list())).toMatchObject({ code: 'AccessDenied' });

    const GroupName = 'readers';
    await root.send(new iam.CreateGroupCommand({ GroupName }));
    await root.send(new iam.AttachGroupPolicyCommand({ GroupName, PolicyArn: READ_ONLY }));
    await root.send(new iam.AddUserToGroupCommand({ GroupName, UserName: 'worker' }));
    expect((await list()).Users!.length).toBeGreaterThan(0);
    expect(await refusal(create('by-worker'))).toMatchObject({ code: 'AccessDenied' });

    const PolicyArn = arnOf('groups');
    const policy = { PolicyName: 'groups', PolicyDocument: allow('iam:CreateGroup') };
    await root.send(new iam.CreatePolicyCommand(policy));
    const version = { PolicyArn, PolicyDocument: allow('iam:DeleteGroup') };
    await root.send(new iam.CreatePolicyVersionCommand(version));
    await root.send(new iam.AttachUserPolicyCommand({ UserName: 'worker', PolicyArn }));
    await create('by-worker');
    await root.send(new iam.SetDefaultPolicyVersionCommand({ PolicyArn, VersionId: 'v2' }));
    expect(await refusal(create('by-worker2'))).toMatchObject({ code: 'AccessDenied' });
    await worker.send(new iam.DeleteGroupCommand({ GroupName: 'by-worker' }));

    const bound = { UserName: 'worker', PermissionsBoundary: PolicyArn };
    await root.send(new iam.PutUserPermissionsBoundaryCommand(bound));
    expect(await refusal(list())).toMatchObject({ code: 'AccessDenied' });
    await root.send(new iam.DeleteUserPermissionsBoundaryCommand({ UserName: 'worker' }));
    await list();
    await root.send(new iam.UpdateGroupCommand({ GroupName, NewGroupName: 'renamed' }));
    await list();
    await root.send(new iam.RemoveUserFromGroupCommand({ GroupName: 'renamed', UserName: 'worker' }));
    expect(await refusal(list())).toMatchObject({ code: 'AccessDenied' });
  });
});
