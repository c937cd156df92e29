import {
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import { oidcProviderArn } from '../iam/arn.ts';
import { Refused } from '../refused.ts';
import type { OidcProviderRecord, Tag } from '../state/records.ts';
import type { Store } from '../state/store.ts';
import { sessionClaims } from './identity-claims.ts';
import type { KeySet } from './oidc-documents.ts';
import type { OidcKeys } from './oidc-keys.ts';

/*
 * An OpenID Connect ID token (OpenID Connect Core 1.0, sections 2 and 3.1.3.7) of a provider that is registered in IAM.
 * The order is part of it: nothing is fetched before the provider is known, and no claim but `iss` is looked at before
 * the signature.
 */

/** What a verified token says. */
export interface VerifiedIdentity {
  /** The provider's ARN. */
  provider: string;
  subject: string;
  /** The client id that the token was made for. */
  audience: string;
  /** Condition keys, in lower case. */
  claims: Readonly<Record<string, readonly string[]>>;
  tags: readonly Tag[];
  transitiveTagKeys: readonly string[];
  sourceIdentity: string | undefined;
}

export interface IdentityTokenDeps {
  store: Store;
  oidcKeys: OidcKeys;
  account: string;
  now(): Date;
}

const ALGORITHMS = ['RS256', 'ES256'];
/** In seconds: IAM's "five-minute window beyond the expiration time" for clocks that differ. */
const CLOCK_TOLERANCE = 300;

/**
 * Throws Refused `identity-token-invalid`, `identity-token-expired`, `identity-claim-rejected` or
 * `identity-provider-unreachable`.
 */
export async function verifyIdentityToken(deps: IdentityTokenDeps, token: string): Promise<VerifiedIdentity> {
  const { issuer, keyId } = readUnproved(token);
  findProvider(deps, issuer);
  const keySet = await deps.oidcKeys.of(issuer, keyId);
  const now = deps.now();
  let payload: JWTPayload;
  try {
    ({ payload } = await jwtVerify(token, finderOf(keySet), {
      algorithms: ALGORITHMS,
      issuer,
      currentDate: now,
      clockTolerance: CLOCK_TOLERANCE,
      requiredClaims: ['aud', 'sub', 'exp', 'iat'],
    }));
  } catch (error) {
    throw refusalOf(error, now);
  }
  // Asked again: it may have been deleted or changed while its keys were on the way.
  return read(deps, findProvider(deps, issuer), payload, now);
}

function findProvider({ store, account }: IdentityTokenDeps, issuer: string): Readonly<OidcProviderRecord> {
  const provider = store.get('oidcProviders', oidcProviderArn(account, issuer));
  if (provider?.url === issuer) return provider;
  throw invalid(`No OpenIDConnect provider found in your account for ${issuer.slice(0, 256)}`);
}

/** Keys that were imported once stay so as long as their set. */
const finders = new WeakMap<KeySet, JWTVerifyGetKey>();

function finderOf(keySet: KeySet): JWTVerifyGetKey {
  let find = finders.get(keySet);
  if (!find) {
    find = createLocalJWKSet(keySet as unknown as JSONWebKeySet);
    finders.set(keySet, find);
  }
  return find;
}

/** Who seems to have made the token, and with which key. Nothing here is proved yet. */
function readUnproved(token: string): { issuer: string; keyId: string } {
  const say = 'The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)';
  try {
    const { kid, alg } = decodeProtectedHeader(token);
    const { iss } = decodeJwt(token);
    if (typeof iss !== 'string') throw invalid('Missing a required claim: iss');
    if (!ALGORITHMS.includes(alg ?? '')) throw invalid('The token must be signed with RS256 or ES256.');
    if (typeof kid !== 'string') throw invalid('The token must name the key that it was signed with (kid).');
    return { issuer: iss, keyId: kid };
  } catch (error) {
    throw error instanceof Refused ? error : invalid(say);
  }
}

function read(
  deps: IdentityTokenDeps,
  provider: Readonly<OidcProviderRecord>,
  payload: JWTPayload,
  now: Date,
): VerifiedIdentity {
  const { sub, aud, azp, iat } = payload;
  if (typeof sub !== 'string' || sub === '' || sub.length > 255) throw rejected('The claim sub is invalid.');
  if (typeof iat !== 'number' || iat > now.getTime() / 1000 + CLOCK_TOLERANCE) {
    throw rejected('The token was issued in the future.');
  }
  // Where the token says for whom it was issued, that is its audience (IAM User Guide, "OIDC identity providers").
  const audiences = azp === undefined ? [aud].flat() : [azp];
  const audience = audiences.filter((id): id is string => typeof id === 'string' && provider.clientIds.includes(id));
  if (audience[0] === undefined) throw invalid('Incorrect token audience');
  return {
    provider: oidcProviderArn(deps.account, provider.url),
    subject: sub,
    audience: audience[0],
    ...sessionClaims(provider.url, payload, audience),
  };
}

function refusalOf(error: unknown, now: Date): Refused {
  if (error instanceof errors.JWTExpired) {
    const seconds = Math.floor(now.getTime() / 1000);
    const say = `Token expired: current date/time ${seconds} must be before the expiration date/time ${error.payload.exp}`;
    return new Refused('identity-token-expired', { say, detail: say });
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.reason === 'missing') return invalid(`Missing a required claim: ${error.claim}`);
    return rejected(`The claim ${error.claim} is invalid.`);
  }
  if (error instanceof errors.JWKSNoMatchingKey) {
    return invalid(
      "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements",
    );
  }
  // Whatever else jose throws is about this token or this key: wrong signatures, keys that are too short or of no use.
  const detail = error instanceof Error ? error.message : 'not verified';
  return new Refused('identity-token-invalid', { say: "The token's signature is invalid.", detail });
}

function invalid(say: string): Refused<'identity-token-invalid'> {
  return new Refused('identity-token-invalid', { say, detail: say });
}

function rejected(say: string): Refused<'identity-claim-rejected'> {
  return new Refused('identity-claim-rejected', { say, detail: say });
}
