import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cstring, int32, message } from '../../src/pgwire/messages.ts';
import type { presignToken, SigningCredentials } from '../../src/sigv4/presign.ts';
import { assume, makeRole, makeUser, policy } from '../harness/identities.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { GSSENC_REQUEST, SSL_REQUEST, WireClient } from '../harness/wire.ts';

const DENIED = 'unable to accept connection, access denied';

let postern: TestServer;
let port: number;
let role: SigningCredentials;
beforeAll(async () => {
  postern = await startTestServer();
  port = postern.server.pgPort;
  role = await assume(postern, await makeRole(postern, 'session', policy('Allow', 'dsql:*')));
});
afterAll(() => postern?.stop());

const secure = () => WireClient.tls(port, { ca: postern.ca });

/** What a login with this password is told, and what the log says of it. */
async function attempt(user: string, password: string | Buffer) {
  const client = await secure();
  client.startup({ user, database: 'postgres' });
  expect((await client.frame()).type).toBe('R');
  client.password(password);
  const { S, C, M, H } = await client.error();
  await client.closed();
  const line = postern.log.findLast((entry) => entry.event === 'login.refused');
  return { said: { S, C, M, H }, kind: line?.['kind'], reason: line?.['reason'] };
}

async function goodLoginWorks() {
  const client = await postern.connect();
  expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  await client.end();
}

type Changes = Partial<Parameters<typeof presignToken>[0]>;
const minutes = (count: number) => new Date(Date.now() + count * 60_000);

describe('a token that is not good here', () => {
  it.each<[string, string, Changes, string, string | RegExp | undefined]>([
    [
      'of an unknown key',
      'unknown-key',
      { credentials: { accessKeyId: `AKIA${'X'.repeat(16)}`, secretAccessKey: 'x' } },
      '08006',
      undefined,
    ],
    ['for another region', 'scope-mismatch', { region: 'eu-west-1' }, '08006', undefined],
    ['for another cluster', 'host-mismatch', { host: `${'a'.repeat(26)}.dsql.us-east-1.on.aws` }, '08006', undefined],
    ['for a host with a port', 'host-mismatch', { host: 'localhost:5432' }, '08006', undefined],
    ['that has expired', 'signature-expired', { now: minutes(-20) }, '08006', /^Signature expired: /],
    ['from the future', 'signature-not-yet-valid', { now: minutes(16) }, '08006', undefined],
  ])('%s is refused', async (_, kind, changes, code, hint) => {
    const result = await attempt('admin', postern.token('admin', changes.credentials, changes));
    expect(result.kind).toBe(kind);
    expect(result.said).toMatchObject({ S: 'FATAL', C: code, M: DENIED });
    if (hint === undefined)
      expect(result.said.H ?? '').toMatch(
        kind === 'signature-not-yet-valid' ? /^(Signature not yet current: .*)?$/ : /^$/,
      );
    else expect(result.said.H).toMatch(hint);
    await goodLoginWorks();
  });

  it('is accepted up to 15 minutes ahead, and for every name of the cluster', async () => {
    for (const changes of [
      { now: minutes(14) },
      { host: 'localhost' },
      { host: '127.0.0.1' },
      { host: (postern.environment['POSTERN_CLUSTER_HOSTNAME'] as string).toUpperCase() },
    ]) {
      const client = await postern.connect('admin', postern.root, {
        password: postern.token('admin', postern.root, changes),
      });
      await client.end();
    }
  });

  it('is told apart by its action, both ways', async () => {
    for (const [user, action] of [
      ['admin', 'DbConnect'],
      ['custom', 'DbConnectAdmin'],
    ] as const) {
      const result = await attempt(user, postern.token(user, postern.root, { action }));
      expect(result.said).toEqual({
        S: 'FATAL',
        C: '08006',
        M: DENIED,
        H: `Wrong user to action mapping. user: ${user}, action: ${action}`,
      });
    }
  });

  it('that is taken for the user is in no log, nor told back', async () => {
    const token = postern.token('admin');
    const result = await attempt(token, postern.token('admin'));
    expect(result.kind).toBe('wrong-action');
    expect(result.said.H).not.toContain('X-Amz-Signature');
    expect(JSON.stringify(postern.log)).not.toContain(token.slice(-64));
  });

  it('of more than a week is refused with the text of the service', async () => {
    const token = postern.token('admin').replace('X-Amz-Expires=900', 'X-Amz-Expires=604801');
    expect((await attempt('admin', token)).said).toMatchObject({
      C: '08006',
      M: DENIED,
      H: 'X-Amz-Expires must be less than a week (in seconds)',
    });
  });

  it('says the same for an unknown key and for a wrong signature', async () => {
    const good = postern.token('admin');
    const unknown = await attempt('admin', good.replace(postern.root.accessKeyId, `AKIA${'Q'.repeat(16)}`));
    const tampered = await attempt('admin', good.slice(0, -1) + (good.endsWith('0') ? '1' : '0'));
    expect(unknown.said).toEqual(tampered.said);
    expect([unknown.kind, tampered.kind]).toEqual(['unknown-key', 'signature-mismatch']);
  });

  it('is refused wherever one character of it is changed', async () => {
    const token = postern.token('admin', role);
    await fc.assert(
      fc.asyncProperty(fc.nat(token.length - 1), fc.constantFrom('0', 'A', '&', '%', '=', '~'), async (at, char) => {
        // The case of a host name means nothing (RFC 4343), so it is not changed here.
        const changed = token.slice(0, at) + char + token.slice(at + 1);
        fc.pre(changed.toLowerCase() !== token.toLowerCase());
        expect((await attempt('admin', changed)).said).toMatchObject({ S: 'FATAL', M: DENIED });
      }),
      { numRuns: 40 },
    );
    await goodLoginWorks();
  });

  it('with the session token of another session is refused', async () => {
    const other = await assume(postern, 'arn:aws:iam::123456789012:role/session', 'other');
    for (const credentials of [
      { ...role, sessionToken: other.sessionToken },
      { ...postern.root, sessionToken: role.sessionToken },
      { accessKeyId: role.accessKeyId, secretAccessKey: role.secretAccessKey },
      { ...role, sessionToken: `${role.sessionToken}A` },
    ]) {
      const result = await attempt('admin', postern.token('admin', credentials));
      expect(result.said).toEqual({ S: 'FATAL', C: '08006', M: DENIED, H: undefined });
      expect(result.kind).toMatch(/^session-token-invalid$|^unknown-key$/);
    }
  });
});

