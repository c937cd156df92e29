/**
 * Known wounds of JSON Web Tokens, each by its name. The issuer is registered and honest; the token is the attacker's.
 * What an honest token must say stands in test/sdk/sts-web-identity.test.ts.
 */
import { createHmac } from 'node:crypto';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Issuer, makeKey, type SigningKey, startIssuer } from '../harness/oidc-issuer.ts';
import { ACCOUNT, type ApiUnderTest, startApi } from '../sdk/api-under-test.ts';
import { send } from '../sdk/signed-request.ts';

let api: ApiUnderTest;
let issuer: Issuer;
let honest: SigningKey;
let own: SigningKey;
beforeAll(async () => {
  [honest, own] = await Promise.all([makeKey('k', 'RS256'), makeKey('k', 'ES256')]);
  [api, issuer] = await Promise.all([startApi(), startIssuer(honest)]);
  const provider = `arn:aws:iam::${ACCOUNT}:oidc-provider/${issuer.url.slice('http://'.length)}`;
  const createdAt = new Date().toISOString();
  const trust = {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { Federated: provider }, Action: 'sts:AssumeRoleWithWebIdentity' }],
  };
  await api.store.change((draft) => {
    draft.put('oidcProviders', provider, {
      url: issuer.url,
      createdAt,
      clientIds: ['client'],
      thumbprints: [],
      tags: [],
    });
    draft.put('roles', 'web', {
      name: 'Web',
      id: 'AROAWEB',
      path: '/',
      createdAt,
      description: '',
      maxSessionDuration: 3600,
      trustPolicy: JSON.stringify(trust),
      trustPrincipals: {},
      tags: [],
      policies: {},
      attached: [],
      boundary: null,
    });
  });
});
afterAll(async () => void (await Promise.all([api?.close(), issuer?.close()])));

const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** What the service says to a token: the code of its error, or the ARN that it gives. */
async function present(token: string): Promise<string> {
  const parameters = { RoleArn: `arn:aws:iam::${ACCOUNT}:role/Web`, RoleSessionName: 'web', WebIdentityToken: token };
  const body = `Action=AssumeRoleWithWebIdentity&Version=2011-06-15&${new URLSearchParams(parameters)}`;
  const answer = await send(api.port, undefined, { body });
  return /<(?:Code|Arn)>([^<]*)</.exec(answer.body)?.[1] ?? answer.body;
}

/** A token but for its signature. */
const unsigned = (header: object) => `${base64url(header)}.${base64url(issuer.claims())}`;

it('the honest token is good', async () => {
  expect(await present(await issuer.sign(issuer.claims()))).toBe(`arn:aws:sts::${ACCOUNT}:assumed-role/Web/web`);
});

describe('a header that chooses how it is verified', () => {
  it.each([
    'none',
    'None',
    'NONE',
    'nOnE',
    '',
    'HS256',
    'HS384',
    'RS1',
    'PS256',
    'ES256K',
    'EdDSA',
  ])('CVE-2015-2951, CVE-2018-1000531: alg %j is refused', async (alg) => {
    for (const signature of ['', 'AA', base64url('x')]) {
      expect(await present(`${unsigned({ alg, kid: 'k' })}.${signature}`)).toBe('InvalidIdentityToken');
    }
  });

  it('CVE-2015-9235, CVE-2016-10555: the public key is no secret of HS256', async () => {
    const text = unsigned({ alg: 'HS256', kid: 'k' });
    for (const secret of [JSON.stringify(honest.jwk), honest.jwk.n!, Buffer.from(honest.jwk.n!, 'base64url')]) {
      const signature = createHmac('sha256', secret).update(text).digest('base64url');
      expect(await present(`${text}.${signature}`)).toBe('InvalidIdentityToken');
    }
  });

  it('CVE-2018-0114: a key that the token brings along is not used', async () => {
    for (const more of [{ jwk: own.jwk }, { x5c: ['AAAA'] }]) {
      const token = await new SignJWT(issuer.claims())
        .setProtectedHeader({ alg: 'ES256', kid: 'k', ...more })
        .sign(own.privateKey);
      expect(await present(token)).toBe('InvalidIdentityToken');
    }
  });

  it('an address for keys in the token (jku, x5u) is not asked', async () => {
    const thief = await startIssuer(own);
    for (const name of ['jku', 'x5u']) {
      const token = await new SignJWT(issuer.claims())
        .setProtectedHeader({ alg: 'ES256', kid: 'k', [name]: `${thief.url}/keys` })
        .sign(own.privateKey);
      expect(await present(token)).toBe('InvalidIdentityToken');
    }
    expect(thief.paths).toEqual([]);
    await thief.close();
  });

  it.each([
    '../../../../dev/null',
    "k' UNION SELECT 'x",
    'k\u0000',
    '__proto__',
    'http://evil.example/k',
    '',
    'K',
  ])('a key id leads to no file, address or statement: %j', async (kid) => {
    const token = await new SignJWT(issuer.claims()).setProtectedHeader({ alg: 'ES256', kid }).sign(own.privateKey);
    expect(await present(token)).toBe('InvalidIdentityToken');
  });

  it('an extension that must be understood (crit, b64) is refused', async () => {
    for (const header of [
      { crit: ['exp'], exp: 1 },
      { crit: ['b64'], b64: false },
      { crit: ['x'], x: 1 },
    ]) {
      const token = await new SignJWT(issuer.claims())
        .setProtectedHeader({ alg: 'RS256', kid: 'k', ...header } as never)
        .sign(honest.privateKey, { crit: { exp: true, x: true, b64: true } } as never)
        .catch(() => `${unsigned({ alg: 'RS256', kid: 'k', ...header })}.AA`);
      expect(await present(token)).toBe('InvalidIdentityToken');
    }
  });
});

