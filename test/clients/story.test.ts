import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  DeleteAccessKeyCommand,
  DeleteRolePolicyCommand,
  DeleteUserPolicyCommand,
  PutRolePolicyCommand,
  PutUserPolicyCommand,
  UpdateAccessKeyCommand,
} from '@aws-sdk/client-iam';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { DsqlSigner } from '@aws-sdk/dsql-signer';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { connectTo } from '../../src/engine/embedded/test-engine.ts';
import { assume, makeRole, makeUser, policy } from '../harness/identities.ts';
import { HAS_BOTO3, HAS_PSQL, psql, run } from '../harness/programs.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

const DENIED = 'unable to accept connection, access denied';

let postern: TestServer;
beforeAll(async () => {
  postern = await startTestServer();
});
afterAll(() => postern?.stop());

/** The fifth line of postmaster.pid is the folder of the socket (PostgreSQL manual, "Database File Layout"). */
async function clusterSocket(): Promise<string> {
  const id = postern.environment['POSTERN_CLUSTER_ID'] as string;
  const lines = (await readFile(join(postern.options.dataDir, 'clusters', id, 'postmaster.pid'), 'utf8')).split('\n');
  return join(lines[4] as string, '.s.PGSQL.5432');
}

describe('the first story', () => {
  it('makes users, keys, roles and temporary credentials over the AWS API', async () => {
    const keys = await makeUser(postern, 'caller', policy('Allow', 'sts:GetCallerIdentity'));
    const asUser = await new STSClient(postern.awsClient(keys)).send(new GetCallerIdentityCommand({}));
    expect(asUser.Arn).toBe('arn:aws:iam::123456789012:user/caller');
    const role = await makeRole(postern, 'called', policy('Allow', 'dsql:*'));
    const temporary = await assume(postern, role, 'one');
    const asRole = await new STSClient(postern.awsClient(temporary)).send(new GetCallerIdentityCommand({}));
    expect(asRole.Arn).toBe('arn:aws:sts::123456789012:assumed-role/called/one');
  });

  it('lets tokens of the AWS signer in, with pg, postgres.js and psql, as admin', async () => {
    const keys = await makeUser(
      postern,
      'operator',
      policy('Allow', 'dsql:DbConnectAdmin', postern.environment['POSTERN_CLUSTER_ARN']),
    );
    const hostname = postern.environment['POSTERN_CLUSTER_HOSTNAME'] as string;
    const { accessKeyId, secretAccessKey } = keys;
    const signer = new DsqlSigner({ hostname, region: 'us-east-1', credentials: { accessKeyId, secretAccessKey } });
    const password = await signer.getDbConnectAdminAuthToken();

    const client = await postern.connect('admin', keys, { password });
    const { rows } = await client.query('SELECT current_user, session_user, current_database() AS database');
    expect(rows).toEqual([{ current_user: 'admin', session_user: 'admin', database: 'postgres' }]);
    await client.end();

    const sql = postgres({
      ...postern.environment,
      host: 'localhost',
      port: postern.server.pgPort,
      database: 'postgres',
      user: 'admin',
      password,
      ssl: { ca: postern.ca },
      max: 2,
    });
    expect(await sql`SELECT ${41}::int + 1 AS answer`).toEqual([{ answer: 42 }]);
    await sql.end();

    if (HAS_PSQL) {
      const shown = await psql({ ...postern.environment, PGPASSWORD: password }, 'SELECT current_user');
      expect(shown).toEqual({ status: 0, stdout: 'admin\n', stderr: '' });
    }
  });

  it.runIf(HAS_BOTO3)('lets tokens of boto3 in', async () => {
    const made = await run(
      'python3',
      [
        '-c',
        'import boto3, sys; print(boto3.client("dsql").generate_db_connect_admin_auth_token(sys.argv[1], sys.argv[2]), end="")',
        postern.environment['POSTERN_CLUSTER_HOSTNAME'] as string,
        'us-east-1',
      ],
      postern.environment,
    );
    expect(made.stderr).toBe('');
    const client = await postern.connect('admin', postern.root, { password: made.stdout });
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await client.end();
  });

  it('associates an IAM role with a database role, which then has just what it was granted', async () => {
    const role = await makeRole(
      postern,
      'example',
      policy('Allow', 'dsql:DbConnect', postern.environment['POSTERN_CLUSTER_ARN']),
    );
    const admin = await postern.connect();
    await admin.query('CREATE ROLE example WITH LOGIN');
    expect((await admin.query(`AWS IAM GRANT example TO '${role}'`)).command).toBe('AWS');
    await admin.query('CREATE SCHEMA myschema');
    await admin.query('CREATE TABLE myschema.orders (id int PRIMARY KEY, item text)');
    await admin.query('GRANT USAGE ON SCHEMA myschema TO example');
    await admin.query('GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA myschema TO example');

    const mappings = await admin.query('SELECT * FROM sys.iam_pg_role_mappings');
    expect(mappings.fields.map(({ name, dataTypeID }) => [name, dataTypeID])).toEqual([
      ['iam_oid', 26],
      ['arn', 25],
      ['pg_role_oid', 26],
      ['pg_role_name', 19],
      ['grantor_pg_role_oid', 26],
      ['grantor_pg_role_name', 19],
    ]);
    const { rows: oids } = await admin.query(
      "SELECT 'example'::regrole::oid AS role, 'admin'::regrole::oid AS grantor",
    );
    expect(mappings.rows).toEqual([
      {
        iam_oid: expect.any(Number),
        arn: role,
        pg_role_oid: oids[0].role,
        pg_role_name: 'example',
        grantor_pg_role_oid: oids[0].grantor,
        grantor_pg_role_name: 'admin',
      },
    ]);

    const example = await postern.connect('example', await assume(postern, role));
    const who = await example.query('SELECT current_user, session_user');
    expect(who.rows).toEqual([{ current_user: 'example', session_user: 'example' }]);
    await example.query("INSERT INTO myschema.orders VALUES (1, 'apple')");
    await example.query("UPDATE myschema.orders SET item = 'pear'");
    expect((await example.query('SELECT item FROM myschema.orders')).rows).toEqual([{ item: 'pear' }]);
    for (const refused of [
      'DELETE FROM myschema.orders',
      'CREATE SCHEMA other',
      'CREATE TABLE public.t (a int)',
      'CREATE ROLE other',
      `AWS IAM GRANT example TO '${role}x'`,
      'SELECT * FROM sys.iam_pg_role_mappings',
      'SET LOCAL ROLE admin',
    ]) {
      await expect(example.query(refused)).rejects.toMatchObject({ code: '42501' });
    }
    await example.end();
    await admin.end();
  });

  it('shows changed privileges to every session at its next transaction', async () => {
    const keys = await makeUser(postern, 'reader', policy('Allow', 'dsql:DbConnect'));
    const admin = await postern.connect();
    await admin.query('CREATE ROLE reader LOGIN');
    await admin.query("AWS IAM GRANT reader TO 'arn:aws:iam::123456789012:user/reader'");
    await admin.query('CREATE SCHEMA papers');
    await admin.query('CREATE TABLE papers.page (id int)');
    const reader = await postern.connect('reader', keys);
    await expect(reader.query('SELECT * FROM papers.page')).rejects.toMatchObject({ code: '42501' });
    await admin.query('GRANT USAGE ON SCHEMA papers TO reader');
    await admin.query('GRANT SELECT ON papers.page TO reader');
    expect((await reader.query('SELECT * FROM papers.page')).rows).toEqual([]);
    await admin.query('REVOKE SELECT ON papers.page FROM reader');
    await expect(reader.query('SELECT * FROM papers.page')).rejects.toMatchObject({ code: '42501' });
    await Promise.all([reader.end(), admin.end()]);
  });
});

