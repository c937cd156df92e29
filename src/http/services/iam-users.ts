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
import { rootArn, userArn } from '../../iam/arn.ts';
import { USER } from '../../iam/entities.ts';
import type { Iam } from '../../iam/iam.ts';
import type { Identity } from '../../iam/identity.ts';
import * as users from '../../iam/users.ts';
import { type Operations, operation } from '../operation.ts';
import { attachmentOperations, boundaryOperations, inlinePolicyOperations, tagOperations } from './iam-entities.ts';
import { need, needsToCreate, needsToMove, userOrCaller } from './iam-needs.ts';

/** ListUsers is asked on `user` with the path prefix, as the service's own denials print it. */
export function userOperations(iam: Iam): Operations {
  return {
    CreateUser: operation(
      users.CREATE_USER,
      (input) => needsToCreate('User', userArn(iam.account, { path: input.Path ?? '/', name: input.UserName }), input),
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
      (input) => needsToMove(iam, USER, input.UserName, { name: input.NewUserName, path: input.NewPath }),
      (input) => users.updateUser(iam, input),
    ),
    DeleteUser: operation(
      users.DELETE_USER,
      (input) => [need('DeleteUser', USER.arnOf(iam, input.UserName))],
      (input) => users.deleteUser(iam, input),
    ),
    ...tagOperations(iam, USER),
    ...inlinePolicyOperations(iam, USER),
    ...attachmentOperations(iam, USER),
    ...boundaryOperations(iam, USER),
  };
}

export function accessKeyOperations(iam: Iam): Operations {
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

function keyOwner(iam: Iam, accessKeyId: string): string {
  const key = iam.store.get('accessKeys', accessKeyId);
  if (!key) return '*';
  const user = key.user === null ? undefined : iam.store.get('users', key.user);
  return user ? userArn(iam.account, user) : rootArn(iam.account);
}
