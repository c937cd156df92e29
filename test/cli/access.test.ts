import { readFileSync } from 'node:fs';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AccessReview } from '../../src/access/report.ts';
import { cleanUp, makeFolder, postern, type StartedServer, startServerProcess } from '../harness/cli.ts';

let folder: string;
let server: StartedServer;
beforeAll(async () => {
  folder = await makeFolder();
  server = await startServerProcess(folder);
});
afterAll(cleanUp);

const access = (...args: string[]) => postern(['access', ...args], {}, folder);
const root = 'arn:aws:iam::123456789012:root';

describe('postern access', () => {
  it('tells that a new account lets only its root user in, and has nothing to mend', async () => {
    const { status, stdout, stderr } = await access();
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/root +admin +yes/);
    expect(stdout).toContain('No warnings');
  });

  it('gives the same as JSON, of the version that is documented', async () => {
    const id = server.environment['POSTERN_CLUSTER_ID'] as string;
    const { stdout } = await access('--json', '--cluster', id, '--principal', root, '--role', 'admin');
    const review = JSON.parse(stdout) as AccessReview;
    expect(review).toMatchObject({
      version: 1,
      account: '123456789012',
      clusters: [{ id, state: 'read', logins: [{ principal: root, role: 'admin', answer: 'allowed' }] }],
      principals: [{ arn: root, kind: 'root' }],
      warnings: [],
    });
  });

  it('exits with 1 for a warning that is grave enough, and with 0 for one that is not', async () => {
    await runAsAdmin('CREATE ROLE spare LOGIN');
    expect((await access()).status).toBe(0);
    expect((await access('--fail-on', 'medium')).status).toBe(0);
    const { status, stdout } = await access('--fail-on', 'low');
    expect(status).toBe(1);
    expect(stdout).toContain('low     role-without-mapping: Role spare');
    expect((await access('--fail-on', 'info', '--role', 'admin')).status).toBe(0);
  });

  it.each([
    [['--cluster', 'x'], 'there is no cluster x'],
    [['--role', 'x'], 'there is no database role x'],
    [['--principal', 'x'], 'x is no user, role or root user of this account'],
    [['--data-dir', 'elsewhere'], /^no server runs on .*elsewhere$/],
  ])('exits with 2 and one line where there is no review: %j', async (args, line) => {
    const { status, stdout, stderr } = await access(...args);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^postern: [^\n]*\n$/);
    expect(stderr.slice('postern: '.length, -1)).toMatch(line);
  });
});

async function runAsAdmin(sql: string): Promise<void> {
  const { environment } = server;
  const client = new pg.Client({
    host: 'localhost',
    port: Number(environment['PGPORT']),
    user: 'admin',
    database: 'postgres',
    password: environment['PGPASSWORD'] as string,
    ssl: { ca: readFileSync(environment['PGSSLROOTCERT'] as string, 'utf8') },
  });
  await client.connect();
  await client.query(sql);
  await client.end();
}
