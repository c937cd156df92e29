import { roleArn } from '../../iam/arn.ts';
import { ROLE } from '../../iam/entities.ts';
import type { Iam } from '../../iam/iam.ts';
import * as roles from '../../iam/roles.ts';
import { type Operations, operation } from '../operation.ts';
import { attachmentOperations, boundaryOperations, inlinePolicyOperations, tagOperations } from './iam-entities.ts';
import { need, needsToCreate } from './iam-needs.ts';

/** ListRoles is asked on `role` with the path prefix, as the service's own denials print it. */
export function roleOperations(iam: Iam): Operations {
  const on = (action: string) => (input: { readonly RoleName: string }) => [
    need(action, ROLE.arnOf(iam, input.RoleName)),
  ];
  return {
    CreateRole: operation(
      roles.CREATE_ROLE,
      (input) => needsToCreate('Role', roleArn(iam.account, { path: input.Path ?? '/', name: input.RoleName }), input),
      (input) => roles.createRole(iam, input),
    ),
    GetRole: operation(roles.GET_ROLE, on('GetRole'), (input) => roles.getRole(iam, input)),
    ListRoles: operation(
      roles.LIST_ROLES,
      (input) => [need('ListRoles', `arn:aws:iam::${iam.account}:role${input.PathPrefix ?? '/'}`)],
      (input) => roles.listRoles(iam, input),
    ),
    UpdateRole: operation(roles.UPDATE_ROLE, on('UpdateRole'), (input) => roles.updateRole(iam, input)),
    UpdateRoleDescription: operation(roles.UPDATE_ROLE_DESCRIPTION, on('UpdateRoleDescription'), (input) =>
      roles.updateRoleDescription(iam, input),
    ),
    UpdateAssumeRolePolicy: operation(roles.UPDATE_ASSUME_ROLE_POLICY, on('UpdateAssumeRolePolicy'), (input) =>
      roles.updateAssumeRolePolicy(iam, input),
    ),
    DeleteRole: operation(roles.DELETE_ROLE, on('DeleteRole'), (input) => roles.deleteRole(iam, input)),
    ...tagOperations(iam, ROLE),
    ...inlinePolicyOperations(iam, ROLE),
    ...attachmentOperations(iam, ROLE),
    ...boundaryOperations(iam, ROLE),
  };
}
