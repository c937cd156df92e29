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
