import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Declared } from '../../src/config/file.ts';
import { SUPERUSER } from '../../src/engine/port.ts';
import { assume, makeRole, policy } from '../harness/identities.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

/** What a declaration says of a cluster's database, over starts of one server. */
let dataDir: string;
let folder: string;
let postern: TestServer | undefined;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'postern-declared-'));
  folder = await mkdtemp(join(tmpdir(), 'postern-declared-files-'));
});
afterEach(async () => {
  await postern?.stop();
  postern = undefined;
});
afterAll(async () => {
  await rm(dataDir, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
});

const ARN = 'arn:aws:iam::123456789012:role/app';

async function start(contents: object, files: Record<string, string> = {}): Promise<TestServer> {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const content = { clusters: [{ name: 'default', ...contents }] };
  const declare: Declared = { file: 'postern.json', folder, content };
  postern = await startTestServer({ dataDir, declare }, true);
  return postern;
}

const declared = ({ log }: TestServer) => log.filter(({ msg }) => msg === 'declared').map(({ path }) => path);

async function failure(contents: object, files: Record<string, string> = {}): Promise<string> {
  return await start(contents, files).then(
    () => 'started',
    (error: Error) => `${error.name}: ${error.message}`,
  );
}

describe('the database of a declared cluster', () => {
  const roles = { databaseRoles: [{ name: 'app', iamPrincipals: [ARN] }, { name: 'Reader' }] };
  const sql = ['schema.sql', 'data.sql'];
  const files = {
    'schema.sql': `-- the schema
      CREATE SCHEMA shop;
      CREATE TABLE shop.orders (id int PRIMARY KEY, item text DEFAULT 'a;b');
      GRANT USAGE ON SCHEMA shop TO app, "Reader";
      GRANT SELECT ON shop.orders TO app;
      CREATE FUNCTION shop.count() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM shop.orders; $$;
      AWS IAM GRANT "Reader" TO '${ARN}';
    `,
    'data.sql': `\ufeffINSERT INTO shop.orders VALUES (1, 'Äpfel');`,
  };

  it('has its roles, who may be them, and what the files made as admin', async () => {
    const server = await start({ ...roles, sql }, files);
    expect(declared(server)).toEqual([
      'declare.clusters[0].databaseRoles[0]',
      'declare.clusters[0].databaseRoles[0].iamPrincipals[0]',
      'declare.clusters[0].databaseRoles[1]',
      'declare.clusters[0].sql[0]',
      'declare.clusters[0].sql[1]',
    ]);
    await makeRole(server, 'app', policy('Allow', 'dsql:DbConnect'));
    const app = await server.connect('app', await assume(server, ARN));
    expect((await app.query('SELECT * FROM shop.orders')).rows).toEqual([{ id: 1, item: 'Äpfel' }]);
    const admin = await server.connect();
    const { rows } = await admin.query("SELECT tableowner FROM pg_tables WHERE schemaname = 'shop'");
    expect(rows).toEqual([{ tableowner: 'admin' }]);
  });

  it('is not touched by the next start', async () => {
    const server = await start({ ...roles, sql });
    expect(declared(server)).toEqual([]);
    const admin = await server.connect();
    expect((await admin.query('SELECT shop.count() AS n')).rows).toEqual([{ n: '1' }]);
  });

  it('has what has drifted set right, and a file run again when it has another content', async () => {
    const first = await start({});
    const before = await first.connect();
    await before.query(`AWS IAM REVOKE app FROM '${ARN}'`);
    await before.query('ALTER ROLE "Reader" WITH NOLOGIN');
    await before.query('DELETE FROM shop.orders');
    await first.stop();
    const text = "DELETE FROM shop.orders; INSERT INTO shop.orders VALUES (2, 'pears');";
    const server = await start({ ...roles, sql }, { 'data.sql': text });
    expect(declared(server)).toEqual([
      'declare.clusters[0].databaseRoles[0].iamPrincipals[0]',
      'declare.clusters[0].databaseRoles[1]',
      'declare.clusters[0].sql[1]',
    ]);
    const admin = await server.connect();
    expect((await admin.query('SELECT id FROM shop.orders')).rows).toEqual([{ id: 2 }]);
  });

  it.each<[string, string, string]>([
    [
      'a statement that fails',
      'CREATE TABLE a (id int);\n\n  -- here\nINSERT INTO\n  nowhere VALUES (1);',
      ':5: relation "nowhere" does not exist',
    ],
    [
      'a statement without a position',
      'CREATE TABLE a (id int);\nINSERT INTO a\nVALUES (1);\nSELECT 1/0;',
      ':4: division by zero',
    ],
    [
      'a syntax error behind letters that are not ASCII',
      "SELECT 'äöü';\nSELECT 'äöü' FRUM x;",
      ':2: syntax error at or near "x"',
    ],
    ['a statement of Aurora DSQL', "SELECT 1;\nAWS IAM GRANT x\n  AT 'y';", ':3: syntax error at or near "AT"'],
    [
      'a mapping that is refused',
      "SELECT 1;\nAWS IAM GRANT nobody TO 'arn:aws:iam::123456789012:role/x';",
      ':2: Role nobody does not exist',
    ],
    ['a change of admin', '\nALTER ROLE admin CREATEDB;', ':2: '],
    [
      'what belongs to the server',
      'SELECT 1;\nSELECT * FROM postern.sql_file;',
      ':2: permission denied for schema postern',
    ],
    [
      'the end of its transaction',
      'CREATE TABLE a (id int);\ncommit;',
      ':2: COMMIT: the file is one transaction already',
    ],
    ['data that only psql can send', 'CREATE TABLE a (id int);\nCOPY a FROM stdin;', ':2: COPY from stdin failed'],
    [
      'what fails at its end only',
      'CREATE TABLE a (id int PRIMARY KEY);\nCREATE TABLE b (id int REFERENCES a DEFERRABLE INITIALLY DEFERRED);\nINSERT INTO b VALUES (1);',
      ': insert or update on table "b" violates',
    ],
  ])('is left as it was by a file with %s, and the start says where', async (_, text, message) => {
    const told = await failure({ sql: ['bad.sql'] }, { 'bad.sql': text });
    expect(told).toContain(`ConfigurationError: postern.json: declare.clusters[0].sql[0]: bad.sql${message}`);
    const server = await start({});
    const admin = await server.connect();
    expect((await admin.query("SELECT to_regclass('a') AS a")).rows).toEqual([{ a: null }]);
  });

  it.each([
    [{ sql: ['none.sql'] }, 'declare.clusters[0].sql[0]: none.sql: ENOENT'],
    [
      { databaseRoles: [{ name: 'admin' }] },
      'declare.clusters[0].databaseRoles[0].name: "admin" can be no role of yours',
    ],
    [{ databaseRoles: [{ name: 'pg_monitor' }] }, 'declare.clusters[0].databaseRoles[0].name: "pg_monitor" can be'],
    [
      { databaseRoles: [{ name: 'app', iamPrincipals: ['app'] }] },
      'declare.clusters[0].databaseRoles[0].iamPrincipals[0]: IAM role must look like an IAM ARN',
    ],
    [{ databaseRoles: [{ name: 'none' }] }, 'declare.clusters[0].databaseRoles[0]: role name "none" is reserved'],
  ])('is told what cannot be: %j', async (contents, message) => {
    expect(await failure(contents)).toContain(`ConfigurationError: postern.json: ${message}`);
  });

  it('has a file run once also where a start was cut off before it could say so', async () => {
    const server = await start({ sql: ['once.sql'] }, { 'once.sql': 'CREATE TABLE once (id int);' });
    const superuser = new pg.Client({
      host: join(server.server.runFolder, server.server.clusterId),
      port: 5432,
      user: SUPERUSER,
      database: 'postgres',
    });
    await superuser.connect();
    const unsaid = "UPDATE postern.sql_file SET committed = false WHERE name = 'once.sql'";
    expect((await superuser.query(unsaid)).rowCount).toBe(1);
    // As a start leaves it that was cut off before it committed.
    await superuser.query('BEGIN');
    const { rows } = await superuser.query('SELECT pg_current_xact_id()::text AS id');
    await superuser.query('ROLLBACK');
    const text = 'CREATE TABLE again (id int);';
    const digest = createHash('sha256').update(text).digest('hex');
    await superuser.query('INSERT INTO postern.sql_file VALUES ($1, $2, $3::xid8)', [digest, 'again.sql', rows[0].id]);
    await superuser.end();
    await server.stop();
    const next = await start({ sql: ['once.sql', 'again.sql'] }, { 'again.sql': text });
    expect(declared(next)).toEqual(['declare.clusters[0].sql[1]']);
    const admin = await next.connect();
    expect((await admin.query("SELECT to_regclass('again') AS a")).rows).toEqual([{ a: 'again' }]);
  });
});
