import type pg from 'pg';
import postgres from 'postgres';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { cstring, int32, message } from '../../src/pgwire/messages.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { WireClient } from '../harness/wire.ts';

const ARN = 'arn:aws:iam::123456789012:role/app';

let postern: TestServer;
let admin: pg.Client;
beforeAll(async () => {
  postern = await startTestServer();
  const setup = await postern.connect();
  await setup.query('CREATE ROLE app LOGIN');
  await setup.query('CREATE ROLE "Odd ""Rôle""" LOGIN');
  await setup.query('CREATE ROLE nologin');
  await setup.end();
});
afterAll(() => postern?.stop());
beforeEach(async () => {
  admin = await postern.connect();
});
afterEach(async () => {
  await admin.query('ROLLBACK');
  for (const { pg_role_name, arn } of await mappings())
    await admin.query(`AWS IAM REVOKE "${pg_role_name.replaceAll('"', '""')}" FROM '${arn}'`);
  await admin.end();
});

const mappings = async (): Promise<{ pg_role_name: string; arn: string }[]> =>
  (await admin.query('SELECT pg_role_name, arn FROM sys.iam_pg_role_mappings ORDER BY iam_oid')).rows;

describe('AWS IAM GRANT and REVOKE', () => {
  it.each<[string, string]>([
    ['as documented', `AWS IAM GRANT app TO '${ARN}'`],
    ['in any case', `aws Iam gRANT APP to '${ARN}';`],
    ['with comments and odd spacing', `/* a /* nested */ */ AWS--x\n\tIAM/**/GRANT\n"app"TO'${ARN}' -- end`],
    ['with an escape string', `AWS IAM GRANT app TO E'arn:aws:iam::123456789012:role/\\x61pp'`],
    ['with a dollar-quoted string', `AWS IAM GRANT app TO $$${ARN}$$`],
    ['with a continued string', `AWS IAM GRANT app TO 'arn:aws:iam::123456789012:role/'\n'app'`],
    ['with a Unicode identifier', `AWS IAM GRANT U&"\\0061pp" TO '${ARN}'`],
  ])('work %s', async (_, sql) => {
    expect((await admin.query(sql)).command).toBe('AWS');
    expect(await mappings()).toEqual([{ pg_role_name: 'app', arn: ARN }]);
  });

  it('take quoted role names, user ARNs, paths and other partitions', async () => {
    for (const arn of [
      'arn:aws:iam::123456789012:user/u',
      'arn:aws:iam::123456789012:role/a/b/c',
      'arn:aws-us-gov:iam::123456789012:role/x',
    ]) {
      await admin.query(`AWS IAM GRANT "Odd ""Rôle""" TO '${arn}'`);
      await admin.query(`AWS IAM GRANT app TO '${arn}'`);
    }
    expect((await mappings()).filter((row) => row.pg_role_name === 'Odd "Rôle"').length).toBe(3);
  });

  it('answer with their own command tags', async () => {
    const client = await WireClient.tls(postern.server.pgPort, { ca: postern.ca });
    await client.login({ user: 'admin' }, postern.token('admin'));
    for (const statement of [`AWS IAM GRANT app TO '${ARN}'`, `AWS IAM REVOKE app FROM '${ARN}'`]) {
      client.query(`SELECT 1; ${statement}; SELECT 2`);
      const frames = await client.until('Z');
      expect(frames.map((frame) => frame.type).join('')).toBe('TDCCTDCZ');
      const tags = frames.filter((frame) => frame.type === 'C');
      expect(tags[1]?.body.toString('latin1', 0, tags[1].body.length - 1)).toBe(statement.split(' app')[0]);
    }
    client.end();
  });

  it('have tags that no other routine can give to a statement', async () => {
    // Only here a client can have a routine raise what it likes.
    const stock = await startTestServer({ dialect: 'postgres' });
    const admin = await stock.connect();
    const told: unknown[] = [];
    admin.on('notice', ({ code, message }) => told.push([code, message]));
    const { command } = await admin.query("DO $$ BEGIN RAISE INFO USING ERRCODE = 'IAM00', MESSAGE = 'FORGED'; END $$");
    expect([command, told]).toEqual(['DO', [['IAM00', 'FORGED']]]);
    await stock.stop();
  });

  it('run in the extended protocol, prepared, described, and twice', async () => {
    const client = await WireClient.tls(postern.server.pgPort, { ca: postern.ca });
    await client.login({ user: 'admin' }, postern.token('admin'));
    const prepare = (name: string, sql: string) => message('P', cstring(name), cstring(sql), Buffer.from([0, 0]));
    const run = (name: string) => [
      message('B', cstring(''), cstring(name), Buffer.alloc(6)),
      message('D', Buffer.from('P\0')),
      message('E', cstring(''), int32(0)),
      message('S'),
    ];
    client.send(
      prepare('g', `AWS IAM GRANT app TO '${ARN}'`),
      prepare('r', `AWS IAM REVOKE app FROM '${ARN}'`),
      message('D', Buffer.from('Sg\0')),
      message('S'),
    );
    expect((await client.until('Z')).map((frame) => frame.type).join('')).toBe('11tnZ');
    for (let i = 0; i < 2; i++) {
      client.send(...run('g'), ...run('r'));
      for (const tag of ['AWS IAM GRANT', 'AWS IAM REVOKE']) {
        const frames = await client.until('Z');
        expect(frames.map((frame) => frame.type).join('')).toBe('2nCZ');
        expect(frames[2]?.body.toString()).toBe(`${tag}\0`);
      }
    }
    client.end();
    const sql = postgres({
      host: 'localhost',
      port: postern.server.pgPort,
      database: 'postgres',
      user: 'admin',
      pass: postern.token('admin'),
      ssl: { ca: postern.ca },
      max: 1,
    });
    await sql.unsafe(`AWS IAM GRANT app TO '${ARN}'`, [], { prepare: true });
    expect(await mappings()).toEqual([{ pg_role_name: 'app', arn: ARN }]);
    await sql.end();
  });

  it('are undone by ROLLBACK and seen by nobody before COMMIT', async () => {
    const other = await postern.connect();
    const seen = async () => (await other.query('SELECT * FROM sys.iam_pg_role_mappings')).rows.length;
    await admin.query('BEGIN');
    await admin.query(`AWS IAM GRANT app TO '${ARN}'`);
    expect((await mappings()).length).toBe(1);
    expect(await seen()).toBe(0);
    await admin.query('ROLLBACK');
    expect(await mappings()).toEqual([]);
    await admin.query(`BEGIN; AWS IAM GRANT app TO '${ARN}'; COMMIT`);
    expect(await seen()).toBe(1);
    await other.end();
  });

  it('leave nothing of a multi-statement string that fails later', async () => {
    await expect(admin.query(`AWS IAM GRANT app TO '${ARN}'; SELECT 1/0`)).rejects.toMatchObject({ code: '22012' });
    expect(await mappings()).toEqual([]);
  });

  it('allow the role to be dropped only when its last mapping is gone', async () => {
    await admin.query('CREATE ROLE passing LOGIN');
    await admin.query(`AWS IAM GRANT passing TO '${ARN}'`);
    await admin.query(`AWS IAM GRANT passing TO '${ARN}2'`);
    const drop = () => admin.query('DROP ROLE passing');
    await expect(drop()).rejects.toMatchObject({
      code: '2BP01',
      message: 'role "passing" cannot be dropped because some objects depend on it',
    });
    await admin.query(`AWS IAM REVOKE passing FROM '${ARN}'`);
    await expect(drop()).rejects.toMatchObject({ code: '2BP01' });
    await admin.query(`AWS IAM REVOKE passing FROM '${ARN}2'`);
    await drop();
  });
});

