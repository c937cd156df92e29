import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTagged, PROTOCOLS, type TaggedSession } from '../dialect/session.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let postern: TestServer;
let session: TaggedSession;
let admin: pg.Client;
beforeAll(async () => {
  postern = await startTestServer();
  session = await openTagged(postern);
  admin = session.client;
  await admin.query('CREATE TABLE t (id int PRIMARY KEY, a int, b text, c jsonb)');
  await admin.query("INSERT INTO t SELECT n, n % 10, 'b' || n FROM generate_series(1, 1000) n");
});
afterAll(() => postern?.stop());

const wait = async (jobId: string) => (await admin.query(`CALL sys.wait_for_job('${jobId}')`)).rows;
const jobOf = async (jobId: string) => (await admin.query('SELECT * FROM sys.jobs WHERE job_id = $1', [jobId])).rows[0];
const submit = async (sql: string): Promise<string> => (await admin.query(sql)).rows[0].job_id;
const validity = async (index: string) =>
  (await admin.query('SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)', [index])).rows[0]
    ?.indisvalid;

describe('CREATE INDEX ASYNC', () => {
  it.each(PROTOCOLS)('answers with a job’s id and its own tag, and the index is made: %s', async (protocol) => {
    const name = `by_a_${protocol}`;
    const { tag, rows } = await session.run(`CREATE INDEX ASYNC ${name} ON t (a)`, protocol);
    expect(tag).toBe('CREATE INDEX');
    expect(rows).toEqual([[expect.stringMatching(/^[a-z2-7]{26}$/)]]);
    expect(await wait(rows[0]?.[0] as string)).toEqual([{ succeeded: true }]);
    expect(await validity(name)).toBe(true);
    const [{ oid }] = (await admin.query(`SELECT '${name}'::regclass::oid`)).rows;
    expect(await jobOf(rows[0]?.[0] as string)).toEqual({
      job_id: rows[0]?.[0],
      status: 'completed',
      details: null,
      job_type: 'INDEX_BUILD',
      class_id: 1259,
      object_id: oid,
      object_name: `public.${name}`,
      start_time: expect.any(Date),
      update_time: expect.any(Date),
    });
  });

  it('fails on duplicates, says so, and leaves an index that is not valid', async () => {
    const job = await submit('CREATE UNIQUE INDEX ASYNC unique_a ON t (a)');
    expect(await wait(job)).toEqual([{ succeeded: false }]);
    expect(await jobOf(job)).toMatchObject({
      status: 'failed',
      details: 'Found duplicate key while validating index for UCVs',
      object_name: 'public.unique_a',
    });
    expect(await validity('unique_a')).toBe(false);
    await admin.query('DROP INDEX unique_a');
    expect(await validity('unique_a')).toBeUndefined();
  });
});
