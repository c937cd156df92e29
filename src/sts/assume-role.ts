import { sessionArn } from '../iam/arn.ts';
import { type Identity, PLAIN_GRANT, type SessionGrant } from '../iam/identity.ts';
import { type InputOf, required, UNSUPPORTED } from '../iam/input.ts';
import type { RequestContext } from '../iam/request-facts.ts';
import { tagKeyList, tagList } from '../iam/shapes.ts';
import { Refused } from '../refused.ts';
import { packedPolicySize } from './packed-size.ts';
import { authorise, denied, type RoleAction } from './role-access.ts';
import { invalid, sessionContext, sessionPolicies, sessionTags } from './session-parameters.ts';
import {
  externalId,
  policyArns,
  roleArn,
  roleDuration,
  roleSessionName,
  sessionPolicy,
  sourceIdentity,
} from './shapes.ts';
import { findRoleByArn, roleSessionSeconds, type Sts } from './sts.ts';

export const ASSUME_ROLE = {
  RoleArn: required(roleArn),
  RoleSessionName: required(roleSessionName),
  DurationSeconds: roleDuration,
  ExternalId: externalId,
  Policy: sessionPolicy,
  PolicyArns: policyArns,
  Tags: tagList,
  TransitiveTagKeys: tagKeyList,
  SourceIdentity: sourceIdentity,
  // There are no MFA devices and no trusted context providers.
  SerialNumber: UNSUPPORTED,
  TokenCode: UNSUPPORTED,
  ProvidedContexts: UNSUPPORTED,
} as const;

/** A session of a session ends within the hour, whatever the role allows. */
const MAX_CHAINED_SECONDS = 3600;

/**
 * Decides for itself whether the caller may. Throws Refused `action-denied`, `validation`, `malformed-policy` or
 * `packed-policy-too-large`.
 */
export async function assumeRole(
  sts: Sts,
  input: InputOf<typeof ASSUME_ROLE>,
  caller: Identity,
  requestContext: RequestContext,
) {
  const role = findRoleByArn(sts, input.RoleArn);
  const access = (action: RoleAction) => ({ action, resource: input.RoleArn });
  // Who may not assume a role does not learn whether it exists.
  if (!role) throw denied(caller, access('sts:AssumeRole'), 'there is no such role in this account');

  const tags = sessionTags(input.Tags ?? [], input.TransitiveTagKeys ?? [], caller.session ?? PLAIN_GRANT);
  const source = stickySourceIdentity(input.SourceIdentity, caller);
  const context = {
    ...requestContext,
    ...sessionContext({
      roleSessionName: input.RoleSessionName,
      externalId: input.ExternalId,
      sourceIdentity: source,
      tags,
    }),
  };
  authorise(sts, caller, { ...access('sts:AssumeRole'), context });
  // Inherited ones too: the trust policy says whether it takes them.
  if (tags.tags.length > 0) authorise(sts, caller, { ...access('sts:TagSession'), context });
  if (source !== undefined) authorise(sts, caller, { ...access('sts:SetSourceIdentity'), context });

  const seconds = roleSessionSeconds(role, input.DurationSeconds);
  if (caller.kind === 'role-session' && seconds > MAX_CHAINED_SECONDS) {
    throw invalid('The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining');
  }
  const grant: SessionGrant = {
    ...PLAIN_GRANT,
    ...sessionPolicies(sts.store, input),
    tags: tags.tags,
    transitiveTagKeys: tags.transitiveTagKeys,
    sourceIdentity: source,
  };
  const packed = packedPolicySize(grant);
  const subject = { kind: 'role', id: role.id, name: role.name, sessionName: input.RoleSessionName } as const;
  return {
    Credentials: sts.sessions.issue(subject, grant, seconds, sts.now()),
    AssumedRoleUser: {
      AssumedRoleId: `${role.id}:${input.RoleSessionName}`,
      Arn: sessionArn(sts.account, role.name, input.RoleSessionName),
    },
    ...(packed !== undefined && { PackedPolicySize: packed }),
    ...(source !== undefined && { SourceIdentity: source }),
  };
}

/** "After the source identity is set, the value cannot be changed" (STS API reference). */
function stickySourceIdentity(asked: string | undefined, { arn, session }: Identity): string | undefined {
  const inherited = session?.sourceIdentity;
  if (inherited === undefined || asked === undefined || asked === inherited) return inherited ?? asked;
  const say = 'The source identity of the calling session cannot be changed.';
  throw new Refused('action-denied', { say, detail: `${arn} has the source identity ${inherited}` });
}
