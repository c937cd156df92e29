import type { OpenCondition } from '../iam/policy/possible.ts';

/** What is asked. Undefined: all of them. */
export interface AccessQuestion {
  /** Id of a cluster. */
  cluster: string | undefined;
  /** ARN of an IAM user or role, a session that a cluster's policy names, or the account root user. */
  principal: string | undefined;
  /** A database role. */
  role: string | undefined;
  /** Whether clusters that sleep are woken. */
  wake: boolean;
}

/** The answer of `postern access`: JSON all through. docs/access-review.md describes it; a new shape gets a new version. */
export interface AccessReview {
  version: 1;
  /** ISO 8601 in UTC, as all times. */
  at: string;
  account: string;
  /** When the server was started: of what was before, neither logins nor uses of keys are known. */
  since: string;
  clusters: readonly ClusterAccess[];
  principals: readonly PrincipalFacts[];
  /** The gravest first. */
  warnings: readonly Warning[];
  /** What this review cannot know. */
  notes: readonly string[];
}

export interface ClusterAccess {
  id: string;
  arn: string;
  region: string;
  /** `closed`: takes no connections. `unknown`: does, but its database was not read. */
  state: 'read' | 'unknown' | 'closed';
  /** Of `unknown` and `closed`. */
  reason?: string;
  logins: Login[];
  /** Every database role but superusers and those of PostgreSQL itself. */
  roles: readonly DatabaseRole[];
  /** What PUBLIC, so every role, may do. */
  public: readonly Privilege[];
}

export interface Login {
  /** ARN. */
  principal: string;
  /** Null where the principal may connect, but the database is unknown. */
  role: string | null;
  action: 'dsql:DbConnect' | 'dsql:DbConnectAdmin';
  /** `denied` is told of principals that are associated with the role. */
  answer: 'allowed' | 'conditional' | 'denied';
  /** Of `denied`: one sentence. */
  because?: string;
  /** The statements that let in; of `conditional` with what must hold of the request. */
  through: readonly LoginStatement[];
  /** Denys that must not match, and when they would. */
  unless: readonly LoginStatement[];
}

export interface LoginStatement {
  kind: 'identity' | 'boundary' | 'session' | 'resource' | 'trust';
  policy: string;
  /** Where the policy stands: `user alice`, `group devs`, `role reader`, `cluster …`, or the ARN of a managed policy. */
  origin: string;
  /** Its Sid, or `#n`. */
  statement: string;
  conditions: readonly OpenCondition[];
}

export interface PrincipalFacts {
  arn: string;
  kind: 'root' | 'user' | 'role' | 'role-session';
  /** Names; of users. */
  groups: readonly string[];
  /** ARN of the managed policy. */
  boundary: string | null;
  /** Of roles: who may become it, by its trust policy. */
  trust: readonly TrustStatement[];
}

export interface TrustStatement {
  statement: string;
  effect: 'Allow' | 'Deny';
  actions: readonly string[];
  principals: readonly string[];
  conditions: readonly OpenCondition[];
}

export interface DatabaseRole {
  name: string;
  canLogin: boolean;
  /** Such as CREATEROLE, BYPASSRLS. */
  attributes: readonly string[];
  /** ARNs that AWS IAM GRANT has associated with it. */
  mappedTo: readonly string[];
  /** Roles whose privileges it has, directly or through others. PUBLIC's it has beside. */
  inherits: readonly string[];
  /** Further roles that it can become by SET ROLE. */
  maySet: readonly string[];
  /** Roles that it may grant to anybody, itself included. */
  administers: readonly string[];
  owns: readonly DatabaseObject[];
  /** Granted to the role itself. */
  privileges: readonly Privilege[];
}

export type ObjectKind =
  | 'database'
  | 'schema'
  | 'table'
  | 'view'
  | 'materialized view'
  | 'foreign table'
  | 'column'
  | 'sequence'
  | 'function'
  | 'procedure'
  | 'future tables'
  | 'future sequences'
  | 'future functions'
  | 'future schemas';

export interface DatabaseObject {
  kind: ObjectKind;
  /** Null for databases, schemas, and what will be made in any schema. */
  schema: string | null;
  /** Of functions with their arguments; of columns `table.column`; of future objects the role that will make them. */
  name: string;
}

export interface Privilege extends DatabaseObject {
  privileges: readonly string[];
  /** Those of them that it may grant to others. */
  grantable: readonly string[];
}

export const LEVELS = ['info', 'low', 'medium', 'high'] as const;
export type Level = (typeof LEVELS)[number];

export interface Warning {
  id: WarningId;
  level: Level;
  /** One sentence. */
  text: string;
  /** The one thing to do. */
  change: string;
  /** Id of the cluster that it is about. */
  cluster?: string;
  /** ARNs that it is about. */
  principals?: readonly string[];
  /** The database role that it is about. */
  role?: string;
}

/** How grave each is; where it depends, a warning says so itself. */
export const WARNINGS = {
  'open-trust': 'high',
  'public-create': 'high',
  'admin-in-use': 'medium',
  'root-key': 'medium',
  'key-unused': 'medium',
  'wildcard-resource': 'medium',
  'wide-policy-admin': 'medium',
  'mapping-identity-gone': 'medium',
  'grant-to-public': 'medium',
  'database-unread': 'medium',
  'review-cut': 'medium',
  'long-term-key-in-use': 'low',
  'mapping-denied': 'low',
  'role-without-mapping': 'low',
  'mapping-without-login': 'low',
  'unusable-policy': 'low',
  'cluster-asleep': 'info',
} as const satisfies Record<string, Level>;
export type WarningId = keyof typeof WARNINGS;

export function warning(
  id: WarningId,
  text: string,
  change: string,
  about: Pick<Warning, 'cluster' | 'principals' | 'role'> = {},
  level: Level = WARNINGS[id],
): Warning {
  return { id, level, text, change, ...about };
}

/** Whether a review has a warning of the level or above. */
export function isAtLeast(level: Level, least: Level): boolean {
  return LEVELS.indexOf(level) >= LEVELS.indexOf(least);
}
