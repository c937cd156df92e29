/** Makes the token that a client shows as its password: what `aws dsql generate-db-connect-auth-token` does. */
import { ALGORITHM, formatTimestamp, MAX_EXPIRES, scopeOf, stringToSign, uriEncode } from './encoding.ts';
import { signatureOf, signingKey } from './signing-key.ts';
import type { TokenClaim } from './token.ts';
import { tokenRequest } from './verify.ts';

export interface SigningCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | undefined;
}

export interface TokenOrder {
  /** The name by which the cluster will be connected to. */
  host: string;
  region: string;
  action: TokenClaim['action'];
  credentials: SigningCredentials;
  /** In seconds, 1…604800. */
  expiresIn: number;
  now: Date;
}

/** The token's text, without `https://`. Throws RangeError when `expiresIn` is out of bounds. */
export function presignToken(order: TokenOrder): string {
  const { host, region, credentials, expiresIn } = order;
  if (!Number.isInteger(expiresIn) || expiresIn < 1 || expiresIn > MAX_EXPIRES) {
    throw new RangeError(`expiresIn must be a whole number of seconds from 1 to ${MAX_EXPIRES}`);
  }
  const timestamp = formatTimestamp(order.now);
  const scope = { scopeDate: timestamp.slice(0, 8), region, service: 'dsql' };
  const scopeText = scopeOf(scope);
  const security =
    credentials.sessionToken === undefined ? '' : `&X-Amz-Security-Token=${uriEncode(credentials.sessionToken)}`;
  const query = [
    `Action=${order.action}`,
    `X-Amz-Algorithm=${ALGORITHM}`,
    `X-Amz-Credential=${uriEncode(`${credentials.accessKeyId}/${scopeText}`)}`,
    `X-Amz-Date=${timestamp}`,
    `X-Amz-Expires=${expiresIn}${security}`,
    'X-Amz-SignedHeaders=host',
  ].join('&');
  const text = stringToSign(timestamp, scopeText, tokenRequest(query, host.toLowerCase()));
  const signature = signatureOf(signingKey(credentials.secretAccessKey, scope), text).toString('hex');
  return `${host}/?${query}&X-Amz-Signature=${signature}`;
}