describe('a password that is no token', () => {
  it.each<[string, string | Buffer, string]>([
    ['an ordinary password', 'secret', '08006'],
    ['nothing', '', '08006'],
    ['a zero byte inside', Buffer.from('a\0b\0'), '08P01'],
    ['no terminator', Buffer.from('abc'), '08P01'],
    ['bytes that are no text', Buffer.from([0xff, 0xfe, 0x80, 0]), '08006'],
    ['a megabyte', `${'x'.repeat(1_000_000)}`, '08P01'],
    ['ten thousand parameters', `h/?${'a=b&'.repeat(4_000)}`, '08006'],
  ])('%s is refused', async (_, password, code) => {
    expect((await attempt('admin', password)).said).toMatchObject({ S: 'FATAL', C: code });
    await goodLoginWorks();
  });

  it('is not waited for when another message comes in its place', async () => {
    const client = await secure();
    client.startup({ user: 'admin', database: 'postgres' });
    await client.frame();
    client.send(message('Q', cstring('SELECT 1')));
    expect(await client.error()).toMatchObject({
      S: 'FATAL',
      C: '08P01',
      M: 'expected password response, got message type 81',
    });
  });
});

describe('a user that there is not', () => {
  it.each([
    ['nobody_here'],
    ['postern'],
    ['pg_monitor'],
    ['pg_write_all_data'],
    ['x'.repeat(64)],
    ['ADMIN'],
    ['admin '],
    ["' OR 1=1 --"],
    ['admin\u200b'],
  ])('%s is refused as unknown, also to the account root', async (user) => {
    const result = await attempt(user, postern.token(user));
    expect(result.said).toEqual({ S: 'FATAL', C: '08P01', M: DENIED, H: undefined });
    expect(result.kind).toBe('unknown-role');
  });

  it('and one without a mapping, or without LOGIN, are told nothing more', async () => {
    const admin = await postern.connect();
    await admin.query('CREATE ROLE unmapped LOGIN');
    await admin.query('CREATE ROLE sleeper LOGIN');
    const keys = await makeUser(postern, 'dreamer', policy('Allow', 'dsql:DbConnect'));
    await admin.query("AWS IAM GRANT sleeper TO 'arn:aws:iam::123456789012:user/dreamer'");
    await admin.query('ALTER ROLE sleeper NOLOGIN');
    await admin.end();
    expect((await attempt('unmapped', postern.token('unmapped'))).said).toEqual({
      S: 'FATAL',
      C: '28000',
      M: DENIED,
      H: undefined,
    });
    expect((await attempt('sleeper', postern.token('sleeper', keys))).said).toEqual({
      S: 'FATAL',
      C: '28000',
      M: DENIED,
      H: undefined,
    });
  });
});

