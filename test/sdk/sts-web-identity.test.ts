import * as iam from '@aws-sdk/client-iam';
import {
  AssumeRoleCommand,
  AssumeRoleWithWebIdentityCommand,
  type AssumeRoleWithWebIdentityCommandInput,
  GetCallerIdentityCommand,
} from '@aws-sdk/client-sts';
import { type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Issuer, json, makeKey, type SigningKey, startIssuer } from '../harness/oidc-issuer.ts';
import { ACCOUNT, type ApiUnderTest, allow, refusal, startApi } from './api-under-test.ts';
import { send } from './signed-request.ts';

const TAGS = 'https://aws.amazon.com/tags';
const ROLE = `arn:aws:iam::${ACCOUNT}:role/Web`;
const UNREACHABLE = { code: 'IDPCommunicationError', status: 400 };

let ec: SigningKey;
let rsa: SigningKey;
let other: SigningKey;
let api: ApiUnderTest;
let issuer: Issuer;
let provider: string;
let host: string;

beforeAll(async () => {
  [ec, rsa, other] = await Promise.all([makeKey('ec'), makeKey('rsa', 'RS256'), makeKey('other')]);
});

beforeEach(async () => {
  [api, issuer] = await Promise.all([startApi({ oidcTimeout: 500 }), startIssuer(ec)]);
  issuer.keys.push(rsa);
  host = issuer.url.slice('http://'.length);
  provider = `arn:aws:iam::${ACCOUNT}:oidc-provider/${host}`;
  await register();
  await trust({ StringEquals: { [`${host}:aud`]: 'client', [`${host}:sub`]: 'repo:me/app' } });
  return async () => void (await Promise.all([api.close(), issuer.close()]));
});

async function register(change: { url?: string; clientIds?: string[] } = {}) {
  const createdAt = new Date().toISOString();
  const row = { url: issuer.url, createdAt, clientIds: ['client', 'second'], thumbprints: [], tags: [], ...change };
  await api.store.change((draft) => draft.put('oidcProviders', provider, row));
}

async function trust(Condition: object = {}, actions = ['AssumeRoleWithWebIdentity'], more: object = {}) {
  const Action = actions.map((action) => `sts:${action}`);
  const Statement = [{ Effect: 'Allow', Principal: { Federated: provider }, Action, Condition, ...more }];
  const role = {
    name: 'Web',
    id: 'AROAWEB',
    path: '/',
    createdAt: new Date().toISOString(),
    description: '',
    maxSessionDuration: 3600,
    trustPolicy: JSON.stringify({ Version: '2012-10-17', Statement }),
    trustPrincipals: {},
    tags: [],
    policies: { p: allow('iam:GetRole') },
    attached: [],
    boundary: null,
  };
  await api.store.change((draft) => draft.put('roles', 'web', role));
}

type More = Partial<AssumeRoleWithWebIdentityCommandInput>;

/** The SDK does not sign this call, whatever credentials it has. */
const present = (WebIdentityToken: string, more: More = {}) =>
  api
    .sts({ accessKeyId: 'AKIANOBODYNOBODYNOBO', secretAccessKey: 'x' })
    .send(new AssumeRoleWithWebIdentityCommand({ RoleArn: ROLE, RoleSessionName: 'web', WebIdentityToken, ...more }));

const assume = async (claims: JWTPayload = {}, more: More = {}) =>
  present(await issuer.sign(issuer.claims(claims)), more);
const seconds = () => Math.floor(Date.now() / 1000);

const credentialsOf = ({ Credentials: made }: Awaited<ReturnType<typeof present>>) => ({
  accessKeyId: made!.AccessKeyId!,
  secretAccessKey: made!.SecretAccessKey!,
  sessionToken: made!.SessionToken!,
});

