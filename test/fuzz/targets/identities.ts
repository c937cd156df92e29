/** What proves an identity besides a signature: web identity tokens and the tokens of sessions. */

import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { isIP } from 'node:net';
import { PLAIN_GRANT } from '../../../src/iam/identity.ts';
import { Refused } from '../../../src/refused.ts';
import { createMemoryStore } from '../../../src/state/memory-store.ts';
import { createSealer } from '../../../src/state/sealing.ts';
import { verifyIdentityToken } from '../../../src/sts/identity-token.ts';
import { permittedUrl } from '../../../src/sts/oidc-documents.ts';
import { createSessionMaker } from '../../../src/sts/session-token.ts';
import { allowingPlain, must, same, type Target, utf8 } from '../target.ts';

const NOW = new Date('2026-03-01T12:00:00Z');
const SECONDS = NOW.getTime() / 1000;
const ISSUER = 'https://issuer.example';
const ACCOUNT = '123456789012';

/** The example of RFC 7515, appendix A.3.1. */
const JWK = {
  kty: 'EC',
  crv: 'P-256',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
  d: 'jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI',
};
const privateKey = createPrivateKey({ key: JWK, format: 'jwk' });
const publicKey = { ...createPublicKey(privateKey).export({ format: 'jwk' }), kid: 'k', alg: 'ES256', use: 'sig' };

const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

function jwt(claims: object, header: object = { alg: 'ES256', kid: 'k' }): string {
  const text = `${base64url(header)}.${base64url({ iss: ISSUER, aud: 'client', sub: 's', iat: SECONDS, exp: SECONDS + 600, ...claims })}`;
  const signature = sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
}

const store = createMemoryStore();
await store.change((draft) => {
  draft.put('oidcProviders', `arn:aws:iam::${ACCOUNT}:oidc-provider/issuer.example`, {
    url: ISSUER,
    clientIds: ['client'],
    thumbprints: [],
    tags: [],
    createdAt: NOW.toISOString(),
  });
});
const deps = { store, oidcKeys: { of: async () => ({ keys: [publicKey] }) }, account: ACCOUNT, now: () => NOW };

const TOKENS = [
  jwt({}),
  jwt({
    azp: 'client',
    aud: ['a', 'b'],
    amr: ['mfa'],
    'https://aws.amazon.com/tags': { principal_tags: { a: ['b'] } },
  }),
  jwt({ exp: SECONDS - 1_000 }),
];
const readings = await Promise.all(TOKENS.map((token) => verifyIdentityToken(deps, token).catch(() => undefined)));
const VERIFIED = readings.filter((reading) => reading !== undefined);

