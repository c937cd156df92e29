import type { Identity } from '../iam/identity.ts';
import { type CompiledTrust, compileTrustPolicy } from '../iam/policy/compile.ts';
import { bareDenialText } from '../iam/policy/denial.ts';
import { parseTrustPolicy } from '../iam/policy/parse.ts';
import { evaluateTrust } from '../iam/policy/trust.ts';
import type { RequestContext } from '../iam/request-facts.ts';
import { Refused } from '../refused.ts';
import type { RoleRecord } from '../state/records.ts';
import type { Sts } from './sts.ts';

/*
 * Within one account, as the IAM User Guide's "Policy evaluation logic" and "How IAM roles work" have it: a trust policy
 * that names the caller suffices; one that names the account leaves it to the caller's own policies. On purpose, and
 * unlike AWS, the account root user may assume a role whose trust policy names its account.
 */

/** What may be asked of a role's trust policy. */
export type RoleAction = 'sts:AssumeRole' | 'sts:TagSession' | 'sts:SetSourceIdentity';

export interface RoleAccess {
  action: RoleAction;
  /** The role's ARN. */
  resource: string;
  context: RequestContext;
}

/** Throws Refused `action-denied` unless the caller's policies and the role's trust policy allow it. */
export function authorise(sts: Sts, role: Readonly<RoleRecord>, caller: Identity, access: RoleAccess): void {
  const decision = sts.authority.decide(caller, access);
  if (decision.effect === 'explicit-deny') throw denied(caller, access, decision.because);
  const trust = evaluateTrust(trustOf(role), trustCaller(caller), access.action, role.trustPrincipals);
  switch (trust.outcome) {
    case 'grants':
      return;
    case 'delegates':
      if (decision.allowed) return;
      throw denied(caller, access, `the trust policy leaves it to the caller's policies, and ${decision.because}`);
    case 'explicit-deny':
      throw denied(caller, access, `statement ${trust.statement} of the trust policy denies it`);
    case 'silent':
      throw denied(caller, access, 'no statement of the trust policy names the caller');
  }
}

/** AssumeRole gives no reason, whichever policy refused. */
export function denied(
  caller: Identity,
  access: Omit<RoleAccess, 'context'>,
  detail: string,
): Refused<'action-denied'> {
  return new Refused('action-denied', { say: bareDenialText(caller.arn, access), detail });
}

function trustCaller({ kind, account, arn, userId }: Identity) {
  const entityId = kind === 'root' ? undefined : userId.split(':', 1)[0];
  return { account, arn, entityId };
}

/** A record is replaced whenever its policy changes. */
const compiled = new WeakMap<object, CompiledTrust>();

function trustOf(role: Readonly<RoleRecord>): CompiledTrust {
  let trust = compiled.get(role);
  if (!trust) {
    trust = compileTrustPolicy(parseTrustPolicy(role.trustPolicy));
    compiled.set(role, trust);
  }
  return trust;
}