describe('AssumeRoleWithWebIdentity', () => {
  it.each(['ec', 'rsa'])('gives a session for a token that was signed with the %s key', async (kid) => {
    const key = kid === 'ec' ? ec : rsa;
    const made = await present(await issuer.sign(issuer.claims(), key));
    const arn = `arn:aws:sts::${ACCOUNT}:assumed-role/Web/web`;
    expect(made).toMatchObject({
      SubjectFromWebIdentityToken: 'repo:me/app',
      AssumedRoleUser: { Arn: arn, AssumedRoleId: 'AROAWEB:web' },
      Provider: provider,
      Audience: 'client',
    });
    for (const name of ['PackedPolicySize', 'SourceIdentity']) expect(made).not.toHaveProperty(name);
    const session = credentialsOf(made);
    expect((await api.sts(session).send(new GetCallerIdentityCommand({}))).Arn).toBe(arn);
    expect((await api.iam(session).send(new iam.GetRoleCommand({ RoleName: 'Web' }))).Role!.RoleId).toBe('AROAWEB');
    const lasts = made.Credentials!.Expiration!.getTime() - Date.now();
    expect(Math.round(lasts / 60_000)).toBe(60);
  });

  it('may be signed too, which changes nothing', async () => {
    const token = await issuer.sign(issuer.claims());
    const body = new URLSearchParams({
      Action: 'AssumeRoleWithWebIdentity',
      Version: '2011-06-15',
      RoleArn: ROLE,
      RoleSessionName: 'web',
      WebIdentityToken: token,
    }).toString();
    expect((await send(api.port, api.root, { service: 'sts', body })).status).toBe(200);
    expect((await send(api.port, undefined, { method: 'GET', target: `/?${body}` })).status).toBe(200);
    expect((await send(api.port, { ...api.root, secretAccessKey: 'x' }, { service: 'sts', body })).status).toBe(403);
  });

  it('asks the trust policy with what the token and the call say', async () => {
    await trust({}, ['AssumeRoleWithWebIdentity', 'TagSession', 'SetSourceIdentity']);
    api.asked.length = 0;
    const made = await assume({
      amr: ['pwd', 'mfa'],
      email: 'me@example.com',
      [TAGS]: { principal_tags: { Team: ['blue'] }, transitive_tag_keys: ['Team'] },
      [`${TAGS}/principal_tags/Cost`]: '7',
      'https://aws.amazon.com/source_identity': 'me',
    });
    expect(made.SourceIdentity).toBe('me');
    expect(made.PackedPolicySize).toBeGreaterThan(0);
    expect(api.asked.map(({ action }) => action)).toEqual([
      'sts:AssumeRoleWithWebIdentity',
      'sts:TagSession',
      'sts:SetSourceIdentity',
    ]);
    for (const { by, resource, context } of api.asked) {
      expect([by, resource]).toEqual([provider, ROLE]);
      expect(context).toMatchObject({
        'sts:rolesessionname': ['web'],
        'sts:sourceidentity': ['me'],
        'aws:requesttag/team': ['blue'],
        'aws:requesttag/cost': ['7'],
        'aws:tagkeys': ['Team', 'Cost'],
        'sts:transitivetagkeys': ['Team'],
        'aws:requestedregion': ['eu-west-1'],
        'aws:securetransport': ['false'],
      });
    }
    // The session keeps them: the next role is asked for them too.
    const session = credentialsOf(made);
    const command = new AssumeRoleCommand({ RoleArn: ROLE, RoleSessionName: 'next', SourceIdentity: 'you' });
    expect((await refusal(api.sts(session).send(command))).text).toContain('cannot be changed');
  });

  it.each([
    ['a condition of the trust policy on the subject', { sub: 'repo:you/app' }],
    ['the trust policy where the token has tags', { [TAGS]: { principal_tags: { a: ['b'] } } }],
    ['the trust policy where the token has a source identity', { 'https://aws.amazon.com/source_identity': 'me' }],
  ] as [string, JWTPayload][])('is refused by %s', async (_, claims) => {
    const refused = await refusal(assume(claims));
    expect(refused).toMatchObject({ code: 'AccessDenied', status: 403 });
    expect(refused.text).toMatch(/^Not authorized to perform sts:\w+$/);
  });

  it('is refused for roles that do not trust the provider, and for those that there are not, alike', async () => {
    const denied = {
      code: 'AccessDenied',
      status: 403,
      text: 'Not authorized to perform sts:AssumeRoleWithWebIdentity',
    };
    await trust({}, ['AssumeRoleWithWebIdentity'], { Principal: { Federated: `${provider}x` } });
    expect(await refusal(assume())).toEqual(denied);
    await trust({}, ['AssumeRoleWithWebIdentity'], { Effect: 'Deny' });
    expect(await refusal(assume())).toEqual(denied);
    await trust({}, ['AssumeRole']);
    expect(await refusal(assume())).toEqual(denied);
    for (const RoleArn of [`${ROLE}x`, ROLE.replace(ACCOUNT, '999999999999'), ROLE.replace('Web', 'web')]) {
      expect(await refusal(assume({}, { RoleArn }))).toEqual(denied);
    }
  });

  it('gives a session that its claims, tags and provider go with', async () => {
    await trust({}, ['AssumeRoleWithWebIdentity', 'TagSession', 'SetSourceIdentity']);
    const claims = { [TAGS]: { principal_tags: { Team: ['blue'] } }, 'https://aws.amazon.com/source_identity': 'me' };
    const session = credentialsOf(await assume(claims));
    const put = async (wanted: Record<string, string>) => {
      const Statement = [
        { Effect: 'Allow', Action: 'iam:GetRole', Resource: '*', Condition: { StringEquals: wanted } },
      ];
      const document = JSON.stringify({ Version: '2012-10-17', Statement });
      const role = api.store.get('roles', 'web')!;
      await api.store.change((draft) => draft.put('roles', 'web', { ...role, policies: { p: document } }));
    };
    const get = () => api.iam(session).send(new iam.GetRoleCommand({ RoleName: 'Web' }));
    const known = {
      [`${host}:sub`]: 'repo:me/app',
      [`${host}:aud`]: 'client',
      'aws:FederatedProvider': provider,
      'aws:PrincipalTag/Team': 'blue',
      'aws:SourceIdentity': 'me',
    };
    await put(known);
    expect((await get()).Role!.RoleName).toBe('Web');
    for (const key of Object.keys(known)) {
      await put({ ...known, [key]: 'other' });
      expect(await refusal(get())).toMatchObject({ code: 'AccessDenied' });
    }
  });

  it('takes session policies, and how long the session shall last', async () => {
    expect((await assume({}, { Policy: allow('dsql:*') })).PackedPolicySize).toBeGreaterThan(0);
    expect(await refusal(assume({}, { Policy: '{}' }))).toMatchObject({ code: 'MalformedPolicyDocument' });
    expect(await refusal(assume({}, { DurationSeconds: 3601 }))).toEqual({
      code: 'ValidationError',
      status: 400,
      text: 'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
    });
    expect(await refusal(assume({}, { ProviderId: 'www.amazon.com' }))).toMatchObject({
      code: 'ValidationError',
      text: 'The parameter providerId is not supported.',
    });
  });
});