export const identityToken: Target = {
  seeds: [...TOKENS, jwt({}, { alg: 'none', kid: 'k' }), jwt({}, { alg: 'HS256', kid: 'k', jwk: publicKey })],
  vocabulary: [
    '.',
    '=',
    base64url({ alg: 'none' }),
    base64url({ alg: 'HS256', kid: 'k' }),
    `${base64url({ alg: 'none', kid: 'k' })}.`,
  ].concat(base64url({ iss: ISSUER, sub: 'x', aud: 'client', iat: SECONDS, exp: SECONDS + 9 }), 'A'.repeat(86)),
  async check(token) {
    try {
      const verified = await verifyIdentityToken(deps, token);
      must(
        VERIFIED.some((known) => same(known, verified)),
        'a changed token proves nothing',
      );
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
  },
};

const KEY = 'ASIAIOSFODNN7EXAMPLE';
const sealer = createSealer(Buffer.alloc(32, 3));
let drawn = 0;
const maker = createSessionMaker({ sealer, random: (length) => Buffer.alloc(length, ++drawn) });
const issued = [
  maker.issue({ kind: 'root' }, PLAIN_GRANT, 900, NOW),
  maker.issue({ kind: 'role', name: 'r', id: 'AROA', sessionName: 's' }, PLAIN_GRANT, 900, NOW),
];

export const sessionToken: Target = {
  seeds: issued.map(({ SessionToken }) => SessionToken),
  vocabulary: ['A', '=', '.', '/', '+', '-', '_', '1', 'v2.'],
  maxLength: 10_000,
  check(token) {
    must(maker.open(KEY, token) === undefined, 'no token opens for another key');
    const known = issued.find(({ SessionToken }) => SessionToken === token);
    const bytes = (text: string) => Buffer.from(text, 'base64');
    for (const { AccessKeyId, SessionToken, SecretAccessKey } of issued) {
      const session = maker.open(AccessKeyId, token);
      if (!session) continue;
      must(known !== undefined || bytes(token).equals(bytes(SessionToken)), 'a changed token does not open');
      must(session.secret === SecretAccessKey, 'a session has the secret that it was given');
    }
  },
};

/** Any keys that a provider may publish: the honest token is verified by the honest key, or refused. */
export const keySet: Target = {
  seeds: [
    JSON.stringify([publicKey]),
    JSON.stringify([{ ...publicKey, kid: 'other' }, publicKey]),
    JSON.stringify([{ kty: 'RSA', kid: 'k', n: 'AQAB', e: 'AQAB', alg: 'RS256', use: 'sig' }]),
    JSON.stringify([{ kty: 'oct', kid: 'k', k: 'AAAA', alg: 'HS256' }]),
  ],
  vocabulary: [
    '{',
    '}',
    '[',
    ']',
    '"',
    ',',
    'null',
    '"kid":"k"',
    '"alg":"ES256"',
    '"crv":"P-384"',
    '"key_ops":["verify"]',
  ].concat('"use":"enc"', '"ext":true', '"__proto__":{}'),
  async check(input) {
    let keys: unknown;
    try {
      keys = JSON.parse(utf8(input));
    } catch {
      return;
    }
    if (!Array.isArray(keys) || keys.some((key) => typeof key !== 'object' || key === null)) return;
    const published = { ...deps, oidcKeys: { of: async () => ({ keys: keys as (typeof publicKey)[] }) } };
    try {
      await verifyIdentityToken(published, TOKENS[0]!);
      must(
        keys.some(
          (key) =>
            key.x === publicKey.x || Buffer.from(String(key.x), 'base64').equals(Buffer.from(publicKey.x!, 'base64')),
        ),
        'a token is verified by the key that signed it',
      );
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
  },
};

/** Every way of writing an address of this machine that clients of HTTP have been known to take. */
export const keyAddress: Target = {
  seeds: [
    'https://keys.example.com/a?b=c',
    'http://127.0.0.1:8080/keys',
    'https://[::1]/keys',
    'https://localhost/',
  ].concat('https://[::ffff:127.0.0.1]/', 'https://0x7f.1/', 'https://user@keys.example.com/'),
  vocabulary: [
    '127.0.0.1',
    '0',
    '0177.1',
    '2130706433',
    '[::]',
    '::ffff:',
    'localhost',
    '.localhost',
    '@',
    '#',
    '\\',
    '%2e',
    '\u3002',
  ].concat('\u2460', '\t', 'file:', 'http:', '//'),
  check(input) {
    const text = utf8(input);
    const url = allowingPlain(() => permittedUrl(text, false));
    allowingPlain(() => permittedUrl(text, true));
    if (!url) return;
    const { hostname } = url;
    must(url.protocol === 'https:', 'an issuer elsewhere is asked over https');
    const mapped = /^\[::ffff:([0-9a-f]+):[0-9a-f]+\]$/.exec(hostname)?.[1];
    const first =
      isIP(hostname) === 4 ? Number.parseInt(hostname, 10) : Math.floor(Number.parseInt(mapped ?? 'ffff', 16) / 256);
    const isOurs = first === 127 || first === 0 || /^\[::1?\]$/.test(hostname);
    must(!isOurs, 'no issuer elsewhere leads to this machine');
    must(!hostname.split('.').includes(''), 'a name has no empty part');
    must(!/(?:^|\.)localhost\.?$/.test(hostname), 'no issuer elsewhere leads to this machine by name');
  },
};
