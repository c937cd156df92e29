import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { cancelRequest, cstring, int32, message } from '../../src/pgwire/messages.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { GSSENC_REQUEST, SSL_REQUEST, WireClient } from '../harness/wire.ts';

let postern: TestServer;
let port: number;
beforeAll(async () => {
  postern = await startTestServer();
  port = postern.server.pgPort;
});
afterAll(() => postern?.stop());

const secure = () => WireClient.tls(port, { ca: postern.ca });
const worksStill = async () => {
  const client = await postern.connect();
  expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  await client.end();
};

describe('the beginning of a connection', () => {
  it.each([['TLSv1.2'], ['TLSv1.3']] as const)('speaks %s after SSLRequest', async (version) => {
    const client = await WireClient.tls(port, { ca: postern.ca, minVersion: version, maxVersion: version });
    expect((await client.login({ user: 'admin' }, postern.token('admin'))).at(-1)?.body.toString()).toBe('I');
    client.end();
  });

  it('does not speak TLS 1.1', async () => {
    await expect(
      WireClient.tls(port, {
        ca: postern.ca,
        minVersion: 'TLSv1.1',
        maxVersion: 'TLSv1.1',
        ciphers: 'DEFAULT@SECLEVEL=0',
      }),
    ).rejects.toThrow();
    await worksStill();
  });

  it('takes TLS without a request when ALPN names postgresql', async () => {
    const client = await WireClient.direct(port, { ca: postern.ca, ALPNProtocols: ['postgresql'] });
    expect((await client.login({ user: 'admin' }, postern.token('admin'))).at(-1)?.type).toBe('Z');
    client.end();
  });

  it('refuses TLS without a request and without ALPN', async () => {
    const client = await WireClient.direct(port, { ca: postern.ca });
    expect(await client.error()).toMatchObject({
      S: 'FATAL',
      C: '08P01',
      M: 'received direct SSL connection request without ALPN protocol negotiation extension',
    });
  });

  it('breaks the handshake off when ALPN names something else', async () => {
    await expect(WireClient.direct(port, { ca: postern.ca, ALPNProtocols: ['h2'] })).rejects.toThrow();
  });

  it('declines GSSAPI encryption and then takes TLS', async () => {
    const client = await WireClient.tcp(port);
    client.send(GSSENC_REQUEST);
    expect((await client.bytes(1)).toString()).toBe('N');
    client.send(SSL_REQUEST);
    expect((await client.bytes(1)).toString()).toBe('S');
    await client.startTls({ ca: postern.ca });
    await client.login({ user: 'admin' }, postern.token('admin'));
    client.end();
  });

  it('refuses a startup packet in the clear, before it asks for anything', async () => {
    const client = await WireClient.tcp(port);
    client.startup({ user: 'admin', database: 'postgres' });
    expect(await client.error()).toMatchObject({
      S: 'FATAL',
      C: '08P01',
      M: expect.stringContaining('SSL is mandatory'),
    });
  });

  it.each([
    ['SSL', SSL_REQUEST],
    ['GSSAPI encryption', GSSENC_REQUEST],
  ])('refuses bytes that came with the %s request in the clear', async (name, request) => {
    const client = await WireClient.tcp(port);
    client.send(request, Buffer.from('early bytes'));
    expect(await client.error()).toMatchObject({ C: '08P01', M: `received unencrypted data after ${name} request` });
    await worksStill();
  });

  it('negotiates protocol versions and options that it does not know down to what it speaks', async () => {
    for (const [minor, options, answer] of [
      [0, {}, undefined],
      [2, {}, undefined],
      [9999, {}, { minor: 2, unknown: [] }],
      [0, { '_pq_.new': '1' }, { minor: 0, unknown: ['_pq_.new'] }],
      [3, { '_pq_.a': '', '_pq_.b': 'x' }, { minor: 2, unknown: ['_pq_.a', '_pq_.b'] }],
    ] as const) {
      const client = await secure();
      const pairs = Object.entries({ user: 'admin', database: 'postgres', ...options }).flatMap(([k, v]) => [
        cstring(k),
        cstring(v),
      ]);
      const body = Buffer.concat([int32((3 << 16) | minor), ...pairs, Buffer.from([0])]);
      client.send(int32(body.length + 4), body);
      const first = await client.frame();
      if (answer) {
        expect(first.type).toBe('v');
        expect(first.body.readInt32BE(0)).toBe((3 << 16) | answer.minor);
        expect(first.body.toString('latin1', 8)).toBe(answer.unknown.map((o) => `${o}\0`).join(''));
        expect((await client.frame()).type).toBe('R');
      } else {
        expect(first.type).toBe('R');
      }
      client.password(postern.token('admin'));
      const key = (await client.until('Z')).find((frame) => frame.type === 'K');
      expect(key?.body.length).toBe(4 + (minor >= 2 ? 32 : 4));
      client.end();
    }
  });

  it('refuses other major versions', async () => {
    const client = await secure();
    client.send(int32(9), int32(2 << 16), Buffer.from([0]));
    expect(await client.error()).toMatchObject({
      C: '0A000',
      M: 'unsupported frontend protocol 2.0: server supports 3.0 to 3.2',
    });
  });
});

