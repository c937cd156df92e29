import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isAlive } from '../../machine/process-identity.ts';
import type { EngineOptions } from '../port.ts';
import { createEmbeddedHost } from './host.ts';
import { ask, connectTo, silent, TEST_CACHE } from './test-engine.ts';

const root = process.geteuid!() === 0;
const NOBODY = 65534;
let base: string;
let host: ReturnType<typeof createEmbeddedHost>;
const stops: (() => Promise<void> | void)[] = [];

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'postern-host-'));
  host = createEmbeddedHost({ cacheFolder: TEST_CACHE, runFolder: join(base, 'run'), log: silent });
});
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
  rmSync(base, { recursive: true, force: true });
});

async function start(options: Partial<EngineOptions> = {}) {
  const engine = await host.start({
    name: 'one',
    folder: join(base, 'one'),
    durable: false,
    maxConnections: 5,
    ...options,
  });
  stops.push(() => engine.stop());
  return engine;
}

describe('an instance', () => {
  it.each([true, false])('keeps its data over a stop (durable: %s)', async (durable) => {
    const first = await start({ durable });
    expect(await ask(first.socketPath, 'show fsync')).toEqual([{ fsync: durable ? 'on' : 'off' }]);
    await ask(first.socketPath, 'create table t (i int); insert into t values (7); checkpoint');
    await first.stop();
    await first.stop();
    expect(isAlive(first.pid)).toBe(false);
    const second = await start({ durable });
    expect(await ask(second.socketPath, 'select i from t')).toEqual([{ i: 7 }]);
  });

  it('is PostgreSQL 16 with C collation, UTC, scram and no TCP, in folders for its owner only', async () => {
    const { socketPath, superuser } = await start();
    expect(Buffer.byteLength(socketPath)).toBeLessThanOrEqual(100);
    const [row] = await ask(
      socketPath,
      `select current_user::text as me, current_setting('server_version_num')::int / 10000 as major, datcollate,
         pg_encoding_to_char(encoding) as encoding, current_setting('TimeZone') as zone, current_setting('listen_addresses') as addresses,
         current_setting('password_encryption') as passwords, current_setting('jit') as jit,
         (select count(*)::int from pg_hba_file_rules) as ways_in
       from pg_database where datname = 'postgres'`,
    );
    expect(row).toEqual({
      me: superuser,
      major: 16,
      datcollate: 'C',
      encoding: 'UTF8',
      zone: 'UTC',
      addresses: '',
      passwords: 'scram-sha-256',
      jit: 'off',
      ways_in: 1,
    });
    for (const folder of [join(base, 'one'), dirname(socketPath)]) expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  it('runs beside another, each with its own data', async () => {
    const [one, two] = await Promise.all([start(), start({ name: 'two', folder: join(base, 'two') })]);
    await ask(one.socketPath, 'create table only_one ()');
    await expect(ask(two.socketPath, 'select from only_one')).rejects.toThrow('does not exist');
  });

  it('leaves nothing of its socket behind', async () => {
    const { socketPath, stop } = await start();
    expect(existsSync(socketPath)).toBe(true);
    await stop();
    expect(existsSync(dirname(socketPath))).toBe(false);
  });

  it('has a socket also when the folder for it has a path too long', async () => {
    host = createEmbeddedHost({ cacheFolder: TEST_CACHE, runFolder: join(base, 'r'.repeat(120)), log: silent });
    const { socketPath, stop } = await start({ folder: join(base, 'long-'.repeat(30)) });
    expect(Buffer.byteLength(socketPath)).toBeLessThanOrEqual(100);
    expect(await ask(socketPath, 'select 1 as one')).toEqual([{ one: 1 }]);
    await stop();
    expect(existsSync(dirname(socketPath))).toBe(false);
  });

  it('lets its maximum of clients in beside our own sessions', async () => {
    const { socketPath } = await start({ maxConnections: 3 });
    await ask(socketPath, 'create role client login');
    const clients = [];
    for (let i = 0; i < 3; i++) clients.push(await connectTo(socketPath, 'client'));
    await expect(connectTo(socketPath, 'client')).rejects.toThrow(/reserved/);
    expect(await ask(socketPath, 'select 1 as one')).toEqual([{ one: 1 }]);
    for (const client of clients) await client.end();
  });

  it('tells when it has ended by itself, and can be started again', async () => {
    const { pid, ended, stop } = await start();
    process.kill(pid, 'SIGKILL');
    expect(await ended).toContain('killed by SIGKILL');
    await stop();
    expect(await ask((await start()).socketPath, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('is started once at a time', async () => {
    await start();
    await expect(start()).rejects.toThrow('already runs');
  });
});

describe('a data folder', () => {
  const put = (name: string, text: string) => {
    mkdirSync(join(base, 'one'), { recursive: true });
    writeFileSync(join(base, 'one', name), text);
  };

  it.each([
    ['that holds something else', 'notes.txt', 'mine', 'not a data folder'],
    ['of another PostgreSQL', 'PG_VERSION', '15\n', 'PostgreSQL 15'],
  ])('%s is refused and left alone', async (_, name, text, message) => {
    put(name, text);
    await expect(start()).rejects.toThrow(message);
    expect(readdirSync(join(base, 'one'))).toEqual([name]);
    expect(readFileSync(join(base, 'one', name), 'utf8')).toBe(text);
  });

  it('that is empty is taken', async () => {
    mkdirSync(join(base, 'one'));
    await start();
    expect(statSync(join(base, 'one')).mode & 0o777).toBe(0o700);
  });

  it('whose making was cut off is made anew', async () => {
    await (await start()).stop();
    put('postern.unsettled', '');
    writeFileSync(join(base, 'one', 'PG_VERSION'), '');
    expect(await ask((await start()).socketPath, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('with a pid file whose pid is another process by now is no obstacle', async () => {
    await (await start()).stop();
    put('postmaster.pid', `${process.pid}\n${join(base, 'one')}\n1\n5432\n/nowhere\n\n  1 2\nready   \n`);
    await start();
  });

  it('with a setting that PostgreSQL refuses says which', async () => {
    await (await start()).stop();
    put('postgresql.auto.conf', 'no_such_setting = 1\n');
    await expect(start()).rejects.toThrow('no_such_setting');
    expect(existsSync(join(base, 'one', 'postern.pid'))).toBe(false);
  });

  it.runIf(root)('that root copied is given to the user who runs the server', async () => {
    const first = await start();
    await ask(first.socketPath, 'create table t ()');
    await first.stop();
    execFileSync('chown', ['-R', '0:0', join(base, 'one')]);
    await ask((await start()).socketPath, 'select from t');
  });
});

describe('logging in', () => {
  it('is open to the user who runs Postern, as any role that may log in', async () => {
    const { socketPath } = await start();
    await ask(socketPath, 'create role example login; create role nologin');
    expect(await ask(socketPath, 'select session_user::text as me', { user: 'example' })).toEqual([{ me: 'example' }]);
    await expect(ask(socketPath, 'select 1', { user: 'nologin' })).rejects.toThrow('not permitted to log in');
    await expect(ask(socketPath, 'select 1', { user: 'unknown' })).rejects.toThrow('does not exist');
  });

  // Needs root, who alone can become somebody else.
  it.runIf(root).each([1, NOBODY])('is closed to the user with uid %i, also with the socket in reach', async (uid) => {
    const { socketPath } = await start();
    const tryLogin = () =>
      execFileSync(process.execPath, ['-e', LOGIN, socketPath], { uid, gid: uid, cwd: '/', env: {} }).toString();
    const owner = statSync(dirname(socketPath)).uid;
    if (uid !== owner) expect(tryLogin()).toBe('EACCES');
    chmodSync(dirname(socketPath), 0o777);
    chmodSync(socketPath, 0o777);
    expect(tryLogin()).toContain('Peer authentication failed for user "postern"');
  });

  /** A startup packet for the superuser, with nothing but Node's own modules: another user may not read ours. */
  const LOGIN = `
    const body = Buffer.from('\\0\\x03\\0\\0user\\0postern\\0database\\0postgres\\0\\0', 'latin1');
    const head = Buffer.alloc(4);
    head.writeInt32BE(body.length + 4);
    require('net').connect(process.argv[1], function () { this.write(Buffer.concat([head, body])); })
      .on('data', (bytes) => process.stdout.write(bytes.toString('latin1')) && process.exit())
      .on('error', (error) => process.stdout.write(error.code));
  `;

  it('is closed to replication', async () => {
    const { socketPath } = await start();
    const body = Buffer.from('\0\x03\0\0user\0postern\0replication\0true\0\0', 'latin1');
    const head = Buffer.alloc(4);
    head.writeInt32BE(body.length + 4);
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(socketPath, () => socket.write(Buffer.concat([head, body])));
      socket.on('data', (bytes) => resolve(bytes.toString('latin1'))).on('error', reject);
      stops.push(() => void socket.destroy());
    });
    expect(answer).toMatch(/^E.*FATAL/s);
  });
});