describe('a web identity token', () => {
  const invalid = (text: unknown) => ({ code: 'InvalidIdentityToken', status: 400, text });
  const rejected = (text: unknown) => ({ code: 'IDPRejectedClaim', status: 403, text });

  it.each([
    ['another audience', { aud: 'nobody' }, 'Incorrect token audience'],
    ['another audience in a list', { aud: ['nobody', 'none'] }, 'Incorrect token audience'],
    ['another authorised party', { azp: 'nobody' }, 'Incorrect token audience'],
    ['no audience', { aud: undefined }, 'Missing a required claim: aud'],
    ['no subject', { sub: undefined }, 'Missing a required claim: sub'],
    ['no issue time', { iat: undefined }, 'Missing a required claim: iat'],
    ['no expiry', { exp: undefined }, 'Missing a required claim: exp'],
    ['no issuer', { iss: undefined }, 'Missing a required claim: iss'],
  ] as [string, JWTPayload, string][])('with %s is refused', async (_, claims, text) => {
    expect(await refusal(assume(claims))).toEqual(invalid(text));
  });

  it.each([
    ['an empty subject', { sub: '' }],
    ['a long subject', { sub: 'x'.repeat(256) }],
    ['an issue time in the future', { iat: seconds() + 400 }],
    ['a time before which it does not count', { nbf: seconds() + 400 }],
    ['tags that are no object', { [TAGS]: 'x' }],
    ['a tag with two values', { [TAGS]: { principal_tags: { a: ['b', 'c'] } } }],
    ['a tag with a bad key', { [TAGS]: { principal_tags: { 'a\u0001': ['b'] } } }],
    ['a reserved tag', { [TAGS]: { principal_tags: { 'aws:x': ['b'] } } }],
    ['a transitive key without a tag', { [TAGS]: { transitive_tag_keys: ['a'] } }],
    ['tags twice', { [TAGS]: { principal_tags: { a: ['b'] } }, [`${TAGS}/principal_tags/A`]: 'c' }],
    ['a bad source identity', { 'https://aws.amazon.com/source_identity': 'a b' }],
    ['claims that are too long', { amr: Array(10).fill('x'.repeat(200)) }],
  ] as [string, JWTPayload][])('with %s is refused', async (_, claims) => {
    expect(await refusal(assume(claims))).toEqual(rejected(expect.any(String)));
  });

  it('counts five minutes longer than it says, and no more', async () => {
    expect((await assume({ exp: seconds() - 200 })).Audience).toBe('client');
    const exp = seconds() - 301;
    const refused = await refusal(assume({ exp }));
    expect(refused).toMatchObject({ code: 'ExpiredTokenException', status: 400 });
    expect(refused.text).toMatch(new RegExp(`current date/time \\d+ must be before the expiration date/time ${exp}$`));
    api.clock.ahead = 20 * 60_000;
    expect(await refusal(assume())).toMatchObject({ code: 'ExpiredTokenException', status: 400 });
  });

  it('is for one of the audiences that are registered, or for its authorised party', async () => {
    expect((await assume({ aud: ['nobody', 'client'] })).Audience).toBe('client');
    await trust({ StringEquals: { [`${host}:aud`]: 'second', [`${host}:oaud`]: 'nobody' } });
    expect((await assume({ aud: 'nobody', azp: 'second' })).Audience).toBe('second');
    await trust({ StringEquals: { [`${host}:aud`]: 'nobody' } });
    expect(await refusal(assume({ aud: ['nobody', 'client'] }))).toMatchObject({ code: 'AccessDenied' });
  });

  it('of an issuer that is not registered is refused, and nothing is fetched', async () => {
    const text = `No OpenIDConnect provider found in your account for ${issuer.url}`;
    await api.store.change((draft) => draft.delete('oidcProviders', provider));
    expect(await refusal(assume())).toEqual(invalid(text));
    await register({ url: `${issuer.url.replace('http:', 'https:')}` });
    expect(await refusal(assume())).toEqual(invalid(text));
    expect((await refusal(assume({ iss: `${issuer.url}/` }))).text).toBe(`${text}/`);
    expect((await refusal(assume({ iss: 'https://127.0.0.1/../x' }))).code).toBe('InvalidIdentityToken');
    expect(issuer.paths).toEqual([]);
  });

  it('of an issuer that is deleted while its keys are on the way is refused', async () => {
    issuer.handlers['/keys'] = (_, response) => {
      void api.store
        .change((draft) => draft.delete('oidcProviders', provider))
        .then(() => json(response, { keys: [ec.jwk] }));
    };
    expect(await refusal(assume())).toEqual(invalid(expect.stringContaining('No OpenIDConnect provider found')));
  });

  it('that is none is refused, and nothing is fetched', async () => {
    const claims = issuer.claims();
    const token = await issuer.sign(claims);
    const [header, payload, signature] = token.split('.');
    const secret = new TextEncoder().encode(JSON.stringify(rsa.jwk));
    const tokens = [
      'abcd',
      'a.b.c',
      `${header}.${payload}`,
      `${header}.${payload}.${signature}.x`,
      `${header}..${signature}`,
      new UnsecuredJWT(claims).encode(),
      await new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: 'rsa' }).sign(secret),
      await new SignJWT(claims).setProtectedHeader({ alg: 'ES256' }).sign(ec.privateKey),
    ];
    for (const each of tokens) expect(await refusal(present(each))).toEqual(invalid(expect.any(String)));
    expect(issuer.paths).toEqual([]);
  });

  it('that was changed, or signed with another key of the same name, is refused', async () => {
    const token = await issuer.sign(issuer.claims());
    const [header, , signature] = token.split('.');
    const forged = Buffer.from(JSON.stringify(issuer.claims({ sub: 'repo:you/app' }))).toString('base64url');
    const text = "The token's signature is invalid.";
    expect(await refusal(present(`${header}.${forged}.${signature}`))).toEqual(invalid(text));
    const wrong = { ...other, kid: 'ec' };
    expect(await refusal(present(await issuer.sign(issuer.claims(), wrong)))).toEqual(invalid(text));
    // The algorithm is the key's, not the token's.
    const swapped = { ...ec, kid: 'rsa' };
    expect(await refusal(present(await issuer.sign(issuer.claims(), swapped)))).toMatchObject({
      code: 'InvalidIdentityToken',
    });
    const detail = api.lines.at(-2)!.fields;
    expect(detail).toMatchObject({ operation: 'AssumeRoleWithWebIdentity', kind: 'identity-token-invalid' });
    expect(JSON.stringify(api.lines)).not.toContain(signature);
  });
});

