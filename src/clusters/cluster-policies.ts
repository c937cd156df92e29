import { createAuthority } from '../iam/authority.ts';
import type { Identity } from '../iam/identity.ts';
import type { InputOf } from '../iam/input.ts';
import { parseResourcePolicy } from '../iam/policy/parse.ts';
import { publicStatement } from '../iam/policy/public-access.ts';
import type { RequestContext } from '../iam/request-facts.ts';
import type { ClusterRecord } from '../state/records.ts';
import type { Draft, Store } from '../state/store.ts';
import { arnOf } from './descriptions.ts';
import { conflict, invalid, notFound } from './refusals.ts';
import type { DELETE_CLUSTER_POLICY, PUT_CLUSTER_POLICY } from './shapes.ts';

/** Who asks, and what is known of the request. */
export interface Asker {
  caller: Identity;
  context: RequestContext;
}

type Cluster = Readonly<ClusterRecord>;
type Policy = NonNullable<ClusterRecord['policy']>;

/** What who puts a policy must be allowed to do afterwards: to put another one takes both. */
const NOT_LOCKED_OUT = ['dsql:PutClusterPolicy', 'dsql:DeleteClusterPolicy'];

/**
 * The cluster with its policy replaced. Throws Refused `malformed-policy`; `validation` for a policy that is public, or
 * that locks the asker out where that is not bypassed; `conflict` where another version was expected.
 */
export function withPolicy(
  draft: Pick<Draft, 'get'>,
  cluster: Cluster,
  input: Pick<
    InputOf<typeof PUT_CLUSTER_POLICY>,
    'policy' | 'expectedPolicyVersion' | 'bypassPolicyLockoutSafetyCheck'
  >,
  { account, asker, now }: { account: string; asker: Asker; now: Date },
): ClusterRecord & { policy: Policy } {
  checkVersion(cluster, input.expectedPolicyVersion);
  const open = publicStatement(parseResourcePolicy(input.policy));
  if (open) {
    throw invalid('policy', `The policy allows public access: statement ${open.name}. Public policies are blocked.`);
  }
  const made = { ...cluster, policy: { document: input.policy, version: nextVersion(cluster.policy, now) } };
  if (input.bypassPolicyLockoutSafetyCheck !== true) {
    const denied = lockedOut(draft, made, account, asker);
    if (denied !== undefined) {
      const say = `The policy does not allow ${asker.caller.arn} to perform ${denied} any more. Set bypassPolicyLockoutSafetyCheck to put it all the same.`;
      throw invalid('policy', say);
    }
  }
  return made;
}

/** Throws Refused `resource-not-found` or `conflict`. */
export function withoutPolicy(
  cluster: Cluster,
  { expectedPolicyVersion }: Pick<InputOf<typeof DELETE_CLUSTER_POLICY>, 'expectedPolicyVersion'>,
): { cluster: ClusterRecord; policyVersion: string } {
  const { version } = policyOf(cluster);
  checkVersion(cluster, expectedPolicyVersion);
  return { cluster: { ...cluster, policy: null }, policyVersion: version };
}

/** Throws Refused `resource-not-found`. */
export function policyOf({ id, policy }: Cluster): Policy {
  if (!policy) throw notFound('cluster-policy', id, `Cluster with id ${id} has no policy.`);
  return policy;
}

function checkVersion({ id, policy }: Cluster, expected: string | undefined): void {
  if (expected === undefined || expected === policy?.version) return;
  const found = policy ? `its version is ${policy.version}` : 'there is none';
  throw conflict(id, `The policy of cluster ${id} is not of version ${expected}: ${found}.`);
}

/**
 * One more than the version before. The first is a time, in ms: a policy that is deleted and put again must not get the
 * version of an old one, which somebody may still expect.
 */
function nextVersion(before: Policy | null, now: Date): string {
  return String(before ? Number(before.version) + 1 : now.getTime());
}

/** The action that the asker may not do on the cluster as it would be; undefined for none. */
function lockedOut(
  reader: Pick<Draft, 'get'>,
  cluster: Cluster,
  account: string,
  { caller, context }: Asker,
): string | undefined {
  const get = (table: Parameters<Store['get']>[0], key: string) =>
    table === 'clusters' && key === cluster.id ? cluster : reader.get(table, key);
  const authority = createAuthority({ store: { get: get as Store['get'] }, account });
  const resource = arnOf(cluster, account);
  return NOT_LOCKED_OUT.find((action) => !authority.decide(caller, { action, resource, context }).allowed);
}
