import { Refused } from '../refused.ts';
import type { ClusterRecord, GroupRecord, ManagedPolicyRecord, RoleRecord, UserRecord } from '../state/records.ts';
import type { Store } from '../state/store.ts';
import { awsManagedPolicy } from './aws-managed-policies.ts';
import type { PolicyKind, SessionFacts } from './identity.ts';
import {
  type CompiledPolicy,
  compileIdentityPolicy,
  compileResourcePolicy,
  compileTrustPolicy,
} from './policy/compile.ts';
import { parseIdentityPolicy, parseResourcePolicy, parseTrustPolicy } from './policy/parse.ts';

type Reader = Pick<Store, 'get'>;
type Holder = Readonly<UserRecord | RoleRecord>;

/**
 * A policy that would have to be heard is gone or cannot be read. It might hold a Deny, so whoever asks is denied
 * everything until that is put right.
 */
export class UnusablePolicy extends Error {
  readonly limit: PolicyKind;
  readonly needed: string;

  constructor(limit: PolicyKind, because: string, needed: string) {
    super(because);
    this.name = 'UnusablePolicy';
    this.limit = limit;
    this.needed = needed;
  }
}

/** Inline, attached, and those of the groups. Throws UnusablePolicy. */
export function identityPolicies(store: Reader, holder: Holder | Readonly<GroupRecord>): readonly CompiledPolicy[] {
  const isUser = 'groups' in holder;
  const policies = [...inlinePolicies(holder, isUser ? 'user' : 'trustPolicy' in holder ? 'role' : 'group')];
  for (const arn of holder.attached) policies.push(managedPolicy(store, arn, 'identity'));
  if (!isUser) return policies;
  for (const key of holder.groups) {
    const group = store.get('groups', key);
    if (!group) {
      throw new UnusablePolicy(
        'identity',
        `group ${key} of user ${holder.name} does not exist any more`,
        `User ${holder.name} must be taken out of group ${key}.`,
      );
    }
    policies.push(...inlinePolicies(group, 'group'));
    for (const arn of group.attached) policies.push(managedPolicy(store, arn, 'identity'));
  }
  return policies;
}

/** Undefined where there is none. Throws UnusablePolicy. */
export function boundaryOf(store: Reader, { boundary }: Holder): readonly CompiledPolicy[] | undefined {
  return boundary === null ? undefined : [managedPolicy(store, boundary, 'boundary')];
}

/** Undefined where the session was started without any. Throws UnusablePolicy. */
export function sessionPolicies(
  store: Reader,
  session: SessionFacts | undefined,
): readonly CompiledPolicy[] | undefined {
  if (!session || (session.policies === undefined && session.policyArns.length === 0)) return undefined;
  const inline = (session.policies ?? []).map(inlineSessionPolicy);
  return [...inline, ...session.policyArns.map((arn) => managedPolicy(store, arn, 'session'))];
}

type Cache = WeakMap<object, readonly CompiledPolicy[] | Refused>;

/** A record is replaced whenever its policies change, so what was compiled for it never grows stale. */
const ofHolders: Cache = new WeakMap();
const ofManaged: Cache = new WeakMap();
const ofTrust: Cache = new WeakMap();
const ofClusters: Cache = new WeakMap();

/** Compiles once for each record, and remembers too that it failed. Throws UnusablePolicy. */
function compiledFor(
  cache: Cache,
  record: object,
  limit: PolicyKind,
  what: string,
  compile: () => readonly CompiledPolicy[],
): readonly CompiledPolicy[] {
  let policies = cache.get(record);
  if (!policies) {
    policies = compiledOrRefused(compile);
    cache.set(record, policies);
  }
  return usable(policies, limit, what);
}

function compiledOrRefused<T>(compile: () => T): T | Refused {
  try {
    return compile();
  } catch (error) {
    if (error instanceof Refused) return error;
    throw error;
  }
}

/** Throws UnusablePolicy. */
function usable<T>(policies: T | Refused, limit: PolicyKind, what: string): T {
  if (!(policies instanceof Refused)) return policies;
  throw new UnusablePolicy(limit, `${what} cannot be read: ${policies.detail}`, `Replace ${what}.`);
}

function inlinePolicies(
  holder: { name: string; policies: Readonly<Record<string, string>> },
  type: 'user' | 'role' | 'group',
): readonly CompiledPolicy[] {
  const origin = `${type} ${holder.name}`;
  return compiledFor(ofHolders, holder, 'identity', `the inline policies of ${origin}`, () =>
    Object.entries(holder.policies).map(([name, text]) =>
      compileIdentityPolicy(name, parseIdentityPolicy(text), origin),
    ),
  );
}

/** AWS's own are part of the program and never change while it runs. */
const ofAws = new Map<string, CompiledPolicy>();

function managedPolicy(store: Reader, arn: string, kind: PolicyKind): CompiledPolicy {
  const known = ofAws.get(arn);
  if (known) return known;
  const own = awsManagedPolicy(arn);
  if (own) {
    const compiled = compileIdentityPolicy(own.name, parseIdentityPolicy(own.document), arn);
    ofAws.set(arn, compiled);
    return compiled;
  }
  const record = store.get('managedPolicies', arn);
  if (!record) {
    throw new UnusablePolicy(
      kind,
      `managed policy ${arn} does not exist any more`,
      `Policy ${arn} must be made again, or taken away from who uses it.`,
    );
  }
  const policies = compiledFor(ofManaged, record, kind, `managed policy ${arn}`, () => [
    compileIdentityPolicy(record.name, parseIdentityPolicy(defaultVersion(record)), arn),
  ]);
  return policies[0]!;
}

function defaultVersion({ versions, defaultVersion }: Readonly<ManagedPolicyRecord>): string {
  return versions.find(({ id }) => id === defaultVersion)?.document ?? '';
}

/** Sessions are sealed in their tokens and have no record, so their documents are known by their text. */
const ofSessions = new Map<string, CompiledPolicy | Refused>();
const MAX_SESSION_POLICIES = 1000;

function inlineSessionPolicy(text: string): CompiledPolicy {
  let compiled = ofSessions.get(text);
  if (!compiled) {
    compiled = compiledOrRefused(() =>
      compileIdentityPolicy('session policy', parseIdentityPolicy(text), 'the session'),
    );
    if (ofSessions.size >= MAX_SESSION_POLICIES) ofSessions.clear();
    ofSessions.set(text, compiled);
  }
  return usable(compiled, 'session', 'the session policy');
}

/** Throws UnusablePolicy. */
export function trustPolicyOf(role: Readonly<RoleRecord>): CompiledPolicy {
  return compiledFor(ofTrust, role, 'trust', `the trust policy of role ${role.name}`, () => [
    compileTrustPolicy(parseTrustPolicy(role.trustPolicy), `role ${role.name}`),
  ])[0]!;
}

/** Undefined where the cluster has none. Throws UnusablePolicy. */
export function clusterPolicyOf(cluster: Readonly<ClusterRecord>): CompiledPolicy | undefined {
  const { policy } = cluster;
  if (policy === null) return undefined;
  return compiledFor(ofClusters, cluster, 'resource', `the resource policy of cluster ${cluster.id}`, () => [
    compileResourcePolicy(parseResourcePolicy(policy.document), `cluster ${cluster.id}`),
  ])[0];
}
