/**
 * Known wounds of signed HTTP and of what stands in front of it, each by its name. The caller has a good key; who sits
 * between can change what is not signed. Ordinary refusals stand in test/sdk/http.test.ts, src/sigv4/request.test.ts.
 */
import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiUnderTest, type Credentials, makeUserWithKey, startApi } from '../sdk/api-under-test.ts';
import { type RawRequest, send, sign } from '../sdk/signed-request.ts';

let api: ApiUnderTest;
let host: string;
beforeAll(async () => {
  api = await startApi();
  host = `127.0.0.1:${api.port}`;
});
afterAll(() => api.close());

const WHO = 'Action=GetCallerIdentity&Version=2011-06-15';
const LIST = 'Action=ListUsers&Version=2010-05-08';
const FORM = 'Content-Type: application/x-www-form-urlencoded';

/** The same as the client sends it and as the server reads it, until the server closes. */
async function exchange(text: string): Promise<string> {
  const socket = connect(api.port, '127.0.0.1');
  socket.on('error', () => undefined);
  let answer = '';
  socket.on('data', (chunk: Buffer) => {
    answer += chunk.toString('latin1');
  });
  socket.end(text, 'latin1');
  await once(socket, 'close');
  return answer;
}

const statusesOf = (answer: string) =>
  [...answer.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status));
const codeOf = (body: string) => /<Code>(\w+)<\/Code>/.exec(body)?.[1];

/** The headers of a signed POST, as lines. */
function signedLines(body: string, raw: RawRequest = {}): string[] {
  const headers = sign(host, api.root, { service: 'sts', body, ...raw });
  return [`Host: ${host}`, FORM, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)];
}

const post = (lines: readonly string[], body: string, target = '/') =>
  exchange(`POST ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\nConnection: close\r\n\r\n${body}`);

const length = (body: string) => `Content-Length: ${Buffer.byteLength(body)}`;

describe('host header games', () => {
  it('the request as it was signed is answered', async () => {
    expect(statusesOf(await post([...signedLines(WHO), length(WHO)], WHO))).toEqual([200]);
  });

  it.each([
    ['another host', (lines: string[]) => lines.with(0, 'Host: evil.example'), 403],
    ['two hosts', (lines: string[]) => ['Host: evil.example', ...lines], 400],
    ['no host', (lines: string[]) => lines.slice(1), 400],
    ['an empty host', (lines: string[]) => lines.with(0, 'Host:'), 403],
    ['a host in two lines', (lines: string[]) => lines.with(0, `Host: ${host}\r\n evil`), 400],
    ['a blank before the colon', (lines: string[]) => lines.with(0, `Host : ${host}`), 400],
  ] as [string, (lines: string[]) => string[], number][])('%s is refused', async (_, change, status) => {
    expect(statusesOf(await post([...change(signedLines(WHO)), length(WHO)], WHO))).toEqual([status]);
  });

  it.each([
    'http://evil.example/',
    'https://127.0.0.1/',
    '//evil.example/',
    'evil.example:443',
    '*',
  ])('a target that names a host is refused, and leads nowhere: %s', async (target) => {
    for (const method of ['GET', 'POST', 'CONNECT', 'OPTIONS']) {
      const lines = signedLines('', { method }).join('\r\n');
      const answer = await exchange(`${method} ${target} HTTP/1.1\r\n${lines}\r\nConnection: close\r\n\r\n`);
      for (const status of statusesOf(answer)) expect(status).toBeGreaterThanOrEqual(400);
      expect(answer).not.toMatch(/^location:/im);
      expect(answer).not.toContain('evil.example');
    }
  });

  it.each([
    'X-Forwarded-Host: evil.example',
    'X-Host: evil.example',
    'Forwarded: for=10.0.0.1;host=evil.example',
    'X-Original-URL: /cluster',
    'X-Rewrite-URL: /cluster',
    'X-HTTP-Method-Override: DELETE',
    'X-Forwarded-Proto: https',
  ])('a header that others obey means nothing: %s', async (header) => {
    const answer = await post([...signedLines(WHO), header, length(WHO)], WHO);
    expect(statusesOf(answer)).toEqual([200]);
    expect(answer).toContain('<Arn>arn:aws:iam::123456789012:root</Arn>');
    expect(answer).not.toContain('evil');
  });

  it('redirects: no answer is ever one', async () => {
    for (const target of [
      '/',
      '/iam',
      '/cluster/',
      '//',
      '/..',
      '/%0d%0aLocation:%20http://evil.example/',
      '/?x=http://evil',
    ]) {
      const { status, headers } = await send(api.port, api.root, { method: 'GET', target, service: 'sts' });
      expect(status, target).toBeGreaterThanOrEqual(400);
      expect(Object.keys(headers)).not.toContain('location');
    }
  });

  it('an address that a header claims is not the address of a condition', async () => {
    const document = JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Allow', Action: 'iam:*', Resource: '*', Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.1' } } },
      ],
    });
    const user = await makeUserWithKey(api.iam(), 'elsewhere', document);
    for (const name of ['X-Forwarded-For', 'X-Real-IP', 'Forwarded', 'True-Client-IP', 'Client-IP', 'Via']) {
      const headers = { [name]: name === 'Forwarded' ? 'for=10.0.0.1' : '10.0.0.1' };
      const answer = await send(api.port, user, { body: LIST, headers });
      expect([answer.status, codeOf(answer.body)], name).toEqual([403, 'AccessDenied']);
    }
  });
});

