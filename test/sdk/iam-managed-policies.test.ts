import * as iam from '@aws-sdk/client-iam';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNT, type ApiUnderTest, allow, refusal, startApi, trust } from './api-under-test.ts';

let api: ApiUnderTest;
let root: iam.IAMClient;

beforeAll(async () => {
  api = await startApi();
  root = api.iam();
});
afterAll(() => api.close());

const ADMINISTRATOR = 'arn:aws:iam::aws:policy/AdministratorAccess';
const arnOf = (name: string, path = '/') => `arn:aws:iam::${ACCOUNT}:policy${path}${name}`;
const makePolicy = (PolicyName: string, more: Partial<iam.CreatePolicyCommandInput> = {}) =>
  root.send(new iam.CreatePolicyCommand({ PolicyName, PolicyDocument: allow('s3:*'), ...more }));
const addVersion = (PolicyArn: string, action: string, SetAsDefault?: boolean) =>
  root.send(new iam.CreatePolicyVersionCommand({ PolicyArn, PolicyDocument: allow(action), SetAsDefault }));
const policyOf = async (PolicyArn: string) => (await root.send(new iam.GetPolicyCommand({ PolicyArn }))).Policy!;
const versionsOf = async (PolicyArn: string) =>
  (await root.send(new iam.ListPolicyVersionsCommand({ PolicyArn }))).Versions!;

