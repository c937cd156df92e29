import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiUnderTest, allow, startApi } from './api-under-test.ts';
import { type RawAnswer, type RawRequest, send } from './signed-request.ts';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const WHO = 'Action=GetCallerIdentity&Version=2011-06-15';
const LIST = 'Action=ListUsers&Version=2010-05-08';
const call = (raw: RawRequest) => send(api.port, api.root, raw);

function codeOf({ body, headers }: RawAnswer): string {
  return /<Code>(\w+)<\/Code>/.exec(body)?.[1] ?? String(headers['x-amzn-errortype'] ?? 'none');
}

describe('a request', () => {
  it('may be a form or a query string, in any region', async () => {
    for (const raw of [
      { service: 'sts', body: WHO },
      { service: 'sts', region: 'ap-south-1', body: WHO },
      { service: 'sts', method: 'GET', target: `/?${WHO}` },
    ]) {
      const answer = await call(raw);
      expect(answer.status).toBe(200);
      expect(answer.body).toContain(`<Arn>arn:aws:iam::123456789012:root</Arn>`);
      expect(answer.headers['content-type']).toBe('text/xml');
      expect(answer.body).toContain(`<RequestId>${answer.headers['x-amzn-requestid']}</RequestId>`);
      expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
      expect(answer.headers['cache-control']).toBe('no-store');
    }
  });

  it.each([
    ['without a signature', 403, 'MissingAuthenticationToken', { body: LIST, unsigned: true }],
    [
      'without a signature, to DSQL',
      403,
      'MissingAuthenticationTokenException',
      { method: 'GET', target: '/cluster', unsigned: true },
    ],
    [
      'with half a signature',
      400,
      'IncompleteSignature',
      { body: LIST, headers: { Authorization: 'AWS4-HMAC-SHA256 x' } },
    ],
    [
      'with another kind of authorization',
      400,
      'IncompleteSignature',
      { body: LIST, headers: { Authorization: 'Basic eDp5' } },
    ],
    ['changed after it was signed', 403, 'SignatureDoesNotMatch', { body: LIST, sentBody: `${LIST}&MaxItems=1` }],
    ['signed for another service', 403, 'SignatureDoesNotMatch', { service: 's3', body: LIST }],
    ['for an operation of another service', 400, 'InvalidAction', { service: 'sts', body: LIST }],
    [
      'signed for DSQL in another region',
      403,
      'InvalidSignatureException',
      { service: 'dsql', region: 'eu-west-2', method: 'GET', target: '/cluster' },
    ],
    ['without an operation', 400, 'InvalidAction', { body: 'Version=2010-05-08' }],
    ['without a version', 400, 'InvalidAction', { body: 'Action=ListUsers' }],
    ['with another version', 400, 'InvalidAction', { body: 'Action=ListUsers&Version=2011-06-15' }],
    ['for a member that every object has', 400, 'InvalidAction', { body: 'Action=constructor&Version=2010-05-08' }],
    ['with another method', 400, 'InvalidAction', { method: 'PUT', target: `/?${LIST}` }],
    ['with another path', 400, 'InvalidAction', { target: '/iam', body: LIST }],
    ['with a parameter twice', 400, 'ValidationError', { body: `${LIST}&MaxItems=1&MaxItems=2` }],
    ['with a parameter in two places', 400, 'ValidationError', { target: '/?MaxItems=1', body: `${LIST}&MaxItems=2` }],
    ['with an unknown parameter', 400, 'ValidationError', { body: `${LIST}&Nonsense=1` }],
    ['with a number that is none', 400, 'ValidationError', { body: `${LIST}&MaxItems=ten` }],
    ['with a number out of range', 400, 'ValidationError', { body: `${LIST}&MaxItems=1001` }],
    ['with a required parameter left out', 400, 'ValidationError', { body: 'Action=CreateUser&Version=2010-05-08' }],
    ['with JSON for a form', 400, 'ValidationError', { body: '{}', headers: { 'Content-Type': 'application/json' } }],
    [
      'to DSQL with an unknown parameter',
      400,
      'ValidationException',
      { service: 'dsql', region: 'eu-west-1', method: 'GET', target: '/cluster?x=1' },
    ],
    [
      'to DSQL with a path in disguise',
      400,
      'ValidationException',
      { service: 'dsql', region: 'eu-west-1', method: 'GET', target: '/cluster/%2e%2e' },
    ],
  ] as [
    string,
    number,
    string,
    RawRequest & { unsigned?: true },
  ][])('%s is refused: %i %s', async (_, status, code, raw) => {
    const answer = raw.unsigned ? await send(api.port, undefined, raw) : await call(raw);
    expect([answer.status, codeOf(answer)]).toEqual([status, code]);
    expect(answer.headers['x-amzn-requestid']).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('that is too large is refused, announced or not', async () => {
    const body = `${LIST}&x=${'a'.repeat(1024 * 1024)}`;
    // Not even who asks first is told to send it.
    for (const more of ['', 'Expect: 100-continue\r\n']) {
      const answer = await new Promise<string>((resolve, reject) => {
        const socket = connect(api.port, '127.0.0.1', () => {
          socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n${more}\r\n`);
        });
        socket.once('data', (data) => {
          socket.destroy();
          resolve(data.toString());
        });
        socket.once('error', reject);
      });
      expect(answer).toMatch(/^HTTP\/1\.1 413 /);
      expect(answer).toMatch(/\r\nConnection: close\r\n/);
    }
    const chunked = await new Promise<string>((resolve, reject) => {
      const socket = connect(api.port, '127.0.0.1', () => {
        socket.write('POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n');
        socket.write(`${(1024 * 1024 + 1).toString(16)}\r\n${'a'.repeat(1024 * 1024 + 1)}`);
      });
      socket.once('data', (data) => {
        socket.destroy();
        resolve(data.toString());
      });
      socket.once('error', reject);
    });
    expect(chunked).toMatch(/^HTTP\/1\.1 413 /);
    expect((await call({ body: LIST })).status).toBe(200);
  });
});

describe('the log', () => {
  it('has a line for each call, and no secret', async () => {
    const marker = 'c0ffee';
    api.lines.length = 0;
    await call({ body: LIST });
    await call({ body: `Action=CreateUser&Version=2010-05-08&UserName=logged` });
    const PolicyDocument = encodeURIComponent(allow(`s3:${marker}`));
    const put = `Action=PutUserPolicy&Version=2010-05-08&UserName=logged&PolicyName=p&PolicyDocument=${PolicyDocument}`;
    await call({ body: put });
    const made = await call({ body: 'Action=CreateAccessKey&Version=2010-05-08&UserName=logged' });
    const secret = /<SecretAccessKey>(.*)<\/SecretAccessKey>/.exec(made.body)![1]!;
    const id = /<AccessKeyId>(.*)<\/AccessKeyId>/.exec(made.body)![1]!;
    await send(api.port, { accessKeyId: id, secretAccessKey: secret }, { body: LIST });
    expect(api.lines.map(({ fields }) => [fields.operation, fields.status, fields.code])).toEqual([
      ['ListUsers', 200, undefined],
      ['CreateUser', 200, undefined],
      ['PutUserPolicy', 200, undefined],
      ['CreateAccessKey', 200, undefined],
      ['ListUsers', 403, 'AccessDenied'],
    ]);
    expect(api.lines.at(-1)!.fields).toMatchObject({
      service: 'iam',
      caller: 'arn:aws:iam::123456789012:user/logged',
      accessKeyId: id,
      source: '127.0.0.1',
      detail: 'no identity-based policy allows iam:ListUsers on arn:aws:iam::123456789012:user/',
    });
    const text = JSON.stringify(api.lines);
    for (const hidden of [secret, api.root.secretAccessKey, marker, 'Signature=']) expect(text).not.toContain(hidden);
  });

  it('tells a bug whole, and the client only an id', async () => {
    const broken = await startApi();
    broken.store.all = () => {
      throw new Error('a bug with its story');
    };
    const answer = await send(broken.port, broken.root, { body: LIST });
    const id = String(answer.headers['x-amzn-requestid']);
    expect([answer.status, codeOf(answer)]).toEqual([500, 'InternalFailure']);
    expect(answer.body).toContain(id);
    expect(answer.body).not.toContain('story');
    const json = await send(broken.port, broken.root, {
      service: 'dsql',
      region: 'eu-west-1',
      method: 'GET',
      target: '/cluster',
    });
    expect([json.status, codeOf(json)]).toEqual([500, 'InternalServerException']);
    const line = broken.lines.find(({ level }) => level === 'error')!;
    expect(line.fields).toMatchObject({ requestId: id, operation: 'ListUsers', status: 500 });
    expect((line.fields.err as Error).message).toBe('a bug with its story');
    await broken.close();
  });
});

describe('the server', () => {
  it('closes connections that are kept alive when it closes', async () => {
    const other = await startApi();
    const socket = connect(other.port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 403 .*keep-alive/s);
    const ended = once(socket, 'close');
    await other.close();
    await ended;
    await expect(send(other.port, undefined, {})).rejects.toThrow(/ECONNREFUSED/);
  });

  it('gives two keys a user, however many are asked for at once', async () => {
    await call({ body: 'Action=CreateUser&Version=2010-05-08&UserName=racer' });
    const body = 'Action=CreateAccessKey&Version=2010-05-08&UserName=racer';
    const answers = await Promise.all(Array.from({ length: 6 }, () => call({ body })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 409, 409, 409, 409]);
  });

  it('goes on after broken requests', async () => {
    for (const bytes of [
      '\0\0\0\0',
      'GET',
      'POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n',
      'GET /\u00ff HTTP/1.1\r\n\r\n',
    ]) {
      const socket = connect(api.port, '127.0.0.1', () => socket.end(bytes, 'latin1'));
      socket.on('error', () => undefined);
      socket.resume();
      await once(socket, 'close');
    }
    expect((await call({ body: LIST })).status).toBe(200);
  });
});
