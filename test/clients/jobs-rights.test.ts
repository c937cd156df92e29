import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assume, makeRole, makeUser, policy } from '../harness/identities.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let postern: TestServer;
let admin: pg.Client;
let builder: pg.Client;
let stranger: pg.Client;
beforeAll(async () => {
  postern = await startTestServer();
  admin = await postern.connect();
  await admin.query('CREATE TABLE secret (a int)');
  await admin.query('CREATE SCHEMA site');
  const clients: pg.Client[] = [];
  for (const name of ['builder', 'stranger']) {
    const keys = await makeUser(postern, name, policy('Allow', 'dsql:DbConnect'));
    await admin.query(`CREATE ROLE ${name} LOGIN`);
    await admin.query(`AWS IAM GRANT ${name} TO 'arn:aws:iam::123456789012:user/${name}'`);
    clients.push(await postern.connect(name, keys));
  }
  [builder, stranger] = clients as [pg.Client, pg.Client];
  await admin.query('GRANT USAGE, CREATE ON SCHEMA site TO builder');
  await admin.query('GRANT USAGE ON SCHEMA site TO stranger');
  await builder.query('CREATE TABLE site.t (a int, b text)');
  await builder.query("INSERT INTO site.t VALUES (1, 'x')");
  await builder.query('ALTER TABLE site.t ADD CONSTRAINT few CHECK (a < 10) NOT VALID');
});
afterAll(() => postern?.stop());

const succeeds = async (client: pg.Client, sql: string) => {
  const { rows } = await client.query(sql);
  return (await client.query('CALL sys.wait_for_job($1)', [rows[0].job_id])).rows[0].succeeded;
};

describe('who may have a job', () => {
  it('is the owner of the table, whose role the job runs as', async () => {
    // Reaches another's table: the superuser's build of it would succeed.
    await builder.query(`CREATE FUNCTION site.peek(int) RETURNS bigint IMMUTABLE LANGUAGE sql
      AS 'SELECT count(*) FROM public.secret'`);
    const { rows } = await builder.query('CREATE INDEX ASYNC peeking ON site.t (site.peek(a))');
    expect((await builder.query('CALL sys.wait_for_job($1)', [rows[0].job_id])).rows).toEqual([{ succeeded: false }]);
    expect((await builder.query('SELECT details FROM sys.jobs WHERE job_id = $1', [rows[0].job_id])).rows).toEqual([
      { details: 'permission denied for table secret' },
    ]);
    expect(await succeeds(builder, 'CREATE INDEX ASYNC ON site.t (a)')).toBe(true);
    expect(await succeeds(builder, 'ALTER TABLE ASYNC site.t VALIDATE CONSTRAINT few')).toBe(true);
  });

  it('is nobody else', async () => {
    for (const sql of ['CREATE INDEX ASYNC ON site.t (a)', 'ALTER TABLE ASYNC site.t VALIDATE CONSTRAINT few']) {
      await expect(stranger.query(sql)).rejects.toMatchObject({ code: '42501', message: 'must be owner of table t' });
      // Nor admin, who is no superuser.
      await expect(admin.query(sql)).rejects.toMatchObject({ code: '42501', message: 'must be owner of table t' });
    }
    await expect(stranger.query('CREATE INDEX ASYNC ON secret (a)')).rejects.toMatchObject({ code: '42501' });
  });

  it('needs the right to create in the schema', async () => {
    await admin.query('REVOKE CREATE ON SCHEMA site FROM builder');
    await expect(builder.query('CREATE INDEX ASYNC ON site.t (b)')).rejects.toMatchObject({
      code: '42501',
      message: 'permission denied for schema site',
    });
    await admin.query('GRANT CREATE ON SCHEMA site TO builder');
  });

  it('can be a role that SET LOCAL has put in place of one’s own', async () => {
    await admin.query('CREATE ROLE "Own er"');
    await admin.query('GRANT "Own er" TO admin');
    await admin.query('GRANT USAGE, CREATE ON SCHEMA site TO "Own er"');
    await admin.query('CREATE SCHEMA AUTHORIZATION "Own er"');
    await admin.query('BEGIN; SET LOCAL role = "Own er"; CREATE TABLE "Own er".x (a int); COMMIT');
    await admin.query('BEGIN; SET LOCAL role = "Own er"');
    const { rows } = await admin.query('CREATE INDEX ASYNC ON "Own er".x (a)');
    await admin.query('COMMIT');
    expect((await admin.query('CALL sys.wait_for_job($1)', [rows[0].job_id])).rows).toEqual([{ succeeded: true }]);
    expect((await admin.query("SELECT tableowner FROM pg_tables WHERE tablename = 'x'")).rows).toEqual([
      { tableowner: 'Own er' },
    ]);
  });
});

