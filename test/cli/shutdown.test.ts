import { readFileSync } from 'node:fs';
import pg from 'pg';
import { afterAll, describe, expect, it, vi } from 'vitest';
import type { Environment } from '../../src/cli/environment.ts';
import { cleanUp, makeFolder, type StartedServer, startServerProcess } from '../harness/cli.ts';
import { eventually } from '../harness/clusters.ts';

afterAll(cleanUp);

async function connect(env: Environment): Promise<pg.Client> {
  const client = new pg.Client({
    host: env['PGHOST'] as string,
    port: Number(env['PGPORT']),
    database: 'postgres',
    user: 'admin',
    password: env['PGPASSWORD'] as string,
    ssl: { ca: readFileSync(env['PGSSLROOTCERT'] as string, 'utf8') },
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

async function ready({ environment }: StartedServer): Promise<[status: number, text: string]> {
  const answer = await fetch(`${environment['AWS_ENDPOINT_URL']}/readyz`);
  return [answer.status, await answer.text()];
}

const ended = (client: pg.Client) => new Promise((resolve) => client.once('error', resolve));
const TOLD = { severity: 'FATAL', code: '57P01' };

describe('a server that is asked to stop', () => {
  it.each([
    'SIGTERM',
    'SIGINT',
  ] as const)('ends idle sessions, lets transactions end, takes no more logins and says so (%s)', async (signal) => {
    const server = await startServerProcess(await makeFolder(), ['--shutdown-timeout', '60']);
    expect(await ready(server)).toEqual([200, 'ready\n']);
    const [idle, busy] = await Promise.all([connect(server.environment), connect(server.environment)]);
    await busy.query('CREATE TABLE kept (n int)');
    await busy.query('BEGIN');
    const told = ended(idle);
    const stopped = server.stop(signal);
    expect(await told).toMatchObject(TOLD);
    expect(await ready(server)).toEqual([503, 'not ready\n- the server is shutting down\n']);
    await expect(connect(server.environment)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await busy.query('INSERT INTO kept VALUES (1)');
    const last = ended(busy);
    await busy.query('COMMIT');
    expect(await last).toMatchObject(TOLD);
    expect(await stopped).toBe(0);
  });

  it('ends transactions that take longer than they get, and undoes them', async () => {
    const cwd = await makeFolder();
    const server = await startServerProcess(cwd, ['--shutdown-timeout', '1']);
    const client = await connect(server.environment);
    await client.query('CREATE TABLE undone (n int)');
    await client.query('BEGIN');
    await client.query('INSERT INTO undone VALUES (1)');
    const told = ended(client);
    expect(await server.stop('SIGTERM')).toBe(0);
    expect(await told).toMatchObject(TOLD);
    const again = await startServerProcess(cwd);
    const reader = await connect(again.environment);
    expect((await reader.query('SELECT n FROM undone')).rows).toEqual([]);
    await reader.end();
    await again.stop();
  });

  it('ends at once when it is asked again, and what was committed is there at the next start', async () => {
    const cwd = await makeFolder();
    const server = await startServerProcess(cwd, ['--shutdown-timeout', '600']);
    const client = await connect(server.environment);
    await client.query('CREATE TABLE kept (n int)');
    await client.query('INSERT INTO kept VALUES (7)');
    await client.query('BEGIN');
    const first = server.stop('SIGTERM');
    await vi.waitFor(async () => expect((await ready(server))[0]).toBe(503), eventually);
    expect(await server.stop('SIGTERM')).toBe(1);
    expect(await first).toBe(1);
    const again = await startServerProcess(cwd);
    const reader = await connect(again.environment);
    expect((await reader.query('SELECT n FROM kept')).rows).toEqual([{ n: 7 }]);
    await reader.end();
    await again.stop();
  });
});
