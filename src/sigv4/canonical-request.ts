/**
 * The canonical form of an HTTP request, which is what a signature covers: of its path, query and headers. For every
 * service but Amazon S3, whose paths are encoded once; here they are encoded again, as sent.
 */
import { uriDecode, uriEncode } from './encoding.ts';

/** Decoded name and value, in the order in which they were sent. */
export type QueryParameter = readonly [name: string, value: string];

/** RFC 3986 section 3.4, without the `&` that separates parameters and the `+` that some take for a space. */
const QUERY_TEXT = /^[A-Za-z0-9._~!$'()*,;=:@/?%-]*$/;
const MAX_PARAMETERS = 1_000;

/**
 * Splits and decodes a query. Whoever acts on a signed request must read its query with this, so that what was signed
 * and what is done cannot differ. Undefined when it is not encoded as a URL requires.
 */
export function decodeQuery(query: string): QueryParameter[] | undefined {
  if (query === '') return [];
  const parameters: QueryParameter[] = [];
  for (const pair of query.split('&', MAX_PARAMETERS + 1)) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = QUERY_TEXT.test(pair) ? uriDecode(equals < 0 ? pair : pair.slice(0, equals)) : undefined;
    const value = equals < 0 ? '' : uriDecode(pair.slice(equals + 1));
    if (name === undefined || value === undefined) return undefined;
    parameters.push([name, value]);
  }
  return parameters.length > MAX_PARAMETERS ? undefined : parameters;
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function canonicalQueryOf(parameters: readonly QueryParameter[]): string {
  return parameters
    .map(([name, value]) => [uriEncode(name), uriEncode(value)] as const)
    .sort((a, b) => byCodeUnit(a[0], b[0]) || byCodeUnit(a[1], b[1]))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

/** Without empty and dot segments (RFC 3986 section 5.2.4), then encoded, the slashes excepted. */
export function canonicalPath(path: string): string {
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  const last = segments.length > 0 && path.endsWith('/') ? '/' : '';
  return `/${segments.map(uriEncode).join('/')}${last}`;
}

/** Values of one name joined by commas, each without blanks around it and with single ones inside. */
export function canonicalHeader(name: string, values: readonly string[]): string {
  return `${name}:${values.map(singleBlanks).join(',')}\n`;
}

/**
 * Not \s: in a value read as Latin-1, a no-break space may be half of a character of UTF-8. And not a pattern that ends in
 * `[ \t]+$`, which looks again from every blank of a long run: nobody has proved yet who sends this.
 */
function singleBlanks(value: string): string {
  return value
    .split(/[ \t]+/)
    .filter((word) => word !== '')
    .join(' ');
}