describe('what others see of a job', () => {
  it('is not the message of its failure, which may quote a row', async () => {
    const sql = 'SELECT status, details FROM sys.jobs WHERE job_id = $1';
    const { rows } = await builder.query('CREATE INDEX ASYNC quoting ON site.t ((b::int))');
    await builder.query('CALL sys.wait_for_job($1)', [rows[0].job_id]);
    expect((await builder.query(sql, [rows[0].job_id])).rows).toEqual([
      { status: 'failed', details: 'invalid input syntax for type integer: "x"' },
    ]);
    expect((await stranger.query(sql, [rows[0].job_id])).rows).toEqual([{ status: 'failed', details: null }]);
    await builder.query('DROP INDEX site.quoting');
  });
});

describe('what nobody can call by hand', () => {
  it.each([
    "SELECT sys.create_index_async('DROP TABLE secret; --', NULL, 't', '', false, false)",
    'SELECT sys.submit_index_build(1, 2, NULL)',
    'SELECT * FROM sys.submit_validation(1, NULL)',
    "SELECT sys.validate_constraint_async('', 'site', 't', 'few', false)",
    "SELECT query_to_xml('SELECT sys.submit_index_build(1, 2, NULL)', true, true, '')",
    "SELECT pg_catalog.query_to_xml_and_xmlschema('SELECT 1', true, true, '')",
    "SELECT * FROM ts_stat('SELECT sys.submit_index_build(1, 2, NULL)')",
    "SELECT ts_rewrite('a'::tsquery, 'SELECT 1')",
    "CREATE FUNCTION site.f() RETURNS text LANGUAGE sql AS 'SELECT sys.submit_index_build(1, 2, NULL)'",
    'CREATE VIEW site.v AS SELECT sys.submit_validation(1, NULL)',
    'SET search_path = sys; SELECT submit_index_build(1, 2, NULL)',
  ])('%s', async (sql) => {
    await expect(builder.query(sql)).rejects.toMatchObject({ code: '0A000', message: /^function \w+ not supported$/ });
    await builder.query('RESET search_path');
  });

  it('has nothing run that the caller could not, where the dialect does not stand before it', async () => {
    const stock = await startTestServer({ dialect: 'postgres' });
    const owner = await stock.connect();
    const keys = await makeUser(stock, 'other', policy('Allow', 'dsql:DbConnect'));
    await owner.query('CREATE ROLE other LOGIN; CREATE TABLE mine (a int CONSTRAINT few CHECK (a > 0))');
    await owner.query("AWS IAM GRANT other TO 'arn:aws:iam::123456789012:user/other'");
    const other = await stock.connect('other', keys);
    await owner.query('CREATE SCHEMA free; GRANT USAGE, CREATE ON SCHEMA free TO other');
    await other.query('CREATE TABLE free.others (a int)');
    await other.query('CREATE TEMP TABLE mine (a int); CREATE INDEX own ON mine (a)');
    const denied = { code: '42501' };
    const own = "'pg_temp.own'::regclass";
    await expect(
      other.query(`SELECT sys.submit_index_build('public.mine'::regclass, ${own}, '')`),
    ).rejects.toMatchObject(denied);
    await expect(
      other.query("SELECT sys.submit_validation((SELECT oid FROM pg_constraint WHERE conname = 'few'), '')"),
    ).rejects.toMatchObject(denied);
    await expect(
      other.query("SELECT sys.create_index_async('DROP TABLE public.mine; --', 'free', 'others', '', true, false)"),
    ).rejects.toMatchObject(denied);
    await expect(other.query('SELECT postern.cut_off_jobs(NULL, NULL)')).rejects.toMatchObject(denied);
    await expect(other.query('SELECT * FROM postern.job')).rejects.toMatchObject(denied);
    // An index that is no copy's.
    await owner.query('CREATE INDEX theirs ON mine (a)');
    await expect(
      owner.query("SELECT sys.submit_index_build('mine'::regclass, 'theirs'::regclass, '')"),
    ).rejects.toMatchObject(denied);
    await stock.stop();
  });
});

