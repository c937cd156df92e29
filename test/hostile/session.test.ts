/**
 * Known wounds of what hands sessions over: a hand-over that the client can undo, and text of a client that reaches a query
 * of somebody with more rights. On a server that runs any SQL, since the dialect of the service refuses half of this before
 * the database sees it.
 */
import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cstring, message } from '../../src/pgwire/messages.ts';
import { makeUser, policy } from '../harness/identities.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { WireClient } from '../harness/wire.ts';

const ARN = 'arn:aws:iam::123456789012:user/app';

let postern: TestServer;
let admin: Client;
let connectAsApp: () => Promise<Client>;
beforeAll(async () => {
  postern = await startTestServer({ dialect: 'postgres' });
  admin = await postern.connect();
  const keys = await makeUser(postern, 'app', policy('Allow', 'dsql:DbConnect'));
  await admin.query('CREATE ROLE app LOGIN');
  await admin.query('CREATE ROLE other');
  await admin.query('GRANT other TO app, admin');
  await admin.query(`AWS IAM GRANT app TO '${ARN}'`);
  connectAsApp = () => postern.connect('app', keys);
});
afterAll(() => postern?.stop());

async function who(client: Client) {
  const { rows } = await client.query(
    `SELECT session_user, current_user, current_setting('is_superuser') AS super,
      (SELECT usename FROM pg_stat_activity WHERE pid = pg_backend_pid()) AS login`,
  );
  return rows[0];
}

const UNDOING = [
  'RESET SESSION AUTHORIZATION',
  'SET SESSION AUTHORIZATION DEFAULT',
  'RESET ROLE',
  'SET ROLE NONE',
  'SET ROLE other; RESET ROLE',
  'BEGIN; SET LOCAL ROLE other; ROLLBACK',
  'DISCARD ALL',
  'RESET ALL',
  'SELECT set_config($$role$$, $$none$$, false)',
  'SELECT set_config($$session_authorization$$, session_user, false)',
  'DO $$ BEGIN EXECUTE $q$RESET SESSION AUTHORIZATION$q$; END $$',
  'UPDATE pg_settings SET setting = reset_val WHERE name = $$role$$',
];

describe('a hand-over that a client can undo', () => {
  it.each(UNDOING)('does not exist: %s', async (sql) => {
    for (const [role, connect] of [
      ['admin', () => postern.connect()],
      ['app', connectAsApp],
    ] as const) {
      const client = await connect();
      await client.query(sql);
      expect(await who(client)).toEqual({ session_user: role, current_user: role, super: 'off', login: role });
      await client.end();
    }
  });

  it.each([
    'SET SESSION AUTHORIZATION postern',
    'SET SESSION AUTHORIZATION admin',
    'SET ROLE postern',
    'SET ROLE admin',
    'SELECT set_config($$session_authorization$$, $$postern$$, false)',
    'SELECT set_config($$role$$, $$postern$$, false)',
    'DO $$ BEGIN EXECUTE $q$SET ROLE postern$q$; END $$',
    'CREATE FUNCTION up() RETURNS int LANGUAGE sql SET role = postern AS $$ SELECT 1 $$; SELECT up()',
  ])('cannot be made by the client either: %s', async (sql) => {
    const client = await connectAsApp();
    await expect(client.query(sql)).rejects.toMatchObject({
      code: expect.stringMatching(/^(42501|22023|42704|55000)$/),
    });
    await client.query('ROLLBACK');
    expect(await who(client)).toMatchObject({ session_user: 'app', current_user: 'app' });
    await client.end();
  });

  it('does not outlive its session: the next one in has nothing of it', async () => {
    const first = await connectAsApp();
    await first.query("SET ROLE other; SET search_path = left_behind; SET application_name = 'left behind'");
    await first.query('PREPARE left_behind AS SELECT 1; CREATE TEMP TABLE left_behind (a int); LISTEN left_behind');
    await first.query('SELECT pg_advisory_lock(4711)');
    await first.end();
    const next = await connectAsApp();
    expect(await who(next)).toMatchObject({ current_user: 'app' });
    const { rows } = await next.query(`SELECT current_setting('search_path') AS path,
      (SELECT count(*)::int FROM pg_prepared_statements) AS prepared,
      (SELECT count(*)::int FROM pg_listening_channels()) AS channels,
      to_regclass('pg_temp.left_behind') AS temporary`);
    expect(rows).toEqual([{ path: '"$user", public', prepared: 0, channels: 0, temporary: null }]);
    await next.end();
  });
});