describe("a provider's keys", () => {
  const withKey = async (key: SigningKey) => present(await issuer.sign(issuer.claims(), key));
  const noKey = { code: 'InvalidIdentityToken', status: 400, text: expect.stringContaining("Couldn't retrieve") };
  const FETCH = ['/.well-known/openid-configuration', '/keys'];

  it('are fetched once, and again for an unknown key at most once a minute', async () => {
    await Promise.all([assume(), assume(), assume()]);
    expect(issuer.paths).toEqual(FETCH);
    expect(await refusal(withKey(other))).toEqual(noKey);
    expect(issuer.paths).toEqual(FETCH);
    issuer.keys.splice(0, 2, other);
    api.clock.ahead = 59_000;
    expect(await refusal(withKey(other))).toEqual(noKey);
    expect(issuer.paths).toEqual(FETCH);
    api.clock.ahead = 61_000;
    await withKey(other);
    expect(issuer.paths).toEqual([...FETCH, ...FETCH]);
    // The old key was withdrawn.
    expect(await refusal(assume())).toEqual(noKey);
  });

  it('count for an hour', async () => {
    await assume();
    issuer.keys.splice(0, 2, other);
    const claims = issuer.claims({ exp: seconds() + 7200 });
    api.clock.ahead = 3_599_000;
    await present(await issuer.sign(claims));
    api.clock.ahead = 3_601_000;
    expect(await refusal(present(await issuer.sign(claims)))).toEqual(noKey);
  });

  it.each([
    ['an error', (_, response) => response.writeHead(500).end('{}')],
    ['a redirect', (_, response) => response.writeHead(302, { Location: '/.well-known/openid-configuration' }).end()],
    ['no JSON', (_, response) => response.end('<html>')],
    ['no object', (_, response) => response.end('7')],
    ['no end', (_, response) => response.write('{')],
    ['nothing', () => undefined],
    [
      'half of it',
      (_, response) => response.writeHead(200, { 'Content-Length': 100 }).write('{', () => response.destroy()),
    ],
    ['too much', (_, response) => response.end(JSON.stringify({ x: 'x'.repeat(300 * 1024) }))],
  ] as [
    string,
    Issuer['handlers'][string],
  ][])('cannot be had where the provider answers with %s', async (_, handler) => {
    for (const path of FETCH) {
      issuer.handlers[path] = handler;
      expect(await refusal(assume())).toMatchObject(UNREACHABLE);
      const asked = issuer.paths.length;
      // Whoever sends token after token does not make us ask again and again.
      expect(await refusal(assume())).toMatchObject(UNREACHABLE);
      expect(issuer.paths.length).toBe(asked);
      delete issuer.handlers[path];
      api.clock.ahead += 6_000;
    }
    expect((await assume()).Provider).toBe(provider);
  });

  it.each([
    ['another issuer', () => ({ issuer: 'https://example.com' })],
    ['no address', () => ({ jwks_uri: undefined })],
    ['plain http elsewhere', () => ({ jwks_uri: 'http://192.0.2.1/keys' })],
    ['a file', () => ({ jwks_uri: 'file:///etc/passwd' })],
    ['a name and password', () => ({ jwks_uri: issuer.url.replace('//', '//a:b@') })],
    ['nonsense', () => ({ jwks_uri: 'nonsense' })],
  ])('cannot be had where the configuration names %s', async (_, change) => {
    issuer.handlers['/.well-known/openid-configuration'] = (__, response) =>
      json(response, { ...issuer.configuration(), ...change() });
    expect(await refusal(assume())).toMatchObject(UNREACHABLE);
    expect(issuer.paths).toEqual(['/.well-known/openid-configuration']);
  });

  it.each([
    ['no list', { keys: 'x' }],
    ['nothing', {}],
    ['too many', { keys: Array(201).fill({ kty: 'EC', kid: 'x' }) }],
  ])('cannot be had where the key set holds %s', async (_, set) => {
    issuer.handlers['/keys'] = (__, response) => json(response, set);
    expect(await refusal(assume())).toMatchObject(UNREACHABLE);
  });

  it.each([
    ['a secret key', { kty: 'oct', kid: 'ec', k: 'AAAA', alg: 'HS256' }],
    ['a broken key', { kty: 'EC', kid: 'ec', crv: 'P-256', x: 'AA', y: 'AA' }],
    ['a key for encryption', { use: 'enc' }],
  ])('are of no use where the one that is named is %s', async (_, change) => {
    const jwk = 'use' in change ? { ...ec.jwk, ...change } : change;
    issuer.handlers['/keys'] = (__, response) => json(response, { keys: [null, 'x', jwk] });
    expect(await refusal(assume())).toMatchObject({ code: 'InvalidIdentityToken', status: 400 });
  });

  it('are missed when the provider is down, until it is there again', async () => {
    await issuer.close();
    expect(await refusal(assume())).toMatchObject(UNREACHABLE);
    expect(api.lines.at(-1)!.fields.detail).toContain('ECONNREFUSED');
  });
});
