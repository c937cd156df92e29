import type { GroupRecord } from '../state/records.ts';
import type { Draft } from '../state/store.ts';
import { groupArn, nameKey } from './arn.ts';
import { refuseWithPolicies } from './attachments.ts';
import { changeEntity, find, GROUP, USER } from './entities.ts';
import { deleteConflict, entityExists, type Iam } from './iam.ts';
import { uniqueId } from './ids.ts';
import { type InputOf, required } from './input.ts';
import { page } from './page.ts';
import { checkQuota } from './quotas.ts';
import { existingUserName, groupName, paging, path, pathPrefix } from './shapes.ts';
import { describeUser } from './users.ts';

export const CREATE_GROUP = { GroupName: required(groupName), Path: path } as const;
export const GET_GROUP = { GroupName: required(groupName), ...paging } as const;
export const LIST_GROUPS = { PathPrefix: pathPrefix, ...paging } as const;
export const UPDATE_GROUP = { GroupName: required(groupName), NewPath: path, NewGroupName: groupName } as const;
export const DELETE_GROUP = { GroupName: required(groupName) } as const;
export const ADD_USER_TO_GROUP = { GroupName: required(groupName), UserName: required(existingUserName) } as const;
export const REMOVE_USER_FROM_GROUP = { ...ADD_USER_TO_GROUP } as const;
export const LIST_GROUPS_FOR_USER = { UserName: required(existingUserName), ...paging } as const;

/** Throws Refused `entity-exists` or `limit-exceeded`. */
export function createGroup(iam: Iam, input: InputOf<typeof CREATE_GROUP>) {
  return iam.store.change((draft) => {
    refuseTaken(draft, input.GroupName);
    checkQuota('GroupsPerAccount', draft.all('groups').length + 1);
    const group: GroupRecord = {
      name: input.GroupName,
      id: uniqueId('AGPA', iam.random),
      path: input.Path ?? '/',
      createdAt: iam.now().toISOString(),
      policies: {},
      attached: [],
    };
    draft.put('groups', nameKey(group.name), group);
    return { Group: describeGroup(iam, group) };
  });
}

/** With its members, page by page. Throws Refused `no-such-entity`. */
export async function getGroup(iam: Iam, input: InputOf<typeof GET_GROUP>) {
  const group = find(GROUP, iam.store, input.GroupName);
  const { items, ...rest } = page(membersOf(iam.store, nameKey(group.name)), ({ name }) => nameKey(name), input);
  return { Group: describeGroup(iam, group), Users: items.map((user) => describeUser(iam, user)), ...rest };
}

export async function listGroups(iam: Iam, input: InputOf<typeof LIST_GROUPS>) {
  const groups = iam.store.all('groups').filter((group) => group.path.startsWith(input.PathPrefix ?? '/'));
  return pageOfGroups(iam, groups, input);
}

/** Renames or moves a group; its members and policies stay. Throws Refused `no-such-entity` or `entity-exists`. */
export async function updateGroup(iam: Iam, input: InputOf<typeof UPDATE_GROUP>) {
  await iam.store.change((draft) => {
    const group = find(GROUP, draft, input.GroupName);
    const name = input.NewGroupName ?? group.name;
    const from = nameKey(group.name);
    const to = nameKey(name);
    if (to !== from) {
      refuseTaken(draft, name);
      draft.delete('groups', from);
      for (const user of membersOf(draft, from)) {
        const groups = user.groups.map((each) => (each === from ? to : each));
        draft.put('users', nameKey(user.name), { ...user, groups });
      }
    }
    draft.put('groups', to, { ...group, name, path: input.NewPath ?? group.path });
  });
}

/** Throws Refused `no-such-entity`, or `delete-conflict` while the group has members or policies. */
export async function deleteGroup(iam: Iam, input: InputOf<typeof DELETE_GROUP>) {
  await iam.store.change((draft) => {
    const group = find(GROUP, draft, input.GroupName);
    const key = nameKey(group.name);
    if (membersOf(draft, key).length > 0) {
      throw deleteConflict('Cannot delete entity, must remove users from group first.');
    }
    refuseWithPolicies(group);
    draft.delete('groups', key);
  });
}

/** Who is a member already stays so. Throws Refused `no-such-entity` or `limit-exceeded`. */
export async function addUserToGroup(iam: Iam, input: InputOf<typeof ADD_USER_TO_GROUP>) {
  await changeEntity(iam, USER, input.UserName, ({ groups }, draft) => {
    const group = nameKey(find(GROUP, draft, input.GroupName).name);
    if (groups.includes(group)) return {};
    checkQuota('GroupsPerUser', groups.length + 1);
    return { groups: [...groups, group] };
  });
}

/** Who is no member stays so. Throws Refused `no-such-entity`. */
export async function removeUserFromGroup(iam: Iam, input: InputOf<typeof REMOVE_USER_FROM_GROUP>) {
  await changeEntity(iam, USER, input.UserName, ({ groups }, draft) => {
    const group = nameKey(find(GROUP, draft, input.GroupName).name);
    return { groups: groups.filter((each) => each !== group) };
  });
}

/** Throws Refused `no-such-entity`. */
export async function listGroupsForUser(iam: Iam, input: InputOf<typeof LIST_GROUPS_FOR_USER>) {
  const keys = find(USER, iam.store, input.UserName).groups.toSorted();
  return pageOfGroups(
    iam,
    keys.map((key) => find(GROUP, iam.store, key)),
    input,
  );
}

export function describeGroup(iam: Iam, group: Readonly<GroupRecord>) {
  return {
    Path: group.path,
    GroupName: group.name,
    GroupId: group.id,
    Arn: groupArn(iam.account, group),
    CreateDate: new Date(group.createdAt),
  };
}

function pageOfGroups(iam: Iam, groups: readonly Readonly<GroupRecord>[], input: InputOf<typeof paging>) {
  const { items, ...rest } = page(groups, ({ name }) => nameKey(name), input);
  return { Groups: items.map((group) => describeGroup(iam, group)), ...rest };
}

function membersOf(reader: Pick<Draft, 'all'>, group: string) {
  return reader.all('users').filter((user) => user.groups.includes(group));
}

function refuseTaken(draft: Draft, name: string): void {
  if (draft.get('groups', nameKey(name))) throw entityExists(`Group with name ${name} already exists.`);
}
