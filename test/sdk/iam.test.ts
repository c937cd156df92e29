import * as iam from '@aws-sdk/client-iam';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
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

describe('users', () => {
  it('creates, reads, lists, renames and deletes a user', async () => {
    const made = await root.send(
      new iam.CreateUserCommand({ UserName: 'Ann', Path: '/staff/', Tags: [{ Key: 'team', Value: 'a/b: c' }] }),
    );
    expect(made.User).toMatchObject({
      UserName: 'Ann',
      Path: '/staff/',
      Arn: `arn:aws:iam::${ACCOUNT}:user/staff/Ann`,
      Tags: [{ Key: 'team', Value: 'a/b: c' }],
    });
    expect(made.User!.UserId).toMatch(/^AIDA[A-Z2-7]{17}$/);
    expect(Math.abs(made.User!.CreateDate!.getTime() - Date.now())).toBeLessThan(60_000);

    const read = await root.send(new iam.GetUserCommand({ UserName: 'ann' }));
    expect(read.User).toEqual(made.User);
    const listed = await root.send(new iam.ListUsersCommand({ PathPrefix: '/staff/' }));
    expect(listed.Users!.map((user) => user.UserName)).toEqual(['Ann']);
    expect(listed.IsTruncated).toBe(false);

    await root.send(new iam.UpdateUserCommand({ UserName: 'Ann', NewUserName: 'Anna', NewPath: '/' }));
    const renamed = await root.send(new iam.GetUserCommand({ UserName: 'Anna' }));
    expect(renamed.User).toMatchObject({ UserId: made.User!.UserId, Arn: `arn:aws:iam::${ACCOUNT}:user/Anna` });
    await root.send(new iam.DeleteUserCommand({ UserName: 'Anna' }));
    expect(await refusal(root.send(new iam.GetUserCommand({ UserName: 'Anna' })))).toEqual({
      code: 'NoSuchEntity',
      status: 404,
      text: 'The user with name Anna cannot be found.',
    });
  });

  it('refuses a name that is taken without regard to case', async () => {
    await root.send(new iam.CreateUserCommand({ UserName: 'taken' }));
    expect(await refusal(root.send(new iam.CreateUserCommand({ UserName: 'TAKEN' })))).toEqual({
      code: 'EntityAlreadyExists',
      status: 409,
      text: 'User with name TAKEN already exists.',
    });
  });

  it('tells the constraint that a parameter breaks', async () => {
    const refused = await refusal(root.send(new iam.CreateUserCommand({ UserName: 'no spaces' })));
    expect(refused).toEqual({
      code: 'ValidationError',
      status: 400,
      text: "1 validation error detected: Value 'no spaces' at 'userName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]+",
    });
    const long = await refusal(root.send(new iam.CreateUserCommand({ UserName: 'x'.repeat(65), Path: 'nope' })));
    expect(long.text).toContain('2 validation errors detected');
    expect(long.text).toContain('Member must have length less than or equal to 64');
  });

  it('refuses parameters that it does not support', async () => {
    const list = new iam.ListServiceSpecificCredentialsCommand({ AllUsers: true });
    const refused = await refusal(root.send(list));
    expect(refused).toEqual({
      code: 'ValidationError',
      status: 400,
      text: 'The parameter allUsers is not supported.',
    });
  });

  it('does not delete a user that has policies or keys', async () => {
    const { accessKeyId } = await makeUser('kept', allow('s3:*'));
    const remove = () => root.send(new iam.DeleteUserCommand({ UserName: 'kept' }));
    expect(await refusal(remove())).toMatchObject({ code: 'DeleteConflict', status: 409 });
    await root.send(new iam.DeleteUserPolicyCommand({ UserName: 'kept', PolicyName: 'p' }));
    expect(await refusal(remove())).toMatchObject({ code: 'DeleteConflict', status: 409 });
    await root.send(new iam.DeleteAccessKeyCommand({ UserName: 'kept', AccessKeyId: accessKeyId }));
    await remove();
  });

  it('gives lists in pages', async () => {
    for (let i = 0; i < 5; i++) await root.send(new iam.CreateUserCommand({ UserName: `page${i}`, Path: '/paged/' }));
    const names: string[] = [];
    let pages = 0;
    for await (const page of iam.paginateListUsers({ client: root, pageSize: 2 }, { PathPrefix: '/paged/' })) {
      names.push(...page.Users!.map((user) => user.UserName!));
      pages += 1;
    }
    expect(names).toEqual(['page0', 'page1', 'page2', 'page3', 'page4']);
    expect(pages).toBe(3);
    expect(await refusal(root.send(new iam.ListUsersCommand({ Marker: 'foreign' })))).toMatchObject({
      code: 'ValidationError',
      text: 'Invalid Marker.',
    });
  });

  it('tags and untags', async () => {
    await root.send(new iam.CreateUserCommand({ UserName: 'tagged' }));
    const Tags = [
      { Key: 'b', Value: '2' },
      { Key: 'A', Value: '1' },
    ];
    await root.send(new iam.TagUserCommand({ UserName: 'tagged', Tags }));
    await root.send(new iam.TagUserCommand({ UserName: 'tagged', Tags: [{ Key: 'a', Value: '' }] }));
    const listed = await root.send(new iam.ListUserTagsCommand({ UserName: 'tagged' }));
    expect(listed.Tags).toEqual([
      { Key: 'a', Value: '' },
      { Key: 'b', Value: '2' },
    ]);
    await root.send(new iam.UntagUserCommand({ UserName: 'tagged', TagKeys: ['B', 'a'] }));
    expect((await root.send(new iam.ListUserTagsCommand({ UserName: 'tagged' }))).Tags).toEqual([]);
    const twice = [
      { Key: 'x', Value: '1' },
      { Key: 'X', Value: '2' },
    ];
    expect(await refusal(root.send(new iam.TagUserCommand({ UserName: 'tagged', Tags: twice })))).toMatchObject({
      code: 'InvalidInput',
      status: 400,
    });
  });
});

