import type { ConnectionFacts } from '../audit/events.ts';
import type { Decision, Identity } from '../iam/identity.ts';
import type { Refused } from '../refused.ts';
import type { TokenClaim } from '../sigv4/token.ts';

/**
 * A login attempt, as far as it has come: each step notes what it has found out. Kept for the operator who asks why, so
 * nothing in it is a secret: no password, no signature, no session token.
 */
export interface Attempt {
  readonly connectionId: string;
  readonly at: Date;
  readonly sourceAddress: string;
  encryption?: { protocol: string; serverName: string | undefined };
  request?: { user: string; database: string };
  cluster?: { id: string; arn: string };
  token?: TokenFacts;
  /** When the token was looked at. */
  judgedAt?: Date;
  /** Whose key the token names. Nobody has proved yet to have it. */
  keyOwner?: string;
  /** Once the signature is proved. */
  identity?: Identity;
  decision?: Decision;
  /** Once the role is known to be there and open to the identity. */
  role?: { oid: number };
  end?: AttemptEnd;
}

export type TokenFacts = Pick<TokenClaim, 'host' | 'action' | 'accessKeyId' | 'region' | 'signedAt' | 'expiresIn'> & {
  hasSessionToken: boolean;
};

export type AttemptEnd =
  | { outcome: 'accepted' }
  | { outcome: 'refused'; why: Refused }
  | { outcome: 'abandoned'; reason: string }
  /** A bug of ours; the log has it whole. */
  | { outcome: 'failed'; reason: string };

/** Longer names of users, databases and hosts are cut: whoever connects chooses them. */
const MAX_TEXT = 255;

export function cut(text: string): string {
  // Half of a character at the end would be no text any more.
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT).toWellFormed()}…` : text;
}

export function tokenFacts(claim: TokenClaim): TokenFacts {
  const { host, action, accessKeyId, region, signedAt, expiresIn, sessionToken } = claim;
  return { host, action, accessKeyId, region, signedAt, expiresIn, hasSessionToken: sessionToken !== undefined };
}

/** What is reported of it. */
export function factsOf(attempt: Attempt): ConnectionFacts {
  const { connectionId, sourceAddress, encryption, cluster, request, token, identity } = attempt;
  return {
    connectionId,
    sourceAddress,
    ...(request && { role: request.user }),
    ...(encryption && { tls: encryption }),
    ...(cluster && { cluster: cluster.id, clusterArn: cluster.arn }),
    ...(token && { accessKeyId: token.accessKeyId, action: token.action }),
    ...(identity && { principal: identity.arn, identity }),
  };
}
