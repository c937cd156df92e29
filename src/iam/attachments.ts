import { nameInArn, nameKey, parsePolicyArn } from './arn.ts';
import { changeEntity, find, type HolderKind, policyOwner } from './entities.ts';
import { deleteConflict, type Iam, noSuchEntity } from './iam.ts';
import { type InputOf, required } from './input.ts';
import { findPolicy, lookUpPolicy, policySortKey } from './managed-policies.ts';
import { page } from './page.ts';
import { checkQuota } from './quotas.ts';
import { arn, entityType, paging, path, policyPath, policyUsage } from './shapes.ts';

/* Managed policies of users, roles and groups, whose name is a parameter beside these. */

export const ATTACH_POLICY = { PolicyArn: required(arn) } as const;
export const DETACH_POLICY = { PolicyArn: required(arn) } as const;
export const LIST_ATTACHED_POLICIES = { PathPrefix: policyPath, ...paging } as const;
export const LIST_ENTITIES_FOR_POLICY = {
  PolicyArn: required(arn),
  EntityFilter: entityType,
  PathPrefix: path,
  PolicyUsageFilter: policyUsage,
  ...paging,
} as const;

/** What is attached already stays so. Throws Refused `no-such-entity`, `invalid-input` or `limit-exceeded`. */
export async function attachPolicy(
  iam: Iam,
  kind: HolderKind,
  name: string,
  { PolicyArn }: InputOf<typeof ATTACH_POLICY>,
) {
  await changeEntity(iam, kind, name, ({ attached }, draft) => {
    policyOwner(PolicyArn);
    if (!lookUpPolicy(draft, PolicyArn)) {
      throw noSuchEntity(`Policy ${PolicyArn} does not exist or is not attachable.`);
    }
    if (attached.includes(PolicyArn)) return {};
    checkQuota(kind.attachedQuota, attached.length + 1);
    return { attached: [...attached, PolicyArn] };
  });
}

/** Throws Refused `no-such-entity`, also where the policy is not attached, or `invalid-input`. */
export async function detachPolicy(
  iam: Iam,
  kind: HolderKind,
  name: string,
  { PolicyArn }: InputOf<typeof DETACH_POLICY>,
) {
  await changeEntity(iam, kind, name, ({ attached }) => {
    policyOwner(PolicyArn);
    if (!attached.includes(PolicyArn)) throw noSuchEntity(`Policy ${PolicyArn} was not found.`);
    return { attached: attached.filter((other) => other !== PolicyArn) };
  });
}

/** Throws Refused `no-such-entity`. */
export async function listAttachedPolicies(
  iam: Iam,
  kind: HolderKind,
  name: string,
  input: InputOf<typeof LIST_ATTACHED_POLICIES>,
) {
  const policies = find(kind, iam.store, name)
    .attached.map((arn) => ({ arn, name: nameInArn(arn), path: parsePolicyArn(arn)?.path ?? '/' }))
    .filter(({ path }) => path.startsWith(input.PathPrefix ?? '/'))
    .sort((a, b) => (policySortKey(a) < policySortKey(b) ? -1 : 1));
  const { items, ...rest } = page(policies, policySortKey, input);
  return { AttachedPolicies: describeAttached(items.map(({ arn }) => arn)), ...rest };
}

/** Throws Refused `delete-conflict` while the holder has policies of either kind. */
export function refuseWithPolicies(holder: {
  readonly attached: readonly string[];
  readonly policies: Readonly<Record<string, string>>;
}): void {
  if (holder.attached.length > 0) throw deleteConflict('Cannot delete entity, must detach all policies first.');
  if (Object.keys(holder.policies).length > 0) {
    throw deleteConflict('Cannot delete entity, must delete policies first.');
  }
}

/** The member of a description, from the ARNs alone: a policy of AWS may be gone in a later version of this server. */
export function describeAttached(attached: readonly string[]) {
  return attached.map((arn) => ({ PolicyName: nameInArn(arn), PolicyArn: arn }));
}

/** Throws Refused `no-such-entity` or `invalid-input`. */
export async function listEntitiesForPolicy(iam: Iam, input: InputOf<typeof LIST_ENTITIES_FOR_POLICY>) {
  const { arn } = findPolicy(iam.store, input.PolicyArn);
  const uses = ({ attached, boundary = null }: { attached: readonly string[]; boundary?: string | null }) =>
    (input.PolicyUsageFilter !== 'PermissionsBoundary' && attached.includes(arn)) ||
    (input.PolicyUsageFilter !== 'PermissionsPolicy' && boundary === arn);
  const inPath = (entity: { path: string }) => entity.path.startsWith(input.PathPrefix ?? '/');
  const of = (type: 'Group' | 'Role' | 'User', table: 'groups' | 'roles' | 'users') =>
    input.EntityFilter === undefined || input.EntityFilter === type
      ? iam.store
          .all(table)
          .filter((entity) => inPath(entity) && uses(entity))
          .map(({ name, id }) => ({ type, name, id }))
      : [];
  const found = [...of('Group', 'groups'), ...of('Role', 'roles'), ...of('User', 'users')];
  const { items, ...rest } = page(found, ({ type, name }) => `${type}/${nameKey(name)}`, input);
  return {
    PolicyGroups: items
      .filter(({ type }) => type === 'Group')
      .map(({ name, id }) => ({ GroupName: name, GroupId: id })),
    PolicyUsers: items.filter(({ type }) => type === 'User').map(({ name, id }) => ({ UserName: name, UserId: id })),
    PolicyRoles: items.filter(({ type }) => type === 'Role').map(({ name, id }) => ({ RoleName: name, RoleId: id })),
    ...rest,
  };
}
