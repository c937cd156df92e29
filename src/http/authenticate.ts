import type { Identity, KeyRing } from '../iam/identity.ts';
import { Refused } from '../refused.ts';
import { type RequestClaim, verifyRequest } from '../sigv4/request.ts';

/**
 * Who signed the request. A signature is computed and compared for every key, known or not, before the verdict on the
 * key is looked at. As on AWS, a key that does not count is told as such and not as a wrong signature; that a session
 * has ended is told only to who could sign for it. Throws Refused of the access kinds.
 */
export function authenticate(keys: KeyRing, claim: RequestClaim, now: Date): Identity {
  const { secret, verdict } = keys.find(claim.accessKeyId, claim.sessionToken, now);
  const refusal = verdict.valid ? undefined : new Refused(verdict.kind, { detail: verdict.detail });
  try {
    verifyRequest(claim, secret, { now });
  } catch (error) {
    const isMismatch = error instanceof Refused && error.kind === 'signature-mismatch';
    if (isMismatch && refusal && refusal.kind !== 'session-token-expired') throw refusal;
    throw error;
  }
  if (!verdict.valid) throw refusal;
  return verdict.identity;
}