describe('AWS IAM statements that are refused', () => {
  const cases: [string, string, { code: string; message: string; position?: string }][] = [
    ['an unknown role', `AWS IAM GRANT nobody TO '${ARN}'`, { code: '42704', message: 'Role nobody does not exist' }],
    [
      "one of Postern's own roles",
      `AWS IAM GRANT postern TO '${ARN}'`,
      { code: '42704', message: 'Role postern does not exist' },
    ],
    ['admin', `AWS IAM GRANT admin TO '${ARN}'`, { code: '42939', message: 'Cannot establish trust with role admin' }],
    [
      'a predefined role',
      `AWS IAM GRANT pg_monitor TO '${ARN}'`,
      { code: '42939', message: 'Role pg_monitor not supported' },
    ],
    [
      'a role without LOGIN',
      `AWS IAM GRANT nologin TO '${ARN}'`,
      { code: '0LP01', message: 'role nologin must have the LOGIN attribute' },
    ],
    ['no ARN', "AWS IAM GRANT app TO 'app'", { code: '22023', message: 'IAM role must look like an IAM ARN' }],
    [
      'an ARN of another service',
      "AWS IAM GRANT app TO 'arn:aws:s3:::bucket'",
      { code: '22023', message: 'IAM role must look like an IAM ARN' },
    ],
    [
      'the account root',
      "AWS IAM GRANT app TO 'arn:aws:iam::123456789012:root'",
      { code: '22023', message: 'IAM role must look like an IAM ARN' },
    ],
    [
      'an assumed-role session',
      "AWS IAM GRANT app TO 'arn:aws:sts::123456789012:assumed-role/a/b'",
      { code: '22023', message: 'IAM role must look like an IAM ARN' },
    ],
    [
      'a wildcard',
      "AWS IAM GRANT app TO 'arn:aws:iam::123456789012:role/*'",
      { code: '22023', message: 'IAM role must look like an IAM ARN' },
    ],
    [
      'a mapping that is not there',
      `AWS IAM REVOKE app FROM '${ARN}'`,
      { code: '42704', message: `IAM role ${ARN} does not exist` },
    ],
    [
      'a parameter in place of the ARN',
      'AWS IAM GRANT app TO $1',
      { code: '42601', message: 'syntax error at or near "$1"', position: '22' },
    ],
    [
      'a wrong word',
      `AWS IAM GRANT app FROM '${ARN}'`,
      { code: '42601', message: 'syntax error at or near "FROM"', position: '19' },
    ],
    [
      'an end too early',
      'AWS IAM GRANT app',
      { code: '42601', message: 'syntax error at end of input', position: '18' },
    ],
    [
      'a list of roles',
      `AWS IAM GRANT app, app2 TO '${ARN}'`,
      { code: '42601', message: 'syntax error at or near ","', position: '18' },
    ],
    [
      'something behind it',
      `AWS IAM GRANT app TO '${ARN}' CASCADE`,
      { code: '42601', message: 'syntax error at or near "CASCADE"' },
    ],
  ];

  it.each(cases)('name %s, in the simple protocol', async (_, sql, expected) => {
    await expect(admin.query(sql)).rejects.toMatchObject({ severity: 'ERROR', ...expected, where: undefined });
    expect(await mappings()).toEqual([]);
  });

  it.each(
    cases.filter(([, sql]) => !sql.includes('$1')),
  )('name %s, in the extended protocol', async (_, sql, expected) => {
    const { position: _position, ...error } = expected;
    await expect(admin.query({ text: sql, name: 'stmt' })).rejects.toMatchObject({
      severity: 'ERROR',
      ...error,
      where: undefined,
    });
  });

  it('abort the transaction they stand in, and give way to the abort before them', async () => {
    await admin.query('BEGIN');
    await expect(admin.query(`AWS IAM GRANT nobody TO '${ARN}'`)).rejects.toMatchObject({ code: '42704' });
    await expect(admin.query('SELECT 1')).rejects.toMatchObject({ code: '25P02' });
    await expect(admin.query(`AWS IAM GRANT app TO '${ARN}'`)).rejects.toMatchObject({ code: '25P02' });
    expect((await admin.query('COMMIT')).command).toBe('ROLLBACK');
  });

  it('run nothing of a string with a syntax error in it', async () => {
    await expect(admin.query(`CREATE TABLE never (); AWS IAM GRANT app; SELECT 1`)).rejects.toMatchObject({
      code: '42601',
    });
    expect((await admin.query("SELECT to_regclass('never') AS t")).rows).toEqual([{ t: null }]);
  });

  it('keep the positions of errors in the text that the client sent', async () => {
    const sql = `AWS IAM GRANT app TO '${ARN}'; /* ü */ SELECT nothing_there`;
    await expect(admin.query(sql)).rejects.toMatchObject({
      code: '42703',
      position: String(sql.indexOf('nothing_there') + 1),
    });
  });

  it('repeat a grant with an error that names both', async () => {
    await admin.query(`AWS IAM GRANT app TO '${ARN}'`);
    await expect(admin.query(`AWS IAM GRANT app TO '${ARN}'`)).rejects.toMatchObject({
      code: '42710',
      message: `IAM role ${ARN} is already associated with role app`,
    });
  });
});