describe('request smuggling', () => {
  const chunk = (body: string) => `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  const inner = `GET /?${LIST} HTTP/1.1\r\nHost: x\r\n\r\n`;

  it.each([
    ['Content-Length and Transfer-Encoding', [length(WHO), 'Transfer-Encoding: chunked'], chunk(WHO)],
    ['two lengths', [length(WHO), 'Content-Length: 0'], WHO + inner],
    ['two lengths in one', [`Content-Length: ${WHO.length}, ${WHO.length}`], WHO + inner],
    ['a length with a sign', [`Content-Length: +${WHO.length}`], WHO],
    ['a length in hexadecimal', ['Content-Length: 0x2c'], WHO],
    ['a length that wraps', ['Content-Length: 18446744073709551660'], WHO],
    ['an encoding that is half one', ['Transfer-Encoding: xchunked'], chunk(WHO)],
    ['an encoding behind a tab', ['Transfer-Encoding:\tchunked, identity'], chunk(WHO)],
    ['a folded encoding', ['Transfer-Encoding:\r\n chunked'], chunk(WHO)],
    ['a chunk length that wraps', ['Transfer-Encoding: chunked'], `ffffffffffffffffffff\r\n${WHO}\r\n0\r\n\r\n`],
    ['a header that ends in a bare line feed', [`${length(WHO)}\nX-Evil: 1`], WHO],
    ['a header that ends in a bare carriage return', [`${length(WHO)}\rX-Evil: 1`], WHO],
    ['a NUL in a header', [`X-Evil: a\0b`, length(WHO)], WHO],
  ] as [
    string,
    string[],
    string,
  ][])('%s: one request at most is answered, and none of what is hidden', async (_, lines, body) => {
    const answer = await post([...signedLines(WHO), ...lines], body);
    const statuses = statusesOf(answer);
    expect(statuses.length).toBeLessThanOrEqual(1);
    for (const status of statuses) expect(status === 200 ? 200 : Math.floor(status / 100)).toBeOneOf([200, 4]);
    expect(answer).not.toContain('ListUsersResponse');
  });

  it('what follows a refused request is not the next one', async () => {
    const text = `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 2000000\r\n\r\n${inner}`;
    const answer = await exchange(text);
    expect(statusesOf(answer)).toEqual([413]);
    expect(answer).toMatch(/^connection: close/im);
  });

  it.each([
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'GET /\r\n',
    '\u0016\u0003\u0001\u0002\0\u0001',
    'GET / HTTP/9.9\r\n\r\n',
  ])('another protocol is none of ours: %j', async (text) => {
    for (const status of statusesOf(await exchange(text))) expect(status).toBeGreaterThanOrEqual(400);
    expect((await send(api.port, api.root, { service: 'sts', body: WHO })).status).toBe(200);
  });
});

describe('what is not signed', () => {
  it.each([
    ['another body of the same length', WHO.replace('GetCallerIdentity', 'GetSessionToken12')],
    ['one more parameter', `${WHO}&DurationSeconds=129600`],
    ['an action by case', `${WHO}&action=GetSessionToken`],
    ['nothing', ''],
  ])('a body that was changed on the way is refused: %s', async (_, body) => {
    const answer = await post([...signedLines(WHO), length(body)], body);
    expect(codeOf(answer)).toBe('SignatureDoesNotMatch');
  });

  it.each([
    'X-Amz-Security-Token: x',
    'X-Amz-Target: AWSSecurityTokenService.GetSessionToken',
    'X-Amz-Date: 20300101T000000Z',
    'X-Amz-Content-Sha256: UNSIGNED-PAYLOAD',
    'X-Amz-Content-Sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
    'X-Amz-Meta-Evil: 1',
    'Authorization: AWS4-HMAC-SHA256 Credential=x',
  ])('a header of AWS that was put in on the way is refused: %s', async (header) => {
    const answer = await post([...signedLines(WHO), header, length(WHO)], WHO);
    expect(statusesOf(answer)[0]).toBe(400);
    expect(codeOf(answer)).toBe('IncompleteSignature');
  });

  it('a query that was put behind a signed path is refused', async () => {
    for (const query of ['?DurationSeconds=900', '?X-Amz-Expires=1', '?', '?a']) {
      const answer = await post([...signedLines(WHO), length(WHO)], WHO, `/${query}`);
      expect(query === '?' ? 200 : 403, query).toBe(statusesOf(answer)[0]);
    }
  });
});

/** A presigned request, with any parameters, rightly signed. */
function presigned(parameters: readonly [string, string][], { accessKeyId, secretAccessKey }: Credentials): string {
  const date = new Date().toISOString().replace(/[-:]|\.\d{3}/g, '');
  const scope = `${date.slice(0, 8)}/us-east-1/iam/aws4_request`;
  const own: [string, string][] = [
    ['X-Amz-Algorithm', 'AWS4-HMAC-SHA256'],
    ['X-Amz-Credential', `${accessKeyId}/${scope}`],
    ['X-Amz-Date', date],
    ['X-Amz-Expires', '60'],
    ['X-Amz-SignedHeaders', 'host'],
  ];
  const pairs = [...own.filter(([name]) => !parameters.some(([given]) => given === name)), ...parameters].map(
    ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`,
  );
  const hash = (text: string) => createHash('sha256').update(text).digest('hex');
  const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
  const canonical = ['GET', '/', [...pairs].sort().join('&'), `host:${host}\n`, 'host', hash('')].join('\n');
  const key = scope
    .split('/')
    .reduce<string | Buffer>((derived, part) => hmac(derived, part), `AWS4${secretAccessKey}`);
  const signature = hmac(key, `AWS4-HMAC-SHA256\n${date}\n${scope}\n${hash(canonical)}`).toString('hex');
  return `/?${pairs.join('&')}&X-Amz-Signature=${signature}`;
}

