import { Refused } from '../refused.ts';
import type { Records, TableName } from '../state/records.ts';
import type { Draft } from '../state/store.ts';
import { groupArn, nameKey, oidcProviderArn, parsePolicyArn, policyArn, roleArn, userArn } from './arn.ts';
import { type Iam, invalidInput, noSuchEntity, type Reader } from './iam.ts';
import type { StringShape } from './input.ts';
import type { Quota } from './quotas.ts';
import { arn, existingUserName, groupName, roleName, userName } from './shapes.ts';

/** How one kind of entity is found and spoken of. Operations that several kinds have are written once, for all. */
export interface Kind<T extends TableName> {
  table: T;
  /** In names of operations: `TagUser`, `ListAttachedRolePolicies`. */
  title: string;
  /** In error texts. */
  noun: string;
  /** The parameter that names one; for some kinds by its ARN. */
  parameter: string;
  shape: StringShape;
  /** The key of the record. Throws Refused for what can name none, or none that may be changed. */
  key(name: string): string;
  missing(name: string): string;
  arn(account: string, record: Readonly<Records[T]>): string;
  /** What permission is asked for: with the path of the entity where it exists, since policies name it with its path. */
  arnOf(iam: Iam, name: string): string;
}

export const USER = {
  table: 'users',
  title: 'User',
  noun: 'user',
  parameter: 'UserName',
  /** The model has two: where a user is made or gets a managed policy, and a longer one elsewhere. */
  shape: existingUserName,
  attachShape: userName,
  tagQuota: 'TagsPerUser',
  inlineQuota: 'UserPolicySize',
  attachedQuota: 'PoliciesPerUser',
  key: nameKey,
  missing: (name) => `The user with name ${name} cannot be found.`,
  arn: userArn,
  arnOf: ({ store, account }, name) => userArn(account, store.get('users', nameKey(name)) ?? { path: '/', name }),
} as const satisfies Kind<'users'> & Tagged & PolicyHolder;

export const ROLE = {
  table: 'roles',
  title: 'Role',
  noun: 'role',
  parameter: 'RoleName',
  shape: roleName,
  attachShape: roleName,
  tagQuota: 'TagsPerRole',
  inlineQuota: 'RolePolicySize',
  attachedQuota: 'PoliciesPerRole',
  key: nameKey,
  missing: (name) => `The role with name ${name} cannot be found.`,
  arn: roleArn,
  arnOf: ({ store, account }, name) => roleArn(account, store.get('roles', nameKey(name)) ?? { path: '/', name }),
} as const satisfies Kind<'roles'> & Tagged & PolicyHolder;

export const GROUP = {
  table: 'groups',
  title: 'Group',
  noun: 'group',
  parameter: 'GroupName',
  shape: groupName,
  attachShape: groupName,
  inlineQuota: 'GroupPolicySize',
  attachedQuota: 'PoliciesPerGroup',
  key: nameKey,
  missing: (name) => `The group with name ${name} cannot be found.`,
  arn: groupArn,
  arnOf: ({ store, account }, name) => groupArn(account, store.get('groups', nameKey(name)) ?? { path: '/', name }),
} as const satisfies Kind<'groups'> & PolicyHolder;

/** Of the account; those of AWS are no records and cannot be changed. */
export const POLICY = {
  table: 'managedPolicies',
  title: 'Policy',
  noun: 'policy',
  parameter: 'PolicyArn',
  shape: arn,
  tagQuota: 'TagsPerPolicy',
  key(name) {
    if (policyOwner(name) !== 'aws') return name;
    const say = `The policy ${name} is managed by AWS and cannot be changed.`;
    throw new Refused('action-denied', { say, detail: say });
  },
  missing: (name) => `Policy ${name} was not found.`,
  arn: policyArn,
  arnOf: (_, name) => name,
} as const satisfies Kind<'managedPolicies'> & Tagged;

export const OIDC_PROVIDER = {
  table: 'oidcProviders',
  title: 'OpenIDConnectProvider',
  noun: 'OpenID Connect provider',
  parameter: 'OpenIDConnectProviderArn',
  shape: arn,
  tagQuota: 'TagsPerOpenIdConnectProvider',
  key: (name) => name,
  missing: (name) => `OpenIDConnect Provider not found for arn ${name}`,
  arn: (account, { url }) => oidcProviderArn(account, url),
  arnOf: (_, name) => name,
} as const satisfies Kind<'oidcProviders'> & Tagged;

interface Tagged {
  tagQuota: Quota;
}

interface PolicyHolder {
  /** Where a managed policy is attached or a boundary put. */
  attachShape: StringShape;
  inlineQuota: Quota;
  attachedQuota: Quota;
}

/** Who has inline and attached managed policies. */
export type HolderKind = typeof USER | typeof ROLE | typeof GROUP;
/** Who can have a permissions boundary. */
export type BoundedKind = typeof USER | typeof ROLE;
export type TaggedKind = typeof USER | typeof ROLE | typeof POLICY | typeof OIDC_PROVIDER;

/** Throws Refused `no-such-entity`, and what the kind refuses as a name. */
export function find<T extends TableName>(
  kind: Pick<Kind<T>, 'table' | 'key' | 'missing'>,
  reader: Pick<Reader, 'get'>,
  name: string,
): Readonly<Records[T]> {
  const record = reader.get(kind.table, kind.key(name));
  if (!record) throw noSuchEntity(kind.missing(name));
  return record;
}

/** Puts the members that `work` returns over those of the record. Throws what `find` and `work` throw. */
export function changeEntity<T extends TableName>(
  iam: Iam,
  kind: Pick<Kind<T>, 'table' | 'key' | 'missing'>,
  name: string,
  work: (record: Readonly<Records[T]>, draft: Draft) => Partial<Records[T]>,
): Promise<void> {
  return iam.store.change((draft) => {
    const record = find(kind, draft, name);
    draft.put(kind.table, kind.key(name), { ...record, ...work(record, draft) } as Records[T]);
  });
}

/** An account, or `aws`. Throws Refused `invalid-input` for what is no ARN of a managed policy. */
export function policyOwner(arn: string): string {
  const owner = parsePolicyArn(arn)?.owner;
  if (owner === undefined) throw invalidInput(`ARN ${arn} is not valid.`);
  return owner;
}
