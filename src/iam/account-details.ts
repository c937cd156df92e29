import type { GroupRecord, RoleRecord, UserRecord } from '../state/records.ts';
import { nameKey } from './arn.ts';
import { describeAttached } from './attachments.ts';
import { boundaryMember } from './boundaries.ts';
import { find, GROUP } from './entities.ts';
import { describeGroup } from './groups.ts';
import type { Iam } from './iam.ts';
import type { InputOf } from './input.ts';
import { allPolicies, describePolicy, type ManagedPolicy, policySortKey } from './managed-policies.ts';
import { page } from './page.ts';
import { countPolicyUses } from './policy-uses.ts';
import { describeVersion } from './policy-versions.ts';
import { describeRole } from './roles.ts';
import { entityType, paging } from './shapes.ts';
import { tagsMember } from './tags.ts';
import { describeUser } from './users.ts';

export const GET_ACCOUNT_AUTHORIZATION_DETAILS = {
  Filter: { type: 'list', of: entityType, max: 50 },
  ...paging,
} as const;

type EntityType = (typeof entityType.oneOf)[number];
interface Item {
  /** What pages are cut by. */
  key: string;
  list: 'UserDetailList' | 'GroupDetailList' | 'RoleDetailList' | 'Policies';
  describe(): object;
}

/**
 * Everybody and everything with permissions, page by page over the four lists together. Of AWS's policies those that are
 * in use.
 */
export async function getAccountAuthorizationDetails(
  iam: Iam,
  input: InputOf<typeof GET_ACCOUNT_AUTHORIZATION_DETAILS>,
) {
  const { store } = iam;
  const filter = input.Filter ?? [];
  const wants = (type: EntityType) => filter.length === 0 || filter.includes(type);
  const uses = countPolicyUses(store);
  const { own, aws } = allPolicies(iam, store);
  const policies = [
    ...(wants('LocalManagedPolicy') ? own : []),
    ...(wants('AWSManagedPolicy') ? aws.filter(({ arn }) => uses.of(arn).attached + uses.of(arn).boundaries > 0) : []),
  ];
  const items: Item[] = [
    ...(wants('Group') ? store.all('groups') : []).map(
      (group): Item => ({
        key: `1/${nameKey(group.name)}`,
        list: 'GroupDetailList',
        describe: () => groupDetail(iam, group),
      }),
    ),
    ...policies.map(
      (policy): Item => ({
        key: `2/${policySortKey(policy)}`,
        list: 'Policies',
        describe: () => ({ ...describePolicy(policy, uses), ...policyDetail(policy) }),
      }),
    ),
    ...(wants('Role') ? store.all('roles') : []).map(
      (role): Item => ({
        key: `3/${nameKey(role.name)}`,
        list: 'RoleDetailList',
        describe: () => roleDetail(iam, role),
      }),
    ),
    ...(wants('User') ? store.all('users') : []).map(
      (user): Item => ({
        key: `4/${nameKey(user.name)}`,
        list: 'UserDetailList',
        describe: () => userDetail(iam, user),
      }),
    ),
  ];
  const { items: taken, ...rest } = page(items, ({ key }) => key, input);
  const of = (list: Item['list']) => taken.filter((item) => item.list === list).map((item) => item.describe());
  return {
    UserDetailList: of('UserDetailList'),
    GroupDetailList: of('GroupDetailList'),
    RoleDetailList: of('RoleDetailList'),
    Policies: of('Policies'),
    ...rest,
  };
}

function userDetail(iam: Iam, user: Readonly<UserRecord>) {
  return {
    ...describeUser(iam, user),
    UserPolicyList: inline(user.policies),
    GroupList: user.groups.map((key) => find(GROUP, iam.store, key).name),
    AttachedManagedPolicies: describeAttached(user.attached),
    ...boundaryMember(user),
    ...tagsMember(user),
  };
}

function groupDetail(iam: Iam, group: Readonly<GroupRecord>) {
  return {
    ...describeGroup(iam, group),
    GroupPolicyList: inline(group.policies),
    AttachedManagedPolicies: describeAttached(group.attached),
  };
}

function roleDetail(iam: Iam, role: Readonly<RoleRecord>) {
  const { Description: _, MaxSessionDuration: __, ...described } = describeRole(iam, role);
  return {
    ...described,
    InstanceProfileList: [],
    RolePolicyList: inline(role.policies),
    AttachedManagedPolicies: describeAttached(role.attached),
    ...boundaryMember(role),
    ...tagsMember(role),
    RoleLastUsed: {},
  };
}

function policyDetail(policy: ManagedPolicy) {
  return {
    ...(policy.description !== '' && { Description: policy.description }),
    PolicyVersionList: policy.versions.toReversed().map((version) => describeVersion(policy, version)),
  };
}

function inline(policies: Readonly<Record<string, string>>) {
  const entries = Object.entries(policies).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.map(([PolicyName, PolicyDocument]) => ({ PolicyName, PolicyDocument }));
}