describe('CVE-2022-2385: a parameter twice in a presigned request', () => {
  const list: [string, string][] = [
    ['Action', 'ListUsers'],
    ['Version', '2010-05-08'],
  ];
  const get = (target: string) => send(api.port, undefined, { method: 'GET', target });

  it('does not change what is answered once', async () => {
    expect((await get(presigned(list, api.root))).status).toBe(200);
  });

  it.each<[string, [string, string], string]>([
    ['an action', ['Action', 'DeleteUser'], 'ValidationError'],
    ['an action by case', ['action', 'DeleteUser'], 'ValidationError'],
    ['a version', ['Version', '2011-06-15'], 'ValidationError'],
    ['a lifetime by case', ['x-amz-expires', '604800'], 'IncompleteSignature'],
    ['a credential by case', ['X-Amz-credential', 'AKIAX/20260301/us-east-1/iam/aws4_request'], 'IncompleteSignature'],
    ['a signature, signed', ['X-Amz-Signature', '0'.repeat(64)], 'IncompleteSignature'],
    ['a session token by case', ['X-Amz-Security-token', ''], 'IncompleteSignature'],
  ])('is refused though it is signed: %s', async (_, pair, code) => {
    const answer = await get(presigned([...list, pair], api.root));
    expect([answer.status, codeOf(answer.body)]).toEqual([400, code]);
  });

  it.each([
    ['0', 400],
    ['-1', 400],
    ['604801', 403],
    ['18446744073709551616', 403],
    ['1e3', 400],
  ])('a lifetime at its ends, %s, is refused', async (expires, status) => {
    expect((await get(presigned([...list, ['X-Amz-Expires', expires]], api.root))).status).toBe(status);
  });

  it('a form behind a presigned query is refused: the signature is of no body', async () => {
    const body = 'MaxItems=1';
    const lines = [`Host: ${host}`, FORM, length(body)];
    const answer = await exchange(
      `GET ${presigned(list, api.root)} HTTP/1.1\r\n${lines.join('\r\n')}\r\nConnection: close\r\n\r\n${body}`,
    );
    expect(codeOf(answer)).toBe('SignatureDoesNotMatch');
  });
});

