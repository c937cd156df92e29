import type { AccessRequest, Decision, PolicyKind } from '../identity.ts';

type Asked = Pick<AccessRequest, 'action' | 'resource'>;

/** IAM User Guide, "Troubleshoot access denied error messages". */
const EXPLICIT: Readonly<Record<PolicyKind, string>> = {
  identity: 'with an explicit deny in an identity-based policy',
  boundary: 'with an explicit deny in a permissions boundary',
  session: 'with an explicit deny in a session policy',
  resource: 'with an explicit deny in a resource-based policy',
  trust: 'with an explicit deny in the role trust policy',
};
const IMPLICIT: Readonly<Record<PolicyKind, string>> = {
  identity: 'no identity-based policy',
  boundary: 'no permissions boundary',
  session: 'no session policy',
  resource: 'no resource-based policy',
  trust: 'no role trust policy',
};

/** What AWS answers to a caller whose policies do not allow the call. `arn` is the session's for a role. */
export function denialText(arn: string, request: Asked, decision: Pick<Decision, 'effect' | 'limit'>): string {
  const limit = decision.limit ?? 'identity';
  const reason =
    decision.effect === 'explicit-deny'
      ? EXPLICIT[limit]
      : `because ${IMPLICIT[limit]} allows the ${request.action} action`;
  return `${bareDenialText(arn, request)} ${reason}`;
}

/** The same without the reason: AssumeRole gives none, whichever policy refused. */
export function bareDenialText(arn: string, request: Asked): string {
  return `User: ${arn} is not authorized to perform: ${request.action} on resource: ${request.resource}`;
}
