/**
 * The password of a connection: a presigned SigV4 GET URL without its `https://`.
 *
 *     <host>/?Action=DbConnect&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=<key>%2F<date>%2F<region>%2Fdsql%2F
 *     aws4_request&X-Amz-Date=…&X-Amz-Expires=900&X-Amz-SignedHeaders=host[&X-Amz-Security-Token=…]&X-Amz-Signature=…
 *
 * Signers differ: Go writes no `/` before the `?`, every one has its own order of parameters, botocore keeps a scheme that
 * it was given. All of that is accepted. Nothing here is proved yet: a claim is what the text says of itself.
 */
import { Refused } from '../refused.ts';
import {
  ALGORITHM,
  isCanonical,
  MAX_EXPIRES,
  parseCredential,
  parseTimestamp,
  uriDecode,
  uriEncode,
} from './encoding.ts';

export interface TokenClaim {
  /** As typed in the token. */
  host: string;
  action: 'DbConnect' | 'DbConnectAdmin';
  accessKeyId: string;
  /** `yyyymmdd`, the day of `signedAt`. */
  scopeDate: string;
  region: string;
  signedAt: Date;
  /** `signedAt` as X-Amz-Date writes it. */
  timestamp: string;
  /** In seconds, 1…604800. */
  expiresIn: number;
  sessionToken: string | undefined;
  /** 64 lower-case hex digits. */
  signature: string;
  /** Sorted and encoded as it was signed, without the signature. */
  canonicalQuery: string;
}

export const LIFETIME_HINT = 'X-Amz-Expires must be less than a week (in seconds)';

const MAX_TOKEN = 16_384;
const MAX_HOST = 255;

/** Each parameter that a token may have, in the order in which they are signed, with the length of its decoded value. */
const PARAMETERS = {
  Action: { required: true, max: 14 },
  'X-Amz-Algorithm': { required: true, max: 16 },
  'X-Amz-Credential': { required: true, max: 256 },
  'X-Amz-Date': { required: true, max: 16 },
  'X-Amz-Expires': { required: true, max: 20 },
  'X-Amz-Security-Token': { required: false, max: 8_192 },
  'X-Amz-SignedHeaders': { required: true, max: 4 },
  'X-Amz-Signature': { required: true, max: 64 },
} as const;

type Parameter = keyof typeof PARAMETERS;

const NAMES = Object.keys(PARAMETERS) as Parameter[];
const KNOWN: ReadonlySet<string> = new Set(NAMES);
const SIGNED = NAMES.filter((name) => name !== 'X-Amz-Signature');

const PRINTABLE = /^[\x21-\x7e]*$/;
const HOST = /^(?:[A-Za-z0-9.:-]+|\[[0-9A-Fa-f:.]+\](?::\d{1,5})?)$/;
/** RFC 3986 section 3.4, without the `&` that separates parameters. */
const QUERY_VALUE = /^[A-Za-z0-9._~!$'()*+,;=:@/?%-]*$/;
const DECIMAL = /^[1-9]\d*$/;
const SIGNATURE = /^[0-9a-f]{64}$/;

function malformed(detail: string): never {
  throw new Refused('signature-malformed', { detail: `token: ${detail}` });
}

function isParameter(name: string): name is Parameter {
  return KNOWN.has(name);
}

interface Value {
  text: string;
  /** As it was signed. */
  encoded: string;
}

/** Nearly every signer writes what it signs, so there is nothing to encode again. */
function readValue(raw: string): Value | undefined {
  if (isCanonical(raw)) return { text: uriDecode(raw)!, encoded: raw };
  const text = QUERY_VALUE.test(raw) ? uriDecode(raw) : undefined;
  return text === undefined || !PRINTABLE.test(text) ? undefined : { text, encoded: uriEncode(text) };
}

function readParameters(query: string): Map<Parameter, Value> {
  const values = new Map<Parameter, Value>();
  for (const pair of query.split('&')) {
    const equals = pair.indexOf('=');
    const name = equals < 0 ? pair : pair.slice(0, equals);
    // Exact case only, so a name that differs by case is never a second writing of one that is known. The client's
    // text is not repeated: anything may have been pasted into a password field.
    if (equals < 0 || !isParameter(name)) malformed('a parameter is not one of those of a connection token');
    if (values.has(name)) malformed(`${name} stands there twice`);
    const value = readValue(pair.slice(equals + 1));
    if (value === undefined) malformed(`${name} is not encoded as a URL requires`);
    if (value.text === '') malformed(`${name} is empty`);
    if (value.text.length > PARAMETERS[name].max) malformed(`${name} is too long`);
    values.set(name, value);
  }
  for (const name of NAMES) {
    if (PARAMETERS[name].required && !values.has(name)) malformed(`${name} is missing`);
  }
  return values;
}

function canonicalQuery(values: ReadonlyMap<Parameter, Value>): string {
  let query = '';
  for (const name of SIGNED) {
    const value = values.get(name);
    if (value !== undefined) query += `${query === '' ? '' : '&'}${name}=${value.encoded}`;
  }
  return query;
}

function readHost(text: string): string {
  const host = text.endsWith('/') ? text.slice(0, -1) : text;
  if (host.length > MAX_HOST || !HOST.test(host)) malformed('it does not begin with a host name');
  return host;
}

/**
 * Reads the text of a token.
 * Throws Refused `signature-malformed`, or `lifetime-too-long` when all is well but the time that it asks to be valid.
 */
export function parseToken(text: string): TokenClaim {
  if (text.length > MAX_TOKEN) malformed('it is too long');
  const url = text.startsWith('https://') ? text.slice(8) : text;
  const question = url.indexOf('?');
  if (question < 0) malformed('it has no query');
  const host = readHost(url.slice(0, question));
  const values = readParameters(url.slice(question + 1));

  const textOf = (name: Parameter): string => values.get(name)!.text;
  const action = textOf('Action');
  if (action !== 'DbConnect' && action !== 'DbConnectAdmin') malformed('Action is no action of a connection');
  if (textOf('X-Amz-Algorithm') !== ALGORITHM) malformed(`X-Amz-Algorithm is not ${ALGORITHM}`);
  if (textOf('X-Amz-SignedHeaders') !== 'host') malformed('X-Amz-SignedHeaders is not host');
  const signature = textOf('X-Amz-Signature');
  if (!SIGNATURE.test(signature)) malformed('X-Amz-Signature is not 64 hex digits');
  const credential = parseCredential(textOf('X-Amz-Credential'));
  if (credential === undefined || credential.service !== 'dsql') malformed('X-Amz-Credential has no scope of dsql');
  const timestamp = textOf('X-Amz-Date');
  const signedAt = parseTimestamp(timestamp);
  if (signedAt === undefined) malformed('X-Amz-Date is no time');
  if (!timestamp.startsWith(credential.scopeDate)) malformed('X-Amz-Credential and X-Amz-Date name different days');
  const expires = textOf('X-Amz-Expires');
  if (!DECIMAL.test(expires)) malformed('X-Amz-Expires is no number of seconds');
  const expiresIn = Number(expires);
  if (expiresIn > MAX_EXPIRES) {
    throw new Refused('lifetime-too-long', { hint: LIFETIME_HINT, detail: `token: X-Amz-Expires is ${expires}` });
  }

  return {
    host,
    action,
    accessKeyId: credential.accessKeyId,
    scopeDate: credential.scopeDate,
    region: credential.region,
    signedAt,
    timestamp,
    expiresIn,
    sessionToken: values.get('X-Amz-Security-Token')?.text,
    signature,
    canonicalQuery: canonicalQuery(values),
  };
}
