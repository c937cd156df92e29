import { Refused } from '../refused.ts';
import type { UserRecord } from '../state/records.ts';
import type { Draft } from '../state/store.ts';
import { nameKey, rootArn, userArn } from './arn.ts';
import { refuseWithPolicies } from './attachments.ts';
import { boundaryMember, checkedBoundary } from './boundaries.ts';
import { find, USER } from './entities.ts';
import { deleteConflict, entityExists, type Iam } from './iam.ts';
import type { Identity } from './identity.ts';
import { uniqueId } from './ids.ts';
import { type InputOf, required } from './input.ts';
import { page } from './page.ts';
import { checkQuota } from './quotas.ts';
import { arn, existingUserName, paging, path, pathPrefix, tagList, userName } from './shapes.ts';
import { tagsMember, withTags } from './tags.ts';

export const CREATE_USER = {
  UserName: required(userName),
  Path: path,
  Tags: tagList,
  PermissionsBoundary: arn,
} as const;
export const GET_USER = { UserName: existingUserName } as const;
export const LIST_USERS = { PathPrefix: pathPrefix, ...paging } as const;
export const UPDATE_USER = {
  UserName: required(existingUserName),
  NewPath: path,
  NewUserName: userName,
} as const;
export const DELETE_USER = { UserName: required(existingUserName) } as const;

/** Throws Refused `entity-exists`, `limit-exceeded`, `invalid-input`, or `no-such-entity` for the boundary. */
export function createUser(iam: Iam, input: InputOf<typeof CREATE_USER>) {
  return iam.store.change((draft) => {
    refuseTaken(draft, input.UserName);
    checkQuota('UsersPerAccount', draft.all('users').length + 1);
    const user: UserRecord = {
      name: input.UserName,
      id: uniqueId('AIDA', iam.random),
      path: input.Path ?? '/',
      createdAt: iam.now().toISOString(),
      tags: withTags([], input.Tags ?? [], 'TagsPerUser'),
      policies: {},
      attached: [],
      boundary: checkedBoundary(draft, input.PermissionsBoundary),
      groups: [],
    };
    draft.put('users', nameKey(user.name), user);
    return { User: describeWhole(iam, user) };
  });
}

/** The caller itself where no name is given, which may be the account root user. */
export async function getUser(iam: Iam, input: InputOf<typeof GET_USER>, caller: Identity) {
  if (input.UserName === undefined && caller.kind === 'root') {
    const { createdAt } = iam.store.get('account', 'this')!;
    return { User: { UserId: iam.account, Arn: rootArn(iam.account), CreateDate: new Date(createdAt) } };
  }
  const name = input.UserName ?? ownUserName(caller);
  return { User: describeWhole(iam, find(USER, iam.store, name)) };
}

export async function listUsers(iam: Iam, input: InputOf<typeof LIST_USERS>) {
  const prefix = input.PathPrefix ?? '/';
  const users = iam.store.all('users').filter((user) => user.path.startsWith(prefix));
  const { items, ...rest } = page(users, (user) => nameKey(user.name), input);
  return { Users: items.map((user) => describeUser(iam, user)), ...rest };
}

/**
 * Renames or moves a user; its keys and policies, and the trust that roles have in it, stay. Throws Refused
 * `no-such-entity` or `entity-exists`.
 */
export async function updateUser(iam: Iam, input: InputOf<typeof UPDATE_USER>) {
  await iam.store.change((draft) => {
    const user = find(USER, draft, input.UserName);
    const from = nameKey(user.name);
    const name = input.NewUserName ?? user.name;
    const to = nameKey(name);
    if (to !== from) {
      refuseTaken(draft, name);
      draft.delete('users', from);
      for (const key of draft.all('accessKeys')) {
        if (key.user === from) draft.put('accessKeys', key.id, { ...key, user: to });
      }
    }
    draft.put('users', to, { ...user, name, path: input.NewPath ?? user.path });
  });
}

/** Throws Refused `no-such-entity`, or `delete-conflict` while the user has policies, keys or groups. */
export async function deleteUser(iam: Iam, input: InputOf<typeof DELETE_USER>) {
  await iam.store.change((draft) => {
    const user = find(USER, draft, input.UserName);
    const key = nameKey(user.name);
    if (user.groups.length > 0) throw deleteConflict('Cannot delete entity, must remove users from group first.');
    refuseWithPolicies(user);
    if (draft.all('accessKeys').some((accessKey) => accessKey.user === key)) {
      throw deleteConflict('Cannot delete entity, must delete access keys first.');
    }
    draft.delete('users', key);
  });
}

/** The name of the calling user, for operations whose UserName may be left out. Throws Refused `validation`. */
export function ownUserName(caller: Identity): string {
  if (caller.kind === 'user') return caller.principalArn.slice(caller.principalArn.lastIndexOf('/') + 1);
  const say = 'Must specify userName when calling with non-User credentials';
  throw new Refused('validation', { say, detail: `${caller.kind} gave no UserName` });
}

function refuseTaken(draft: Draft, name: string): void {
  if (draft.get('users', nameKey(name))) throw entityExists(`User with name ${name} already exists.`);
}

/** What lists have of a user. */
export function describeUser(iam: Iam, user: Readonly<UserRecord>) {
  return {
    Path: user.path,
    UserName: user.name,
    UserId: user.id,
    Arn: userArn(iam.account, user),
    CreateDate: new Date(user.createdAt),
  };
}

function describeWhole(iam: Iam, user: Readonly<UserRecord>) {
  return { ...describeUser(iam, user), ...boundaryMember(user), ...tagsMember(user) };
}
