import {
  CREATE_ACCESS_KEY,
  createAccessKey,
  DELETE_ACCESS_KEY,
  deleteAccessKey,
  GET_ACCESS_KEY_LAST_USED,
  getAccessKeyLastUsed,
  LIST_ACCESS_KEYS,
  listAccessKeys,
  UPDATE_ACCESS_KEY,
  updateAccessKey,
} from '../../iam/access-keys.ts';
import { nameKey, roleArn, rootArn, userArn } from '../../iam/arn.ts';
import type { Iam } from '../../iam/iam.ts';
import type { Identity } from '../../iam/identity.ts';
import * as inline from '../../iam/inline-policies.ts';
import * as roles from '../../iam/roles.ts';
import * as users from '../../iam/users.ts';
import { type Need, type Operations, operation, type Service } from '../operation.ts';
import { createQueryService } from '../protocols/query.ts';

/*
 * AWS Identity and Access Management, API version 2010-05-08. Actions and resources are those of the Service
 * Authorization Reference. ListUsers and ListRoles are asked on `user/` and `role/` with the path prefix, as the
 * service's own denials print it.
 */
export function createIamService(iam: Iam): Service {
  return createQueryService({
    version: '2010-05-08',
    namespace: 'https://iam.amazonaws.com/doc/2010-05-08/',
    operations: { ...userOperations(iam), ...accessKeyOperations(iam), ...roleOperations(iam) },
  });
}

function userOperations(iam: Iam): Operations {
  const on = (action: string) => (input: { readonly UserName: string }) => [
    need(action, userNamed(iam, input.UserName)),
  ];
  return {
    CreateUser: operation(
      users.CREATE_USER,
      (input) => {
        const made = userArn(iam.account, { path: input.Path ?? '/', name: input.UserName });
        return [need('CreateUser', made), ...(input.Tags?.length ? [need('TagUser', made)] : [])];
      },
      (input) => users.createUser(iam, input),
    ),
    GetUser: operation(
      users.GET_USER,
      (input, caller) => [need('GetUser', userOrCaller(iam, input.UserName, caller))],
      (input, caller) => users.getUser(iam, input, caller),
    ),
    ListUsers: operation(
      users.LIST_USERS,
      (input) => [need('ListUsers', `arn:aws:iam::${iam.account}:user${input.PathPrefix ?? '/'}`)],
      (input) => users.listUsers(iam, input),
    ),
    UpdateUser: operation(
      users.UPDATE_USER,
      (input) => {
        const from = iam.store.get('users', nameKey(input.UserName));
        const to = {
          path: input.NewPath ?? from?.path ?? '/',
          name: input.NewUserName ?? from?.name ?? input.UserName,
        };
        return [need('UpdateUser', userNamed(iam, input.UserName)), need('UpdateUser', userArn(iam.account, to))];
      },
      (input) => users.updateUser(iam, input),
    ),
    DeleteUser: operation(users.DELETE_USER, on('DeleteUser'), (input) => users.deleteUser(iam, input)),
    TagUser: operation(users.TAG_USER, on('TagUser'), (input) => users.tagUser(iam, input)),
    UntagUser: operation(users.UNTAG_USER, on('UntagUser'), (input) => users.untagUser(iam, input)),
    ListUserTags: operation(users.LIST_USER_TAGS, on('ListUserTags'), (input) => users.listUserTags(iam, input)),
    PutUserPolicy: operation(inline.PUT_USER_POLICY, on('PutUserPolicy'), (input) => inline.putUserPolicy(iam, input)),
    GetUserPolicy: operation(inline.GET_USER_POLICY, on('GetUserPolicy'), (input) => inline.getUserPolicy(iam, input)),
    ListUserPolicies: operation(inline.LIST_USER_POLICIES, on('ListUserPolicies'), (input) =>
      inline.listUserPolicies(iam, input),
    ),
    DeleteUserPolicy: operation(inline.DELETE_USER_POLICY, on('DeleteUserPolicy'), (input) =>
      inline.deleteUserPolicy(iam, input),
    ),
  };
}

