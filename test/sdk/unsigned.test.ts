import * as dsql from '@aws-sdk/client-dsql';
import * as iam from '@aws-sdk/client-iam';
import * as sts from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiUnderTest, CLUSTER_ID, startApi } from './api-under-test.ts';
import { type RawRequest, send } from './signed-request.ts';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const IAM = '2010-05-08';
const STS = '2011-06-15';
const WEB = 'AssumeRoleWithWebIdentity';
const SAML = 'AssumeRoleWithSAML';

/** Every operation that the service models have. */
const names = (module: object) => Object.keys(module).flatMap((name) => /^([A-Z]\w+)Command$/.exec(name)?.[1] ?? []);
const operations = [...new Set([...names(iam), ...names(sts), ...names(dsql)])];

async function unsigned(raw: RawRequest): Promise<[status: number, code: string]> {
  const { status, body, headers } = await send(api.port, undefined, raw);
  return [status, /<Code>(\w+)<\/Code>/.exec(body)?.[1] ?? String(headers['x-amzn-errortype'])];
}

const REFUSED = [403, 'MissingAuthenticationToken'];

describe('without a signature', () => {
  it('no operation but AssumeRoleWithWebIdentity is answered, in any version', async () => {
    expect(operations.length).toBeGreaterThan(180);
    const before = JSON.stringify([api.store.all('users'), api.store.all('roles'), api.store.all('accessKeys')]);
    const answered: string[] = [];
    for (const name of operations) {
      for (const version of [IAM, STS, '2018-05-10', undefined]) {
        const query = `Action=${name}${version === undefined ? '' : `&Version=${version}`}&UserName=x&RoleName=x`;
        for (const raw of [{ body: query }, { method: 'GET', target: `/?${query}` }]) {
          const answer = await unsigned(raw);
          if (answer.join() !== REFUSED.join()) answered.push(`${name} ${version} ${answer.join(' ')}`);
        }
      }
    }
    // Both for their parameters, or for what they are: none has run.
    expect(answered).toEqual([
      ...Array(2).fill(`${SAML} ${STS} 400 UnsupportedOperation`),
      ...Array(2).fill(`${WEB} ${STS} 400 ValidationError`),
    ]);
    expect(JSON.stringify([api.store.all('users'), api.store.all('roles'), api.store.all('accessKeys')])).toBe(before);
    expect(api.asked).toEqual([]);
  });

  it.each([
    ['GET', '/cluster'],
    ['GET', `/cluster/${CLUSTER_ID}`],
    ['POST', '/cluster'],
    ['POST', `/cluster/${CLUSTER_ID}`],
    ['DELETE', `/cluster/${CLUSTER_ID}`],
    ['GET', `/cluster/${CLUSTER_ID}/policy`],
    ['GET', `/tags/x`],
    ['GET', `/cluster?Action=${WEB}&Version=${STS}`],
    ['POST', `/stream/x?Action=${WEB}&Version=${STS}`],
  ])('DSQL answers nothing: %s %s', async (method, target) => {
    const body = method === 'POST' ? `Action=${WEB}&Version=${STS}` : '';
    expect(await unsigned({ method, target, body })).toEqual([403, 'MissingAuthenticationTokenException']);
  });

  it.each([
    ['another method', { method: 'PUT', target: `/?Action=${WEB}&Version=${STS}` }],
    ['another path', { target: `/x?Action=${WEB}&Version=${STS}` }],
    ['an empty path segment', { target: `//?Action=${WEB}&Version=${STS}` }],
    ['another case', { body: `Action=${WEB.toLowerCase()}&Version=${STS}` }],
    ['a parameter of that value only', { body: `Action=ListUsers&Version=${IAM}&UserName=${WEB}` }],
    ['a parameter of that name only', { body: `Action=AssumeRole&Version=${STS}&${WEB}=x` }],
    ['more in the name', { body: `Action=${WEB}%20&Version=${STS}` }],
    ['more in the version', { body: `Action=${WEB}&Version=${STS}%00` }],
    ['the name in two parts', { body: `Action.member.1=${WEB}&Version=${STS}` }],
    ['the name in another parameter', { body: `action=${WEB}&version=${STS}` }],
    ['the parameters in headers', { headers: { Action: WEB, Version: STS } }],
    ['a session token only', { body: 'Action=ListUsers&Version=2010-05-08', headers: { 'X-Amz-Security-Token': WEB } }],
  ] as [string, RawRequest][])('nothing is taken for the one operation by %s', async (_, raw) => {
    expect(await unsigned(raw)).toEqual(REFUSED);
    expect(api.asked).toEqual([]);
  });

  it.each([
    ['twice an action', { body: `Action=${WEB}&Action=ListUsers&Version=${STS}` }],
    ['an action in two places', { target: `/?Action=ListUsers`, body: `Action=${WEB}&Version=${STS}` }],
    ['a version in two places', { target: `/?Version=${IAM}`, body: `Action=${WEB}&Version=${STS}` }],
    ['parameters of another operation', { body: `Action=${WEB}&Version=${STS}&UserName=x` }],
  ] as [string, RawRequest][])('a request with %s is refused for its form', async (_, raw) => {
    expect(await unsigned(raw)).toEqual([400, 'ValidationError']);
    expect(api.asked).toEqual([]);
  });

  it.each([
    ['half a signature', 400, 'IncompleteSignature', { Authorization: 'AWS4-HMAC-SHA256 x' }],
    ['an empty signature', 400, 'IncompleteSignature', { Authorization: '' }],
    ['another kind of authorization', 400, 'IncompleteSignature', { Authorization: 'Bearer x' }],
  ])('the one operation with %s is refused: %i %s', async (_, status, code, headers) => {
    expect(await unsigned({ body: `Action=${WEB}&Version=${STS}`, headers })).toEqual([status, code]);
  });
});

