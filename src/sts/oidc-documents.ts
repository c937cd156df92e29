import { get as getPlain } from 'node:http';
import { get as getEncrypted } from 'node:https';
import { isIP } from 'node:net';

/**
 * The documents of an OpenID Connect provider: `<issuer>/.well-known/openid-configuration` and the JSON Web Key Set that
 * it names (OpenID Connect Discovery 1.0, sections 4 and 3). They come over https, from an issuer on this machine over
 * http too. No redirect is followed, and no issuer elsewhere can send us to an address of this machine.
 */

/** In bytes, of one document. */
const MAX_BYTES = 256 * 1024;
const MAX_URL = 2048;

/** A JSON Web Key Set, of which nothing is checked but that it is one. */
export interface KeySet {
  keys: readonly Readonly<Record<string, unknown>>[];
}

/** All of it within `timeout` ms. Throws an Error that tells the operator why not. */
export async function fetchKeySet(issuer: string, timeout: number): Promise<KeySet> {
  const signal = AbortSignal.timeout(timeout);
  const isLocal = isLoopback(new URL(issuer).hostname);
  const configuration = await fetchJson(
    `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`,
    isLocal,
    signal,
  );
  if (configuration['issuer'] !== issuer) throw new Error(`the configuration of ${issuer} is of another issuer`);
  const { jwks_uri: address } = configuration;
  if (typeof address !== 'string') throw new Error(`the configuration of ${issuer} has no jwks_uri`);
  const { keys } = await fetchJson(address, isLocal, signal);
  if (!Array.isArray(keys)) throw new Error(`${address.slice(0, 256)} is no key set`);
  return { keys: keys.filter((key): key is Record<string, unknown> => typeof key === 'object' && key !== null) };
}

async function fetchJson(address: string, isLocal: boolean, signal: AbortSignal): Promise<Record<string, unknown>> {
  const url = permittedUrl(address, isLocal);
  const body = await fetchBody(url, signal).catch((error: Error) => {
    const why = signal.aborted ? 'took too long' : error.message;
    throw new Error(`${url.origin}${url.pathname}: ${why}`);
  });
  const document: unknown = JSON.parse(body);
  if (typeof document !== 'object' || document === null) throw new Error(`${url.origin}${url.pathname} is no object`);
  return document as Record<string, unknown>;
}

/** `isLocal`: the issuer is on this machine. Throws an Error for what nobody may send us to. */
export function permittedUrl(address: string, isLocal: boolean): URL {
  const url = address.length <= MAX_URL && URL.canParse(address) ? new URL(address) : undefined;
  const isLoopbackUrl = url !== undefined && isLoopback(url.hostname);
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopbackUrl);
  if (
    !url ||
    !isSafe ||
    hasEmptyLabel(url.hostname) ||
    isUnspecified(url.hostname) ||
    (isLoopbackUrl && !isLocal) ||
    url.username !== '' ||
    url.password !== ''
  ) {
    throw new Error(`${address.slice(0, 256)} may not be asked for keys`);
  }
  return url;
}

/** `localhost` and the loopback addresses, as `URL` writes them. */
function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    firstByteOfIPv4(hostname) === 127
  );
}

/** Of an IPv4 address, also in its IPv6-mapped form: `[::ffff:7f00:1]` is 127.0.0.1. Undefined for everything else. */
function firstByteOfIPv4(hostname: string): number | undefined {
  if (isIP(hostname) === 4) return Number(hostname.split('.', 1)[0]);
  const [, word] = /^\[::ffff:([0-9a-f]{1,4}):[0-9a-f]{1,4}\]$/.exec(hostname) ?? [];
  return word === undefined ? undefined : Number.parseInt(word, 16) >> 8;
}

/** `localhost.` and `0..` are names of this machine to some resolvers, and `URL` leaves them as they are. */
function hasEmptyLabel(hostname: string): boolean {
  return hostname.split('.').includes('');
}

/** To connect to it means to connect to this machine. */
function isUnspecified(hostname: string): boolean {
  return hostname === '[::]' || firstByteOfIPv4(hostname) === 0;
}

function fetchBody(url: URL, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const get = url.protocol === 'https:' ? getEncrypted : getPlain;
    // Connections are not kept: the next one is minutes away.
    const request = get(url, { agent: false, signal, headers: { Accept: 'application/json' } }, (response) => {
      const refuse = (why: string) => {
        reject(new Error(why));
        response.destroy();
      };
      if (response.statusCode !== 200) return refuse(`answered ${response.statusCode}`);
      const chunks: Buffer[] = [];
      let length = 0;
      response.on('data', (chunk: Buffer) => {
        length += chunk.length;
        if (length > MAX_BYTES) refuse(`is larger than ${MAX_BYTES} bytes`);
        else chunks.push(chunk);
      });
      response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
      response.on('error', reject);
    });
    request.on('error', reject);
  });
}