describe('bytes before the login', () => {
  it.each<[string, Buffer]>([
    ['a startup packet of a gigabyte', int32(0x40000000)],
    ['a length of zero', int32(0)],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['zeros', Buffer.alloc(64)],
  ])('%s are refused', async (_, bytes) => {
    const client = await WireClient.tcp(port);
    client.send(bytes);
    expect((await client.closed()).length).toBeLessThan(200);
    await goodLoginWorks();
  });

  it('that ask for encryption again and again are refused', async () => {
    const client = await WireClient.tcp(port);
    for (let i = 0; i < 2; i++) {
      client.send(GSSENC_REQUEST);
      expect((await client.bytes(1)).toString()).toBe('N');
    }
    client.send(GSSENC_REQUEST);
    expect(await client.error()).toMatchObject({ S: 'FATAL', C: '08P01', M: 'too many encryption requests' });
  });

  it('that come one at a time are read as they come', async () => {
    const client = await WireClient.tcp(port);
    for (const byte of SSL_REQUEST) client.send(Buffer.from([byte]));
    expect((await client.bytes(1)).toString()).toBe('S');
    await client.startTls({ ca: postern.ca });
    const body = Buffer.concat([int32(3 << 16), cstring('user'), cstring('admin'), Buffer.from([0])]);
    for (const byte of Buffer.concat([int32(body.length + 4), body])) client.send(Buffer.from([byte]));
    expect((await client.frame()).type).toBe('R');
    for (const byte of message('p', cstring(postern.token('admin')))) client.send(Buffer.from([byte]));
    expect((await client.until('Z')).at(-1)?.type).toBe('Z');
    client.end();
  });

  it('that never come leave no trace when the client goes, at any stage', async () => {
    const stages = [
      async () => await WireClient.tcp(port),
      async () => {
        const client = await WireClient.tcp(port);
        client.send(SSL_REQUEST);
        await client.bytes(1);
        return client;
      },
      secure,
      async () => {
        const client = await secure();
        client.startup({ user: 'admin', database: 'postgres' });
        await client.frame();
        return client;
      },
    ];
    const opened = await Promise.all(
      Array.from({ length: 80 }, (_, i) => (stages[i % stages.length] as () => Promise<WireClient>)()),
    );
    await goodLoginWorks();
    for (const client of opened) client.end();
    await goodLoginWorks();
  });
});

describe('the log', () => {
  it('has a connection id and the whole reason for every refusal, and no secret', async () => {
    const refusals = postern.log.filter((line) => line.event === 'login.refused');
    expect(refusals.length).toBeGreaterThan(30);
    for (const line of refusals) {
      expect(line['connectionId']).toMatch(/^[0-9a-f-]{36}$/);
      expect(line['reason']).toEqual(expect.any(String));
    }
    const text = JSON.stringify(postern.log);
    for (const secret of [
      postern.root.secretAccessKey,
      role.secretAccessKey,
      role.sessionToken as string,
      'X-Amz-Signature=',
    ]) {
      expect(text).not.toContain(secret);
    }
  });
});
