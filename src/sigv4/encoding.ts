/** The text forms that Signature Version 4 builds on (AWS General Reference, "Signature Version 4 signing process"). */
import { hash } from 'node:crypto';

export const ALGORITHM = 'AWS4-HMAC-SHA256';
/** A week, in seconds: the longest life of anything presigned. */
export const MAX_EXPIRES = 604_800;
/** How far a client's clock may be off, in milliseconds. */
export const MAX_SKEW_MS = 15 * 60_000;

export function sha256Hex(data: string | Buffer): string {
  return hash('sha256', data, 'hex');
}

/** The payload hash of everything that has no body. */
export const EMPTY_SHA256 = sha256Hex('');

const NOT_UNRESERVED = /[!'()*]/g;

/** RFC 3986: all but the unreserved characters as upper-case %XX of their UTF-8 bytes. */
export function uriEncode(text: string): string {
  return encodeURIComponent(text).replace(NOT_UNRESERVED, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** What `uriEncode` makes of printable ASCII. */
const CANONICAL = /^[A-Za-z0-9._~-]*(?:%(?:2[1-9A-CF]|3[A-F]|40|5[B-E]|60|7[B-D])[A-Za-z0-9._~-]*)*$/;

/** Whether a text is encoded exactly as `uriEncode` would have done it, and is printable ASCII when decoded. */
export function isCanonical(text: string): boolean {
  return CANONICAL.test(text);
}

/**
 * Undoes %XX. A plus sign stays a plus sign: a space is always %20 in Signature Version 4. Undefined when an escape is
 * malformed or the bytes are no UTF-8.
 */
export function uriDecode(text: string): string | undefined {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** `yyyymmddThhmmssZ`, the form of X-Amz-Date; what is smaller than a second is cut off. */
export function formatTimestamp(time: Date): string {
  return `${time.toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
}

const TIMESTAMP = /^([12]\d{3})(0[1-9]|1[0-2])([0-3]\d)T([01]\d|2[0-3])([0-5]\d)([0-5]\d)Z$/;

/** Reads `yyyymmddThhmmssZ`. Undefined for any other form and for days and times that no calendar has. */
export function parseTimestamp(text: string): Date | undefined {
  const part = TIMESTAMP.exec(text);
  if (part === null) return undefined;
  const day = Number(part[3]);
  const time = new Date(
    Date.UTC(Number(part[1]), Number(part[2]) - 1, day, Number(part[4]), Number(part[5]), Number(part[6])),
  );
  // 30 February would become 1 March.
  return time.getUTCDate() === day ? time : undefined;
}

export interface Credential {
  accessKeyId: string;
  /** `yyyymmdd`. */
  scopeDate: string;
  region: string;
  service: string;
}

const CREDENTIAL = /^(\w{1,128})\/(\d{8})\/([a-z0-9-]{1,32})\/([a-z0-9-]{1,32})\/aws4_request$/;

/** Reads `<access key id>/<yyyymmdd>/<region>/<service>/aws4_request`. Undefined for any other form. */
export function parseCredential(text: string): Credential | undefined {
  const part = CREDENTIAL.exec(text);
  return part === null
    ? undefined
    : { accessKeyId: part[1]!, scopeDate: part[2]!, region: part[3]!, service: part[4]! };
}

export function scopeOf(credential: Omit<Credential, 'accessKeyId'>): string {
  return `${credential.scopeDate}/${credential.region}/${credential.service}/aws4_request`;
}

/** The text that is signed: of a canonical request, at a time, within a scope. */
export function stringToSign(timestamp: string, scope: string, canonicalRequest: string | Buffer): string {
  return `${ALGORITHM}\n${timestamp}\n${scope}\n${sha256Hex(canonicalRequest)}`;
}
