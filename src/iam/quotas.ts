import { Refused } from '../refused.ts';

/**
 * IAM's default quotas (IAM User Guide, "IAM and AWS STS quotas"). Sizes of policies are in characters without white
 * space; those of inline policies count all of one entity together.
 */
export const QUOTAS = {
  UsersPerAccount: 5000,
  GroupsPerAccount: 300,
  RolesPerAccount: 1000,
  PoliciesPerAccount: 1500,
  OpenIdConnectProvidersPerAccount: 100,
  AccessKeysPerUser: 2,
  GroupsPerUser: 10,
  PoliciesPerUser: 10,
  PoliciesPerGroup: 10,
  PoliciesPerRole: 10,
  VersionsPerPolicy: 5,
  ClientIdsPerOpenIdConnectProvider: 100,
  TagsPerUser: 50,
  TagsPerRole: 50,
  TagsPerPolicy: 50,
  TagsPerOpenIdConnectProvider: 50,
  UserPolicySize: 2048,
  GroupPolicySize: 5120,
  RolePolicySize: 10_240,
  PolicySize: 6144,
  ACLSizePerRole: 2048,
} as const;

export type Quota = keyof typeof QUOTAS;

/** Throws Refused `limit-exceeded` with AWS's text when `count` is more than the quota. */
export function checkQuota(quota: Quota, count: number): void {
  if (count <= QUOTAS[quota]) return;
  const say = `Cannot exceed quota for ${quota}: ${QUOTAS[quota]}`;
  throw new Refused('limit-exceeded', { say, detail: say });
}
