/** A signed HTTP request: what it claims, and whether its signature is right now. */
import { Refused } from '../refused.ts';
import {
  canonicalHeader,
  canonicalPath,
  canonicalQueryOf,
  decodeQuery,
  type QueryParameter,
} from './canonical-request.ts';
import { formatTimestamp, MAX_SKEW_MS, parseCredential, scopeOf, sha256Hex, stringToSign } from './encoding.ts';
import {
  type Authentication,
  findAuthentication,
  type HeaderValues,
  malformed,
  single,
} from './request-authentication.ts';
import { signingKey, signsAny } from './signing-key.ts';
import { expiredText, notYetText } from './verify.ts';

export interface SignedHttpRequest {
  method: string;
  /** As it stands in the request line. */
  target: string;
  /** In order, names as sent; values as Node gives them, one character a byte. */
  headers: readonly (readonly [string, string])[];
  body: Buffer;
}

/** Nothing here is proved yet. */
export interface RequestClaim {
  accessKeyId: string;
  /** `yyyymmdd`, the day of `signedAt`. */
  scopeDate: string;
  region: string;
  service: string;
  signedAt: Date;
  /** In seconds, 1…604800; undefined for a request that is not presigned. */
  expiresIn: number | undefined;
  sessionToken: string | undefined;
  /** Lower case, sorted. */
  signedHeaders: readonly string[];
  /** 64 lower-case hex digits. */
  signature: string;
  /** What the signature must be of; more than one where clients write a thing in one way and sign it in another. */
  stringsToSign: readonly string[];
}

const MAX_TARGET = 16_384;
const MAX_HEADERS = 200;
const METHOD = /^[A-Z]{1,16}$/;
const TARGET = /^\/[\x21\x22\x24-\x7e]*$/;
const HEADER_NAMES = /^[a-z0-9!$%&'*+.^_`|~-]+(?:;[a-z0-9!$%&'*+.^_`|~-]+)*$/;
const SIGNATURE = /^[0-9a-f]{64}$/;

function collect(headers: SignedHttpRequest['headers']): HeaderValues {
  if (headers.length > MAX_HEADERS) malformed('it has too many headers');
  const values = new Map<string, string[]>();
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    const known = values.get(lower);
    if (known === undefined) values.set(lower, [value]);
    else known.push(value);
  }
  return values;
}

function readSignedHeaders(text: string, headers: HeaderValues): string[] {
  if (!HEADER_NAMES.test(text)) malformed('SignedHeaders is no list of header names in lower case');
  const names = text.split(';');
  if (names.some((name, i) => i > 0 && name <= names[i - 1]!)) malformed('SignedHeaders is not sorted');
  for (const name of names) {
    if (!headers.has(name)) malformed('a signed header is not there');
  }
  // What is not signed could have been added or changed on the way, and all of these have a meaning to the service.
  for (const name of headers.keys()) {
    const needed = name === 'host' || name.startsWith('x-amz-');
    if (needed && !names.includes(name)) malformed(`the header ${name} is not signed`);
  }
  if (single(headers, 'host') === undefined) malformed('it has no Host header');
  return names;
}

/** The body's digest, which must be the one that the request states, if it does. */
function payloadHash(headers: HeaderValues, body: Buffer): string {
  const actual = sha256Hex(body);
  const stated = single(headers, 'x-amz-content-sha256');
  if (stated !== undefined && stated !== actual) malformed('x-amz-content-sha256 is not the digest of the body');
  return actual;
}

/** botocore signs the host in lower case however it is sent. */
function hostForms(host: string): string[] {
  const lower = host.toLowerCase();
  return lower === host ? [host] : [host, lower];
}

function textsToSign(
  request: SignedHttpRequest,
  query: readonly QueryParameter[],
  headers: HeaderValues,
  signedHeaders: readonly string[],
  claimed: { timestamp: string; scope: string },
): string[] {
  const question = request.target.indexOf('?');
  const path = canonicalPath(question < 0 ? request.target : request.target.slice(0, question));
  const queryText = canonicalQueryOf(query.filter(([name]) => name.toLowerCase() !== 'x-amz-signature'));
  const payload = payloadHash(headers, request.body);
  return hostForms(single(headers, 'host')!).map((host) => {
    const lines = signedHeaders.map((name) => canonicalHeader(name, name === 'host' ? [host] : headers.get(name)!));
    const text = `${request.method}\n${path}\n${queryText}\n${lines.join('')}\n${signedHeaders.join(';')}\n${payload}`;
    return stringToSign(claimed.timestamp, claimed.scope, Buffer.from(text, 'latin1'));
  });
}

function claimOf(
  request: SignedHttpRequest,
  query: readonly QueryParameter[],
  headers: HeaderValues,
  found: Authentication,
): RequestClaim {
  const credential = parseCredential(found.credential);
  if (credential === undefined) malformed('Credential is not key/date/region/service/aws4_request');
  if (!SIGNATURE.test(found.signature)) malformed('Signature is not 64 hex digits');
  const timestamp = formatTimestamp(found.signedAt);
  if (!timestamp.startsWith(credential.scopeDate)) malformed('Credential and the date header name different days');
  const signedHeaders = readSignedHeaders(found.signedHeaders, headers);
  const claimed = { timestamp, scope: scopeOf(credential) };
  return {
    ...credential,
    signedAt: found.signedAt,
    expiresIn: found.expiresIn,
    sessionToken: found.sessionToken,
    signedHeaders,
    signature: found.signature,
    stringsToSign: textsToSign(request, query, headers, signedHeaders, claimed),
  };
}

/**
 * Reads who claims to have signed a request. Undefined when the request carries no authentication at all.
 * Throws Refused `signature-malformed` for anything else that is not a whole, plain Signature Version 4 (unsigned and
 * streamed payloads included), and `lifetime-too-long` for a presigned request that asks for more than a week.
 */
export function parseRequestClaim(request: SignedHttpRequest): RequestClaim | undefined {
  const headers = collect(request.headers);
  if (!METHOD.test(request.method)) malformed('its method is no plain word');
  if (request.target.length > MAX_TARGET || !TARGET.test(request.target)) malformed('its target is no path');
  const question = request.target.indexOf('?');
  const query = decodeQuery(question < 0 ? '' : request.target.slice(question + 1));
  if (query === undefined) malformed('its query is not encoded as a URL requires');
  const found = findAuthentication(headers, query);
  return found === undefined ? undefined : claimOf(request, query, headers, found);
}

/**
 * Returns when `secret` made the claim's signature and the claim holds at `now`: a header's time may be 15 minutes off
 * either way, a presigned request lasts as long as it says. The signature comes first.
 * Throws Refused `signature-mismatch`, `signature-not-yet-valid` or `signature-expired`.
 */
export function verifyRequest(claim: RequestClaim, secret: string, expected: { now: Date }): void {
  if (!signsAny(signingKey(secret, claim), claim.stringsToSign, claim.signature)) {
    throw new Refused('signature-mismatch', { detail: `the signature is not one of key ${claim.accessKeyId}` });
  }
  const { now } = expected;
  const age = now.getTime() - claim.signedAt.getTime();
  // Asked so that an age which is no number is refused.
  if (!(age >= -MAX_SKEW_MS)) {
    const say = notYetText(claim.signedAt, now);
    throw new Refused('signature-not-yet-valid', { say, detail: say });
  }
  const seconds = claim.expiresIn ?? MAX_SKEW_MS / 1000;
  if (!(age <= seconds * 1000)) {
    const say = expiredText(claim.signedAt, seconds, now);
    throw new Refused('signature-expired', { say, detail: say });
  }
}