function accessKeyOperations(iam: Iam): Operations {
  const on = (action: string) => (input: { readonly UserName?: string }, caller: Identity) => [
    need(action, userOrCaller(iam, input.UserName, caller)),
  ];
  return {
    CreateAccessKey: operation(CREATE_ACCESS_KEY, on('CreateAccessKey'), (input, caller) =>
      createAccessKey(iam, input, caller),
    ),
    ListAccessKeys: operation(LIST_ACCESS_KEYS, on('ListAccessKeys'), (input, caller) =>
      listAccessKeys(iam, input, caller),
    ),
    UpdateAccessKey: operation(UPDATE_ACCESS_KEY, on('UpdateAccessKey'), (input, caller) =>
      updateAccessKey(iam, input, caller),
    ),
    DeleteAccessKey: operation(DELETE_ACCESS_KEY, on('DeleteAccessKey'), (input, caller) =>
      deleteAccessKey(iam, input, caller),
    ),
    GetAccessKeyLastUsed: operation(
      GET_ACCESS_KEY_LAST_USED,
      (input) => [need('GetAccessKeyLastUsed', keyOwner(iam, input.AccessKeyId))],
      (input) => getAccessKeyLastUsed(iam, input),
    ),
  };
}

function roleOperations(iam: Iam): Operations {
  const on = (action: string) => (input: { readonly RoleName: string }) => [
    need(action, roleNamed(iam, input.RoleName)),
  ];
  return {
    CreateRole: operation(
      roles.CREATE_ROLE,
      (input) => {
        const made = roleArn(iam.account, { path: input.Path ?? '/', name: input.RoleName });
        return [need('CreateRole', made), ...(input.Tags?.length ? [need('TagRole', made)] : [])];
      },
      (input) => roles.createRole(iam, input),
    ),
    GetRole: operation(roles.GET_ROLE, on('GetRole'), (input) => roles.getRole(iam, input)),
    ListRoles: operation(
      roles.LIST_ROLES,
      (input) => [need('ListRoles', `arn:aws:iam::${iam.account}:role${input.PathPrefix ?? '/'}`)],
      (input) => roles.listRoles(iam, input),
    ),
    UpdateRole: operation(roles.UPDATE_ROLE, on('UpdateRole'), (input) => roles.updateRole(iam, input)),
    UpdateAssumeRolePolicy: operation(roles.UPDATE_ASSUME_ROLE_POLICY, on('UpdateAssumeRolePolicy'), (input) =>
      roles.updateAssumeRolePolicy(iam, input),
    ),
    DeleteRole: operation(roles.DELETE_ROLE, on('DeleteRole'), (input) => roles.deleteRole(iam, input)),
    TagRole: operation(roles.TAG_ROLE, on('TagRole'), (input) => roles.tagRole(iam, input)),
    UntagRole: operation(roles.UNTAG_ROLE, on('UntagRole'), (input) => roles.untagRole(iam, input)),
    ListRoleTags: operation(roles.LIST_ROLE_TAGS, on('ListRoleTags'), (input) => roles.listRoleTags(iam, input)),
    PutRolePolicy: operation(inline.PUT_ROLE_POLICY, on('PutRolePolicy'), (input) => inline.putRolePolicy(iam, input)),
    GetRolePolicy: operation(inline.GET_ROLE_POLICY, on('GetRolePolicy'), (input) => inline.getRolePolicy(iam, input)),
    ListRolePolicies: operation(inline.LIST_ROLE_POLICIES, on('ListRolePolicies'), (input) =>
      inline.listRolePolicies(iam, input),
    ),
    DeleteRolePolicy: operation(inline.DELETE_ROLE_POLICY, on('DeleteRolePolicy'), (input) =>
      inline.deleteRolePolicy(iam, input),
    ),
  };
}

function need(action: string, resource: string): Need {
  return { action: `iam:${action}`, resource };
}

/** With its path where the user exists, since policies name users with their paths. */
function userNamed(iam: Iam, name: string): string {
  return userArn(iam.account, iam.store.get('users', nameKey(name)) ?? { path: '/', name });
}

function roleNamed(iam: Iam, name: string): string {
  return roleArn(iam.account, iam.store.get('roles', nameKey(name)) ?? { path: '/', name });
}

/** Operations whose UserName may be left out mean the caller then. Throws Refused `validation` for a role's session. */
function userOrCaller(iam: Iam, name: string | undefined, caller: Identity): string {
  if (name !== undefined) return userNamed(iam, name);
  return caller.kind === 'root' ? rootArn(iam.account) : userNamed(iam, users.ownUserName(caller));
}

function keyOwner(iam: Iam, accessKeyId: string): string {
  const key = iam.store.get('accessKeys', accessKeyId);
  if (!key) return '*';
  const user = key.user === null ? undefined : iam.store.get('users', key.user);
  return user ? userArn(iam.account, user) : rootArn(iam.account);
}
