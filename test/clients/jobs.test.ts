import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cstring, int32, message } from '../../src/pgwire/messages.ts';
import { openTagged, PROTOCOLS, type TaggedSession } from '../dialect/session.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { WireClient } from '../harness/wire.ts';

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

  it('keeps its tag to itself when not all of its rows are fetched', async () => {
    const client = await WireClient.tls(postern.server.pgPort, { ca: postern.ca });
    await client.login({ user: 'admin' }, postern.token('admin'));
    client.send(
      message('P', cstring(''), cstring('CREATE INDEX ASYNC ON t (a)'), Buffer.from([0, 0])),
      message('B', cstring(''), cstring(''), Buffer.alloc(6)),
      message('E', cstring(''), int32(1)),
      message('S'),
    );
    await client.until('Z');
    client.query('SELECT 1');
    const tags = (await client.until('Z')).filter(({ type }) => type === 'C').map(({ body }) => body.toString());
    expect(tags).toEqual(['SELECT 1\0']);
    client.end();
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

describe('the statement', () => {
  const definition = async (index: string): Promise<string> =>
    (await admin.query('SELECT pg_get_indexdef(to_regclass($1)) AS text', [index])).rows[0].text;

  const forms: [written: string, index: string, made: string][] = [
    [
      'UNIQUE INDEX ASYNC f1 ON t (id) INCLUDE (a, b)',
      'f1',
      'CREATE UNIQUE INDEX f1 ON public.t USING btree (id) INCLUDE (a, b)',
    ],
    [
      'UNIQUE INDEX ASYNC "F 2" ON ONLY public . "t" (b) NULLS NOT DISTINCT',
      '"F 2"',
      'CREATE UNIQUE INDEX "F 2" ON public.t USING btree (b) NULLS NOT DISTINCT',
    ],
    [
      'INDEX ASYNC f3 ON t (lower(t.b), (a + 1) NULLS FIRST) WHERE a > 3 AND b <> $$x$q0$y$$ -- end',
      'f3',
      "CREATE INDEX f3 ON public.t USING btree (lower(b), ((a + 1)) NULLS FIRST) WHERE ((a > 3) AND (b <> 'x$q0$y'::text))",
    ],
    [
      'INDEX /* x */ ASYNC /* y */ IF NOT EXISTS f4 ON /* z */ t (o.twice(a))',
      'f4',
      'CREATE INDEX f4 ON public.t USING btree (o.twice(a))',
    ],
    ['INDEX ASYNC ON t ((a::text || now()))', '', ''],
    ['INDEX ASYNC "é" ON "Tä ble" ("Ü")', '"é"', 'CREATE INDEX "é" ON public."Tä ble" USING btree ("Ü")'],
    ['INDEX ASYNC asyncs ON async (async)', 'asyncs', 'CREATE INDEX asyncs ON public.async USING btree (async)'],
  ];
  beforeAll(async () => {
    await admin.query('CREATE SCHEMA o');
    await admin.query('CREATE FUNCTION o.twice(n int) RETURNS int IMMUTABLE LANGUAGE sql AS $$ SELECT $1 * 2 $$');
    await admin.query('CREATE TABLE "Tä ble" ("Ü" int)');
    await admin.query('CREATE TABLE async (async int)');
  });
  it.each(forms)('keeps its parts: CREATE %s', async (written, index, made) => {
    if (index === '') {
      await expect(submit(`CREATE ${written}`)).rejects.toMatchObject({
        code: '42P17',
        message: 'functions in index expression must be marked IMMUTABLE',
        where: undefined,
      });
      return;
    }
    await admin.query('SELECT 1');
    expect(await wait(await submit(`CREATE ${written}`))).toEqual([{ succeeded: true }]);
    expect(await definition(index)).toBe(made);
    expect(await validity(index)).toBe(true);
    await admin.query(`DROP INDEX ${index}`);
  });

  it('names an index as PostgreSQL does', async () => {
    const names: string[] = [];
    for (const columns of ['"Ü"', '"Ü"', '"Ü", "Ü"', '("Ü" + 1)']) {
      const job = await submit(`CREATE INDEX ASYNC ON "Tä ble" (${columns})`);
      names.push((await jobOf(job)).object_name);
      await wait(job);
    }
    expect(names).toEqual([
      'public.Tä ble_Ü_idx',
      'public.Tä ble_Ü_idx1',
      'public.Tä ble_Ü_Ü1_idx',
      'public.Tä ble_expr_idx',
    ]);
  });

  const refused: [sql: string, code: string, message: string][] = [
    ['CREATE INDEX ASYNC i ON nosuch (a)', '42P01', 'relation "nosuch" does not exist'],
    ['CREATE INDEX ASYNC i ON public.nosuch (a)', '42P01', 'relation "public.nosuch" does not exist'],
    ['CREATE INDEX ASYNC i ON nosuch.t (a)', '3F000', 'schema "nosuch" does not exist'],
    ['CREATE INDEX ASYNC i ON t (nosuch)', '42703', 'column "nosuch" does not exist'],
    ['CREATE INDEX ASYNC i ON t (nosuch(a))', '42883', 'function nosuch(integer) does not exist'],
    ['CREATE INDEX ASYNC i ON t (c)', '0A000', 'datatype jsonb is not supported in a key'],
    ['CREATE INDEX ASYNC i ON t (a) WHERE a > (SELECT 1)', '0A000', 'cannot use subquery in index predicate'],
    ['CREATE INDEX ASYNC i ON t (a) WHERE a > $1', '42P02', 'there is no parameter $1'],
    ['CREATE INDEX ASYNC t ON t (a)', '42P07', 'relation "t" already exists'],
    ['CREATE INDEX ASYNC i ON t (a)); DROP TABLE t; --', '42601', 'syntax error at or near ")"'],
    ['CREATE INDEX ASYNC i ON pg_class (relname)', '42501', 'must be owner of table pg_class'],
    ['CREATE INDEX ASYNC i ON sys.jobs (status)', '42501', 'must be owner of view jobs'],
    ['ALTER TABLE ASYNC nosuch VALIDATE CONSTRAINT c', '42P01', 'relation "nosuch" does not exist'],
    ['ALTER TABLE ASYNC t VALIDATE CONSTRAINT c', '42704', 'constraint "c" of relation "t" does not exist'],
    [
      'ALTER TABLE ASYNC t VALIDATE CONSTRAINT t_pkey',
      '42809',
      'constraint "t_pkey" of relation "t" is not a foreign key or check constraint',
    ],
    [
      'ALTER TABLE ASYNC t VALIDATE CONSTRAINT c, ADD COLUMN d int',
      '0A000',
      'unsupported ALTER TABLE VALIDATE CONSTRAINT statement',
    ],
  ];
  it.each(refused)('is refused at once: %s', async (sql, code, message) => {
    for (const protocol of PROTOCOLS) {
      await expect(session.run(sql, protocol)).rejects.toMatchObject({ code, message, where: undefined });
    }
    expect((await admin.query("SELECT 1 FROM sys.jobs WHERE object_name = 'public.i'")).rows).toEqual([]);
  });

  it('answers without a row when IF NOT EXISTS finds one, and says so', async () => {
    const told: string[] = [];
    admin.on('notice', ({ code, message }) => told.push(`${code} ${message}`));
    const { tag, rows } = await session.run('CREATE INDEX ASYNC IF NOT EXISTS t_pkey ON t (a)', 'simple');
    expect([tag, rows]).toEqual(['CREATE INDEX', []]);
    expect(told).toEqual(['42P07 relation "t_pkey" already exists, skipping']);
    expect(await session.run('ALTER TABLE ASYNC IF EXISTS nosuch VALIDATE CONSTRAINT c', 'extended')).toEqual({
      tag: 'ALTER TABLE',
      rows: [],
    });
    admin.removeAllListeners('notice');
  });

  it('changes nothing in a transaction that is read only', async () => {
    await admin.query('BEGIN READ ONLY');
    await expect(submit('CREATE INDEX ASYNC i ON t (a)')).rejects.toMatchObject({
      code: '25006',
      message: 'cannot execute CREATE INDEX in a read-only transaction',
    });
    await admin.query('ROLLBACK');
  });

  it('is nothing when its transaction is rolled back, and is taken up when it commits', async () => {
    await admin.query('BEGIN');
    const lost = await submit('CREATE INDEX ASYNC lost ON t (a)');
    await admin.query('ROLLBACK');
    expect(await jobOf(lost)).toBeUndefined();
    await expect(admin.query('CREATE INDEX ASYNC lost ON t (a); SELECT 1/0')).rejects.toMatchObject({ code: '22012' });
    await admin.query('BEGIN');
    const kept = await submit('CREATE INDEX ASYNC kept ON t (a)');
    expect(await jobOf(kept)).toMatchObject({ status: 'submitted', object_id: null });
    await admin.query('COMMIT');
    expect(await wait(kept)).toEqual([{ succeeded: true }]);
    expect(await validity('kept')).toBe(true);
    expect(await validity('lost')).toBeUndefined();
  });

  it('is refused when the table has 24 indexes', async () => {
    await admin.query('CREATE TABLE many (a int)');
    for (let n = 0; n < 24; n++) await wait(await submit('CREATE INDEX ASYNC ON many (a)'));
    await expect(submit('CREATE INDEX ASYNC ON many (a)')).rejects.toMatchObject({
      code: '54000',
      message: 'more than 24 indexes per table are not allowed',
    });
  });
});

describe('ALTER TABLE ASYNC … VALIDATE CONSTRAINT', () => {
  const validated = async (name: string) =>
    (await admin.query('SELECT convalidated FROM pg_constraint WHERE conname = $1', [name])).rows[0].convalidated;

  it.each(PROTOCOLS)('validates checks and foreign keys: %s', async (protocol) => {
    const child = `child_${protocol}`;
    await admin.query(`CREATE TABLE ${child} (n int, t int)`);
    await admin.query(`INSERT INTO ${child} VALUES (1, 1)`);
    await admin.query(`ALTER TABLE ${child} ADD CONSTRAINT "${child} n" CHECK (n > 0) NOT VALID`);
    await admin.query(`ALTER TABLE ${child} ADD CONSTRAINT ${child}_t FOREIGN KEY (t) REFERENCES t NOT VALID`);
    for (const name of [`${child} n`, `${child}_t`]) {
      expect(await validated(name)).toBe(false);
      const { tag, rows } = await session.run(
        `ALTER TABLE ASYNC public.${child} VALIDATE CONSTRAINT "${name}"`,
        protocol,
      );
      expect(tag).toBe('ALTER TABLE');
      const job = rows[0]?.[0] as string;
      expect(await wait(job)).toEqual([{ succeeded: true }]);
      expect(await validated(name)).toBe(true);
      expect(await jobOf(job)).toMatchObject({
        status: 'completed',
        job_type: 'VALIDATE_CONSTRAINT',
        class_id: 1259,
        object_name: `public.${child}`,
      });
    }
  });

  it('fails where a row violates the constraint, and says which', async () => {
    await admin.query('ALTER TABLE t ADD CONSTRAINT few CHECK (id < 1000) NOT VALID');
    const job = await submit('ALTER TABLE ASYNC t VALIDATE CONSTRAINT few');
    expect(await wait(job)).toEqual([{ succeeded: false }]);
    expect(await jobOf(job)).toMatchObject({
      status: 'failed',
      details: 'check constraint "few" of relation "t" is violated by some row',
    });
    expect(await validated('few')).toBe(false);
  });
});

describe('a build that is not through', () => {
  /** A build ends only when every snapshot that is older than it has. */
  async function held(sql: string, work: (jobId: string) => Promise<void>): Promise<string> {
    const holder = await postern.connect();
    await holder.query('BEGIN');
    await holder.query('SELECT 1');
    const job = await submit(sql);
    try {
      await work(job);
    } finally {
      await holder.query('COMMIT');
      await holder.end();
    }
    return job;
  }

  it('shows an index that is not valid', async () => {
    const job = await held('CREATE UNIQUE INDEX ASYNC slow ON t (id)', async (id) => {
      expect(await jobOf(id)).toMatchObject({ status: 'processing', object_id: expect.any(Number) });
      expect(await validity('slow')).toBe(false);
      await expect(admin.query('ALTER TABLE t ADD CONSTRAINT slow UNIQUE USING INDEX slow')).rejects.toMatchObject({
        code: '55000',
        message: 'index "slow" is not valid',
      });
      await expect(submit('CREATE INDEX ASYNC slow ON t (a)')).rejects.toMatchObject({ code: '42P07' });
    });
    expect(await wait(job)).toEqual([{ succeeded: true }]);
    expect(await validity('slow')).toBe(true);
  });

  it('holds up no other table, and other jobs of its own table wait with their names taken', async () => {
    await admin.query('CREATE TABLE other (a int)');
    let next = '';
    const job = await held('CREATE INDEX ASYNC first ON t (a)', async () => {
      next = await submit('CREATE INDEX ASYNC second ON t (a)');
      expect(await jobOf(next)).toMatchObject({ status: 'submitted' });
      await expect(submit('CREATE INDEX ASYNC second ON t (b)')).rejects.toMatchObject({ code: '42P07' });
    });
    expect(await wait(job)).toEqual([{ succeeded: true }]);
    expect(await wait(next)).toEqual([{ succeeded: true }]);
  });

  it.each(['DROP INDEX', 'DROP TABLE'])('is ended by %s', async (drop) => {
    await admin.query('CREATE TABLE gone (a int)');
    const job = await held('CREATE INDEX ASYNC going ON gone (a)', async () => {
      await admin.query(drop === 'DROP INDEX' ? 'DROP INDEX going' : 'DROP TABLE gone');
    });
    expect(await wait(job)).toEqual([{ succeeded: false }]);
    expect(await jobOf(job)).toMatchObject({
      details: drop === 'DROP INDEX' ? 'the index was dropped' : 'the table was dropped',
    });
    expect(await validity('going')).toBeUndefined();
    await admin.query('DROP TABLE IF EXISTS gone');
  });

  it('gives way to a statement that needs its table, and begins again', async () => {
    const job = await held('CREATE INDEX ASYNC again ON t (a)', async () => {
      await admin.query('ALTER TABLE t ADD COLUMN later int');
    });
    expect(await wait(job)).toEqual([{ succeeded: true }]);
    expect(await validity('again')).toBe(true);
  });

  it('cannot be waited for inside of a transaction block', async () => {
    await held('CREATE INDEX ASYNC blocked ON t (a)', async (id) => {
      await admin.query('BEGIN');
      await expect(wait(id)).rejects.toMatchObject({
        code: '25001',
        message: 'sys.wait_for_job cannot run inside a transaction block',
      });
      await admin.query('ROLLBACK');
    });
  });
});

describe('sys.jobs', () => {
  it('has the columns of the service, and DROP jobs after drops', async () => {
    await admin.query('CREATE TABLE dropped (a int)');
    const [{ oid }] = (await admin.query("SELECT 'dropped'::regclass::oid")).rows;
    await admin.query('DROP TABLE dropped');
    const { rows, fields } = await admin.query('SELECT * FROM sys.jobs WHERE object_id = $1', [oid]);
    expect(fields.map(({ name }) => name).join()).toBe(
      'job_id,status,details,job_type,class_id,object_id,object_name,start_time,update_time',
    );
    expect(rows).toMatchObject([{ job_type: 'DROP', class_id: 1259, object_name: null, status: 'completed' }]);
  });
});

describe('sys.wait_for_job', () => {
  const cases: [string, string, string][] = [
    ["CALL sys.wait_for_job('x')", '22P02', 'Unable to convert text to UUID'],
    ["CALL sys.wait_for_job('')", '22P02', 'Unable to convert text to UUID'],
    ['CALL sys.wait_for_job(NULL)', '22P02', 'Unable to convert text to UUID'],
    ["CALL sys.wait_for_job('4mnye5meqjdrvnkw7sbs5ojc5b')", '22P02', 'Unable to convert text to UUID'],
    ["CALL sys.wait_for_job('4mnye5meqjdrvnkw7sbs5ojc5e')", '42704', 'job 4mnye5meqjdrvnkw7sbs5ojc5e does not exist'],
    ["SELECT sys.wait_for_job('x'::text)", '42809', 'sys.wait_for_job(text) is a procedure'],
    ["SELECT sys.wait_for_job('x')", '42809', 'sys.wait_for_job(unknown) is a procedure'],
    ["CALL sys.wait_for_job((SELECT 'x'))", '0A000', 'cannot use subquery in CALL argument'],
  ];
  it.each(cases)('%s', async (sql, code, message) => {
    for (const protocol of PROTOCOLS) await expect(session.run(sql, protocol)).rejects.toMatchObject({ code, message });
  });

  it('takes a parameter, and answers in a block for a job that has ended', async () => {
    const job = await submit('CREATE INDEX ASYNC ON t (a)');
    expect((await admin.query('CALL sys.wait_for_job($1)', [job])).rows).toEqual([{ succeeded: true }]);
    await admin.query('BEGIN');
    expect(await wait(job.toUpperCase())).toEqual([{ succeeded: true }]);
    await admin.query('COMMIT');
  });
});
