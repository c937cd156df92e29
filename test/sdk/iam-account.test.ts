import * as iam from '@aws-sdk/client-iam';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UNSUPPORTED_OPERATIONS } from '../../src/http/services/iam-unsupported.ts';
import { ACCOUNT, type ApiUnderTest, allow, refusal, startApi, trust } from './api-under-test.ts';
import { send } from './signed-request.ts';

let api: ApiUnderTest;
let root: iam.IAMClient;

const ADMINISTRATOR = 'arn:aws:iam::aws:policy/AdministratorAccess';
const OWN = `arn:aws:iam::${ACCOUNT}:policy/own`;
const TRUST = trust({ AWS: ACCOUNT });

beforeAll(async () => {
  api = await startApi();
  root = api.iam();
  const document = { PolicyName: 'inline', PolicyDocument: allow('s3:Get*') };
  await root.send(new iam.CreatePolicyCommand({ PolicyName: 'own', PolicyDocument: allow('s3:*'), Description: 'd' }));
  const version = { PolicyArn: OWN, PolicyDocument: allow('s3:Put*'), SetAsDefault: true };
  await root.send(new iam.CreatePolicyVersionCommand(version));
  await root.send(new iam.CreateGroupCommand({ GroupName: 'Group' }));
  await root.send(new iam.PutGroupPolicyCommand({ GroupName: 'Group', ...document }));
  await root.send(new iam.AttachGroupPolicyCommand({ GroupName: 'Group', PolicyArn: OWN }));
  const Tags = [{ Key: 'k', Value: 'v' }];
  const bounded = { PermissionsBoundary: ADMINISTRATOR, Tags };
  await root.send(new iam.CreateUserCommand({ UserName: 'User', Path: '/u/', ...bounded }));
  await root.send(new iam.PutUserPolicyCommand({ UserName: 'User', ...document }));
  await root.send(new iam.AddUserToGroupCommand({ UserName: 'User', GroupName: 'Group' }));
  const role = { RoleName: 'Role', AssumeRolePolicyDocument: TRUST, Description: 'x', ...bounded };
  await root.send(new iam.CreateRoleCommand(role));
  await root.send(new iam.PutRolePolicyCommand({ RoleName: 'Role', ...document }));
  await root.send(new iam.AttachRolePolicyCommand({ RoleName: 'Role', PolicyArn: OWN }));
});
afterAll(() => api.close());

const details = (input: iam.GetAccountAuthorizationDetailsCommandInput = {}) =>
  root.send(new iam.GetAccountAuthorizationDetailsCommand(input));

describe('the details of an account', () => {
  const boundary = { PermissionsBoundaryType: 'Policy', PermissionsBoundaryArn: ADMINISTRATOR };
  const attached = [{ PolicyName: 'own', PolicyArn: OWN }];
  const decoded = (text: string | undefined) => decodeURIComponent(text!);

  it('have everybody with their policies', async () => {
    const all = await details();
    expect(all.IsTruncated).toBe(false);
    const [user] = all.UserDetailList!;
    expect(user).toEqual({
      Path: '/u/',
      UserName: 'User',
      UserId: expect.stringMatching(/^AIDA/),
      Arn: `arn:aws:iam::${ACCOUNT}:user/u/User`,
      CreateDate: expect.any(Date),
      UserPolicyList: [{ PolicyName: 'inline', PolicyDocument: expect.any(String) }],
      GroupList: ['Group'],
      AttachedManagedPolicies: [],
      PermissionsBoundary: boundary,
      Tags: [{ Key: 'k', Value: 'v' }],
    });
    expect(decoded(user!.UserPolicyList![0]!.PolicyDocument)).toBe(allow('s3:Get*'));
    const [group] = all.GroupDetailList!;
    expect(group).toMatchObject({ GroupName: 'Group', AttachedManagedPolicies: attached });
    expect(decoded(group!.GroupPolicyList![0]!.PolicyDocument)).toBe(allow('s3:Get*'));
    const [role] = all.RoleDetailList!;
    expect(role).toEqual({
      Path: '/',
      RoleName: 'Role',
      RoleId: expect.stringMatching(/^AROA/),
      Arn: `arn:aws:iam::${ACCOUNT}:role/Role`,
      CreateDate: expect.any(Date),
      AssumeRolePolicyDocument: expect.any(String),
      InstanceProfileList: [],
      RolePolicyList: [{ PolicyName: 'inline', PolicyDocument: expect.any(String) }],
      AttachedManagedPolicies: attached,
      PermissionsBoundary: boundary,
      Tags: [{ Key: 'k', Value: 'v' }],
      RoleLastUsed: {},
    });
    expect(decoded(role!.AssumeRolePolicyDocument)).toBe(TRUST);
    expect(all.Policies!.map((policy) => policy.PolicyName)).toEqual(['own', 'AdministratorAccess']);
    expect(all.Policies![0]).toMatchObject({
      Arn: OWN,
      DefaultVersionId: 'v2',
      AttachmentCount: 2,
      PermissionsBoundaryUsageCount: 0,
      Description: 'd',
      PolicyVersionList: [
        { VersionId: 'v2', IsDefaultVersion: true },
        { VersionId: 'v1', IsDefaultVersion: false },
      ],
    });
    expect(decoded(all.Policies![0]!.PolicyVersionList![1]!.Document)).toBe(allow('s3:*'));
    expect(all.Policies![1]).toMatchObject({ AttachmentCount: 0, PermissionsBoundaryUsageCount: 2 });
  });

  it.each<[iam.EntityType[], number[]]>([
    [['User'], [1, 0, 0, 0]],
    [['Group'], [0, 1, 0, 0]],
    [['Role'], [0, 0, 1, 0]],
    [['LocalManagedPolicy'], [0, 0, 0, 1]],
    [['AWSManagedPolicy'], [0, 0, 0, 1]],
    [
      ['User', 'LocalManagedPolicy', 'AWSManagedPolicy'],
      [1, 0, 0, 2],
    ],
  ])('are filtered by %j', async (Filter, counts) => {
    const found = await details({ Filter });
    const lists = [found.UserDetailList, found.GroupDetailList, found.RoleDetailList, found.Policies];
    expect(lists.map((list) => list!.length)).toEqual(counts);
  });

  it('come in pages over all lists', async () => {
    const pages = iam.paginateGetAccountAuthorizationDetails({ client: root, pageSize: 2 }, {});
    const found: (string | undefined)[][] = [];
    for await (const page of pages) {
      found.push([
        ...page.GroupDetailList!.map((group) => group.GroupName),
        ...page.Policies!.map((policy) => policy.PolicyName),
        ...page.RoleDetailList!.map((role) => role.RoleName),
        ...page.UserDetailList!.map((user) => user.UserName),
      ]);
    }
    expect(found).toEqual([['Group', 'own'], ['AdministratorAccess', 'Role'], ['User']]);
  });
});

