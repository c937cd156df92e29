import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, describe, expect, it, onTestFailed } from 'vitest';
import type { Environment } from '../../src/cli/environment.ts';
import { cleanUp, makeFolder, startServerProcess } from '../harness/cli.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

afterAll(cleanUp);

/** Takes a fifth of a second in PostgreSQL. */
const SLOW = `CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE sql
  AS 'SELECT $1 FROM (SELECT pg_sleep(0.2)) s'`;

/**
 * Leaves jobs that are not through: one that has built half an index, one that waits for it, one that waits to validate.
 * Returns their ids and the half-built index.
 */
async function leaveJobs(connect: () => Promise<pg.Client>) {
  const admin = await connect();
  await admin.query(SLOW);
  await admin.query('CREATE TABLE t (a int, b int)');
  await admin.query('INSERT INTO t SELECT n, n FROM generate_series(1, 15) n');
  await admin.query('ALTER TABLE t ADD CONSTRAINT few CHECK (a < 1000) NOT VALID');
  const ids: string[] = [];
  for (const sql of [
    'CREATE UNIQUE INDEX ASYNC half ON t (slow(a))',
    'CREATE INDEX ASYNC next ON t (b)',
    'ALTER TABLE ASYNC t VALIDATE CONSTRAINT few',
  ]) {
    ids.push((await admin.query(sql)).rows[0].job_id);
  }
  const { rows } = await admin.query('SELECT job_id, status FROM sys.jobs ORDER BY start_time');
  expect(rows).toEqual([
    { job_id: ids[0], status: 'processing' },
    { job_id: ids[1], status: 'submitted' },
    { job_id: ids[2], status: 'submitted' },
  ]);
  const half = await admin.query("SELECT indexrelid, indisvalid FROM pg_index WHERE indexrelid = 'half'::regclass");
  expect(half.rows[0].indisvalid).toBe(false);
  return { ids, half: half.rows[0].indexrelid as number };
}

async function expectDone(admin: pg.Client, { ids, half }: Awaited<ReturnType<typeof leaveJobs>>) {
  for (const id of ids)
    expect((await admin.query('CALL sys.wait_for_job($1)', [id])).rows).toEqual([{ succeeded: true }]);
  const { rows } = await admin.query(
    "SELECT relname, indexrelid, indisvalid FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE indrelid = 't'::regclass ORDER BY 1",
  );
  expect(rows).toMatchObject([
    { relname: 'half', indisvalid: true },
    { relname: 'next', indisvalid: true },
  ]);
  expect(rows[0].indexrelid).not.toBe(half);
  expect((await admin.query("SELECT convalidated FROM pg_constraint WHERE conname = 'few'")).rows[0].convalidated).toBe(
    true,
  );
}

describe('jobs that are not through', () => {
  it('are done after a restart', async () => {
    const dataDir = await makeFolder();
    const first = await startTestServer({ dataDir }, true);
    const left = await leaveJobs(() => first.connect());
    await first.stop();
    const second = await startTestServer({ dataDir }, true);
    await expectDone(await second.connect(), left);
    await second.stop();
  });

  it('are done after everything was killed', async () => {
    const cwd = await makeFolder();
    const connect = async (env: Environment) => {
      const client = new pg.Client({
        host: env['PGHOST'] as string,
        port: Number(env['PGPORT']),
        database: env['PGDATABASE'] as string,
        user: env['PGUSER'] as string,
        password: env['PGPASSWORD'] as string,
        ssl: { ca: readFileSync(env['PGSSLROOTCERT'] as string, 'utf8') },
      });
      client.on('error', () => undefined);
      await client.connect();
      return client;
    };
    const first = await startServerProcess(cwd);
    const left = await leaveJobs(() => connect(first.environment));
    expect(await first.stop('SIGKILL')).toBe('SIGKILL');
    const second = await startServerProcess(cwd);
    const admin = await connect(second.environment);
    await expectDone(admin, left);
    await admin.end();
    await second.stop();
  });

  it('are done after their PostgreSQL was killed, when the cluster is used again', { timeout: 180_000 }, async () => {
    const postern: TestServer = await startTestServer({}, true);
    // Who waits for a job that nobody does waits for ever.
    onTestFailed(() =>
      console.error(
        postern.log
          .slice(-50)
          .map((line) => JSON.stringify(line))
          .join('\n'),
      ),
    );
    const left = await leaveJobs(() => postern.connect());
    const pidFile = join(postern.options.dataDir, 'clusters', postern.server.clusterId, 'postmaster.pid');
    process.kill(Number(readFileSync(pidFile, 'utf8').split('\n')[0]), 'SIGKILL');
    let admin: pg.Client | undefined;
    await expect
      .poll(async () => (admin = await postern.connect().catch(() => undefined)), { timeout: 20_000, interval: 50 })
      .toBeDefined();
    await expectDone(admin as unknown as pg.Client, left);
    await postern.stop();
  });

  it('keep their cluster awake', async () => {
    const postern = await startTestServer({ idleTime: 1 });
    const slept = () => postern.log.some(({ msg }) => msg === 'a database that nobody uses goes to sleep');
    const admin = await postern.connect();
    await admin.query('CREATE TABLE t (a int)');
    // More than a second in PostgreSQL, and nobody is connected meanwhile.
    await admin.query(SLOW);
    await admin.query('INSERT INTO t SELECT generate_series(1, 12)');
    await admin.query('CREATE INDEX ASYNC slowly ON t (slow(a))');
    await admin.end();
    const done = () => postern.log.some(({ msg }) => msg === 'a job is completed');
    await expect.poll(() => done() || slept(), { timeout: 20_000, interval: 20 }).toBe(true);
    expect(slept()).toBe(false);
    await expect.poll(slept, { timeout: 20_000, interval: 20 }).toBe(true);
    await postern.stop();
  });
});
