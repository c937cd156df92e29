import { nameKey, roleArn, rootArn, userArn } from '../iam/arn.ts';
import type { Identity } from '../iam/identity.ts';
import { namedIdentity } from '../iam/named-identity.ts';
import { clusterPolicyOf, trustPolicyOf, UnusablePolicy } from '../iam/policies-of.ts';
import type { CompiledPolicy, CompiledStatement } from '../iam/policy/compile.ts';
import type { Principal } from '../iam/policy/document.ts';
import type { IsOpen } from '../iam/policy/possible.ts';
import type { ClusterRecord, RoleRecord, UserRecord } from '../state/records.ts';
import type { Store } from '../state/store.ts';
import { openKeys } from './open-keys.ts';
import type { PrincipalFacts, TrustStatement } from './report.ts';

type Reader = Pick<Store, 'get' | 'all'>;

/** Somebody who could log in. */
export interface Party {
  identity: Identity;
  /** The keys of a login's context that are not known of it. */
  isOpen: IsOpen;
  facts: PrincipalFacts;
  /** Undefined for the root user. */
  holder: Readonly<UserRecord | RoleRecord> | undefined;
  /** Statements of a role's trust policy that let anybody in, and whom. */
  openTrust: readonly { statement: string; to: string }[];
}

/** The root user, every user and every role. */
export function partiesOf(store: Reader, account: string, at: Date): Party[] {
  return [
    ...party(store, account, at, rootArn(account), 'root'),
    ...store.all('users').flatMap((user) => party(store, account, at, userArn(account, user), 'user', user)),
    ...store.all('roles').flatMap((role) => party(store, account, at, roleArn(account, role), 'role', role)),
  ];
}

/** Sessions that the cluster's policy names: what it gives to one of them it gives to no other session of the role. */
export function namedSessions(store: Reader, account: string, cluster: Readonly<ClusterRecord>, at: Date): Party[] {
  const sessions = principalsIn(cluster).flatMap((principal) => {
    if (principal.type !== 'session' || principal.account !== account) return [];
    const role = store.get('roles', nameKey(principal.roleName));
    return role ? party(store, account, at, principal.arn, 'role-session', role) : [];
  });
  return [...new Map(sessions.map((each) => [each.facts.arn, each])).values()];
}

function party(
  store: Reader,
  account: string,
  at: Date,
  arn: string,
  kind: PrincipalFacts['kind'],
  holder?: Readonly<UserRecord | RoleRecord>,
): Party[] {
  const identity = namedIdentity(store, account, arn, at);
  if (!identity) return [];
  const trust = holder && 'trustPolicy' in holder ? trustOf(holder) : [];
  const groups = holder && 'groups' in holder ? holder.groups.map((key) => store.get('groups', key)?.name ?? key) : [];
  const facts: PrincipalFacts = { arn, kind, groups, boundary: holder?.boundary ?? null, trust: trust.map(told) };
  return [{ identity, isOpen: openKeys(kind, trust), facts, holder, openTrust: trust.flatMap(opened) }];
}

/** Whom a cluster's policy names and a review does not ask about. */
export function unreviewed(cluster: Readonly<ClusterRecord>): string[] {
  const named = principalsIn(cluster).flatMap((each) => (each.type === 'federated-user' ? each.arn : []));
  return [...new Set(named)].map(
    (arn) => `The policy of cluster ${cluster.id} names ${arn}: federated users are not reviewed.`,
  );
}

function principalsIn(cluster: Readonly<ClusterRecord>): readonly Principal[] {
  let policy: CompiledPolicy | undefined;
  try {
    policy = clusterPolicyOf(cluster);
  } catch (error) {
    if (!(error instanceof UnusablePolicy)) throw error;
  }
  return (policy?.statements ?? []).flatMap(({ principals }) => principals?.list ?? []);
}

/** None where it cannot be read: nobody becomes the role then. */
function trustOf(role: Readonly<RoleRecord>): readonly CompiledStatement[] {
  try {
    return trustPolicyOf(role).statements;
  } catch (error) {
    if (error instanceof UnusablePolicy) return [];
    throw error;
  }
}

function told({ name, effect, source, principals, conditions }: CompiledStatement): TrustStatement {
  const { patterns, negated } = source.actions;
  return {
    statement: name,
    effect,
    actions: negated ? [`all but ${patterns.join(', ')}`] : patterns,
    principals: (principals?.list ?? []).map(principalText),
    conditions: conditions.map(({ condition }) => ({
      operator: condition.written,
      key: condition.key,
      wanted: condition.values,
    })),
  };
}

/** Without a condition: everybody, or everybody whom an identity provider knows. */
function opened({ name, effect, action, principals, conditions }: CompiledStatement): Party['openTrust'] {
  if (effect !== 'Allow' || conditions.length > 0) return [];
  const list = principals?.list ?? [];
  if (action('sts:assumerole') && list.some(({ type }) => type === 'everyone')) {
    return [{ statement: name, to: 'everybody' }];
  }
  if (!action('sts:assumerolewithwebidentity')) return [];
  return list.flatMap((each) =>
    each.type === 'federated' ? [{ statement: name, to: `everybody whom ${each.provider} knows` }] : [],
  );
}

function principalText(principal: Principal): string {
  switch (principal.type) {
    case 'everyone':
      return '*';
    case 'account':
      return rootArn(principal.account);
    case 'federated':
      return principal.provider;
    case 'service':
      return principal.service;
    default:
      return principal.arn;
  }
}