describe('managed policies', () => {
  it('are created, read, listed and deleted', async () => {
    const Tags = [{ Key: 'team', Value: 'a' }];
    const made = await makePolicy('Reader', { Path: '/app/', Description: 'reads\u00e9', Tags });
    const PolicyArn = arnOf('Reader', '/app/');
    expect(made.Policy).toEqual({
      PolicyName: 'Reader',
      PolicyId: expect.stringMatching(/^ANPA[A-Z2-7]{17}$/),
      Arn: PolicyArn,
      Path: '/app/',
      DefaultVersionId: 'v1',
      AttachmentCount: 0,
      PermissionsBoundaryUsageCount: 0,
      IsAttachable: true,
      CreateDate: expect.any(Date),
      UpdateDate: made.Policy!.CreateDate,
      Tags,
    });
    expect(await policyOf(PolicyArn)).toEqual({ ...made.Policy, Description: 'reads\u00e9' });
    const listed = await root.send(new iam.ListPoliciesCommand({ Scope: 'Local', PathPrefix: '/app/' }));
    const { Tags: _, ...inList } = made.Policy!;
    expect(listed.Policies).toEqual([inList]);
    await root.send(new iam.DeletePolicyCommand({ PolicyArn }));
    expect(await refusal(policyOf(PolicyArn))).toEqual({
      code: 'NoSuchEntity',
      status: 404,
      text: `Policy ${PolicyArn} was not found.`,
    });
  });

  it('have names that are unique without regard to case and path', async () => {
    await makePolicy('Unique');
    expect(await refusal(makePolicy('UNIQUE', { Path: '/x/' }))).toEqual({
      code: 'EntityAlreadyExists',
      status: 409,
      text: 'A policy called UNIQUE already exists. Duplicate names are not allowed.',
    });
  });

  it.each<[string, Partial<iam.CreatePolicyCommandInput>, string, string | RegExp]>([
    ['a document that is none', { PolicyDocument: '{}' }, 'MalformedPolicyDocument', /missing element Statement/],
    [
      'a document of more than 6144 characters',
      { PolicyDocument: allow(Array.from({ length: 60 }, () => `s3:${'x'.repeat(100)}`)) },
      'LimitExceeded',
      'Cannot exceed quota for PolicySize: 6144',
    ],
    ['a path with odd characters', { Path: '/a b/' }, 'ValidationError', /at 'path' failed/],
    ['a path without its end', { Path: '/a' }, 'ValidationError', /at 'path' failed/],
    ['a description that XML cannot carry', { Description: 'a\0b' }, 'ValidationError', /at 'description' failed/],
    ['a tag of AWS', { Tags: [{ Key: 'aws:x', Value: '' }] }, 'InvalidInput', /reserved/],
  ])('refuse %s', async (_, input, code, text) => {
    const refused = await refusal(makePolicy('never', input));
    expect(refused.code).toBe(code);
    expect(refused.text).toMatch(text);
    expect(await refusal(policyOf(arnOf('never')))).toMatchObject({ code: 'NoSuchEntity' });
  });

  it('count their size without white space', async () => {
    await makePolicy('airy', { PolicyDocument: `${allow('s3:*')}${' '.repeat(6144)}` });
    await addVersion(arnOf('airy'), 's3:Get*');
  });

  it('are listed in pages, by scope and by use', async () => {
    const names: string[] = [];
    const lists = iam.paginateListPolicies({ client: root, pageSize: 3 }, {});
    for await (const page of lists) names.push(...page.Policies!.map((policy) => policy.PolicyName!));
    expect(names).toEqual(
      expect.arrayContaining(['airy', 'Unique', 'AdministratorAccess', 'IAMFullAccess', 'ReadOnlyAccess']),
    );
    expect(new Set(names).size).toBe(names.length);
    const list = async (input: iam.ListPoliciesCommandInput) =>
      (await root.send(new iam.ListPoliciesCommand(input))).Policies!.map((policy) => policy.PolicyName);
    expect(await list({ Scope: 'AWS' })).toEqual([
      'AdministratorAccess',
      'AmazonAuroraDSQLConsoleFullAccess',
      'AmazonAuroraDSQLFullAccess',
      'AmazonAuroraDSQLReadOnlyAccess',
      'IAMFullAccess',
      'IAMReadOnlyAccess',
      'PowerUserAccess',
      'ReadOnlyAccess',
    ]);
    await root.send(new iam.CreateUserCommand({ UserName: 'user', PermissionsBoundary: ADMINISTRATOR }));
    await root.send(new iam.AttachUserPolicyCommand({ UserName: 'user', PolicyArn: arnOf('airy') }));
    expect(await list({ OnlyAttached: true })).toEqual(['airy']);
    expect(await list({ OnlyAttached: true, Scope: 'AWS' })).toEqual([]);
    expect(await list({ PolicyUsageFilter: 'PermissionsBoundary' })).toEqual(['AdministratorAccess']);
    expect(await list({ PolicyUsageFilter: 'PermissionsPolicy' })).toEqual(['airy']);
    expect(await policyOf(ADMINISTRATOR)).toMatchObject({ AttachmentCount: 0, PermissionsBoundaryUsageCount: 1 });
    expect(await policyOf(arnOf('airy'))).toMatchObject({ AttachmentCount: 1, PermissionsBoundaryUsageCount: 0 });
  });

  it('are not deleted while they are attached, a boundary, or have several versions', async () => {
    const PolicyArn = arnOf('kept');
    await makePolicy('kept');
    await addVersion(PolicyArn, 's3:Get*');
    const remove = () => root.send(new iam.DeletePolicyCommand({ PolicyArn }));
    await root.send(new iam.CreateGroupCommand({ GroupName: 'g' }));
    await root.send(new iam.AttachGroupPolicyCommand({ GroupName: 'g', PolicyArn }));
    const attached = {
      code: 'DeleteConflict',
      status: 409,
      text: 'Cannot delete a policy attached to entities.',
    };
    expect(await refusal(remove())).toEqual(attached);
    await root.send(new iam.DetachGroupPolicyCommand({ GroupName: 'g', PolicyArn }));
    const AssumeRolePolicyDocument = trust({ AWS: ACCOUNT });
    const role = { RoleName: 'r', AssumeRolePolicyDocument, PermissionsBoundary: PolicyArn };
    await root.send(new iam.CreateRoleCommand(role));
    expect(await refusal(remove())).toEqual(attached);
    await root.send(new iam.DeleteRolePermissionsBoundaryCommand({ RoleName: 'r' }));
    expect(await refusal(remove())).toMatchObject({
      code: 'DeleteConflict',
      text: expect.stringMatching(/^This policy has more than one version\./),
    });
    await root.send(new iam.DeletePolicyVersionCommand({ PolicyArn, VersionId: 'v2' }));
    await remove();
  });

  it('are at most 1500', async () => {
    const made: string[] = [];
    await api.store.change((draft) => {
      const [some] = draft.all('managedPolicies');
      for (let i = draft.all('managedPolicies').length; i < 1500; i++) {
        made.push(arnOf(`filler${i}`));
        draft.put('managedPolicies', arnOf(`filler${i}`), { ...some!, name: `filler${i}`, id: `ANPA${i}` });
      }
    });
    expect(await refusal(makePolicy('one-too-many'))).toMatchObject({
      code: 'LimitExceeded',
      text: 'Cannot exceed quota for PoliciesPerAccount: 1500',
    });
    await api.store.change((draft) => {
      for (const arn of made) draft.delete('managedPolicies', arn);
    });
  });

  it('have tags', async () => {
    const PolicyArn = arnOf('tagged');
    await makePolicy('tagged');
    const Tags = ['b', 'a', 'c'].map((Key) => ({ Key, Value: Key }));
    await root.send(new iam.TagPolicyCommand({ PolicyArn, Tags }));
    await root.send(new iam.UntagPolicyCommand({ PolicyArn, TagKeys: ['C'] }));
    const first = await root.send(new iam.ListPolicyTagsCommand({ PolicyArn, MaxItems: 1 }));
    expect(first).toMatchObject({ Tags: [{ Key: 'a', Value: 'a' }], IsTruncated: true });
    const rest = await root.send(new iam.ListPolicyTagsCommand({ PolicyArn, Marker: first.Marker }));
    expect(rest).toMatchObject({ Tags: [{ Key: 'b', Value: 'b' }], IsTruncated: false });
    const many = Array.from({ length: 49 }, (_, i) => ({ Key: `k${i}`, Value: '' }));
    expect(await refusal(root.send(new iam.TagPolicyCommand({ PolicyArn, Tags: many })))).toMatchObject({
      code: 'LimitExceeded',
      status: 409,
    });
    const missing = new iam.ListPolicyTagsCommand({ PolicyArn: arnOf('nothing') });
    expect(await refusal(root.send(missing))).toMatchObject({ code: 'NoSuchEntity' });
  });
});

