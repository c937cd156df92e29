import { ASSUME_ROLE, assumeRole } from '../../sts/assume-role.ts';
import { ASSUME_ROLE_WITH_WEB_IDENTITY, assumeRoleWithWebIdentity } from '../../sts/assume-role-with-web-identity.ts';
import { GET_ACCESS_KEY_INFO, GET_CALLER_IDENTITY, getAccessKeyInfo, getCallerIdentity } from '../../sts/caller.ts';
import { federationNeeds, GET_FEDERATION_TOKEN, getFederationToken } from '../../sts/get-federation-token.ts';
import { GET_SESSION_TOKEN, getSessionToken } from '../../sts/get-session-token.ts';
import type { Sts } from '../../sts/sts.ts';
import { operation, type Service, type UnsignedOperation, unsignedOperation } from '../operation.ts';
import { createQueryService } from '../protocols/query.ts';

/** AWS Security Token Service. */
export const STS_VERSION = '2011-06-15';
export const STS_NAMESPACE = 'https://sts.amazonaws.com/doc/2011-06-15/';

/** What needs other accounts, other services or SAML providers, none of which there are. */
const UNSUPPORTED = new Set([
  'AssumeRoleWithSAML',
  'AssumeRoot',
  'DecodeAuthorizationMessage',
  'GetDelegatedAccessToken',
  'GetWebIdentityToken',
]);

export function createStsService(sts: Sts): Service {
  return createQueryService({
    version: STS_VERSION,
    namespace: STS_NAMESPACE,
    unsupported: UNSUPPORTED,
    operations: {
      // The role's trust policy has a say in it, so the operation decides for itself.
      AssumeRole: operation(
        ASSUME_ROLE,
        () => [],
        (input, caller, context) => assumeRole(sts, input, caller, context),
      ),
      // Who signs it all the same gets what the token gives, and nothing for the signature.
      AssumeRoleWithWebIdentity: operation(
        ASSUME_ROLE_WITH_WEB_IDENTITY,
        () => [],
        (input, _, context) => assumeRoleWithWebIdentity(sts, input, context),
      ),
      // No permission is needed for these two, and none can be denied (STS API reference).
      GetCallerIdentity: operation(
        GET_CALLER_IDENTITY,
        () => [],
        (_, caller) => getCallerIdentity(caller),
      ),
      GetSessionToken: operation(
        GET_SESSION_TOKEN,
        () => [],
        (input, caller) => getSessionToken(sts, input, caller),
      ),
      GetFederationToken: operation(
        GET_FEDERATION_TOKEN,
        (input) => federationNeeds(sts, input),
        (input, caller) => getFederationToken(sts, input, caller),
      ),
      GetAccessKeyInfo: operation(
        GET_ACCESS_KEY_INFO,
        () => [{ action: 'sts:GetAccessKeyInfo', resource: '*' }],
        (input) => getAccessKeyInfo(sts, input),
      ),
    },
  });
}

/** The only operation that is called without a signature. */
export function createUnsignedOperation(sts: Sts): UnsignedOperation {
  return unsignedOperation(ASSUME_ROLE_WITH_WEB_IDENTITY, (input, context) =>
    assumeRoleWithWebIdentity(sts, input, context),
  );
}