const probe = async (raw: RawRequest): Promise<[status: number, body: string]> => {
  const { status, body } = await send(api.port, undefined, raw);
  return [status, body];
};

describe('what monitoring asks', () => {
  it('is answered without a signature, with nothing but what it is for', async () => {
    expect(await probe({ method: 'GET', target: '/metrics' })).toEqual([200, 'metrics\n']);
    expect(await probe({ method: 'GET', target: '/healthz' })).toEqual([200, 'ok\n']);
    expect(await probe({ method: 'GET', target: '/readyz' })).toEqual([200, 'ready\n']);
    api.unready.push('the cellar is flooded');
    expect(await probe({ method: 'GET', target: '/readyz' })).toEqual([503, 'not ready\n- the cellar is flooded\n']);
    expect(await probe({ method: 'GET', target: '/healthz' })).toEqual([200, 'ok\n']);
    api.ailing.push('the well is low');
    expect(await probe({ method: 'GET', target: '/readyz' })).toEqual([
      503,
      'not ready\n- the cellar is flooded\n- the well is low\n',
    ]);
    api.unready.pop();
    expect(await probe({ method: 'GET', target: '/readyz' })).toEqual([200, 'ready\n- the well is low\n']);
    api.ailing.pop();
  });

  it.each(
    ['/metrics', '/healthz', '/readyz'].flatMap((path): [string, RawRequest][] => [
      [`POST ${path}`, { method: 'POST', target: path }],
      [`HEAD ${path}`, { method: 'HEAD', target: path }],
      [`PUT ${path}`, { method: 'PUT', target: path }],
      [`DELETE ${path}`, { method: 'DELETE', target: path }],
      [`${path}/`, { method: 'GET', target: `${path}/` }],
      [`/${path}`, { method: 'GET', target: `/${path}` }],
      [`${path}?`, { method: 'GET', target: `${path}?` }],
      [`${path}?Action=ListUsers`, { method: 'GET', target: `${path}?Action=ListUsers&Version=2010-05-08` }],
      [`${path}/x`, { method: 'GET', target: `${path}/x` }],
      [`${path}%20`, { method: 'GET', target: `${path}%20` }],
      [`/.${path}`, { method: 'GET', target: `/.${path}` }],
      [`/x/..${path}`, { method: 'GET', target: `/x/..${path}` }],
      [path.toUpperCase(), { method: 'GET', target: path.toUpperCase() }],
      [`${path.slice(0, 2)}%6${path.slice(2)}`, { method: 'GET', target: `${path.slice(0, 2)}%65${path.slice(3)}` }],
      [`http://localhost${path}`, { method: 'GET', target: `http://localhost${path}` }],
      [`${path} with a body`, { method: 'GET', target: path, body: 'Action=ListUsers&Version=2010-05-08' }],
    ]),
  )('is not %s', async (_, raw) => {
    const { status, body } = await send(api.port, undefined, raw);
    // 400: a target that is no path, refused for that.
    expect(status).toBe(raw.target?.startsWith('http') ? 400 : 403);
    expect(body).not.toMatch(/^(metrics|ok|ready)/);
    expect(api.asked).toEqual([]);
  });

  it.each([
    '/constructor',
    '/__proto__',
    '/toString',
    '/',
    '/metric',
    '/health',
    '/ready',
    '/debug/pprof',
    '/env',
    '/why',
  ])('is not GET %s', async (target) => {
    expect(await unsigned({ method: 'GET', target })).toEqual(REFUSED);
  });

  it('is not a request with half a signature', async () => {
    const raw = { method: 'GET', target: '/metrics', headers: { Authorization: 'AWS4-HMAC-SHA256 x' } };
    expect(await unsigned(raw)).toEqual([400, 'IncompleteSignature']);
  });
});
