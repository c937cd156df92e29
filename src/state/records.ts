/**
 * The rows of the control database: one table a kind, a text key and a JSON body. Times are ISO 8601 in UTC. Secrets
 * stand here only sealed.
 */

export interface Tag {
  Key: string;
  Value: string;
}

/** key: `this` (one row). */
export interface AccountRecord {
  account: string;
  region: string;
  createdAt: string;
  rootAccessKeyId: string;
  defaultClusterId: string;
}

/** key: the user name in lower case, since names are unique without regard to case. */
export interface UserRecord {
  name: string;
  /** AIDA… */
  id: string;
  path: string;
  createdAt: string;
  tags: Tag[];
  /** Inline policies: name -> document as it was put. */
  policies: Record<string, string>;
  /** ARNs of the managed policies that are attached, in the order in which they were. */
  attached: string[];
  /** ARN of the managed policy that is the permissions boundary; null for none. */
  boundary: string | null;
  /** Keys of the groups that the user is a member of. */
  groups: string[];
}

/** key: the group name in lower case. */
export interface GroupRecord {
  name: string;
  /** AGPA… */
  id: string;
  path: string;
  createdAt: string;
  policies: Record<string, string>;
  attached: string[];
}

/** key: the ARN of a customer managed policy. Those of AWS are part of the program. */
export interface ManagedPolicyRecord {
  name: string;
  /** ANPA… */
  id: string;
  path: string;
  description: string;
  createdAt: string;
  updatedAt: string;
  tags: Tag[];
  /** At most five, oldest first; ids are `v1`, `v2`, … and never given twice. */
  versions: { id: string; document: string; createdAt: string }[];
  /** The version that counts. */
  defaultVersion: string;
  /** The number of the newest version ever made. */
  lastVersion: number;
}

/** key: the provider's ARN. */
export interface OidcProviderRecord {
  /** With its scheme, `https://`. */
  url: string;
  createdAt: string;
  clientIds: string[];
  thumbprints: string[];
  tags: Tag[];
}

/** key: the access key id. */
export interface AccessKeyRecord {
  id: string;
  /** The user's key in `users`, or null for the account root user. */
  user: string | null;
  sealedSecret: string;
  active: boolean;
  createdAt: string;
}

/** key: the role name in lower case. */
export interface RoleRecord {
  name: string;
  /** AROA… A role made again under the same name has another id, and the sessions of the first end with it. */
  id: string;
  path: string;
  createdAt: string;
  description: string;
  /** In seconds, 3600…43200. */
  maxSessionDuration: number;
  trustPolicy: string;
  /**
   * The user, role and session ARNs that the trust policy names -> the unique id each had when the policy was put: who
   * is made again under the same name is not trusted.
   */
  trustPrincipals: Record<string, string>;
  tags: Tag[];
  policies: Record<string, string>;
  attached: string[];
  boundary: string | null;
}

/**
 * What a cluster is on its way to, or is. Whether an ACTIVE one sleeps (IDLE) is no matter of its record. A deleted cluster
 * has none any more.
 */
export type ClusterStatus = 'CREATING' | 'ACTIVE' | 'PENDING_SETUP' | 'PENDING_DELETE' | 'DELETING';

/** key: the cluster id, 26 of [a-z0-9]. */
export interface ClusterRecord {
  id: string;
  region: string;
  createdAt: string;
  status: ClusterStatus;
  deletionProtection: boolean;
  tags: Record<string, string>;
  /** The cluster's resource policy; null for none. */
  policy: { document: string; version: string } | null;
  /** As it was asked for; null for the key that AWS owns. */
  kmsKey: string | null;
  /** Of a multi-Region cluster; `clusters` are the ARNs of its peers. */
  multiRegion: { witnessRegion: string | null; clusters: string[] } | null;
  /** Names the PostgreSQL that holds its data: its own id, or that of the peer which was there first. */
  database: string;
  /** The client token that made it, and a digest of what was asked with it; null where none was given. */
  madeBy: { clientToken: string; digest: string } | null;
}

export interface Records {
  account: AccountRecord;
  users: UserRecord;
  groups: GroupRecord;
  accessKeys: AccessKeyRecord;
  roles: RoleRecord;
  managedPolicies: ManagedPolicyRecord;
  oidcProviders: OidcProviderRecord;
  clusters: ClusterRecord;
}

export type TableName = keyof Records;

export const TABLES: readonly TableName[] = [
  'account',
  'users',
  'groups',
  'accessKeys',
  'roles',
  'managedPolicies',
  'oidcProviders',
  'clusters',
];