describe('versions of managed policies', () => {
  it('are made, read, listed, chosen and deleted', async () => {
    const PolicyArn = arnOf('versioned');
    const { Policy } = await makePolicy('versioned');
    api.clock.ahead = 60_000;
    const second = await addVersion(PolicyArn, 's3:Get*');
    expect(second.PolicyVersion).toEqual({
      VersionId: 'v2',
      IsDefaultVersion: false,
      CreateDate: expect.any(Date),
    });
    const updated = await policyOf(PolicyArn);
    expect(updated.CreateDate).toEqual(Policy!.CreateDate);
    expect(updated.UpdateDate).toEqual(second.PolicyVersion!.CreateDate);
    expect(updated.UpdateDate!.getTime()).toBeGreaterThan(updated.CreateDate!.getTime());
    expect(updated.DefaultVersionId).toBe('v1');
    expect((await addVersion(PolicyArn, 's3:Put*', true)).PolicyVersion!.IsDefaultVersion).toBe(true);
    expect((await policyOf(PolicyArn)).DefaultVersionId).toBe('v3');
    expect((await versionsOf(PolicyArn)).map((version) => version.VersionId)).toEqual(['v3', 'v2', 'v1']);
    const read = await root.send(new iam.GetPolicyVersionCommand({ PolicyArn, VersionId: 'v2' }));
    expect(read.PolicyVersion).toMatchObject({ VersionId: 'v2', IsDefaultVersion: false });
    expect(decodeURIComponent(read.PolicyVersion!.Document!)).toBe(allow('s3:Get*'));
    expect(read.PolicyVersion!.Document).not.toMatch(/["{*]/);

    await root.send(new iam.SetDefaultPolicyVersionCommand({ PolicyArn, VersionId: 'v2' }));
    const remove = (VersionId: string) => root.send(new iam.DeletePolicyVersionCommand({ PolicyArn, VersionId }));
    expect(await refusal(remove('v2'))).toEqual({
      code: 'DeleteConflict',
      status: 409,
      text: 'Cannot delete the default version of a policy.',
    });
    await remove('v3');
    expect((await addVersion(PolicyArn, 's3:*')).PolicyVersion!.VersionId).toBe('v4');
    const first = await root.send(new iam.ListPolicyVersionsCommand({ PolicyArn, MaxItems: 2 }));
    expect(first.Versions!.map((version) => version.VersionId)).toEqual(['v4', 'v2']);
    const rest = await root.send(new iam.ListPolicyVersionsCommand({ PolicyArn, Marker: first.Marker }));
    expect(rest).toMatchObject({ Versions: [{ VersionId: 'v1' }], IsTruncated: false });
    api.clock.ahead = 0;
  });

  it('are at most five at a time', async () => {
    const PolicyArn = arnOf('five');
    await makePolicy('five');
    for (let i = 0; i < 4; i++) await addVersion(PolicyArn, 's3:*');
    expect(await refusal(addVersion(PolicyArn, 's3:*'))).toEqual({
      code: 'LimitExceeded',
      status: 409,
      text: 'A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.',
    });
  });

  it('that are not there are refused, as are documents that are none', async () => {
    const PolicyArn = arnOf('five');
    const missing = { PolicyArn, VersionId: 'v9' };
    for (const call of [
      new iam.GetPolicyVersionCommand(missing),
      new iam.SetDefaultPolicyVersionCommand(missing),
      new iam.DeletePolicyVersionCommand(missing),
    ]) {
      expect(await refusal(root.send(call as iam.GetPolicyVersionCommand))).toEqual({
        code: 'NoSuchEntity',
        status: 404,
        text: `Policy ${PolicyArn} version v9 does not exist or is not attachable.`,
      });
    }
    const invalid = new iam.GetPolicyVersionCommand({ PolicyArn, VersionId: '9' });
    expect(await refusal(root.send(invalid))).toMatchObject({ code: 'ValidationError' });
    await makePolicy('strict');
    const put = new iam.CreatePolicyVersionCommand({ PolicyArn: arnOf('strict'), PolicyDocument: '[]' });
    expect(await refusal(root.send(put))).toMatchObject({ code: 'MalformedPolicyDocument' });
  });
});

describe('policies of AWS', () => {
  it('are there to be read', async () => {
    expect(await policyOf(ADMINISTRATOR)).toMatchObject({
      PolicyName: 'AdministratorAccess',
      PolicyId: 'ANPAIWMBCKSKIEE64ZLYK',
      DefaultVersionId: 'v1',
      CreateDate: new Date('2015-02-06T18:39:46Z'),
    });
    const PolicyArn = 'arn:aws:iam::aws:policy/AmazonAuroraDSQLFullAccess';
    const [version] = await versionsOf(PolicyArn);
    expect(version).toMatchObject({ VersionId: 'v16', IsDefaultVersion: true });
    const read = await root.send(new iam.GetPolicyVersionCommand({ PolicyArn, VersionId: 'v16' }));
    const { Statement } = JSON.parse(decodeURIComponent(read.PolicyVersion!.Document!));
    expect(Statement[0].Action).toContain('dsql:DbConnectAdmin');
    expect((await root.send(new iam.ListPolicyTagsCommand({ PolicyArn }))).Tags).toEqual([]);
  });

  it('cannot be changed', async () => {
    const PolicyArn = ADMINISTRATOR;
    const version = { PolicyArn, VersionId: 'v1' };
    for (const call of [
      new iam.CreatePolicyVersionCommand({ PolicyArn, PolicyDocument: allow('s3:*') }),
      new iam.SetDefaultPolicyVersionCommand(version),
      new iam.DeletePolicyVersionCommand(version),
      new iam.DeletePolicyCommand({ PolicyArn }),
      new iam.TagPolicyCommand({ PolicyArn, Tags: [] }),
      new iam.UntagPolicyCommand({ PolicyArn, TagKeys: [] }),
    ]) {
      expect(await refusal(root.send(call as iam.DeletePolicyCommand))).toEqual({
        code: 'AccessDenied',
        status: 403,
        text: `The policy ${ADMINISTRATOR} is managed by AWS and cannot be changed.`,
      });
    }
  });

  it.each([
    ['arn:aws:iam::aws:policy/Nothing', 'NoSuchEntity', 'Policy arn:aws:iam::aws:policy/Nothing was not found.'],
    [arnOf('airy').replace(ACCOUNT, '999999999999'), 'NoSuchEntity', /was not found/],
    ['arn:aws:iam::aws:user/AdministratorAccess', 'InvalidInput', /^ARN .* is not valid\.$/],
    ['AdministratorAccess-and-so-on', 'InvalidInput', 'ARN AdministratorAccess-and-so-on is not valid.'],
    ['short', 'ValidationError', /at 'policyArn' failed/],
  ])('are not found as %s', async (PolicyArn, code, text) => {
    const refused = await refusal(policyOf(PolicyArn));
    expect(refused.code).toBe(code);
    expect(refused.text).toMatch(text);
  });
});
