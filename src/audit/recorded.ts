/**
 * Which parameters and which members of an answer the audit log has: an allow-list, by name and at every depth. A name
 * that is in neither list is not recorded, and a test fails until somebody has decided.
 */

/** In CloudTrail parameters begin with a small letter. */
const small = (name: string) => name.charAt(0).toLowerCase() + name.slice(1);

const RECORDED_PARAMETERS: ReadonlySet<string> = new Set(
  `accessKeyId actionNames allUsers assumeRolePolicyDocument bypassPolicyLockoutSafetyCheck callerArn clientIDList clientID clientToken
  clusters contextEntries contextKeyName contextKeyType contextKeyValues deletionProtectionEnabled description durationSeconds
  entityFilter expectedPolicyVersion externalId filter groupName identifier instanceProfileName key kmsEncryptionKey marker
  maxItems maxResults maxSessionDuration multiRegionProperties name newGroupName newPath newUserName nextToken
  onlyAttached openIDConnectProviderArn path pathPrefix permissionsBoundary permissionsBoundaryPolicyInputList policy
  policyArn policyArns arn policyDocument policyInputList policyName policySourceArn policyUsageFilter providerId resourceArn resourceArns
  resourceHandlingOption resourceOwner resourcePolicy roleArn roleName roleSessionName scope serviceName setAsDefault sourceIdentity status
  tagKeys tags thumbprintList transitiveTagKeys url userName value versionId witnessRegion`.split(/\s+/),
);

/** Proofs of who somebody is. */
export const WITHHELD_PARAMETERS: ReadonlySet<string> = new Set([
  'webIdentityToken',
  'tokenCode',
  'serialNumber',
  'providedContexts',
]);

/** Who made or changed what, with its ids; of credentials the key id and the expiry. */
const RECORDED_ANSWERS: ReadonlySet<string> = new Set(
  `accessKey accessKeyId arn assumedRoleId assumedRoleUser attachmentCount audience clusters createDate creationTime credentials
  defaultVersionId deletionProtectionEnabled encryptionDetails encryptionStatus encryptionType endpoint expiration federatedUser
  federatedUserId group groupId groupName identifier isDefaultVersion kmsKeyArn maxSessionDuration multiRegionProperties
  openIDConnectProviderArn packedPolicySize path permissionsBoundaryUsageCount policy policyId policyName policyVersion provider
  role roleId roleName sourceIdentity status subjectFromWebIdentityToken updateDate user userId userName versionId
  witnessRegion`.split(/\s+/),
);

/** Maps of the client's own keys: recorded whole. */
const MAPS: ReadonlySet<string> = new Set(['tags']);

export function isDecided(parameter: string): boolean {
  return RECORDED_PARAMETERS.has(small(parameter)) || WITHHELD_PARAMETERS.has(small(parameter));
}

/** In CloudTrail's words for what it does not show. */
const HIDDEN = 'HIDDEN_DUE_TO_SECURITY_REASONS';

export function recordedParameters(input: object): object | undefined {
  const kept = keep(input, RECORDED_PARAMETERS, WITHHELD_PARAMETERS);
  return Object.keys(kept).length === 0 ? undefined : kept;
}

/** What reads only has no answer in the log, as in CloudTrail's; but credentials that were given out have. */
export function recordedAnswer(operation: string, output: object | undefined): object | undefined {
  if (output === undefined || /^(Get(?!SessionToken$|FederationToken$)|List|Simulate)/.test(operation))
    return undefined;
  const kept = keep(output, RECORDED_ANSWERS, new Set());
  return Object.keys(kept).length === 0 ? undefined : kept;
}

function keep(value: object, recorded: ReadonlySet<string>, withheld: ReadonlySet<string>): object {
  const kept: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(value)) {
    const shown = small(name);
    if (member === undefined) continue;
    if (withheld.has(shown)) kept[shown] = HIDDEN;
    else if (recorded.has(shown)) kept[shown] = MAPS.has(shown) && !Array.isArray(member) ? member : below(member);
  }
  return kept;

  function below(member: unknown): unknown {
    if (Array.isArray(member)) return member.map(below);
    if (typeof member === 'object' && member !== null && !(member instanceof Date)) {
      return keep(member, recorded, withheld);
    }
    return member;
  }
}
