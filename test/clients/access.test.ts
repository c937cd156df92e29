import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AccessQuestion, AccessReview, DatabaseRole } from '../../src/access/report.ts';
import { formatReview } from '../../src/cli/access-table.ts';
import { assume, makeRole, makeUser, policy } from '../harness/identities.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

const ARN = 'arn:aws:iam::123456789012:';

let postern: TestServer;
let review: AccessReview;
beforeAll(async () => {
  postern = await startTestServer({ dialect: 'postgres' });
  const cluster = postern.environment['POSTERN_CLUSTER_ARN'] as string;
  const conditional = JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'Office',
        Effect: 'Allow',
        Action: 'dsql:DbConnect*',
        Resource: cluster,
        Condition: { IpAddress: { 'aws:SourceIp': '192.0.2.0/24' } },
      },
    ],
  });
  const reader = await makeRole(postern, 'reader', policy('Allow', 'dsql:DbConnect', cluster), '/apps/');
  const dba = await makeUser(postern, 'dba', policy('Allow', 'dsql:DbConnectAdmin', cluster));
  await makeUser(postern, 'office', conditional);
  await makeUser(postern, 'nobody', policy('Allow', 'dsql:GetCluster', cluster));
  const admin = await postern.connect('admin', dba);
  const statements = [
    'CREATE ROLE reader LOGIN',
    'CREATE ROLE writer LOGIN',
    'CREATE ROLE team',
    'CREATE ROLE spare LOGIN',
    'CREATE ROLE closed LOGIN',
    `CREATE ROLE "evil\u001b[2J" LOGIN`,
    `AWS IAM GRANT reader TO '${reader}'`,
    `AWS IAM GRANT writer TO '${ARN}user/office'`,
    `AWS IAM GRANT closed TO '${ARN}user/nobody'`,
    `AWS IAM GRANT reader TO '${ARN}user/gone'`,
    'ALTER ROLE closed NOLOGIN',
    'GRANT team TO reader',
    'CREATE SCHEMA app',
    'CREATE TABLE app.orders (id int PRIMARY KEY, item text, price int)',
    'CREATE VIEW app.items AS SELECT item FROM app.orders',
    'CREATE SEQUENCE app.numbers',
    "CREATE FUNCTION app.f(a int, b text) RETURNS int LANGUAGE sql AS 'SELECT 1'",
    'CREATE PROCEDURE app.p() LANGUAGE sql AS $$SELECT 1$$',
    'GRANT USAGE ON SCHEMA app TO team',
    'GRANT USAGE, CREATE ON SCHEMA app TO writer',
    'GRANT SELECT (item, id), UPDATE (item) ON app.orders TO team',
    'GRANT SELECT ON app.orders TO reader WITH GRANT OPTION',
    'GRANT INSERT ON app.orders TO reader',
    'GRANT SELECT ON app.items TO PUBLIC',
    'GRANT USAGE ON SEQUENCE app.numbers TO writer',
    'REVOKE EXECUTE ON FUNCTION app.f FROM PUBLIC',
    'GRANT EXECUTE ON FUNCTION app.f TO writer',
    'ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO team',
    'GRANT writer TO admin',
    'CREATE TABLE app.mine (id int)',
    'ALTER TABLE app.mine OWNER TO writer',
  ];
  for (const sql of statements) await admin.query(sql);
  await admin.end();
  review = await ask();
});
afterAll(() => postern?.stop());

const ask = (question: Partial<AccessQuestion> = {}) =>
  postern.server.access({ cluster: undefined, principal: undefined, role: undefined, wake: true, ...question });
const role = (name: string) => review.clusters[0]?.roles.find((each) => each.name === name) as DatabaseRole;
/** `kind schema.name: privileges`. */
const told = (privileges: DatabaseRole['privileges']) =>
  privileges.map(
    ({ kind, schema, name, privileges: may, grantable }) =>
      `${kind} ${schema === null ? '' : `${schema}.`}${name}: ${may.map((each) => (grantable.includes(each) ? `${each}*` : each)).join(' ')}`,
  );