describe('the summary of an account', () => {
  it('counts what there is and tells the quotas', async () => {
    const { SummaryMap } = await root.send(new iam.GetAccountSummaryCommand({}));
    expect(SummaryMap).toMatchObject({
      Users: 1,
      UsersQuota: 5000,
      Groups: 1,
      GroupsQuota: 300,
      Roles: 1,
      Policies: 1,
      PolicyVersionsInUse: 2,
      Providers: 0,
      AccountAccessKeysPresent: 1,
      AttachedPoliciesPerRoleQuota: 10,
      MFADevices: 0,
    });
    expect(Object.keys(SummaryMap!)).toHaveLength(34);
  });
});

describe('what nobody has', () => {
  it('is listed as nothing', async () => {
    expect((await root.send(new iam.ListAccountAliasesCommand({}))).AccountAliases).toEqual([]);
    const profiles = await root.send(new iam.ListInstanceProfilesForRoleCommand({ RoleName: 'Role' }));
    expect(profiles).toMatchObject({ InstanceProfiles: [], IsTruncated: false });
    const UserName = 'User';
    expect((await root.send(new iam.ListMFADevicesCommand({ UserName }))).MFADevices).toEqual([]);
    expect((await root.send(new iam.ListSigningCertificatesCommand({}))).Certificates).toEqual([]);
    expect((await root.send(new iam.ListSSHPublicKeysCommand({ UserName }))).SSHPublicKeys).toEqual([]);
    const credentials = new iam.ListServiceSpecificCredentialsCommand({ UserName, ServiceName: 'x.amazonaws.com' });
    expect((await root.send(credentials)).ServiceSpecificCredentials).toEqual([]);
  });

  it('is not listed for who does not exist', async () => {
    const missing = { code: 'NoSuchEntity', status: 404 };
    const list = new iam.ListMFADevicesCommand({ UserName: 'nobody' });
    expect(await refusal(root.send(list))).toMatchObject(missing);
    const profiles = new iam.ListInstanceProfilesForRoleCommand({ RoleName: 'nobody' });
    expect(await refusal(root.send(profiles))).toMatchObject(missing);
  });
});

describe('operations', () => {
  const NAMES = Object.keys(iam)
    .filter((name) => name.endsWith('Command') && name !== '$Command')
    .map((name) => name.slice(0, -'Command'.length));

  const ask = async (Action: string) => {
    const body = new URLSearchParams({ Action, Version: '2010-05-08', NoSuchParameter: 'x' }).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const answer = await send(api.port, api.root, { body, headers });
    const [code, text] = ['Code', 'Message'].map((name) => answer.body.match(`<${name}>(.*)</${name}>`)?.[1]);
    return { status: answer.status, code, text };
  };

  it.each(NAMES)('%s is there, or refused by its name', async (name) => {
    expect(await ask(name)).toEqual(
      UNSUPPORTED_OPERATIONS.has(name)
        ? { status: 400, code: 'UnsupportedOperation', text: `The operation ${name} is not supported by this server.` }
        : {
            status: 400,
            code: 'ValidationError',
            text: 'The parameter NoSuchParameter is not one of this operation.',
          },
    );
  });

  it('that IAM does not have are told as such', async () => {
    expect(await ask('CreateNothing')).toEqual({
      status: 400,
      code: 'InvalidAction',
      text: 'Could not find operation CreateNothing for version 2010-05-08',
    });
    expect([...UNSUPPORTED_OPERATIONS].filter((name) => !NAMES.includes(name))).toEqual([]);
  });

  it('that are not supported are refused to the SDK without a second try', async () => {
    const create = new iam.CreateLoginProfileCommand({ UserName: 'User', Password: 'x' });
    expect(await refusal(root.send(create))).toEqual({
      code: 'UnsupportedOperation',
      status: 400,
      text: 'The operation CreateLoginProfile is not supported by this server.',
    });
  });
});
