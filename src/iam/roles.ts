import type { RoleRecord } from '../state/records.ts';
import type { Draft } from '../state/store.ts';
import { nameKey, roleArn } from './arn.ts';
import { refuseWithPolicies } from './attachments.ts';
import { boundaryMember, checkedBoundary } from './boundaries.ts';
import { changeEntity, find, ROLE } from './entities.ts';
import { entityExists, type Iam } from './iam.ts';
import { uniqueId } from './ids.ts';
import { type InputOf, required } from './input.ts';
import { page } from './page.ts';
import { parseTrustPolicy, policySize } from './policy/parse.ts';
import { checkQuota } from './quotas.ts';
import {
  arn,
  description,
  maxSessionDuration,
  paging,
  path,
  pathPrefix,
  policyDocument,
  roleName,
  tagList,
} from './shapes.ts';
import { tagsMember, withTags } from './tags.ts';
import { resolveTrustPrincipals } from './trust-principals.ts';

const DEFAULT_SESSION_DURATION = 3600;

export const CREATE_ROLE = {
  RoleName: required(roleName),
  AssumeRolePolicyDocument: required(policyDocument),
  Path: path,
  Description: description,
  MaxSessionDuration: maxSessionDuration,
  Tags: tagList,
  PermissionsBoundary: arn,
} as const;
export const GET_ROLE = { RoleName: required(roleName) } as const;
export const LIST_ROLES = { PathPrefix: pathPrefix, ...paging } as const;
export const UPDATE_ROLE = {
  RoleName: required(roleName),
  Description: description,
  MaxSessionDuration: maxSessionDuration,
} as const;
export const UPDATE_ROLE_DESCRIPTION = { RoleName: required(roleName), Description: required(description) } as const;
export const UPDATE_ASSUME_ROLE_POLICY = {
  RoleName: required(roleName),
  PolicyDocument: required(policyDocument),
} as const;
export const DELETE_ROLE = { RoleName: required(roleName) } as const;

/**
 * Throws Refused `entity-exists`, `malformed-policy`, `limit-exceeded`, `invalid-input`, or `no-such-entity` for the
 * boundary.
 */
export function createRole(iam: Iam, input: InputOf<typeof CREATE_ROLE>) {
  return iam.store.change((draft) => {
    if (draft.get('roles', nameKey(input.RoleName))) {
      throw entityExists(`Role with name ${input.RoleName} already exists.`);
    }
    checkQuota('RolesPerAccount', draft.all('roles').length + 1);
    const role: RoleRecord = {
      name: input.RoleName,
      id: uniqueId('AROA', iam.random),
      path: input.Path ?? '/',
      createdAt: iam.now().toISOString(),
      description: input.Description ?? '',
      maxSessionDuration: input.MaxSessionDuration ?? DEFAULT_SESSION_DURATION,
      ...trust(iam, draft, input.AssumeRolePolicyDocument),
      tags: withTags([], input.Tags ?? [], 'TagsPerRole'),
      policies: {},
      attached: [],
      boundary: checkedBoundary(draft, input.PermissionsBoundary),
    };
    draft.put('roles', nameKey(role.name), role);
    return { Role: describeWhole(iam, role) };
  });
}

export async function getRole(iam: Iam, input: InputOf<typeof GET_ROLE>) {
  return { Role: { ...describeWhole(iam, find(ROLE, iam.store, input.RoleName)), RoleLastUsed: {} } };
}

export async function listRoles(iam: Iam, input: InputOf<typeof LIST_ROLES>) {
  const prefix = input.PathPrefix ?? '/';
  const roles = iam.store.all('roles').filter((role) => role.path.startsWith(prefix));
  const { items, ...rest } = page(roles, (role) => nameKey(role.name), input);
  return { Roles: items.map((role) => describeRole(iam, role)), ...rest };
}

/** Unlike its sisters it has an output, an empty one. */
export async function updateRole(iam: Iam, input: InputOf<typeof UPDATE_ROLE>) {
  await changeEntity(iam, ROLE, input.RoleName, (role) => ({
    description: input.Description ?? role.description,
    maxSessionDuration: input.MaxSessionDuration ?? role.maxSessionDuration,
  }));
  return {};
}

export async function updateRoleDescription(iam: Iam, input: InputOf<typeof UPDATE_ROLE_DESCRIPTION>) {
  await changeEntity(iam, ROLE, input.RoleName, () => ({ description: input.Description }));
  return getRole(iam, input);
}

/** Throws Refused `malformed-policy`, `limit-exceeded` or `no-such-entity`. */
export async function updateAssumeRolePolicy(iam: Iam, input: InputOf<typeof UPDATE_ASSUME_ROLE_POLICY>) {
  await changeEntity(iam, ROLE, input.RoleName, (_, draft) => trust(iam, draft, input.PolicyDocument));
}

/** Throws Refused `no-such-entity`, or `delete-conflict` while the role has policies. */
export async function deleteRole(iam: Iam, input: InputOf<typeof DELETE_ROLE>) {
  await iam.store.change((draft) => {
    const role = find(ROLE, draft, input.RoleName);
    refuseWithPolicies(role);
    draft.delete('roles', nameKey(role.name));
  });
}

function trust(iam: Iam, draft: Draft, document: string): Pick<RoleRecord, 'trustPolicy' | 'trustPrincipals'> {
  const policy = parseTrustPolicy(document);
  checkQuota('ACLSizePerRole', policySize(document));
  return { trustPolicy: document, trustPrincipals: resolveTrustPrincipals(draft, iam.account, policy) };
}

/** What lists have of a role. */
export function describeRole(iam: Iam, role: Readonly<RoleRecord>) {
  return {
    Path: role.path,
    RoleName: role.name,
    RoleId: role.id,
    Arn: roleArn(iam.account, role),
    CreateDate: new Date(role.createdAt),
    AssumeRolePolicyDocument: role.trustPolicy,
    ...(role.description !== '' && { Description: role.description }),
    MaxSessionDuration: role.maxSessionDuration,
  };
}

function describeWhole(iam: Iam, role: Readonly<RoleRecord>) {
  return { ...describeRole(iam, role), ...boundaryMember(role), ...tagsMember(role) };
}