/**
 * Things that a careless query would find in place of the system's, each of which notes down who ran it. Better matches than
 * PostgreSQL's own, as in CVE-2018-1058.
 */
const TRAPS = `
  CREATE SCHEMA traps;
  GRANT ALL ON SCHEMA traps TO PUBLIC;
  CREATE TABLE traps.sprung (who text, what text);
  GRANT ALL ON traps.sprung TO PUBLIC;
  CREATE FUNCTION traps.note(what text) RETURNS boolean LANGUAGE plpgsql AS $f$
    BEGIN INSERT INTO traps.sprung VALUES (session_user || '/' || current_user, what); RETURN true; END $f$;
  CREATE FUNCTION traps.equal(a name, b text) RETURNS boolean LANGUAGE plpgsql AS $f$
    BEGIN PERFORM traps.note('='); RETURN pg_catalog.texteq(a::text, b); END $f$;
  CREATE OPERATOR traps.= (LEFTARG = name, RIGHTARG = text, FUNCTION = traps.equal);
  CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = text, FUNCTION = traps.equal);
  CREATE FUNCTION traps.starts_with(a name, b text) RETURNS boolean LANGUAGE sql AS $f$ SELECT traps.note('starts_with') $f$;
  CREATE FUNCTION public.starts_with(a name, b text) RETURNS boolean LANGUAGE sql AS $f$ SELECT traps.note('starts_with') $f$;
  CREATE FUNCTION public.format(a text, b name) RETURNS text LANGUAGE sql AS $f$ SELECT traps.note('format')::text $f$;
  CREATE FUNCTION public.hashtext(a varchar) RETURNS int LANGUAGE sql AS $f$ SELECT traps.note('hashtext')::int $f$;
  CREATE VIEW traps.pg_roles AS SELECT traps.note('pg_roles') AS noted, r.* FROM pg_catalog.pg_roles r;
  CREATE VIEW traps.pg_authid AS SELECT traps.note('pg_authid') AS noted, r.* FROM pg_catalog.pg_roles r;
  CREATE VIEW traps.iam_mapping AS SELECT traps.note('iam_mapping') AS noted, 1::oid AS pg_role_oid, '${ARN}'::text AS arn;
`;

describe('a startup parameter in a catalog query', () => {
  it('CVE-2025-12819, CVE-2018-1058: a search_path of traps is sprung by nobody but its client', async () => {
    await admin.query(TRAPS);
    const login = await WireClient.tls(postern.server.pgPort, { ca: postern.ca });
    await login.login({ user: 'admin', search_path: 'traps, public, pg_catalog' }, postern.token('admin'));
    login.query("SELECT count(*) FROM pg_roles WHERE rolname = 'admin'::text");
    await login.until('Z');
    const { rows: control } = await admin.query('SELECT DISTINCT who FROM traps.sprung');
    expect(control, 'the traps work').toEqual([{ who: 'admin/admin' }]);

    for (const sql of [
      'SET search_path = traps, public, pg_catalog, pg_temp',
      'CREATE ROLE trapped LOGIN',
      `AWS IAM GRANT trapped TO '${ARN}'`,
      'SELECT * FROM sys.iam_pg_role_mappings',
      `AWS IAM REVOKE trapped FROM '${ARN}'`,
    ]) {
      login.query(sql);
      expect((await login.until('Z')).map(({ type }) => type)).not.toContain('E');
    }
    login.end();
    await postern.server.wouldAdmit({ user: 'app', principal: ARN, clusterId: postern.server.clusterId });
    await (await connectAsApp()).end();
    const { rows } = await admin.query("SELECT * FROM traps.sprung WHERE who NOT IN ('admin/admin', 'app/app')");
    expect(rows).toEqual([]);
  });

  it.each([
    "admin'; DROP ROLE app; --",
    'admin" OR "1"="1',
    "' UNION SELECT 10, true, true --",
    'admin\\',
    '$1',
    '"app"',
    'APP',
  ])('a user name is a value and never SQL: %j', async (user) => {
    const client = await WireClient.tls(postern.server.pgPort, { ca: postern.ca });
    client.startup({ user, database: 'postgres' });
    expect((await client.frame()).type).toBe('R');
    client.password(postern.token(user));
    expect((await client.error())['M']).toBe('unable to accept connection, access denied');
    await client.closed();
    const { rows } = await admin.query("SELECT count(*)::int AS n FROM pg_roles WHERE rolname = 'app'");
    expect(rows).toEqual([{ n: 1 }]);
  });

  it.each([
    ['a Cyrillic letter', '\u0430dmin'],
    ['a letter of full width', '\uff41dmin'],
    ['a combining mark', 'admin\u0301'],
    ['a soft hyphen', 'ad\u00admin'],
    ['a mark that turns the direction', '\u202eadmin'],
    ['a capital', 'Admin'],
    ['the Turkish i', 'adm\u0131n'],
    ['a blank', 'admin '],
  ])('a role that looks like admin, by %s, is another role and gets nothing of admin’s', async (_, name) => {
    await admin.query(`CREATE ROLE "${name}" LOGIN`);
    const asAdmin = postern.token(name, postern.root, { action: 'DbConnectAdmin' });
    await expect(postern.connect(name, postern.root, { password: asAdmin })).rejects.toMatchObject({ code: '08006' });
    await expect(postern.connect(name)).rejects.toMatchObject({ code: '28000' });
    await admin.query(`DROP ROLE "${name}"`);
  });
});

