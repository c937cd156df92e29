import { sessionArn } from '../iam/arn.ts';
import type { SessionGrant } from '../iam/identity.ts';
import { type InputOf, required, UNSUPPORTED } from '../iam/input.ts';
import type { RequestContext } from '../iam/request-facts.ts';
import { Refused } from '../refused.ts';
import { packedPolicySize } from './packed-size.ts';
import { sessionContext, sessionPolicies } from './session-parameters.ts';
import { policyArns, roleArn, roleDuration, roleSessionName, sessionPolicy, webIdentityToken } from './shapes.ts';
import { findRoleByArn, roleSessionSeconds, type Sts } from './sts.ts';

export const ASSUME_ROLE_WITH_WEB_IDENTITY = {
  RoleArn: required(roleArn),
  RoleSessionName: required(roleSessionName),
  WebIdentityToken: required(webIdentityToken),
  DurationSeconds: roleDuration,
  Policy: sessionPolicy,
  PolicyArns: policyArns,
  // Of OAuth 2.0 access tokens, which only Amazon and Facebook give out for AWS.
  ProviderId: UNSUPPORTED,
} as const;

/**
 * Who calls has no AWS identity: the token proves who it is, and the role's trust policy alone decides. Throws Refused
 * `action-denied`, the kinds of `verifyIdentityToken`, `validation`, `malformed-policy` or `packed-policy-too-large`.
 */
export async function assumeRoleWithWebIdentity(
  sts: Sts,
  input: InputOf<typeof ASSUME_ROLE_WITH_WEB_IDENTITY>,
  requestContext: RequestContext,
) {
  // Loaded when it is needed: most servers never see such a token, and every start would wait for it.
  const { verifyIdentityToken } = await import('./identity-token.ts');
  const identity = await verifyIdentityToken(sts, input.WebIdentityToken);
  const { provider, claims, tags, transitiveTagKeys, sourceIdentity } = identity;
  const role = findRoleByArn(sts, input.RoleArn);
  // Who may not assume a role does not learn whether it exists.
  if (!role) throw denied('sts:AssumeRoleWithWebIdentity', 'there is no such role in this account');
  const context = {
    ...requestContext,
    ...sessionContext({
      roleSessionName: input.RoleSessionName,
      sourceIdentity,
      tags: { passed: tags, transitive: transitiveTagKeys },
    }),
  };
  const authorise = (action: string): void => {
    const decision = sts.authority.decideTrust({ provider, claims }, { action, resource: input.RoleArn, context });
    if (!decision.allowed) throw denied(action, decision.because);
  };
  authorise('sts:AssumeRoleWithWebIdentity');
  if (tags.length > 0) authorise('sts:TagSession');
  if (sourceIdentity !== undefined) authorise('sts:SetSourceIdentity');

  const seconds = roleSessionSeconds(role, input.DurationSeconds);
  const grant: SessionGrant = {
    ...sessionPolicies(sts.store, input),
    tags,
    transitiveTagKeys,
    sourceIdentity,
    federatedProvider: provider,
    claims,
  };
  const packed = packedPolicySize(grant);
  const subject = { kind: 'role', id: role.id, name: role.name, sessionName: input.RoleSessionName } as const;
  return {
    Credentials: sts.sessions.issue(subject, grant, seconds, sts.now()),
    SubjectFromWebIdentityToken: identity.subject,
    AssumedRoleUser: {
      AssumedRoleId: `${role.id}:${input.RoleSessionName}`,
      Arn: sessionArn(sts.account, role.name, input.RoleSessionName),
    },
    ...(packed !== undefined && { PackedPolicySize: packed }),
    Provider: provider,
    Audience: identity.audience,
    ...(sourceIdentity !== undefined && { SourceIdentity: sourceIdentity }),
  };
}

function denied(action: string, detail: string): Refused<'action-denied'> {
  return new Refused('action-denied', { say: `Not authorized to perform ${action}`, detail });
}
