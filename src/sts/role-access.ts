import type { Identity } from '../iam/identity.ts';
import { bareDenialText } from '../iam/policy/denial.ts';
import type { RequestContext } from '../iam/request-facts.ts';
import { Refused } from '../refused.ts';
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
export function authorise({ authority }: Pick<Sts, 'authority'>, caller: Identity, access: RoleAccess): void {
  const decision = authority.decide(caller, access);
  if (!decision.allowed) throw denied(caller, access, decision.because);
}

/** AssumeRole gives no reason, whichever policy refused. */
export function denied(
  caller: Identity,
  access: Omit<RoleAccess, 'context'>,
  detail: string,
): Refused<'action-denied'> {
  return new Refused('action-denied', { say: bareDenialText(caller.arn, access), detail });
}
