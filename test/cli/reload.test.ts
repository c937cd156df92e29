import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cleanUp, MAIN, makeFolder, type StartedServer, startServerProcess } from '../harness/cli.ts';
import { assertNoSecrets } from '../harness/no-secrets.ts';

/** SIGHUP: what a running server takes from its configuration file, with sessions open. */

let folder: string;
let server: StartedServer;
const sessions: pg.Client[] = [];

const write = (content: object | string) =>
  writeFileSync(join(folder, 'postern.json'), typeof content === 'string' ? content : JSON.stringify(content));

beforeAll(async () => {
  folder = await makeFolder();
  write({ 'log-level': 'warn' });
  server = await startServerProcess(folder);
  for (let i = 0; i < 3; i++) sessions.push(await connect());
});
afterAll(async () => {
  await Promise.all(sessions.map((session) => session.end().catch(() => undefined)));
  await cleanUp();
});

async function connect(): Promise<pg.Client> {
  const { PGHOST, PGPORT, PGUSER, PGPASSWORD, PGSSLROOTCERT } = server.environment as Record<string, string>;
  const ssl = { ca: readFileSync(PGSSLROOTCERT as string, 'utf8') };
  const login = { host: PGHOST, port: Number(PGPORT), user: PGUSER, password: PGPASSWORD, database: 'postgres', ssl };
  const client = new pg.Client(login);
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** The lines about reloads in the audit log. */
function audited(): Record<string, unknown>[] {
  const path = join(folder, '.postern', 'audit');
  return readdirSync(path)
    .filter((name) => name.endsWith('.jsonl'))
    .flatMap((name) => readFileSync(join(path, name), 'utf8').split('\n'))
    .filter((line) => line.includes('"ConfigurationReloaded"'))
    .map((line) => JSON.parse(line));
}

/** Reads the file again, and resolves with the audit log's line on it. */
async function reload(content: object | string | undefined): Promise<Record<string, unknown>> {
  const before = audited().length;
  if (content === undefined) rmSync(join(folder, 'postern.json'));
  else write(content);
  server.child.kill('SIGHUP');
  await expect.poll(() => audited().length, { timeout: 20_000 }).toBe(before + 1);
  return audited().at(-1) as Record<string, unknown>;
}

const alive = () =>
  Promise.all(sessions.map(async (session) => (await session.query('SELECT 1 AS one')).rows[0].one as number));

describe('reading the configuration again', () => {
  it('changes limits under open sessions, a transaction and a running statement, and back', async () => {
    const [first, second] = sessions as [pg.Client, pg.Client];
    await first.query('BEGIN');
    await first.query('CREATE TABLE kept (id int)');
    const running = second.query('SELECT pg_sleep(0.5)');
    const line = await reload({ 'log-level': 'warn', 'connections-per-principal': 3 });
    expect(line['additionalEventData']).toEqual({
      changed: [{ option: 'connections-per-principal', from: 0, to: 3 }],
      needRestart: [],
    });
    await expect(connect()).rejects.toMatchObject({ code: '53300' });
    await running;
    await first.query('COMMIT');
    expect(await alive()).toEqual([1, 1, 1]);
    await reload({ 'log-level': 'warn' });
    const another = await connect();
    await another.end();
  });

  it('changes what is logged', async () => {
    expect(server.stderr()).not.toContain('login.accepted');
    await reload({ 'log-level': 'info' });
    await (await connect()).end();
    await expect.poll(() => server.stderr()).toContain('login.accepted');
  });

  it('names what only a restart changes, and does the rest', async () => {
    const line = await reload({ 'pg-port': 1, account: '111122223333', 'shutdown-timeout': 7, declare: {} });
    expect(line['additionalEventData']).toEqual({
      changed: [{ option: 'shutdown-timeout', from: 5, to: 7 }],
      needRestart: ['account', 'declare'],
    });
    await expect.poll(() => server.stderr()).toContain('"options":["account","declare"]');
    expect(await alive()).toEqual([1, 1, 1]);
  });

  it.each<[string, object | string | undefined, RegExp]>([
    ['a value that is none', { 'connections-per-principal': 3, 'failed-login-rate': 'many' }, /failed-login-rate/],
    ['an option that there is not', { 'connections-per-principal': 3, nonsense: 1 }, /nonsense: unknown option/],
    ['half a file', '{ "connections-per-principal": 3,', /postern\.json/],
    [
      'a certificate that is not there',
      { 'connections-per-principal': 3, 'tls-cert': 'x', 'tls-key': 'y' },
      /tls-cert/,
    ],
    ['no file any more', undefined, /postern\.json: is not there any more/],
  ])('takes nothing from a file with %s', async (_, content, why) => {
    const line = await reload(content);
    expect(line).toMatchObject({ errorCode: 'ConfigurationRefused', errorMessage: expect.stringMatching(why) });
    expect(server.stderr()).toMatch(why);
    await (await connect()).end();
    expect(await alive()).toEqual([1, 1, 1]);
  });

  it('goes on in a new log file where somebody has moved the old one away, and in the old one where it cannot', async () => {
    const place = await makeFolder();
    const file = join(place, 'postern.log');
    const other = await startServerProcess(place, ['--log-file', file]);
    renameSync(file, `${file}.1`);
    other.child.kill('SIGHUP');
    const said = () => (existsSync(file) ? readFileSync(file, 'utf8') : '');
    await expect.poll(said, { timeout: 20_000 }).toContain('configuration reloaded');
    expect(readFileSync(`${file}.1`, 'utf8')).not.toContain('configuration reloaded');
    renameSync(file, `${file}.2`);
    mkdirSync(file);
    other.child.kill('SIGHUP');
    const told = () => readFileSync(`${file}.2`, 'utf8');
    await expect.poll(told, { timeout: 20_000 }).toContain('the log file cannot be opened again');
    await expect.poll(() => told().split('configuration reloaded').length - 1, { timeout: 20_000 }).toBe(2);
    expect(await other.stop()).toBe(0);
  });

  it('is asked for while the server starts: it starts, and reads then', async () => {
    const place = await makeFolder();
    const ready = join(place, 'ready.json');
    const ports = ['--pg-port', '0', '--api-port', '0'];
    const child = spawn(process.execPath, [MAIN, 'start', ...ports, '--ready-file', ready], {
      cwd: place,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (text: Buffer) => {
      stderr += text;
    });
    const ended = once(child, 'exit');
    try {
      await expect.poll(() => existsSync(join(place, '.postern')), { interval: 5, timeout: 20_000 }).toBe(true);
      child.kill('SIGHUP');
      await expect.poll(() => existsSync(ready), { timeout: 20_000 }).toBe(true);
      await expect.poll(() => stderr, { timeout: 20_000 }).toContain('configuration reloaded');
    } finally {
      child.kill('SIGINT');
    }
    expect(await ended).toEqual([0, null]);
    assertNoSecrets(stderr, 'standard error');
  });

  it('takes the next one that is right, and many at once one after the other', async () => {
    const before = audited().length;
    write({ 'connections-per-principal': 3 });
    for (let i = 0; i < 5; i++) server.child.kill('SIGHUP');
    await expect.poll(() => audited().length, { timeout: 20_000 }).toBeGreaterThan(before);
    await expect(connect()).rejects.toMatchObject({ code: '53300' });
    expect(await alive()).toEqual([1, 1, 1]);
  });
});
