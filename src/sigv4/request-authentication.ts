/** Finds in an HTTP request who claims to have signed it: in the Authorization header or in the query. */
import { Refused } from '../refused.ts';
import type { QueryParameter } from './canonical-request.ts';
import { ALGORITHM, MAX_EXPIRES, parseTimestamp } from './encoding.ts';
import { LIFETIME_HINT } from './token.ts';

/** Lower-case name -> values, in the order in which they were sent. */
export type HeaderValues = ReadonlyMap<string, readonly string[]>;

/** What a request says of its signature, as text. */
export interface Authentication {
  credential: string;
  signedHeaders: string;
  signature: string;
  signedAt: Date;
  /** In seconds, 1…604800; undefined for a request that is not presigned. */
  expiresIn: number | undefined;
  sessionToken: string | undefined;
}

const MAX_SESSION_TOKEN = 8_192;
const DECIMAL = /^[1-9]\d{0,19}$/;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const HTTP_DATE = /^[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/;

export function malformed(detail: string): never {
  throw new Refused('signature-malformed', { detail: `request: ${detail}` });
}

/** The value of a header that must not be repeated. */
export function single(headers: HeaderValues, name: string): string | undefined {
  const values = headers.get(name);
  if (values !== undefined && values.length > 1) malformed(`the header ${name} is repeated`);
  return values?.[0]?.trim();
}

/** RFC 9110 section 5.6.7, IMF-fixdate. */
function parseHttpDate(text: string): Date | undefined {
  const part = HTTP_DATE.exec(text);
  const month = part === null ? 0 : MONTHS.indexOf(part[2]!) + 1;
  if (part === null || month === 0) return undefined;
  return parseTimestamp(`${part[3]}${String(month).padStart(2, '0')}${part[1]}T${part[4]}${part[5]}${part[6]}Z`);
}

function checkSessionToken(token: string | undefined): string | undefined {
  if (token === '') malformed('the session token is empty');
  if (token !== undefined && token.length > MAX_SESSION_TOKEN) malformed('the session token is too long');
  return token;
}

/** `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`: each part once, in any order. */
function readAuthorization(header: string): Map<string, string> {
  if (!header.startsWith(`${ALGORITHM} `)) malformed(`the Authorization header is not of ${ALGORITHM}`);
  const parts = new Map<string, string>();
  for (const part of header.slice(ALGORITHM.length + 1).split(',', 4)) {
    const equals = part.indexOf('=');
    const name = part.slice(0, Math.max(equals, 0)).trim();
    if (name !== 'Credential' && name !== 'SignedHeaders' && name !== 'Signature') {
      malformed('the Authorization header has an unknown part');
    }
    if (parts.has(name)) malformed(`the Authorization header has two parts ${name}`);
    parts.set(name, part.slice(equals + 1).trim());
  }
  return parts;
}

function fromHeaders(headers: HeaderValues, authorization: string): Authentication {
  const parts = readAuthorization(authorization);
  const exact = single(headers, 'x-amz-date');
  const date = single(headers, 'date');
  const signedAt =
    exact === undefined ? (parseTimestamp(date ?? '') ?? parseHttpDate(date ?? '')) : parseTimestamp(exact);
  if (signedAt === undefined) malformed('there is no X-Amz-Date or Date header with a time');
  return {
    credential: parts.get('Credential') ?? malformed('Credential is missing'),
    signedHeaders: parts.get('SignedHeaders') ?? malformed('SignedHeaders is missing'),
    signature: parts.get('Signature') ?? malformed('Signature is missing'),
    signedAt,
    expiresIn: undefined,
    sessionToken: checkSessionToken(single(headers, 'x-amz-security-token')),
  };
}

/** The parameters of a presigned request, each at most once. */
function readPresigned(query: readonly QueryParameter[]): Map<string, string> {
  const values = new Map<string, string>();
  for (const [name, value] of query) {
    const lower = name.toLowerCase();
    if (!lower.startsWith('x-amz-')) continue;
    if (values.has(lower)) malformed(`the parameter ${lower} is repeated`);
    values.set(lower, value);
  }
  return values;
}

function fromQuery(headers: HeaderValues, values: ReadonlyMap<string, string>): Authentication {
  const need = (name: string): string => values.get(name) ?? malformed(`the parameter ${name} is missing`);
  if (need('x-amz-algorithm') !== ALGORITHM) malformed(`X-Amz-Algorithm is not ${ALGORITHM}`);
  const signedAt = parseTimestamp(need('x-amz-date'));
  if (signedAt === undefined) malformed('X-Amz-Date is no time');
  const expires = need('x-amz-expires');
  if (!DECIMAL.test(expires)) malformed('X-Amz-Expires is no number of seconds');
  const expiresIn = Number(expires);
  if (expiresIn > MAX_EXPIRES) {
    throw new Refused('lifetime-too-long', { say: LIFETIME_HINT, detail: `request: X-Amz-Expires is ${expires}` });
  }
  if (headers.has('x-amz-security-token')) malformed('a presigned request has its session token in the query');
  return {
    credential: need('x-amz-credential'),
    signedHeaders: need('x-amz-signedheaders'),
    signature: need('x-amz-signature'),
    signedAt,
    expiresIn,
    sessionToken: checkSessionToken(values.get('x-amz-security-token')),
  };
}

/**
 * Undefined when the request has no authentication at all.
 * Throws Refused `signature-malformed`, also for a request that authenticates in two ways, and `lifetime-too-long`.
 */
export function findAuthentication(
  headers: HeaderValues,
  query: readonly QueryParameter[],
): Authentication | undefined {
  const authorization = single(headers, 'authorization');
  const presigned = readPresigned(query);
  const inQuery = ['x-amz-algorithm', 'x-amz-credential', 'x-amz-signature'].some((name) => presigned.has(name));
  if (authorization !== undefined) {
    if (inQuery) malformed('it is signed in the Authorization header and in the query');
    return fromHeaders(headers, authorization);
  }
  return inQuery ? fromQuery(headers, presigned) : undefined;
}