describe('startup parameters', () => {
  it('passes on the settings that a session may have', async () => {
    const client = await secure();
    await client.login(
      {
        user: 'admin',
        application_name: 'tést',
        options: '-c search_path=a,b --timezone=Europe/Zurich -c extra_float_digits=2',
      },
      postern.token('admin'),
    );
    client.query(
      "SELECT current_setting('application_name') || current_setting('search_path') || current_setting('timezone') || current_setting('extra_float_digits')",
    );
    const row = (await client.until('Z')).find((frame) => frame.type === 'D');
    expect(row?.body.toString('utf8', 6)).toBe('t\\xc3\\xa9sta,bEurope/Zurich2');
    client.end();
  });

  it.each<[string, Record<string, string>]>([
    ['role', { options: '-c role=postern' }],
    ['role', { role: 'postern' }],
    ['ROLE', { options: '--ROLE=postern' }],
    ['session_authorization', { session_authorization: 'postern' }],
    ['session_authorization', { options: '-csession_authorization=postern' }],
    ['replication', { replication: 'database' }],
    ['replication', { replication: 'true' }],
    ['statement_timeout', { options: '-c statement_timeout=1' }],
    ['default_transaction_isolation', { default_transaction_isolation: 'serializable' }],
  ])('refuses %s in %j', async (name, parameters) => {
    const client = await secure();
    client.startup({ user: 'admin', database: 'postgres', ...parameters });
    expect(await client.error()).toMatchObject({
      S: 'FATAL',
      C: '0A000',
      M: `setting configuration parameter "${name}" not supported`,
    });
    await worksStill();
  });

  it("gives PostgreSQL's own error for a value that it refuses", async () => {
    const client = await secure();
    client.startup({ user: 'admin', database: 'postgres', timezone: 'Mars/Phobos' });
    await client.frame();
    client.password(postern.token('admin'));
    expect(await client.error()).toMatchObject({
      S: 'FATAL',
      C: '22023',
      M: 'invalid value for parameter "TimeZone": "Mars/Phobos"',
    });
  });

  it('has one database', async () => {
    const client = await secure();
    client.startup({ user: 'admin', database: 'template1' });
    await client.frame();
    client.password(postern.token('admin'));
    expect(await client.error()).toMatchObject({ S: 'FATAL', C: '3D000', M: 'database "template1" does not exist' });
  });

  it('needs a user', async () => {
    const client = await secure();
    client.startup({ database: 'postgres' });
    expect(await client.error()).toMatchObject({
      C: '08P01',
      M: 'no PostgreSQL user name specified in startup packet',
    });
  });
});

describe('the cluster that a connection means', () => {
  const nameOf = (text: string) => ({ ca: postern.ca, servername: text, checkServerIdentity: () => undefined });
  const attempt = async (client: WireClient, parameters: Record<string, string> = {}) => {
    client.startup({ user: 'admin', database: 'postgres', ...parameters });
    const frame = await client.frame();
    client.end();
    return frame.type;
  };

  it('is found by its endpoint, its private name, localhost, and no name on a loopback address', async () => {
    const id = postern.server.clusterId;
    for (const name of [`${id}.dsql.us-east-1.on.aws`, `${id}.dsql-fnh4.us-east-1.on.aws`, 'localhost']) {
      expect(await attempt(await WireClient.tls(port, nameOf(name)))).toBe('R');
    }
    const unnamed = await WireClient.tls(port, { ...nameOf(''), servername: '' });
    expect(await attempt(unnamed)).toBe('R');
    expect(await attempt(await secure(), { options: `-c amzn-cluster-id=${id}` })).toBe('R');
  });

  it.each([
    ['a cluster that is not there', `${'a'.repeat(26)}.dsql.us-east-1.on.aws`, {}],
    ['another region', '', {}],
    ['a foreign name', 'example.com', {}],
    ['another id as an option', 'localhost', { options: `-c amzn-cluster-id=${'b'.repeat(26)}` }],
    ['an option that is no id', 'localhost', { options: "-c amzn-cluster-id=';drop" }],
  ])('is refused for %s', async (what, name, parameters) => {
    const servername = what === 'another region' ? `${postern.server.clusterId}.dsql.eu-west-1.on.aws` : name;
    const client = await WireClient.tls(port, nameOf(servername));
    client.startup({ user: 'admin', database: 'postgres', ...parameters });
    expect(await client.error()).toMatchObject({
      S: 'FATAL',
      C: '08006',
      M: 'unable to accept connection, access denied',
    });
  });
});