describe('a quote that is half of a letter', () => {
  it.each([
    'SJIS',
    'BIG5',
    'GBK',
    'UHC',
    'GB18030',
    'JOHAB',
  ])('CVE-2006-2313, CVE-2006-2314, CVE-2025-1094: in %s nothing ends the constants of AWS IAM', async (encoding) => {
    const client = await WireClient.tls(postern.server.pgPort, { ca: postern.ca });
    await client.login({ user: 'admin', client_encoding: encoding }, postern.token('admin'));
    const run = ["', ''); CREATE TABLE by_half_a_letter (); --", "\\', ''); CREATE TABLE by_half_a_letter (); --"];
    for (const first of [0x81, 0x95, 0xbf, 0xc0, 0xe0, 0xf0]) {
      const letter = String.fromCharCode(first);
      for (const rest of run) {
        const quoted = `${letter}${rest}`;
        for (const sql of [
          `AWS IAM GRANT "${quoted.replaceAll('"', '""')}" TO 'arn'`,
          `AWS IAM GRANT app TO '${quoted.replaceAll("'", "''")}'`,
          `AWS IAM GRANT app TO $$${quoted}$$`,
        ]) {
          client.send(message('Q', Buffer.from(sql, 'latin1'), Buffer.from([0])));
          await client.until('Z');
        }
      }
    }
    client.end();
    expect((await admin.query("SELECT to_regclass('by_half_a_letter') AS made")).rows).toEqual([{ made: null }]);
  });

  it.each(["'", "''", "\\'", "\\\\'", "');--", '$$', "E'", '\u0000'])('an ARN of %j is refused as one', async (end) => {
    const sql = `AWS IAM GRANT app TO E'${(ARN + end).replace(/[\\']/g, '\\$&')}'`;
    await expect(admin.query(sql)).rejects.toMatchObject({ code: expect.stringMatching(/^(22|42|08)/) });
    expect((await who(admin)).current_user).toBe('admin');
  });
});

describe('a message that is not what it seems', () => {
  it('a tag or an error that a client’s own code raises changes nothing', async () => {
    const client = await connectAsApp();
    await client.query(`DO $$ BEGIN
      RAISE NOTICE USING MESSAGE = 'AWS IAM GRANT', DETAIL = '{"role":"admin","arn":"${ARN}"}', ERRCODE = 'PT001';
    END $$`);
    await expect(
      client.query("DO $$ BEGIN RAISE EXCEPTION USING MESSAGE = 'postern_refusal_1', ERRCODE = '42703'; END $$"),
    ).rejects.toMatchObject({ message: expect.stringContaining('postern_refusal_1') });
    await client.end();
    expect((await admin.query("SELECT FROM sys.iam_pg_role_mappings WHERE pg_role_name = 'admin'")).rowCount).toBe(0);
  });

  it('statements in Parse cannot be swapped under a Bind by their name', async () => {
    const client = await WireClient.tls(postern.server.pgPort, { ca: postern.ca });
    await client.login({ user: 'admin' }, postern.token('admin'));
    const parse = (sql: string) => message('P', cstring('s'), cstring(sql), Buffer.from([0, 0]));
    client.send(parse('SELECT 1'), parse('CREATE TABLE by_swap ()'), message('S'));
    expect((await client.until('Z')).map(({ type }) => type).join('')).toBe('1EZ');
    client.end();
  });
});
