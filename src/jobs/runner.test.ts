import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ask, silent, startTestEngine, type TestEngine } from '../engine/embedded/test-engine.ts';
import { openRoleCatalog, type RoleCatalog } from '../roles/role-catalog.ts';
import { JobRunner } from './runner.ts';

let engine: TestEngine;
let catalog: RoleCatalog;
let runner: JobRunner;
let uses = 0;
let asleep = false;

const startRunner = () => {
  runner = new JobRunner({
    fleet: {
      awake: () => (asleep ? undefined : Promise.resolve({ engine, catalog })),
      use() {
        uses++;
        return { release: () => uses-- };
      },
    },
    after: (ms, work) => {
      const timer = setTimeout(work, ms);
      return () => clearTimeout(timer);
    },
    log: silent,
  });
};

beforeAll(async () => {
  engine = await startTestEngine();
  const unused = () => undefined;
  catalog = await openRoleCatalog(engine, { onChange: unused, onJobs: unused, onLost: unused });
  await engine.sql(`
    CREATE ROLE owner LOGIN; CREATE SCHEMA o AUTHORIZATION owner;
    CREATE FUNCTION o.slow(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 FROM (SELECT pg_sleep(0.1)) s'`);
});
afterAll(async () => {
  await catalog?.close();
  await engine?.stop();
});
beforeEach(() => {
  asleep = false;
  startRunner();
});
afterEach(async () => {
  await runner.close();
  await engine.sql('DELETE FROM postern.job');
});

const asOwner = <Row>(sql: string) => ask<Row>(engine.socketPath, sql, { user: 'owner' });
let tables = 0;
/** Submits an index of a table of its own; returns the job's id. */
async function submit(expression = 'a', rows = 3): Promise<string> {
  const table = `t${++tables}`;
  await asOwner(`CREATE TABLE o.${table} (a int); INSERT INTO o.${table} SELECT generate_series(1, ${rows})`);
  const [row] = await asOwner<{ id: string }>(
    `SELECT sys.create_index_async('CREATE INDEX i_${table} ON', 'o', '${table}', '(${expression})', true, false) AS id`,
  );
  return row?.id as string;
}
const statusOf = async (id: string) =>
  (await engine.sql<Record<string, unknown>>('SELECT status, details FROM sys.jobs WHERE job_id = $1', [id]))[0];
const eventually = { timeout: 20_000, interval: 10 };
const becomes = (id: string, status: string) =>
  vi.waitFor(async () => expect(await statusOf(id)).toMatchObject({ status }), eventually);

describe('the runner of jobs', () => {
  it('keeps the database awake as long as there is something to do, and no longer', async () => {
    const id = await submit('o.slow(a)');
    await runner.look('db');
    expect(uses).toBe(1);
    expect(await statusOf(id)).toMatchObject({ status: 'processing' });
    await becomes(id, 'completed');
    await vi.waitFor(() => expect(uses).toBe(0), eventually);
    await runner.look('db');
    expect(uses).toBe(0);
  });

  it('leaves a database asleep', async () => {
    const id = await submit();
    asleep = true;
    await runner.look('db');
    expect(await statusOf(id)).toMatchObject({ status: 'submitted' });
  });

  it('runs four at once', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 6; n++) ids.push(await submit('o.slow(a)', 5));
    await runner.look('db');
    const running = async () =>
      (await engine.sql<{ n: number }>("SELECT count(*)::int AS n FROM sys.jobs WHERE status = 'processing'"))[0]?.n;
    expect(await running()).toBe(4);
    for (const id of ids) {
      expect(await running()).toBeLessThanOrEqual(4);
      await becomes(id, 'completed');
    }
  });

  it('forgets what has been finished for more than half an hour when it looks', async () => {
    const [old, recent] = [await submit(), await submit()];
    await runner.look('db');
    await Promise.all([becomes(old, 'completed'), becomes(recent, 'completed')]);
    const age = (id: string, minutes: number) =>
      engine.sql(
        `UPDATE postern.job SET update_time = now() - interval '${minutes} min' WHERE job_id = sys.base32_str_to_uuid($1)`,
        [id],
      );
    await age(old, 31);
    await age(recent, 29);
    const waiting = await submit();
    await age(waiting, 31);
    await runner.look('db');
    expect(await statusOf(old)).toBeUndefined();
    expect(await statusOf(recent)).toMatchObject({ status: 'completed' });
    await becomes(waiting, 'completed');
  });

  it('gives back what it has begun when the program ends, and another takes it up', async () => {
    const id = await submit('o.slow(a)', 20);
    await runner.look('db');
    await runner.close();
    expect(uses).toBe(0);
    expect(await statusOf(id)).toMatchObject({ status: 'submitted' });
    expect(await engine.sql('SELECT attempts FROM postern.job')).toEqual([{ attempts: 0 }]);
    await engine.sql(
      "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE 'postern job %'",
    );
    startRunner();
    await runner.look('db');
    await becomes(id, 'completed');
  });

  it('begins again when the session of a job is ended', async () => {
    const id = await submit('o.slow(a)', 10);
    await runner.look('db');
    await asOwner("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'postern job %'");
    await becomes(id, 'completed');
    const name = `o.i_t${tables}`;
    expect(await engine.sql(`SELECT indisvalid FROM pg_index WHERE indexrelid = '${name}'::regclass`)).toEqual([
      { indisvalid: true },
    ]);
  });

  it('gives up what does not get through', async () => {
    const id = await submit();
    await engine.sql('UPDATE postern.job SET attempts = 5');
    await runner.look('db');
    await becomes(id, 'failed');
    expect(await statusOf(id)).toMatchObject({ details: 'the job was interrupted too often' });
  });

  it.each([
    ['ALTER ROLE owner NOLOGIN', 'ALTER ROLE owner LOGIN'],
    ['ALTER ROLE owner SUPERUSER', 'ALTER ROLE owner NOSUPERUSER'],
  ])('opens no session for a role after %s', async (change, back) => {
    const id = await submit();
    await engine.sql(change);
    await runner.look('db');
    await becomes(id, 'failed');
    expect(await statusOf(id)).toMatchObject({ details: 'the role of the job cannot log in any more' });
    await engine.sql(back);
  });

  it('heeds no settings of the role', async () => {
    const id = await submit('o.slow(a)');
    await engine.sql(
      'ALTER ROLE owner SET statement_timeout = 50; ALTER ROLE owner SET default_transaction_read_only = on',
    );
    await runner.look('db');
    await becomes(id, 'completed');
    await engine.sql('ALTER ROLE owner RESET ALL');
  });
});
