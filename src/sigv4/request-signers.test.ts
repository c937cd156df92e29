/** Requests signed by the SDKs' own signers. */
import { describe, expect, test } from 'vitest';
import { Refused } from '../refused.ts';
import { parseRequestClaim, type SignedHttpRequest, verifyRequest } from './request.ts';
import { fromBoto, smithySigner } from './testing-reference.ts';

const CREDENTIALS = { accessKeyId: 'ASIAEXAMPLE', secretAccessKey: 'se/cr+et', sessionToken: 'session/+==token' };
const NOW = new Date('2026-03-01T12:34:56Z');
const HOST = '127.0.0.1:4510';

/** Encoded path, query and body, as clients of DSQL, IAM and STS send them. */
const SHAPES: { name: string; method: string; path: string; query: Record<string, string | string[]>; body: string }[] =
  [
    { name: 'an IAM call', method: 'POST', path: '/', query: {}, body: 'Action=ListUsers&Version=2010-05-08' },
    {
      name: 'a list',
      method: 'GET',
      path: '/cluster',
      query: { 'max-results': '10', 'next-token': 'a b/c=+é' },
      body: '',
    },
    {
      name: 'a path with an ARN',
      method: 'DELETE',
      path: '/tags/arn%3Aaws%3Adsql%3Aus-east-1%3A123456789012%3Acluster%2Fabc',
      query: { tagKeys: ['b', 'a', "Z!*()'"] },
      body: '',
    },
    { name: 'an empty value', method: 'GET', path: '/a/b/', query: { x: '' }, body: '' },
  ];

function rawTarget(path: string, query: Record<string, string | string[]>): string {
  const pairs = Object.entries(query).flatMap(([name, values]) =>
    [values].flat().map((value) => `${name}=${encodeURIComponent(value)}`),
  );
  return pairs.length === 0 ? path : `${path}?${pairs.join('&')}`;
}

function verdict(request: SignedHttpRequest, now: Date): string {
  try {
    const claim = parseRequestClaim(request)!;
    expect(claim).toMatchObject({ accessKeyId: 'ASIAEXAMPLE', sessionToken: CREDENTIALS.sessionToken });
    verifyRequest(claim, CREDENTIALS.secretAccessKey, { now });
    return 'verified';
  } catch (error) {
    if (error instanceof Refused) return error.kind;
    throw error;
  }
}

describe.each(SHAPES)('$name signed by the JavaScript SDK', ({ method, path, query, body }) => {
  const signer = smithySigner('dsql', CREDENTIALS);
  const unsigned = { method, protocol: 'http:', hostname: '127.0.0.1', port: 4510, path, query, body };

  test('in its header is verified', async () => {
    const headers = { host: HOST, 'content-type': 'text/x;  a=b', 'user-agent': 'x' };
    const signed = await signer.sign({ ...unsigned, headers }, { signingDate: NOW });
    const request = {
      method,
      target: rawTarget(path, query),
      headers: Object.entries(signed.headers),
      body: Buffer.from(body),
    };
    expect(verdict(request, NOW)).toBe('verified');
    expect(verdict({ ...request, body: Buffer.from(`${body}x`) }, NOW)).toBe('signature-malformed');
  });

  test('in its query is verified for as long as it says', async () => {
    const presigned = await signer.presign(
      { ...unsigned, headers: { host: HOST } },
      { signingDate: NOW, expiresIn: 3600 },
    );
    const target = rawTarget(path, presigned.query as typeof query);
    const request: SignedHttpRequest = { method, target, headers: [['Host', HOST]], body: Buffer.from(body) };
    const at = (seconds: number): Date => new Date(NOW.getTime() + seconds * 1000);
    expect(verdict(request, NOW)).toBe('verified');
    expect(verdict(request, at(3600))).toBe('verified');
    expect(verdict(request, at(3601))).toBe('signature-expired');
    expect(verdict(request, at(-901))).toBe('signature-not-yet-valid');
    expect(verdict({ ...request, body: Buffer.from('x') }, NOW)).toBe('signature-mismatch');
    expect(verdict({ ...request, target: `${target}&x=y` }, NOW)).toBe('signature-mismatch');
    expect(verdict({ ...request, target: `${target}&x-amz-date=y` }, NOW)).toBe('signature-malformed');
    expect(verdict({ ...request, target: target.replace('Expires=3600', 'Expires=0') }, NOW)).toBe(
      'signature-malformed',
    );
    expect(verdict({ ...request, target: target.replace('Expires=3600', 'Expires=604801') }, NOW)).toBe(
      'lifetime-too-long',
    );
  });
});

interface BotoRequest {
  method: string;
  target: string;
  headers: [string, string][];
  body: string;
}

const boto = fromBoto(`
import json
from urllib.parse import urlsplit
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
c = Credentials('ASIAEXAMPLE', 'se/cr+et', 'session/+==token')
out = []
for auth in [SigV4Auth(c, 'dsql', 'us-east-1'), SigV4QueryAuth(c, 'dsql', 'us-east-1', 3600)]:
  for method, target, body in [
      ('POST', '/', 'Action=ListUsers&Version=2010-05-08' if type(auth) is SigV4Auth else ''),
      ('GET', '/cluster?next-token=a%20b%2Fc%3D&max-results=10', ''),
      ('GET', '/tags/arn%3Aaws%3Adsql%3Aus-east-1%3A1%3Acluster%2Fabc', ''),
      ('DELETE', '/tags/x?tagKeys=b&tagKeys=a', '')]:
    r = AWSRequest(method=method, url='http://127.0.0.1:4510' + target, data=body, headers={'User-Agent': 'x'})
    auth.add_auth(r)
    p = r.prepare()
    s = urlsplit(p.url)
    h = [(k, v.decode() if isinstance(v, bytes) else str(v)) for k, v in p.headers.items()]
    out.append({'method': method, 'target': s.path + ('?' + s.query if s.query else ''),
      'headers': h + [('Host', s.netloc)], 'body': body})
print(json.dumps(out))`) as BotoRequest[] | undefined;

test.skipIf(boto === undefined)('requests signed by botocore are verified (skipped without python3 and boto3)', () => {
  expect(boto).toHaveLength(8);
  for (const request of boto!) {
    const signed = { ...request, body: Buffer.from(request.body) };
    expect(verdict(signed, parseRequestClaim(signed)!.signedAt)).toBe('verified');
  }
});
