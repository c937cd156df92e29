import type { AccessKind, RefusalKind, WireKind } from '../refused.ts';
import type { Attempt } from './attempt.ts';

/** What a login goes through, in this order. */
export const STEPS = [
  'encryption',
  'startup',
  'cluster',
  'token',
  'action',
  'key',
  'signature',
  'region',
  'time',
  'host',
  'policy',
  'role',
  'session',
] as const;

export type Step = (typeof STEPS)[number];

/** Where a kind of refusal belongs; null: wherever the attempt had come to. */
const STEP_OF: Readonly<Record<AccessKind | WireKind, Step | null>> = {
  'tls-required': 'encryption',
  'unsupported-protocol': 'startup',
  'unsupported-parameter': 'startup',
  'server-name-missing': 'cluster',
  'unknown-cluster': 'cluster',
  'cluster-not-ready': 'cluster',
  'cluster-deleting': 'cluster',
  'too-many-connections': 'cluster',
  'rate-exceeded': 'cluster',
  'address-connections-exceeded': 'startup',
  'address-rate-exceeded': 'startup',
  // Once the signature is proved, and before anything is decided.
  'principal-connections-exceeded': 'policy',
  'principal-rate-exceeded': 'policy',
  'signature-malformed': 'token',
  'lifetime-too-long': 'token',
  'wrong-action': 'action',
  'unknown-key': 'key',
  'inactive-key': 'key',
  'session-token-invalid': 'key',
  'session-token-expired': 'key',
  'foreign-account': 'key',
  'signature-mismatch': 'signature',
  'scope-mismatch': 'region',
  'signature-expired': 'time',
  'signature-not-yet-valid': 'time',
  'host-mismatch': 'host',
  'action-denied': 'policy',
  'unknown-role': 'role',
  'no-mapping': 'role',
  'no-login': 'role',
  'waking-up': 'role',
  'open-files-exceeded': 'session',
  'mapping-revoked': 'session',
  'cluster-deleted': 'session',
  'unknown-database': 'session',
  'engine-refused': 'session',
  'engine-unavailable': 'session',
  'audit-unavailable': 'session',
  'protocol-violation': null,
  'login-timeout': null,
  // Before the token is asked for, or when it has come.
  'failed-logins-exceeded': null,
  'shutting-down': null,
};

/** The step at which the attempt stands, or stood when it ended. Undefined when it is through. */
export function presentStep(attempt: Attempt): Step | undefined {
  const { end } = attempt;
  if (end?.outcome === 'accepted') return undefined;
  const of = end?.outcome === 'refused' ? stepOfKind(end.why.kind) : null;
  return of ?? firstUnknown(attempt);
}

function stepOfKind(kind: RefusalKind): Step | null {
  return Object.hasOwn(STEP_OF, kind) ? STEP_OF[kind as AccessKind | WireKind] : null;
}

function firstUnknown({ encryption, request, cluster, token, identity, decision, role }: Attempt): Step {
  if (!encryption) return 'encryption';
  if (!request) return 'startup';
  if (!cluster) return 'cluster';
  if (!token) return 'token';
  if (!identity) return 'signature';
  if (!decision?.allowed) return 'policy';
  return role ? 'session' : 'role';
}
