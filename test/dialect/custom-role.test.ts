import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeUser, policy } from '../harness/identities.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { CASES, FIXTURE } from './cases.ts';
import { openTagged, PROTOCOLS, type TaggedSession } from './session.ts';

let postern: TestServer;
let session: TaggedSession;
beforeAll(async () => {
  postern = await startTestServer();
  const admin = await postern.connect();
  for (const sql of FIXTURE) await admin.query(sql);
  for (const sql of [
    'CREATE ROLE app LOGIN',
    "AWS IAM GRANT app TO 'arn:aws:iam::123456789012:user/app'",
    'CREATE SCHEMA own',
    'GRANT USAGE, CREATE ON SCHEMA own TO app',
    'GRANT USAGE ON SCHEMA d TO app',
    'CREATE TABLE others (a int)',
  ]) {
    await admin.query(sql);
  }
  session = await openTagged(postern, 'app', await makeUser(postern, 'app', policy('Allow', 'dsql:DbConnect')));
});
afterAll(() => postern?.stop());

const ARN = "'arn:aws:iam::123456789012:user/app'";
const refused: [sql: string, message: string, code?: string][] = [
  ['SELECT * FROM others', 'permission denied for table others', '42501'],
  ['INSERT INTO others VALUES (1)', 'permission denied for table others', '42501'],
  ['COPY others FROM STDIN', 'permission denied for table others', '42501'],
  ['DROP TABLE others', 'must be owner of table others', '42501'],
  ['ALTER TABLE others ADD COLUMN b int', 'must be owner of table others', '42501'],
  ['CREATE INDEX ASYNC ON others (a)', 'must be owner of table others', '42501'],
  ["COMMENT ON TABLE others IS 'x'", 'must be owner of table others', '42501'],
  ['CREATE TABLE x (a int)', 'permission denied for schema public', '42501'],
  ['CREATE SCHEMA x', 'permission denied for database postgres', '42501'],
  ['CREATE ROLE x', 'permission denied to create role', '42501'],
  ['DROP ROLE member', 'permission denied to drop role', '42501'],
  ['GRANT member TO app', 'permission denied to grant role "member"', '42501'],
  [`AWS IAM GRANT app TO ${ARN}`, 'permission denied to grant IAM trust with role app', '42501'],
  [`AWS IAM REVOKE app FROM ${ARN}`, 'permission denied to revoke IAM trust with role app', '42501'],
  [
    'ALTER DEFAULT PRIVILEGES FOR ROLE admin GRANT SELECT ON TABLES TO app',
    'permission denied to change default privileges',
    '42501',
  ],
  ['SELECT * FROM sys.iam_pg_role_mappings', 'permission denied for view iam_pg_role_mappings', '42501'],
  ['GRANT USAGE ON SCHEMA public TO app', 'feature not supported on system entity'],
  ['SET ROLE member', 'setting configuration parameter "role" not supported'],
  ['LOCK TABLE others', 'unsupported statement: Lock'],
  ['TRUNCATE others', 'unsupported statement: Truncate'],
];
const accepted: [sql: string, tag: string][] = [
  ['CREATE TABLE own.x (a int PRIMARY KEY)', 'CREATE TABLE'],
  ['CREATE VIEW own.x AS SELECT 1', 'CREATE VIEW'],
  ['CREATE SEQUENCE own.x CACHE 1', 'CREATE SEQUENCE'],
  ['CREATE DOMAIN own.x AS int', 'CREATE DOMAIN'],
  ["CREATE FUNCTION own.x() RETURNS int LANGUAGE sql AS 'SELECT 1'", 'CREATE FUNCTION'],
  ['ALTER DEFAULT PRIVILEGES IN SCHEMA own GRANT SELECT ON TABLES TO member', 'ALTER DEFAULT PRIVILEGES'],
  ['SELECT * FROM sys.jobs', 'SELECT 0'],
  ['SELECT sys.iam_session_user()', 'SELECT 1'],
];

describe.each(PROTOCOLS)('a custom role, %s protocol', (protocol) => {
  it.each(refused)('%s: %s', async (sql, message, code = '0A000') => {
    await expect(session.run(sql, protocol)).rejects.toMatchObject({ message, code });
  });

  it.each(accepted)('%s', async (sql, tag) => {
    await session.run('BEGIN', 'simple');
    expect((await session.run(sql, protocol)).tag).toBe(tag);
    await session.run('ROLLBACK', 'simple');
  });
});

/** Where PostgreSQL asks first whether the role may do it, or finds what it may not see. */
const EARLIER = /^(42501|42P01|42704|42883|3F000)$/;

it('has no statement more than admin', async () => {
  for (const [sql, message, code = '0A000'] of CASES.flatMap(({ refused }) => refused)) {
    await session.run('BEGIN', 'simple');
    const error: { message: string; code: string } = await session.run(sql, 'extended').then(
      () => ({ message: 'it is accepted', code: '' }),
      (failure) => failure,
    );
    await session.run('ROLLBACK', 'simple');
    if (!EARLIER.test(error.code)) expect([sql, error.message, error.code]).toEqual([sql, message, code]);
  }
});