describe('a review of a real server', () => {
  it('tells who can log in as whom, and how that is decided', () => {
    const logins = review.clusters[0]?.logins.map(
      ({ principal, role: as, answer, through, because }) =>
        `${principal.replace(ARN, '')} ${as} ${answer} ${because ?? through.map(({ statement, origin }) => `${statement} ${origin}`).join()}`,
    );
    expect(logins).toEqual([
      'root admin allowed ',
      'user/dba admin allowed #1 user dba',
      expect.stringMatching(/^user\/nobody closed denied no identity-based policy allows/),
      'user/office admin conditional Office user office',
      'user/office writer conditional Office user office',
      'role/apps/reader reader allowed #1 role reader',
    ]);
  });

  it('agrees with what would be admitted', async () => {
    for (const { principal, role: as, answer } of review.clusters[0]!.logins) {
      const { outcome } = await postern.server.wouldAdmit({ principal, user: as as string, clusterId: undefined });
      expect([principal, as, outcome === 'accepted']).toEqual([principal, as, answer === 'allowed']);
    }
  });

  it('tells what roles may do, by grants of every kind', () => {
    expect(told(role('team').privileges)).toEqual([
      'column app.orders.id: SELECT',
      'column app.orders.item: SELECT UPDATE',
      'future tables app.admin: SELECT',
      'schema app: USAGE',
      'table app.mine: SELECT',
    ]);
    expect(told(role('reader').privileges)).toEqual(['table app.orders: INSERT SELECT*']);
    expect(told(role('writer').privileges)).toEqual([
      'function app.f(a integer, b text): EXECUTE',
      'schema app: CREATE USAGE',
      'sequence app.numbers: USAGE',
    ]);
    expect(told(review.clusters[0]!.public)).toEqual([
      'database postgres: CONNECT TEMPORARY',
      'procedure app.p(): EXECUTE',
      'schema public: USAGE',
      'view app.items: SELECT',
    ]);
  });

  it('tells memberships, ownership and mappings', () => {
    expect(role('reader')).toMatchObject({
      inherits: ['team'],
      mappedTo: [`${ARN}role/apps/reader`, `${ARN}user/gone`],
    });
    expect(role('writer').owns).toEqual([{ kind: 'table', schema: 'app', name: 'mine' }]);
    const admin = role('admin');
    expect(admin.attributes).toEqual(['CREATEROLE']);
    expect(admin.inherits).toEqual(['writer']);
    expect(admin.administers).toContain('reader');
    expect(told(admin.privileges)).toContain('database postgres: CONNECT CREATE TEMPORARY');
    expect(admin.owns).toContainEqual({ kind: 'schema', schema: null, name: 'app' });
  });

  it('warns of what goes against the practices', () => {
    const warned = review.warnings.map(({ id, level }) => `${level} ${id}`);
    expect(new Set(warned)).toEqual(
      new Set([
        'medium admin-in-use',
        'medium mapping-identity-gone',
        'medium grant-to-public',
        'low long-term-key-in-use',
        'low mapping-without-login',
        'low role-without-mapping',
      ]),
    );
    expect(review.warnings.find(({ id }) => id === 'admin-in-use')?.principals).toEqual([`${ARN}user/dba`]);
    expect(review.warnings.filter(({ id }) => id === 'role-without-mapping').map((each) => each.role)).toEqual([
      'evil\u001b[2J',
      'spare',
    ]);
  });

  it('prints nothing that a terminal would act on', () => {
    const text = formatReview(review);
    expect(text).toContain('evil?[2J');
    expect(text).not.toMatch(/[^\n\P{Cc}]|\p{Cf}/u);
  });

  it('follows a change at once', async () => {
    const session = await assume(postern, `${ARN}role/apps/reader`);
    const client = await postern.connect('reader', session);
    await client.query('INSERT INTO app.orders VALUES (1)');
    const admin = await postern.connect();
    await admin.query(`AWS IAM REVOKE reader FROM '${ARN}role/apps/reader'`);
    await admin.query('REVOKE ALL ON app.orders FROM reader');
    const after = await ask({ role: 'reader' });
    expect(after.clusters[0]?.logins).toEqual([]);
    expect(after.clusters[0]?.roles.map(({ name }) => name)).toEqual(['reader', 'team']);
    expect(after.clusters[0]?.roles[0]?.privileges).toEqual([]);
  });
});
