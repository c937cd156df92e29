import { federatedUserArn } from '../iam/arn.ts';
import { type Identity, PLAIN_GRANT, type SessionGrant } from '../iam/identity.ts';
import { type InputOf, required } from '../iam/input.ts';
import type { RequestContext } from '../iam/request-facts.ts';
import { tagList } from '../iam/shapes.ts';
import { ownSessionSeconds, ownSubject } from './get-session-token.ts';
import { packedPolicySize } from './packed-size.ts';
import { sessionContext, sessionPolicies, sessionTags } from './session-parameters.ts';
import { duration, federatedUserName, policyArns, sessionPolicy } from './shapes.ts';
import type { Sts } from './sts.ts';

export const GET_FEDERATION_TOKEN = {
  Name: required(federatedUserName),
  DurationSeconds: duration,
  Policy: sessionPolicy,
  PolicyArns: policyArns,
  Tags: tagList,
} as const;

type Input = InputOf<typeof GET_FEDERATION_TOKEN>;

/** The tags are asked for as an action of their own. Throws Refused `validation` for tags that none can have. */
export function federationNeeds({ account }: Pick<Sts, 'account'>, input: Input) {
  const tags = sessionTags(input.Tags ?? [], [], PLAIN_GRANT);
  const need = { resource: federatedUserArn(account, input.Name), context: sessionContext({ tags }) };
  return [
    { action: 'sts:GetFederationToken', ...need },
    ...(tags.passed.length > 0 ? [{ action: 'sts:TagSession', ...need }] : []),
  ] satisfies { action: string; resource: string; context: RequestContext }[];
}

/**
 * A session of a federated user, who may what both the session policies and the policies of the caller allow. Throws
 * Refused `validation`, `malformed-policy` or `packed-policy-too-large`.
 */
export async function getFederationToken(sts: Sts, input: Input, caller: Identity) {
  const { tags } = sessionTags(input.Tags ?? [], [], PLAIN_GRANT);
  const grant: SessionGrant = { ...PLAIN_GRANT, ...sessionPolicies(sts.store, input), tags };
  const packed = packedPolicySize(grant);
  const subject = { kind: 'federated-user', name: input.Name, issuer: ownSubject(caller) } as const;
  const seconds = ownSessionSeconds(caller, input.DurationSeconds);
  return {
    Credentials: sts.sessions.issue(subject, grant, seconds, sts.now()),
    FederatedUser: {
      FederatedUserId: `${sts.account}:${input.Name}`,
      Arn: federatedUserArn(sts.account, input.Name),
    },
    ...(packed !== undefined && { PackedPolicySize: packed }),
  };
}
