/**
 * Known wounds of PostgreSQL servers, proxies and drivers, each by its name, tried with bytes that no driver would send.
 * What else is done to the protocol stands in test/clients/wire.test.ts and test/clients/hostile.test.ts.
 */
import { connect } from 'node:net';
import { Duplex } from 'node:stream';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { decodeFields } from '../../src/pgwire/fields.ts';
import { cancelRequest, cstring, int32, message, startupMessage } from '../../src/pgwire/messages.ts';
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
const ADMIN = startupMessage([
  ['user', 'admin'],
  ['database', 'postgres'],
]);

async function loggedIn(parameters: Record<string, string> = {}) {
  const client = await secure();
  const greeting = await client.login({ user: 'admin', ...parameters }, postern.token('admin'));
  return { client, greeting };
}

/** Whether anybody has made this table. */
async function isThere(table: string): Promise<boolean> {
  const client = await postern.connect();
  const { rows } = await client.query('SELECT FROM pg_class WHERE relname = $1', [table]);
  await client.end();
  return rows.length > 0;
}

/** The fields of all errors in a stream of frames. */
function errorsIn(bytes: Buffer): Map<string, string>[] {
  const errors: Map<string, string>[] = [];
  for (let at = 0; at + 5 <= bytes.length; ) {
    const end = at + 1 + bytes.readInt32BE(at + 1);
    if (bytes[at] === 0x45) errors.push(decodeFields(bytes.subarray(at + 5, end)));
    at = end;
  }
  return errors;
}

/** A startup packet of any strings, which may not be pairs. */
function packet(...strings: string[]): Buffer {
  const body = Buffer.concat([int32(3 << 16), ...strings.map((text) => Buffer.from(`${text}\0`)), Buffer.from([0])]);
  return Buffer.concat([int32(body.length + 4), body]);
}

describe('before the login', () => {
  it.each([
    ['CVE-2021-23214, CVE-2021-3935: bytes after SSLRequest', SSL_REQUEST],
    ['CVE-2021-23214: bytes after GSSENCRequest', GSSENC_REQUEST],
  ])('%s, put in by who sits between, are not taken for the client’s', async (_, request) => {
    const client = await WireClient.tcp(port);
    client.send(request, ADMIN, message('Q', cstring('CREATE TABLE smuggled_before_tls ()')));
    const said = await client.closed();
    // Neither `S` nor `N` before the error: nobody is asked to go on.
    expect(said.toString('latin1', 0, 1)).toBe('E');
    expect(errorsIn(said)[0]?.get('C')).toBe('08P01');
    expect(await isThere('smuggled_before_tls')).toBe(false);
  });

  it('a request for encryption inside the encryption does not begin anew', async () => {
    for (const request of [SSL_REQUEST, GSSENC_REQUEST]) {
      const client = await secure();
      client.send(request);
      expect(await client.error()).toMatchObject({ S: 'FATAL', C: '08P01' });
    }
  });

  it('CVE-2015-4054: a password before any startup packet ends the connection and not the server', async () => {
    for (const open of [() => WireClient.tcp(port), secure]) {
      const client = await open();
      client.password(postern.token('admin'));
      expect(errorsIn(await client.closed())[0]?.get('C')).toBe('08P01');
    }
    (await loggedIn()).client.end();
  });

  it('a query before the login, pipelined behind the startup packet, is never run', async () => {
    const client = await secure();
    client.send(ADMIN, message('Q', cstring('CREATE TABLE ran_before_login ()')));
    expect((await client.frame()).type).toBe('R');
    expect(await client.error()).toMatchObject({ S: 'FATAL', C: '08P01' });
    const late = await secure();
    late.send(ADMIN, message('p', cstring('no token')), message('Q', cstring('CREATE TABLE ran_before_login ()')));
    await late.closed();
    expect(await isThere('ran_before_login')).toBe(false);
  });

  it.each([
    ['twice', packet('user', 'nobody', 'user', 'admin')],
    ['twice, once in capitals', packet('user', 'nobody', 'database', 'postgres', 'USER', 'admin')],
    ['once, in capitals', packet('User', 'admin')],
    ['twice, once in options', packet('user', 'nobody', 'options', '-c user=admin')],
    ['twice, once in options in capitals', packet('user', 'nobody', 'options', '--USER=admin')],
  ])('a startup parameter by case: user %s is no login as admin', async (_, startup) => {
    const client = await secure();
    client.send(startup);
    expect(await client.error()).toMatchObject({ S: 'FATAL', C: expect.stringMatching(/^(08P01|0A000)$/) });
  });

  it.each([
    ['application_name', packet('user', 'admin', 'application_name', 'a\0role\0postern')],
    ['user', packet('user', 'admin\0role\0postern')],
    ['options', packet('user', 'admin', 'options', '-c application_name=a\0role\0postern')],
    ['application_name, uneven', packet('user', 'admin', 'application_name', 'a\0b')],
  ])('a NUL in %s is no way to another parameter', async (_, startup) => {
    const client = await secure();
    client.send(startup);
    expect(await client.error()).toMatchObject({ S: 'FATAL', C: expect.stringMatching(/^(08P01|0A000)$/) });
  });

  it('an application_name is kept as one line of printable text, in the engine and in the log', async () => {
    const name = 'a\u001b[2J\r\nX-Evil: 1\u202e';
    const { client } = await loggedIn({ application_name: name });
    client.query("SELECT current_setting('application_name') ~ '^[ -~]*$'");
    const row = (await client.until('Z')).find(({ type }) => type === 'D');
    expect(row?.body.toString('latin1', 6)).toBe('t');
    client.end();
    expect(postern.log.map((line) => JSON.stringify(line)).filter((line) => /[\u0000-\u001f]/.test(line))).toEqual([]);
  });

  it('an error without SQLSTATE, severity or message is never sent, however the login fails', async () => {
    const token = postern.token('admin');
    const attempts: [string, (client: WireClient) => void][] = [
      ['zeros', (client) => client.send(Buffer.alloc(16))],
      ['another protocol', (client) => client.send(Buffer.from('GET / HTTP/1.1\r\n\r\n'))],
      ['protocol 2', (client) => client.send(Buffer.concat([int32(9), int32(2 << 16), Buffer.from([0])]))],
      ['no user', (client) => client.startup({ database: 'postgres' })],
      ['replication', (client) => client.startup({ user: 'admin', replication: 'true' })],
      ['no cluster', (client) => client.startup({ user: 'admin', options: '-c amzn-cluster-id=x' })],
      ['an unknown role', (client) => client.send(packet('user', 'nobody'), message('p', cstring(postern.token('x'))))],
      [
        'another database',
        (client) => client.send(packet('user', 'admin', 'database', 'x'), message('p', cstring(token))),
      ],
      [
        'a bad setting',
        (client) => client.send(packet('user', 'admin', 'timezone', 'x'), message('p', cstring(token))),
      ],
      ['no token', (client) => client.send(ADMIN, message('p', cstring('x')))],
      ['an empty password', (client) => client.send(ADMIN, message('p', cstring('')))],
      ['no password', (client) => client.send(ADMIN, message('Q', cstring('SELECT 1')))],
    ];
    for (const [what, act] of attempts) {
      const client = await secure();
      act(client);
      const [error, ...more] = errorsIn(await client.closed());
      expect(more, what).toEqual([]);
      expect(Object.fromEntries(error ?? []), what).toMatchObject({
        S: 'FATAL',
        V: 'FATAL',
        C: expect.stringMatching(/^[0-9A-Z]{5}$/),
        M: expect.stringMatching(/./),
      });
    }
  });
});