describe('the functions that tell of a session', () => {
  it('know who it is', async () => {
    const facts = 'SELECT sys.iam_session_user() AS arn, sys.current_session_id() AS id';
    const [mine] = (await builder.query(facts)).rows;
    expect(mine.arn).toBe('arn:aws:iam::123456789012:user/builder');
    expect(mine.id).toMatch(/^[0-9a-f-]{36}$/);
    expect(postern.server.why(mine.id)).toBeDefined();
    const role = await makeRole(postern, 'app', policy('Allow', 'dsql:DbConnectAdmin'));
    const assumed = await postern.connect('admin', await assume(postern, role, 'today'));
    expect((await assumed.query(facts)).rows).toMatchObject([
      { arn: 'arn:aws:sts::123456789012:assumed-role/app/today' },
    ]);
  });

  it('cannot be told otherwise', async () => {
    for (const sql of ["SET postern.iam_session_user = 'x'", "SELECT set_config('postern.session_id', 'x', false)"]) {
      await expect(builder.query(sql)).rejects.toMatchObject({ code: '0A000' });
    }
    await builder.query('RESET ALL');
    expect((await builder.query('SELECT sys.iam_session_user() AS arn')).rows[0].arn).toMatch(/user\/builder$/);
    for (const dialect of ['dsql', 'postgres'] as const) {
      const server = dialect === 'dsql' ? postern : await startTestServer({ dialect });
      for (const options of ['-c postern.iam_session_user=x', '-c Postern.Dialect=postgres']) {
        await expect(server.connect('admin', server.root, { options })).rejects.toMatchObject({
          message: expect.stringMatching(/^setting configuration parameter "postern\..*" not supported$/i),
        });
      }
      if (server !== postern) await server.stop();
    }
  });

  it('answer with what there is', async () => {
    const { rows } = await admin.query(`SELECT sys.dsql_major_version() AS version, sys.cluster_size() AS size,
      sys.cluster_size_limit() AS limit, sys.current_transaction_id() = sys.current_transaction_id() AS same`);
    expect(rows).toEqual([
      { version: 1, size: expect.stringMatching(/^\d{6,}$/), limit: '10995116277760', same: true },
    ]);
  });

  it('turn ids of jobs into UUIDs and back', async () => {
    const pairs = [
      ['00000000-0000-0000-0000-000000000000', 'aaaaaaaaaaaaaaaaaaaaaaaaaa'],
      ['ffffffff-ffff-ffff-ffff-ffffffffffff', '77777777777777777777777774'],
      ['00112233-4455-6677-8899-aabbccddeeff', 'aaisem2ekvthpcezvk54zxpo74'],
    ];
    for (const [uuid, text] of pairs) {
      const { rows } = await admin.query(
        'SELECT sys.uuid_to_base32_str($1) AS text, sys.base32_str_to_uuid(upper($2)) AS uuid',
        [uuid, text],
      );
      expect(rows).toEqual([{ text, uuid }]);
    }
    const { rows } = await admin.query(`SELECT count(*)::int AS wrong FROM (
      SELECT gen_random_uuid() AS u FROM generate_series(1, 200)) s
      WHERE sys.base32_str_to_uuid(sys.uuid_to_base32_str(u)) <> u`);
    expect(rows).toEqual([{ wrong: 0 }]);
  });
});
