import type { AccessRequest, Decision } from '../identity.ts';

/** What AWS answers to a caller whose policies do not allow the call. `arn` is the session's for a role. */
export function denialText(
  arn: string,
  request: Pick<AccessRequest, 'action' | 'resource'>,
  effect: Decision['effect'],
): string {
  const reason =
    effect === 'explicit-deny'
      ? 'with an explicit deny in an identity-based policy'
      : `because no identity-based policy allows the ${request.action} action`;
  return `${bareDenialText(arn, request)} ${reason}`;
}

/** The same without the reason: AssumeRole gives none, whichever policy refused. */
export function bareDenialText(arn: string, request: Pick<AccessRequest, 'action' | 'resource'>): string {
  return `User: ${arn} is not authorized to perform: ${request.action} on resource: ${request.resource}`;
}
