import * as iam from '@aws-sdk/client-iam';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNT, type ApiUnderTest, allow, refusal, startApi } from './api-under-test.ts';

let api: ApiUnderTest;
let root: iam.IAMClient;

beforeAll(async () => {
  api = await startApi();
  root = api.iam();
});
afterAll(() => api.close());

const makeUser = (UserName: string) => root.send(new iam.CreateUserCommand({ UserName }));
const makeGroup = (GroupName: string, Path?: string) => root.send(new iam.CreateGroupCommand({ GroupName, Path }));
const join = (GroupName: string, UserName: string) => root.send(new iam.AddUserToGroupCommand({ GroupName, UserName }));
const groupsOf = async (UserName: string) =>
  (await root.send(new iam.ListGroupsForUserCommand({ UserName }))).Groups!.map((group) => group.GroupName);

describe('groups', () => {
  it('are created, read, listed, renamed and deleted', async () => {
    const { Group } = await makeGroup('Readers', '/team/');
    expect(Group).toMatchObject({
      GroupName: 'Readers',
      Path: '/team/',
      Arn: `arn:aws:iam::${ACCOUNT}:group/team/Readers`,
      CreateDate: expect.any(Date),
    });
    expect(Group!.GroupId).toMatch(/^AGPA[A-Z2-7]{17}$/);
    const read = await root.send(new iam.GetGroupCommand({ GroupName: 'readers' }));
    expect(read).toMatchObject({ Group, Users: [], IsTruncated: false });
    const listed = await root.send(new iam.ListGroupsCommand({ PathPrefix: '/team/' }));
    expect(listed).toMatchObject({ Groups: [Group], IsTruncated: false });

    await makeUser('member');
    await join('Readers', 'member');
    await root.send(new iam.UpdateGroupCommand({ GroupName: 'Readers', NewGroupName: 'Writers', NewPath: '/' }));
    const renamed = await root.send(new iam.GetGroupCommand({ GroupName: 'Writers' }));
    expect(renamed.Group).toMatchObject({ GroupId: Group!.GroupId, Arn: `arn:aws:iam::${ACCOUNT}:group/Writers` });
    expect(renamed.Users!.map((user) => user.UserName)).toEqual(['member']);
    expect(await groupsOf('member')).toEqual(['Writers']);

    await root.send(new iam.RemoveUserFromGroupCommand({ GroupName: 'Writers', UserName: 'member' }));
    await root.send(new iam.DeleteGroupCommand({ GroupName: 'Writers' }));
    expect(await refusal(root.send(new iam.GetGroupCommand({ GroupName: 'Writers' })))).toEqual({
      code: 'NoSuchEntity',
      status: 404,
      text: 'The group with name Writers cannot be found.',
    });
  });

  it('refuse a name that is taken without regard to case', async () => {
    await makeGroup('taken');
    await makeGroup('other');
    const exists = { code: 'EntityAlreadyExists', status: 409, text: 'Group with name TAKEN already exists.' };
    expect(await refusal(makeGroup('TAKEN'))).toEqual(exists);
    const rename = new iam.UpdateGroupCommand({ GroupName: 'other', NewGroupName: 'TAKEN' });
    expect(await refusal(root.send(rename))).toEqual(exists);
    await root.send(new iam.UpdateGroupCommand({ GroupName: 'taken', NewGroupName: 'Taken' }));
    expect((await root.send(new iam.GetGroupCommand({ GroupName: 'taken' }))).Group!.GroupName).toBe('Taken');
  });

  it('have users, once each, who leave without complaint', async () => {
    await makeGroup('club');
    for (const name of ['c3', 'c1', 'c2']) {
      await makeUser(name);
      await join('club', name);
    }
    await join('CLUB', 'c1');
    const first = await root.send(new iam.GetGroupCommand({ GroupName: 'club', MaxItems: 2 }));
    expect(first.Users!.map((user) => user.UserName)).toEqual(['c1', 'c2']);
    expect(first.IsTruncated).toBe(true);
    const rest = await root.send(new iam.GetGroupCommand({ GroupName: 'club', Marker: first.Marker }));
    expect(rest.Users!.map((user) => user.UserName)).toEqual(['c3']);
    await root.send(new iam.UpdateUserCommand({ UserName: 'c2', NewUserName: 'c4' }));
    const leave = () => root.send(new iam.RemoveUserFromGroupCommand({ GroupName: 'club', UserName: 'c1' }));
    await leave();
    await leave();
    const { Users } = await root.send(new iam.GetGroupCommand({ GroupName: 'club' }));
    expect(Users!.map((user) => user.UserName)).toEqual(['c3', 'c4']);
    expect(await refusal(join('club', 'nobody'))).toMatchObject({
      code: 'NoSuchEntity',
      text: expect.stringMatching(/user with name nobody/),
    });
    expect(await refusal(join('nothing', 'c3'))).toMatchObject({
      code: 'NoSuchEntity',
      text: expect.stringMatching(/group with name nothing/),
    });
  });

  it('are at most ten for a user', async () => {
    await makeUser('joiner');
    for (let i = 0; i < 11; i++) await makeGroup(`g${i}`);
    for (let i = 0; i < 10; i++) await join(`g${i}`, 'joiner');
    expect(await refusal(join('g10', 'joiner'))).toEqual({
      code: 'LimitExceeded',
      status: 409,
      text: 'Cannot exceed quota for GroupsPerUser: 10',
    });
    const pages: number[] = [];
    const lists = iam.paginateListGroupsForUser({ client: root, pageSize: 4 }, { UserName: 'joiner' });
    for await (const page of lists) pages.push(page.Groups!.length);
    expect(pages).toEqual([4, 4, 2]);
    expect(await refusal(root.send(new iam.DeleteUserCommand({ UserName: 'joiner' })))).toMatchObject({
      code: 'DeleteConflict',
      text: 'Cannot delete entity, must remove users from group first.',
    });
  });

  it('are at most 300', async () => {
    await api.store.change((draft) => {
      for (let i = draft.all('groups').length; i < 300; i++) {
        const name = `filler${i}`;
        const createdAt = '2026-01-01T00:00:00Z';
        draft.put('groups', name, { name, id: `AGPA${i}`, path: '/', createdAt, policies: {}, attached: [] });
      }
    });
    expect(await refusal(makeGroup('one-too-many'))).toMatchObject({
      code: 'LimitExceeded',
      text: 'Cannot exceed quota for GroupsPerAccount: 300',
    });
    const lists = iam.paginateListGroups({ client: root, pageSize: 128 }, {});
    let count = 0;
    for await (const page of lists) count += page.Groups!.length;
    expect(count).toBe(300);
    await api.store.change((draft) => {
      for (const { name } of draft.all('groups')) if (name.startsWith('filler')) draft.delete('groups', name);
    });
  });

  it('are not deleted while they have members or policies', async () => {
    const GroupName = 'busy';
    await makeGroup(GroupName);
    await makeUser('busybody');
    await join(GroupName, 'busybody');
    const PolicyArn = 'arn:aws:iam::aws:policy/IAMReadOnlyAccess';
    await root.send(new iam.AttachGroupPolicyCommand({ GroupName, PolicyArn }));
    const inline = { GroupName, PolicyName: 'p' };
    await root.send(new iam.PutGroupPolicyCommand({ ...inline, PolicyDocument: allow('s3:*') }));
    const remove = () => root.send(new iam.DeleteGroupCommand({ GroupName }));
    const conflict = (text: string) => ({ code: 'DeleteConflict', status: 409, text });
    expect(await refusal(remove())).toEqual(conflict('Cannot delete entity, must remove users from group first.'));
    await root.send(new iam.RemoveUserFromGroupCommand({ GroupName, UserName: 'busybody' }));
    expect(await refusal(remove())).toEqual(conflict('Cannot delete entity, must detach all policies first.'));
    await root.send(new iam.DetachGroupPolicyCommand({ GroupName, PolicyArn }));
    expect(await refusal(remove())).toEqual(conflict('Cannot delete entity, must delete policies first.'));
    await root.send(new iam.DeleteGroupPolicyCommand(inline));
    await remove();
  });

  it('have inline policies of 5120 characters together', async () => {
    const GroupName = 'ruled';
    await makeGroup(GroupName);
    const PolicyDocument = allow(['dsql:DbConnect', `s3:${'x'.repeat(100)}`]);
    for (const PolicyName of ['b', 'a']) {
      await root.send(new iam.PutGroupPolicyCommand({ GroupName, PolicyName, PolicyDocument }));
    }
    const listed = await root.send(new iam.ListGroupPoliciesCommand({ GroupName, MaxItems: 1 }));
    expect(listed).toMatchObject({ PolicyNames: ['a'], IsTruncated: true });
    const read = await root.send(new iam.GetGroupPolicyCommand({ GroupName, PolicyName: 'a' }));
    expect(read).toMatchObject({ GroupName, PolicyName: 'a' });
    expect(decodeURIComponent(read.PolicyDocument!)).toBe(PolicyDocument);
    const long = allow(Array.from({ length: 45 }, () => `s3:${'x'.repeat(100)}`));
    const put = new iam.PutGroupPolicyCommand({ GroupName, PolicyName: 'c', PolicyDocument: long });
    expect(await refusal(root.send(put))).toEqual({
      code: 'LimitExceeded',
      status: 409,
      text: 'Maximum policy size of 5120 bytes exceeded for group ruled',
    });
    await root.send(new iam.DeleteGroupPolicyCommand({ GroupName, PolicyName: 'a' }));
    const gone = root.send(new iam.GetGroupPolicyCommand({ GroupName, PolicyName: 'a' }));
    expect(await refusal(gone)).toMatchObject({ text: 'The group policy with name a cannot be found.' });
  });
});