describe('the text AWS IAM elsewhere', () => {
  it.each([
    ["SELECT 'AWS IAM GRANT app TO ''x''' AS t"],
    ['SELECT $x$; AWS IAM GRANT app TO $x$ AS t'],
    ['SELECT 1 AS "AWS IAM GRANT"'],
    ['SELECT 1 /* ; AWS IAM GRANT app TO */ AS t'],
    ['SELECT 1 -- ; AWS IAM GRANT app TO'],
  ])('is left alone: %s', async (sql) => {
    expect((await admin.query(sql)).rows.length).toBe(1);
    expect(await mappings()).toEqual([]);
  });
});

describe('the predefined role admin', () => {
  it.each([
    ['ALTER ROLE admin NOLOGIN'],
    ['ALTER ROLE admin SUPERUSER'],
    ["ALTER ROLE admin PASSWORD 'x'"],
    ['ALTER USER "admin" SET search_path = x'],
    ['ALTER ROLE admin RESET ALL'],
    ['ALTER ROLE admin RENAME TO boss'],
    ['DROP ROLE admin'],
    ['DROP USER IF EXISTS app, admin'],
    ['DROP OWNED BY admin'],
    ['GRANT admin TO app'],
    ['GRANT admin TO app WITH ADMIN OPTION'],
    ['REVOKE admin FROM app'],
  ])('cannot be changed: %s', async (sql) => {
    await expect(admin.query(sql)).rejects.toMatchObject({ code: '42501' });
    await expect(admin.query({ text: sql, name: 's' })).rejects.toMatchObject({ code: '42501' });
    const { rows } = await admin.query(
      "SELECT rolcanlogin, rolsuper, rolcreaterole, rolconfig FROM pg_roles WHERE rolname = 'admin'",
    );
    expect(rows).toEqual([{ rolcanlogin: true, rolsuper: false, rolcreaterole: true, rolconfig: null }]);
  });

  it.each([
    ['SET ROLE postern'],
    ['SET SESSION AUTHORIZATION postern'],
    ['GRANT postern TO admin'],
    ['GRANT postern TO app'],
    ['ALTER ROLE postern NOLOGIN'],
    ['DROP ROLE postern'],
    ['CREATE ROLE x IN ROLE postern'],
    ['GRANT pg_execute_server_program TO admin'],
    ['GRANT pg_read_server_files TO app'],
    ['CREATE ROLE x SUPERUSER'],
    ['CREATE ROLE x REPLICATION'],
    ['CREATE ROLE x BYPASSRLS'],
    ['ALTER ROLE app SUPERUSER'],
    ["COPY (SELECT 1) TO PROGRAM 'true'"],
    ["COPY (SELECT 1) TO '/tmp/x'"],
    ["SELECT pg_read_file('PG_VERSION')"],
    ["SELECT lo_import('/etc/passwd')"],
    ['ALTER SYSTEM SET log_statement = none'],
    ['CREATE EXTENSION file_fdw'],
    ['CREATE EXTENSION dblink'],
    ['SELECT * FROM pg_authid'],
    ['SELECT * FROM postern.iam_mapping'],
    ['SELECT postern.acting_role()'],
    ['DROP SCHEMA sys CASCADE'],
    ['DROP VIEW sys.iam_pg_role_mappings'],
    ["INSERT INTO sys.iam_pg_role_mappings VALUES (1, 'x', 1, 'x', 1, 'x')"],
    ['DROP USER MAPPING FOR app SERVER aws_iam'],
    ['CREATE FOREIGN TABLE f (a int) SERVER aws_iam'],
    ["SET session_replication_role = 'replica'"],
    ['CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION pg_sleep()'],
    ['ALTER DATABASE postgres OWNER TO admin'],
    ['ALTER PROCEDURE sys.aws_iam_grant(text, text) SECURITY INVOKER'],
  ])('is no way up: %s', async (sql) => {
    await expect(admin.query(sql)).rejects.toMatchObject({
      code: expect.stringMatching(/^(42501|42704|42883|22023|55000|0A000|58P01)$/),
    });
  });

  it('may use the roles it has made once it has granted them to itself', async () => {
    await admin.query('CREATE ROLE tenant');
    await expect(admin.query('CREATE SCHEMA rooms AUTHORIZATION tenant')).rejects.toMatchObject({ code: '42501' });
    await admin.query('GRANT tenant TO admin');
    await admin.query('CREATE SCHEMA rooms AUTHORIZATION tenant');
    await admin.query('BEGIN');
    await admin.query('SET LOCAL ROLE tenant');
    await expect(admin.query(`AWS IAM GRANT app TO '${ARN}'`)).rejects.toMatchObject({
      code: '42501',
      message: 'permission denied to grant IAM trust with role app',
    });
  });

  it('keeps words like admin free for everything else', async () => {
    await admin.query('CREATE TABLE IF NOT EXISTS admin (admin int)');
    await admin.query('GRANT SELECT ON admin TO app');
    await admin.query('REVOKE SELECT ON admin FROM app');
    await admin.query('DROP TABLE admin');
    await admin.query('GRANT app TO admin');
    await admin.query('REVOKE app FROM admin');
  });
});
