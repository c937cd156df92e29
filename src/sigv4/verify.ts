/** Whether a token's signature is right, and right now and here. */
import { Refused } from '../refused.ts';
import { EMPTY_SHA256, formatTimestamp, MAX_SKEW_MS, scopeOf, stringToSign } from './encoding.ts';
import { signingKey, signsAny } from './signing-key.ts';
import type { TokenClaim } from './token.ts';

/**
 * The hosts that a signer may have signed for the host that it wrote: botocore signs in lower case and without `:443`,
 * but writes what it was given; the JavaScript signer signs what it was given. All mean the host that was written.
 */
function signedHosts(typed: string): string[] {
  const host = typed.toLowerCase();
  const hosts = [host];
  if (host !== typed) hosts.push(typed);
  if (host.endsWith(':443')) hosts.push(host.slice(0, -4));
  return hosts;
}

/** The canonical request of a token for a host. */
export function tokenRequest(canonicalQuery: string, host: string): string {
  return `GET\n/\n${canonicalQuery}\nhost:${host}\n\nhost\n${EMPTY_SHA256}`;
}

/** `Signature expired: …` in the words of AWS's services; `seconds` is how long the signature was to be valid. */
export function expiredText(signedAt: Date, seconds: number, now: Date): string {
  const oldest = formatTimestamp(new Date(now.getTime() - seconds * 1000));
  const minutes = Math.round(seconds / 0.6) / 100;
  return `Signature expired: ${formatTimestamp(signedAt)} is now earlier than ${oldest} (${formatTimestamp(now)} - ${minutes} min.)`;
}

/** The counterpart for a signature from the future. */
export function notYetText(signedAt: Date, now: Date): string {
  const newest = formatTimestamp(new Date(now.getTime() + MAX_SKEW_MS));
  return `Signature not yet current: ${formatTimestamp(signedAt)} is still later than ${newest} (${formatTimestamp(now)} + ${MAX_SKEW_MS / 60_000} min.)`;
}

/**
 * Returns when `secret` made the claim's signature and the claim holds at `expected.now` in `expected.region`.
 * The signature comes first, always computed and compared: whoever cannot sign learns nothing but that.
 * Throws Refused `signature-mismatch`, `scope-mismatch` (signed for another region), `signature-not-yet-valid` (dated
 * more than 15 minutes ahead of `now`) or `signature-expired`.
 */
export function verifyToken(claim: TokenClaim, secret: string, expected: { now: Date; region: string }): void {
  const scope = { scopeDate: claim.scopeDate, region: claim.region, service: 'dsql' };
  const scopeText = scopeOf(scope);
  const texts = signedHosts(claim.host).map((host) =>
    stringToSign(claim.timestamp, scopeText, tokenRequest(claim.canonicalQuery, host)),
  );
  if (!signsAny(signingKey(secret, scope), texts, claim.signature)) {
    throw new Refused('signature-mismatch', { detail: `the signature is not one of key ${claim.accessKeyId}` });
  }
  if (claim.region !== expected.region) {
    throw new Refused('scope-mismatch', {
      detail: `the token is signed for region ${claim.region}, the cluster is in ${expected.region}`,
    });
  }
  const { now } = expected;
  const age = now.getTime() - claim.signedAt.getTime();
  // Asked so that an age which is no number is refused.
  if (!(age >= -MAX_SKEW_MS)) {
    const hint = notYetText(claim.signedAt, now);
    throw new Refused('signature-not-yet-valid', { hint, detail: hint });
  }
  if (!(age <= claim.expiresIn * 1000)) {
    const hint = expiredText(claim.signedAt, claim.expiresIn, now);
    throw new Refused('signature-expired', { hint, detail: hint });
  }
}
