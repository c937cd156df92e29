/** Condition context of a request: lower-case key -> values. */
export type RequestContext = Readonly<Record<string, readonly string[]>>;

/** What a front knows of a request, whatever is asked. */
export interface RequestFacts {
  /** Of the client's end of the connection; undefined when it has gone away. */
  sourceAddress: string | undefined;
  encrypted: boolean;
  now: Date;
  region: string;
  userAgent?: string | undefined;
  referer?: string | undefined;
}

/**
 * The global condition keys that come with every request (IAM User Guide, "AWS global condition context keys", properties
 * of the network and of the request). What is not known has no key, so that `Null` and `IfExists` tell it.
 */
export function requestContext(facts: RequestFacts): RequestContext {
  const sourceAddress = facts.sourceAddress === undefined ? undefined : plainAddress(facts.sourceAddress);
  return {
    ...key('aws:sourceip', sourceAddress),
    'aws:securetransport': [String(facts.encrypted)],
    'aws:currenttime': [facts.now.toISOString()],
    'aws:epochtime': [String(Math.floor(facts.now.getTime() / 1000))],
    'aws:requestedregion': [facts.region],
    ...key('aws:useragent', facts.userAgent),
    ...key('aws:referer', facts.referer),
  };
}

/** No key for what is not there. */
export function key(name: string, value: string | undefined): RequestContext {
  return value === undefined ? {} : { [name]: [value] };
}

/**
 * An IPv4 client of a listener for both families has an IPv4-mapped address (RFC 4291 section 2.5.5.2), and a link-local
 * one may have a zone, which means something on this machine only (RFC 4007 section 11.2).
 */
function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
}
