import { groupArn } from '../../iam/arn.ts';
import { GROUP, USER } from '../../iam/entities.ts';
import * as groups from '../../iam/groups.ts';
import type { Iam } from '../../iam/iam.ts';
import { type Operations, operation } from '../operation.ts';
import { attachmentOperations, inlinePolicyOperations } from './iam-entities.ts';
import { need, needsToMove } from './iam-needs.ts';

/** Who is in a group is a matter of the group: adding a user needs no permission on the user. */
export function groupOperations(iam: Iam): Operations {
  const on = (action: string) => (input: { readonly GroupName: string }) => [
    need(action, GROUP.arnOf(iam, input.GroupName)),
  ];
  return {
    CreateGroup: operation(
      groups.CREATE_GROUP,
      (input) => [need('CreateGroup', groupArn(iam.account, { path: input.Path ?? '/', name: input.GroupName }))],
      (input) => groups.createGroup(iam, input),
    ),
    GetGroup: operation(groups.GET_GROUP, on('GetGroup'), (input) => groups.getGroup(iam, input)),
    ListGroups: operation(
      groups.LIST_GROUPS,
      (input) => [need('ListGroups', `arn:aws:iam::${iam.account}:group${input.PathPrefix ?? '/'}`)],
      (input) => groups.listGroups(iam, input),
    ),
    UpdateGroup: operation(
      groups.UPDATE_GROUP,
      (input) => needsToMove(iam, GROUP, input.GroupName, { name: input.NewGroupName, path: input.NewPath }),
      (input) => groups.updateGroup(iam, input),
    ),
    DeleteGroup: operation(groups.DELETE_GROUP, on('DeleteGroup'), (input) => groups.deleteGroup(iam, input)),
    AddUserToGroup: operation(groups.ADD_USER_TO_GROUP, on('AddUserToGroup'), (input) =>
      groups.addUserToGroup(iam, input),
    ),
    RemoveUserFromGroup: operation(groups.REMOVE_USER_FROM_GROUP, on('RemoveUserFromGroup'), (input) =>
      groups.removeUserFromGroup(iam, input),
    ),
    ListGroupsForUser: operation(
      groups.LIST_GROUPS_FOR_USER,
      (input) => [need('ListGroupsForUser', USER.arnOf(iam, input.UserName))],
      (input) => groups.listGroupsForUser(iam, input),
    ),
    ...inlinePolicyOperations(iam, GROUP),
    ...attachmentOperations(iam, GROUP),
  };
}