describe('a signature of nothing', () => {
  it('CVE-2022-21449: zeros are no signature of ES256, nor is the order of the curve', async () => {
    const order = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551';
    const curve = { ...own, kid: 'own', jwk: { ...own.jwk, kid: 'own' } };
    issuer.keys.push(curve);
    api.clock.ahead += 61_000;
    expect(await present(await issuer.sign(issuer.claims(), curve))).toContain('assumed-role');
    for (const hex of ['00'.repeat(64), order + order, `${'00'.repeat(31)}01${order}`, '', '3006020100020100']) {
      const token = `${unsigned({ alg: 'ES256', kid: 'own' })}.${Buffer.from(hex, 'hex').toString('base64url')}`;
      expect(await present(token)).toBe('InvalidIdentityToken');
    }
  });

  it('a signature of the honest token is not one of another, nor of its own with more parts', async () => {
    const token = await issuer.sign(issuer.claims());
    const [header, payload, signature] = token.split('.') as [string, string, string];
    const other = base64url(issuer.claims({ sub: 'repo:you/app' }));
    for (const text of [
      `${header}.${other}.${signature}`,
      `${header}.${other}${payload}.${signature}`,
      `${header}.${other}.${payload}.${signature}`,
      `${header}.${payload}.${signature}.${signature}.${signature}`,
      `${base64url({ alg: 'RS256', kid: 'k', x: 1 })}.${payload}.${signature}`,
      `${header}.${payload}.`,
      `${header}.${payload}`,
      `Bearer ${token}`,
      JSON.stringify({ protected: header, payload, signature }),
    ]) {
      expect(await present(text), text.slice(0, 40)).toBe('InvalidIdentityToken');
    }
  });
});

describe('claims that are read in two ways', () => {
  it.each([
    ['an audience that has the right one in it', { aud: 'client,evil' }],
    ['an audience that begins with the right one', { aud: 'client.evil.example' }],
    ['an audience in an object', { aud: { client: 'client' } as never }],
    ['no audience but a right authorised party', { aud: 'evil', azp: 'evil' }],
    ['an expiry that is text', { exp: '99999999999' as never }],
    ['a subject that is a list', { sub: ['repo:me/app'] as never }],
  ])('%s is refused, though it is rightly signed', async (_, claims) => {
    expect(await present(await issuer.sign(issuer.claims(claims)))).toMatch(
      /^InvalidIdentityToken$|^IDPRejectedClaim$/,
    );
  });

  it('CVE-2024-53861: an issuer that is a part of the right one is another', async () => {
    for (const iss of [
      issuer.url.slice(0, -1),
      `${issuer.url}/`,
      `${issuer.url}#`,
      issuer.url.toUpperCase(),
      `${issuer.url}@evil.example`,
    ]) {
      expect(await present(await issuer.sign(issuer.claims({ iss })))).toBe('InvalidIdentityToken');
    }
  });
});
