import type { Iam } from './iam.ts';
import { QUOTAS } from './quotas.ts';

/** What there is and how much there may be. What this server does not have counts 0, as does its quota. */
export async function getAccountSummary({ store }: Iam) {
  const versions = store.all('managedPolicies').reduce((sum, policy) => sum + policy.versions.length, 0);
  const rootKeys = store.all('accessKeys').filter(({ user }) => user === null).length;
  const summary: Record<string, number> = {
    Users: store.all('users').length,
    UsersQuota: QUOTAS.UsersPerAccount,
    Groups: store.all('groups').length,
    GroupsQuota: QUOTAS.GroupsPerAccount,
    Roles: store.all('roles').length,
    RolesQuota: QUOTAS.RolesPerAccount,
    Policies: store.all('managedPolicies').length,
    PoliciesQuota: QUOTAS.PoliciesPerAccount,
    PolicyVersionsInUse: versions,
    PolicyVersionsInUseQuota: QUOTAS.PoliciesPerAccount * QUOTAS.VersionsPerPolicy,
    VersionsPerPolicyQuota: QUOTAS.VersionsPerPolicy,
    PolicySizeQuota: QUOTAS.PolicySize,
    UserPolicySizeQuota: QUOTAS.UserPolicySize,
    GroupPolicySizeQuota: QUOTAS.GroupPolicySize,
    RolePolicySizeQuota: QUOTAS.RolePolicySize,
    AssumeRolePolicySizeQuota: QUOTAS.ACLSizePerRole,
    AttachedPoliciesPerUserQuota: QUOTAS.PoliciesPerUser,
    AttachedPoliciesPerGroupQuota: QUOTAS.PoliciesPerGroup,
    AttachedPoliciesPerRoleQuota: QUOTAS.PoliciesPerRole,
    GroupsPerUserQuota: QUOTAS.GroupsPerUser,
    AccessKeysPerUserQuota: QUOTAS.AccessKeysPerUser,
    Providers: store.all('oidcProviders').length,
    AccountAccessKeysPresent: rootKeys > 0 ? 1 : 0,
    AccountMFAEnabled: 0,
    AccountPasswordPresent: 0,
    AccountSigningCertificatesPresent: 0,
    SigningCertificatesPerUserQuota: 0,
    MFADevices: 0,
    MFADevicesInUse: 0,
    ServerCertificates: 0,
    ServerCertificatesQuota: 0,
    InstanceProfiles: 0,
    InstanceProfilesQuota: 0,
    // Session tokens are good in every region.
    GlobalEndpointTokenVersion: 2,
  };
  return { SummaryMap: new Map(Object.entries(summary)) };
}