describe('a request made to be slow before anybody is proved', () => {
  it.each([
    ['a signed header of blanks', (run: string) => [`X-Slow: a${run}b`], ' '],
    ['a signed header of tabs', (run: string) => [`X-Slow: a${run}b`], '\t'],
  ] as [string, (run: string) => string[], string][])('holds nobody up: %s', async (_, headers, piece) => {
    const lines = signedLines(WHO).map((line) => line.replace(';x-amz-date', ';x-amz-date;x-slow'));
    await post([...lines, ...headers(piece), length(WHO)], WHO);
    const began = process.cpuUsage();
    const answer = await post([...lines, ...headers(piece.repeat(30_000)), length(WHO)], WHO);
    expect(codeOf(answer)).toBe('SignatureDoesNotMatch');
    expect(process.cpuUsage(began).user / 1000).toBeLessThan(100);
  });
});

describe('JSON and names that objects have anyway', () => {
  const put = (document: string) =>
    send(api.port, api.root, {
      body: `Action=PutUserPolicy&Version=2010-05-08&UserName=elsewhere&PolicyName=p&PolicyDocument=${encodeURIComponent(document)}`,
    });

  it.each([
    [
      'an effect twice',
      '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}]}',
    ],
    [
      'statements twice',
      '{"Version":"2012-10-17","Statement":[],"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}',
    ],
    [
      'a key twice, once escaped',
      '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","\\u0045ffect":"Allow","Action":"*","Resource":"*"}]}',
    ],
    [
      'an effect by case',
      '{"Version":"2012-10-17","Statement":[{"effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}]}',
    ],
    [
      '__proto__',
      '{"Version":"2012-10-17","__proto__":{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}}',
    ],
    [
      'a statement in __proto__',
      '{"Version":"2012-10-17","Statement":[{"__proto__":{"Effect":"Allow","Action":"*","Resource":"*"}}]}',
    ],
    ['a comment', '{"Version":"2012-10-17",/*"*/"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'],
    [
      'a NaN',
      '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"NumericLessThan":{"a":NaN}}}]}',
    ],
    [
      'a mark of byte order',
      '\ufeff{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}',
    ],
    ['a second document', '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}{}'],
  ])('a policy with %s is refused', async (_, document) => {
    const answer = await put(document);
    expect(answer.status).toBe(400);
    expect(codeOf(answer.body)).toMatch(/^(MalformedPolicyDocument|ValidationError)$/);
  });

  it.each([
    '{"__proto__":{"deletionProtectionEnabled":false}}',
    '{"constructor":{"prototype":{"deletionProtectionEnabled":false}}}',
    '{"tags":{"__proto__":{"polluted":"yes"}}}',
    '{"toString":"x"}',
  ])('a body of DSQL with %s is refused, and no object is changed', async (body) => {
    const answer = await send(api.port, api.root, { service: 'dsql', region: 'eu-west-1', target: '/cluster', body });
    expect(answer.status).toBe(400);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(({} as Record<string, unknown>)['deletionProtectionEnabled']).toBeUndefined();
  });

  it.each([
    '__proto__',
    'constructor',
    'hasOwnProperty',
    'Action.__proto__',
    'Tags.member.__proto__.Key',
  ])('a parameter of a form called %s is refused', async (name) => {
    const answer = await send(api.port, api.root, { body: `${LIST}&${name}=x` });
    expect([answer.status, codeOf(answer.body)]).toEqual([400, 'ValidationError']);
  });

  it('what a client wrote comes back as text in XML, never as its own elements', async () => {
    const evil = '</Message><Injected/>&#x41;<!DOCTYPE a [<!ENTITY b "c">]>&b;';
    const answer = await send(api.port, api.root, { body: `Version=2010-05-08&Action=${encodeURIComponent(evil)}` });
    expect(answer.headers['content-type']).toBe('text/xml');
    expect(answer.body).not.toContain('<Injected/>');
    expect(answer.body).not.toContain('<!DOCTYPE');
  });

  it('XML that a client sends is read by nobody', async () => {
    const body = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>';
    const answer = await send(api.port, api.root, { body, headers: { 'Content-Type': 'text/xml' } });
    expect([answer.status, codeOf(answer.body)]).toEqual([400, 'ValidationError']);
    expect(answer.body).not.toContain('root:');
  });
});