describe('during the login', () => {
  it('a client that has gone when its session is ready leaves none behind', async () => {
    const ended = () => postern.log.filter(({ event }) => event === 'session.ended').length;
    const accepted = () => postern.log.filter(({ event }) => event === 'login.accepted').length;
    const before = accepted();
    for (let i = 0; i < 5; i++) {
      const client = await secure();
      client.send(ADMIN);
      expect((await client.frame()).type).toBe('R');
      client.password(postern.token('admin'));
      client.hangUp();
    }
    await vi.waitFor(() => expect(accepted()).toBe(before + 5), { timeout: 10_000 });
    await vi.waitFor(() => expect(ended()).toBe(accepted()), { timeout: 10_000 });
    const observer = await postern.connect();
    const { rows } = await observer.query("SELECT FROM pg_stat_activity WHERE usename = 'admin'");
    expect(rows.length).toBe(1);
    await observer.end();
  });

  it('CVE-2011-1473: a client does not begin another handshake, again and again', async () => {
    const wire = connect(port, '127.0.0.1');
    /** First bytes of what the server sends, which are the types of TLS records (RFC 5246, 6.2.1). */
    const types: number[] = [];
    const between = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _, done) => void wire.write(chunk, () => done()),
    });
    wire.on('error', () => undefined);
    wire.on('data', (chunk: Buffer) => {
      types.push(chunk[0] as number);
      between.push(chunk);
    });
    const tls: ConnectionOptions = {
      ca: postern.ca,
      servername: 'localhost',
      ALPNProtocols: ['postgresql'],
      maxVersion: 'TLSv1.2',
    };
    const client = connectTls({ ...tls, socket: between });
    client.on('error', () => undefined);
    await new Promise<void>((resolve) => client.once('secureConnect', resolve));
    types.length = 0;
    client.renegotiate({ rejectUnauthorized: true }, () => undefined);
    const [handshake, alert] = [22, 21];
    await expect.poll(() => types).toContain(alert);
    expect(types).not.toContain(handshake);
    client.destroy();
    wire.destroy();
  });
});