describe('access that is taken away', () => {
  it('is refused at once when the policy is deleted, denied, or the key deactivated or deleted', async () => {
    const keys = await makeUser(postern, 'leaver', policy('Allow', 'dsql:DbConnectAdmin'));
    const attempt = async () => await (await postern.connect('admin', keys)).end();
    const user = { UserName: 'leaver' };
    const put = (document: string) =>
      postern.iam.send(new PutUserPolicyCommand({ ...user, PolicyName: 'access', PolicyDocument: document }));
    const refusedWith = (hint: unknown) =>
      expect(attempt()).rejects.toMatchObject({ severity: 'FATAL', code: '08006', message: DENIED, hint });
    const resource = postern.environment['POSTERN_CLUSTER_ARN'];
    const said = `User: arn:aws:iam::123456789012:user/leaver is not authorized to perform: dsql:DbConnectAdmin on resource: ${resource}`;

    await attempt();
    await postern.iam.send(new DeleteUserPolicyCommand({ ...user, PolicyName: 'access' }));
    await refusedWith(`${said} because no identity-based policy allows the dsql:DbConnectAdmin action`);
    await put(policy('Deny', 'dsql:*'));
    await refusedWith(`${said} with an explicit deny in an identity-based policy`);
    await put(policy('Allow', 'dsql:DbConnect'));
    await refusedWith(`${said} because no identity-based policy allows the dsql:DbConnectAdmin action`);
    await put(policy('Allow', 'dsql:DbConnectAdmin'));
    await attempt();
    const key = { ...user, AccessKeyId: keys.accessKeyId };
    await postern.iam.send(new UpdateAccessKeyCommand({ ...key, Status: 'Inactive' }));
    await refusedWith(undefined);
    await postern.iam.send(new UpdateAccessKeyCommand({ ...key, Status: 'Active' }));
    await attempt();
    await postern.iam.send(new DeleteAccessKeyCommand(key));
    await refusedWith(undefined);
  });

  it('is refused at once to the sessions of a role whose policy is gone or that was made anew', async () => {
    const arn = await makeRole(postern, 'brief', policy('Allow', 'dsql:DbConnectAdmin'));
    const session = await assume(postern, arn);
    await (await postern.connect('admin', session)).end();
    const removal = { RoleName: 'brief', PolicyName: 'access' };
    await postern.iam.send(new DeleteRolePolicyCommand(removal));
    await expect(postern.connect('admin', session)).rejects.toMatchObject({
      hint: expect.stringContaining('assumed-role/brief/test is not authorized to perform: dsql:DbConnectAdmin'),
    });
    await postern.iam.send(new PutRolePolicyCommand({ ...removal, PolicyDocument: policy('Allow', 'dsql:*') }));
    await (await postern.connect('admin', session)).end();
    const { DeleteRoleCommand } = await import('@aws-sdk/client-iam');
    await postern.iam.send(new DeleteRolePolicyCommand(removal));
    await postern.iam.send(new DeleteRoleCommand({ RoleName: 'brief' }));
    await makeRole(postern, 'brief', policy('Allow', 'dsql:DbConnectAdmin'));
    await expect(postern.connect('admin', session)).rejects.toMatchObject({
      code: '08006',
      message: DENIED,
      hint: undefined,
    });
  });

  it('ends the sessions of a revoked mapping at their next transaction, and refuses new ones at once', async () => {
    const keys = await makeUser(postern, 'guest', policy('Allow', 'dsql:DbConnect'));
    const arn = 'arn:aws:iam::123456789012:user/guest';
    const admin = await postern.connect();
    await admin.query('CREATE ROLE guest LOGIN');
    await admin.query(`AWS IAM GRANT guest TO '${arn}'`);
    const [idle, working, other] = await Promise.all([
      postern.connect('guest', keys),
      postern.connect('guest', keys),
      postern.connect(),
    ]);
    await working.query('BEGIN');
    await working.query('SELECT 1');
    await admin.query(`AWS IAM REVOKE guest FROM '${arn}'`);

    await expect(postern.connect('guest', keys)).rejects.toMatchObject({
      code: '28000',
      message: DENIED,
      hint: undefined,
    });
    await expect(idle.query('SELECT 1')).rejects.toMatchObject({ severity: 'FATAL', code: '28000' });
    // A transaction never sees that privileges have changed, nor goes on with those that it had.
    await expect(working.query('SELECT 2')).rejects.toMatchObject({ code: '40001', message: /OC001/ });
    await working.query('ROLLBACK');
    await expect(working.query('SELECT 3')).rejects.toMatchObject({ severity: 'FATAL', code: '28000' });
    expect((await other.query('SELECT 4 AS four')).rows).toEqual([{ four: 4 }]);
    await Promise.all([admin.end(), other.end()]);
  });

  it('is refused to a login that is under way when its mapping is revoked', async () => {
    const keys = await makeUser(postern, 'late', policy('Allow', 'dsql:DbConnect'));
    const arn = 'arn:aws:iam::123456789012:user/late';
    const admin = await postern.connect();
    await admin.query('CREATE ROLE late LOGIN');
    await admin.query(`AWS IAM GRANT late TO '${arn}'`);
    const operator = await connectTo(await clusterSocket(), 'postern');
    // PostgreSQL reads this table before it greets, so the login stands between its check and its session.
    await operator.query('BEGIN');
    await operator.query('LOCK TABLE pg_db_role_setting IN ACCESS EXCLUSIVE MODE');
    const refused = expect(postern.connect('late', keys)).rejects.toMatchObject({ code: '28000', message: DENIED });
    const waiting = "SELECT FROM pg_locks WHERE relation = 'pg_db_role_setting'::regclass AND NOT granted";
    await vi.waitFor(async () => expect((await operator.query(waiting)).rowCount).toBe(1), { timeout: 10_000 });
    await admin.query(`AWS IAM REVOKE late FROM '${arn}'`);
    await operator.query('COMMIT');
    await refused;
    await Promise.all([admin.end(), operator.end()]);
  });

  it('leaves alone the sessions of another mapping of the same role', async () => {
    const [first, second] = await Promise.all(
      ['twin1', 'twin2'].map((name) => makeUser(postern, name, policy('Allow', 'dsql:DbConnect'))),
    );
    const admin = await postern.connect();
    await admin.query('CREATE ROLE twin LOGIN');
    for (const name of ['twin1', 'twin2'])
      await admin.query(`AWS IAM GRANT twin TO 'arn:aws:iam::123456789012:user/${name}'`);
    const [one, two] = await Promise.all([postern.connect('twin', first), postern.connect('twin', second)]);
    await admin.query("AWS IAM REVOKE twin FROM 'arn:aws:iam::123456789012:user/twin1'");
    await expect(one.query('SELECT 1')).rejects.toMatchObject({ code: '28000' });
    expect((await two.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await admin.query('ALTER ROLE twin RENAME TO twain');
    expect((await two.query('SELECT session_user')).rows).toEqual([{ session_user: 'twain' }]);
    await Promise.all([admin.end(), two.end()]);
  });
});