describe('a session', () => {
  it('runs the extended protocol, pipelined', async () => {
    const client = await secure();
    await client.login({ user: 'admin' }, postern.token('admin'));
    const step = (n: number) => [
      message('P', cstring(`s${n}`), cstring('SELECT $1::int * 2'), Buffer.from([0, 0])),
      message(
        'B',
        cstring(''),
        cstring(`s${n}`),
        Buffer.from([0, 0, 0, 1]),
        int32(1),
        Buffer.from(String(n)),
        Buffer.from([0, 0]),
      ),
      message('E', cstring(''), int32(0)),
      message('S'),
    ];
    client.send(...Array.from({ length: 9 }, (_, n) => step(n)).flat());
    for (let n = 0; n < 9; n++) {
      const frames = await client.until('Z');
      expect(frames.map((frame) => frame.type).join('')).toBe('12DCZ');
      expect(frames[2]?.body.toString('latin1', 6)).toBe(String(n * 2));
    }
    client.end();
  });

  it('copies in and out, also more than fits into any buffer', async () => {
    const client = await secure();
    await client.login({ user: 'admin' }, postern.token('admin'));
    client.query('CREATE TABLE copied (n int, filler text)');
    await client.until('Z');
    client.query('COPY copied FROM STDIN');
    expect((await client.frame()).type).toBe('G');
    const line = (n: number) => `${n}\t${'x'.repeat(3_000)}\n`;
    const rows = 3_000;
    for (let n = 0; n < rows; n += 100) {
      client.send(message('d', Buffer.from(Array.from({ length: 100 }, (_, i) => line(n + i)).join(''))));
    }
    client.send(message('c'));
    expect((await client.until('Z'))[0]?.body.toString()).toBe(`COPY ${rows}\0`);
    client.query('COPY copied TO STDOUT');
    const frames = await client.until('Z');
    expect(frames.filter((frame) => frame.type === 'd').length).toBe(rows);
    client.end();
  });

  it('lets the engine wait for a slow reader instead of holding its result in memory', async () => {
    const client = await secure();
    await client.login({ user: 'admin', application_name: 'slow' }, postern.token('admin'));
    const observer = await postern.connect();
    const memory = () => process.memoryUsage().rss;
    const before = memory();
    client.stopReading();
    client.query("SELECT repeat('x', 100000) FROM generate_series(1, 5000)");
    const waiting = async () => {
      const { rows } = await observer.query("SELECT wait_event FROM pg_stat_activity WHERE application_name = 'slow'");
      return rows[0]?.wait_event;
    };
    await expect.poll(waiting, { timeout: 20_000 }).toBe('ClientWrite');
    expect(memory() - before).toBeLessThan(150 * 1024 * 1024);
    client.end();
    await observer.end();
  });

  it('is cancelled by its own key only, also from a connection in the clear', async () => {
    const client = await secure();
    const key = (await client.login({ user: 'admin' }, postern.token('admin'))).find((frame) => frame.type === 'K')
      ?.body as Buffer;
    const processId = key.readInt32BE(0);
    client.query('SELECT pg_sleep(60)');
    // A request that comes before its query cancels nothing.
    const observer = await postern.connect();
    const running = "SELECT FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'";
    await vi.waitFor(async () => expect((await observer.query(running)).rowCount).toBe(1), { timeout: 10_000 });
    await observer.end();
    const cancel = async (secret: Buffer) => {
      const other = await WireClient.tcp(port);
      other.send(cancelRequest(processId, secret));
      expect((await other.closed()).length).toBe(0);
    };
    const wrong = Buffer.from(key.subarray(4));
    wrong.writeUInt8(wrong.readUInt8(0) ^ 1, 0);
    await cancel(wrong);
    await cancel(Buffer.alloc(32));
    await cancel(key.subarray(4));
    expect((await client.until('Z')).map((frame) => frame.type).join('')).toBe('TEZ');
    expect(postern.log.filter((line) => line.event === 'session.cancel').map((line) => line['found'])).toEqual([
      false,
      false,
      true,
    ]);
    client.end();
  });

  it.each([
    ['a message type that there is none of', Buffer.from('!\0\0\0\x04', 'latin1'), 'invalid message type 33'],
    ['a password after the login', message('p', cstring('x')), 'invalid message type 112'],
    ['a length that is too small', Buffer.from('Q\0\0\0\x03', 'latin1'), 'invalid message length'],
    ['a length that wraps', Buffer.from('Q\xff\xff\xff\xff', 'latin1'), 'invalid message length'],
    ['a message above 10 MiB', Buffer.from('Q\x00\xa0\x00\x01', 'latin1'), 'invalid message length'],
  ])('ends at %s', async (_, bytes, text) => {
    const client = await secure();
    await client.login({ user: 'admin' }, postern.token('admin'));
    client.send(bytes);
    expect(await client.error()).toMatchObject({ S: 'FATAL', C: '08P01', M: text });
    await client.closed();
    await worksStill();
  });
});