describe('after the login', () => {
  const smuggled = message('Q', cstring('CREATE TABLE smuggled_by_length ()'));

  it.each([
    ['wraps to -1', 0xffffffff],
    ['wraps to a negative number', 0x80000004],
    ['is four billion short of the message', 0xfffffffb],
    ['is zero', 0],
    ['is smaller than itself', 3],
    ['is a gigabyte', 0x40000000],
  ])('CVE-2024-27304, CVE-2026-6664: a length that %s does not make two messages of one', async (_, length) => {
    for (const type of ['Q', 'P', 'B', 'd', 'S']) {
      const { client } = await loggedIn();
      const head = Buffer.alloc(5);
      head.write(type, 'latin1');
      head.writeUInt32BE(length, 1);
      client.send(head, smuggled);
      expect(await client.error()).toMatchObject({ S: 'FATAL', C: '08P01' });
      await client.closed();
    }
    expect(await isThere('smuggled_by_length')).toBe(false);
  });

  it('CVE-2024-27304: a message inside a parameter or behind a statement stays what it is', async () => {
    const { client } = await loggedIn();
    const value = Buffer.concat([Buffer.alloc(64_000, 'x'), smuggled]);
    client.send(
      message('P', cstring(''), cstring('SELECT length($1::bytea)'), Buffer.from([0, 0])),
      message('B', Buffer.from([0, 0, 0, 1, 0, 1, 0, 1]), int32(value.length), value, Buffer.from([0, 0])),
      message('E', cstring(''), int32(0)),
      message('S'),
    );
    const row = (await client.until('Z')).find(({ type }) => type === 'D');
    expect(row?.body.toString('latin1', 6)).toBe(String(value.length));
    client.send(message('Q', cstring('SELECT 1'), smuggled));
    expect((await client.until('Z')).map(({ type }) => type).join('')).toBe('EZ');
    client.end();
    expect(await isThere('smuggled_by_length')).toBe(false);
  });

  it('a zero byte in a statement ends it: what stands behind it is neither read nor run', async () => {
    const { client } = await loggedIn();
    client.send(message('Q', cstring('SELECT 1'), cstring('; CREATE TABLE smuggled_by_length ()')));
    const frames = await client.until('Z').catch(() => []);
    expect(frames.map(({ type }) => type).join('')).not.toContain('C');
    expect(await isThere('smuggled_by_length')).toBe(false);
    client.end();
  });

  it('cancel-key guessing: only the whole key of the same session counts', async () => {
    const [mine, other] = await Promise.all([loggedIn(), loggedIn()]);
    const keyOf = ({ greeting }: typeof mine) => greeting.find(({ type }) => type === 'K')?.body as Buffer;
    const [right, wrong] = [keyOf(mine), keyOf(other)];
    const processId = right.readInt32BE(0);
    const secret = right.subarray(4);
    mine.client.query('SELECT pg_sleep(60)');
    const observer = await postern.connect();
    const running = "SELECT FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'";
    await vi.waitFor(async () => expect((await observer.query(running)).rowCount).toBe(1), { timeout: 10_000 });
    const before = postern.log.filter(({ event }) => event === 'session.cancel').length;
    const guesses: [number, Buffer][] = [
      [processId, wrong.subarray(4)],
      [wrong.readInt32BE(0), secret],
      [processId, secret.subarray(0, secret.length - 1)],
      [processId, Buffer.concat([secret, Buffer.from([0])])],
      [processId, Buffer.alloc(secret.length)],
      [0, secret],
      [-1, secret],
      ...Array.from({ length: 32 }, (_, n): [number, Buffer] => [processId, int32(n * 0x01010101)]),
    ];
    for (const [id, guess] of guesses) {
      const client = await WireClient.tcp(port);
      client.send(cancelRequest(id, guess));
      expect((await client.closed()).length).toBeLessThan(200);
    }
    const lines = postern.log.filter(({ event }) => event === 'session.cancel').slice(before);
    expect(lines.filter((line) => line['found'] !== false)).toEqual([]);
    expect((await observer.query(running)).rowCount).toBe(1);
    await observer.end();
    mine.client.end();
    other.client.end();
  });

  it('a function call of the old protocol is no way around the dialect', async () => {
    const { client } = await loggedIn();
    // set_config(text, text, boolean)
    const call = [int32(2077), Buffer.from([0, 0, 0, 3])];
    const texts = ['client_encoding', 'LATIN1', 'f'].flatMap((text) => [int32(text.length), Buffer.from(text)]);
    client.send(message('F', ...call, ...texts, Buffer.from([0, 0])));
    const frames = await client.until('Z');
    expect(frames.map(({ type }) => type)).toContain('E');
    client.query('SHOW client_encoding');
    expect((await client.until('Z')).find(({ type }) => type === 'D')?.body.toString('latin1', 6)).toBe('UTF8');
    client.end();
  });
});
