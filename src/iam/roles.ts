import { Refused } from '../refused.ts';
import type { RoleRecord } from '../state/records.ts';
import type { Draft } from '../state/store.ts';
import { nameKey, roleArn } from './arn.ts';
import { checkQuota, findRole, type Iam } from './iam.ts';
import { uniqueId } from './ids.ts';
import { type InputOf, required, UNSUPPORTED } from './input.ts';
import { page } from './page.ts';
import { parseTrustPolicy, policySize } from './policy/parse.ts';
import {
  description,
  maxSessionDuration,
  paging,
  path,
  pathPrefix,
  policyDocument,
  roleName,
  tagKeyList,
  tagList,
} from './shapes.ts';
import { tagSortKey, withoutTags, withTags } from './tags.ts';
import { resolveTrustPrincipals } from './trust-principals.ts';
import { deleteConflict } from './users.ts';

/** IAM's default quotas. */
const MAX_ROLES = 1000;
const MAX_TRUST_POLICY = 2048;
const DEFAULT_SESSION_DURATION = 3600;

export const CREATE_ROLE = {
  RoleName: required(roleName),
  AssumeRolePolicyDocument: required(policyDocument),
  Path: path,
  Description: description,
  MaxSessionDuration: maxSessionDuration,
  Tags: tagList,
  PermissionsBoundary: UNSUPPORTED,
} as const;
export const GET_ROLE = { RoleName: required(roleName) } as const;
export const LIST_ROLES = { PathPrefix: pathPrefix, ...paging } as const;
export const UPDATE_ROLE = {
  RoleName: required(roleName),
  Description: description,
  MaxSessionDuration: maxSessionDuration,
} as const;
export const UPDATE_ASSUME_ROLE_POLICY = {
  RoleName: required(roleName),
  PolicyDocument: required(policyDocument),
} as const;
export const DELETE_ROLE = { RoleName: required(roleName) } as const;
export const TAG_ROLE = { RoleName: required(roleName), Tags: required(tagList) } as const;
export const UNTAG_ROLE = { RoleName: required(roleName), TagKeys: required(tagKeyList) } as const;
export const LIST_ROLE_TAGS = { RoleName: required(roleName), ...paging } as const;

/** Throws Refused `entity-exists`, `malformed-policy`, `limit-exceeded` or `invalid-input`. */
export function createRole(iam: Iam, input: InputOf<typeof CREATE_ROLE>) {
  return iam.store.change((draft) => {
    if (draft.get('roles', nameKey(input.RoleName))) {
      const say = `Role with name ${input.RoleName} already exists.`;
      throw new Refused('entity-exists', { say, detail: say });
    }
    checkQuota('RolesPerAccount', draft.all('roles').length + 1, MAX_ROLES);
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
      boundary: null,
    };
    draft.put('roles', nameKey(role.name), role);
    return { Role: describeWithTags(iam, role) };
  });
}

export async function getRole(iam: Iam, input: InputOf<typeof GET_ROLE>) {
  return { Role: { ...describeWithTags(iam, findRole(iam.store, input.RoleName)), RoleLastUsed: {} } };
}

export async function listRoles(iam: Iam, input: InputOf<typeof LIST_ROLES>) {
  const prefix = input.PathPrefix ?? '/';
  const roles = iam.store.all('roles').filter((role) => role.path.startsWith(prefix));
  const { items, ...rest } = page(roles, (role) => nameKey(role.name), input);
  return { Roles: items.map((role) => describe(iam, role)), ...rest };
}

/** Unlike its sisters it has an output, an empty one. */
export async function updateRole(iam: Iam, input: InputOf<typeof UPDATE_ROLE>) {
  await changeRole(iam, input.RoleName, (role) => ({
    description: input.Description ?? role.description,
    maxSessionDuration: input.MaxSessionDuration ?? role.maxSessionDuration,
  }));
  return {};
}

/** Throws Refused `malformed-policy`, `limit-exceeded` or `no-such-entity`. */
export async function updateAssumeRolePolicy(iam: Iam, input: InputOf<typeof UPDATE_ASSUME_ROLE_POLICY>) {
  await changeRole(iam, input.RoleName, (_, draft) => trust(iam, draft, input.PolicyDocument));
}

/** Throws Refused `no-such-entity`, or `delete-conflict` while the role has policies. */
export async function deleteRole(iam: Iam, input: InputOf<typeof DELETE_ROLE>) {
  await iam.store.change((draft) => {
    const role = findRole(draft, input.RoleName);
    if (Object.keys(role.policies).length > 0)
      throw deleteConflict('Cannot delete entity, must delete policies first.');
    draft.delete('roles', nameKey(role.name));
  });
}

export async function tagRole(iam: Iam, input: InputOf<typeof TAG_ROLE>) {
  await changeRole(iam, input.RoleName, (role) => ({ tags: withTags(role.tags, input.Tags, 'TagsPerRole') }));
}

export async function untagRole(iam: Iam, input: InputOf<typeof UNTAG_ROLE>) {
  await changeRole(iam, input.RoleName, (role) => ({ tags: withoutTags(role.tags, input.TagKeys) }));
}

export async function listRoleTags(iam: Iam, input: InputOf<typeof LIST_ROLE_TAGS>) {
  const { items, ...rest } = page(findRole(iam.store, input.RoleName).tags, tagSortKey, input);
  return { Tags: items, ...rest };
}

function trust(iam: Iam, draft: Draft, document: string): Pick<RoleRecord, 'trustPolicy' | 'trustPrincipals'> {
  const policy = parseTrustPolicy(document);
  checkQuota('ACLSizePerRole', policySize(document), MAX_TRUST_POLICY);
  return { trustPolicy: document, trustPrincipals: resolveTrustPrincipals(draft, iam.account, policy) };
}

function changeRole(
  iam: Iam,
  name: string,
  change: (role: Readonly<RoleRecord>, draft: Draft) => Partial<RoleRecord>,
): Promise<void> {
  return iam.store.change((draft) => {
    const role = findRole(draft, name);
    draft.put('roles', nameKey(role.name), { ...role, ...change(role, draft) });
  });
}

function describe(iam: Iam, role: Readonly<RoleRecord>) {
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

function describeWithTags(iam: Iam, role: Readonly<RoleRecord>) {
  const described = describe(iam, role);
  return role.tags.length === 0 ? described : { ...described, Tags: role.tags };
}