describe('access keys', () => {
  it('lets a new key in at once and refuses it at once when inactive or deleted', async () => {
    const key = await makeUser('door');
    const AccessKeyId = key.accessKeyId;
    const who = () => api.sts(key).send(new GetCallerIdentityCommand({}));
    const refused = {
      code: 'InvalidClientTokenId',
      status: 403,
      text: 'The security token included in the request is invalid.',
    };
    expect(AccessKeyId).toMatch(/^AKIA[A-Z2-7]{16}$/);
    expect(key.secretAccessKey).toHaveLength(40);
    expect((await who()).Arn).toBe(`arn:aws:iam::${ACCOUNT}:user/door`);
    await root.send(new iam.UpdateAccessKeyCommand({ UserName: 'door', AccessKeyId, Status: 'Inactive' }));
    expect(await refusal(who())).toEqual(refused);
    await root.send(new iam.UpdateAccessKeyCommand({ UserName: 'door', AccessKeyId, Status: 'Active' }));
    expect((await who()).Account).toBe(ACCOUNT);
    await root.send(new iam.DeleteAccessKeyCommand({ UserName: 'door', AccessKeyId }));
    expect(await refusal(who())).toEqual(refused);
  });

  it('allows two keys a user', async () => {
    const { accessKeyId } = await makeUser('two');
    await root.send(new iam.CreateAccessKeyCommand({ UserName: 'two' }));
    expect(await refusal(root.send(new iam.CreateAccessKeyCommand({ UserName: 'two' })))).toEqual({
      code: 'LimitExceeded',
      status: 409,
      text: 'Cannot exceed quota for AccessKeysPerUser: 2',
    });
    const { AccessKeyMetadata } = await root.send(new iam.ListAccessKeysCommand({ UserName: 'two' }));
    expect(AccessKeyMetadata).toHaveLength(2);
    expect(AccessKeyMetadata!.map((key) => key.AccessKeyId)).toContain(accessKeyId);
    expect(AccessKeyMetadata![0]).toMatchObject({ UserName: 'two', Status: 'Active' });
  });

  it('means the caller where no user is named', async () => {
    const key = await makeUser('self', allow(['iam:GetUser', 'iam:*AccessKey*'], `arn:aws:iam::${ACCOUNT}:user/self`));
    const self = api.iam(key);
    expect((await self.send(new iam.GetUserCommand({}))).User!.UserName).toBe('self');
    const { AccessKey } = await self.send(new iam.CreateAccessKeyCommand({}));
    expect(AccessKey!.UserName).toBe('self');
    expect((await self.send(new iam.ListAccessKeysCommand({}))).AccessKeyMetadata).toHaveLength(2);
    await self.send(new iam.DeleteAccessKeyCommand({ AccessKeyId: AccessKey!.AccessKeyId }));
    const rootUser = await root.send(new iam.GetUserCommand({}));
    expect(rootUser.User).toMatchObject({ UserId: ACCOUNT, Arn: `arn:aws:iam::${ACCOUNT}:root` });
    const rootKeys = await root.send(new iam.ListAccessKeysCommand({}));
    expect(rootKeys.AccessKeyMetadata!.map((each) => each.AccessKeyId)).toEqual([api.root.accessKeyId]);
  });

  it('keeps the key that it hands to its operator', async () => {
    const AccessKeyId = api.root.accessKeyId;
    expect(await refusal(root.send(new iam.DeleteAccessKeyCommand({ AccessKeyId })))).toMatchObject({ status: 400 });
    const deactivate = new iam.UpdateAccessKeyCommand({ AccessKeyId, Status: 'Inactive' });
    expect(await refusal(root.send(deactivate))).toMatchObject({ status: 400 });
  });

  it('tells when a key was last used', async () => {
    const key = await makeUser('used');
    const last = () => root.send(new iam.GetAccessKeyLastUsedCommand({ AccessKeyId: key.accessKeyId }));
    expect(await last()).toMatchObject({ UserName: 'used', AccessKeyLastUsed: { ServiceName: 'N/A', Region: 'N/A' } });
    await api.sts(key).send(new GetCallerIdentityCommand({}));
    const { AccessKeyLastUsed } = await last();
    expect(AccessKeyLastUsed).toMatchObject({ ServiceName: 'sts', Region: 'eu-west-1' });
    expect(AccessKeyLastUsed!.LastUsedDate).toBeInstanceOf(Date);
  });
});
