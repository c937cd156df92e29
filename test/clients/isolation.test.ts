import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ControlStore } from '../../src/state/control-store.ts';
import { defaultCluster, eventually, openRecords, putCluster, type TestCluster } from '../harness/clusters.ts';
import { assume, makeRole, makeUser, policy } from '../harness/identities.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

const ID = 'b'.repeat(26);

let postern: TestServer;
let records: ControlStore;
/** Two clusters of one account, with nothing in common. */
let one: TestCluster;
let two: TestCluster;
beforeAll(async () => {
  // In the dialect dsql a role has no settings of its own that another cluster could see.
  postern = await startTestServer({ additionalRegion: ['eu-west-1'], dialect: 'postgres' });
  records = await openRecords(postern);
  one = defaultCluster(postern);
  two = await putCluster(postern, records, ID, { tags: { team: 'blue' } });
});
afterAll(async () => {
  await records?.close();
  await postern?.stop();
});

describe('what is in one cluster', () => {
  it('is invisible in another: roles, mappings, schemas, tables, settings', async () => {
    const arn = await makeRole(postern, 'reader', policy('Allow', 'dsql:DbConnect'));
    await one.run(
      'CREATE ROLE reader LOGIN',
      `AWS IAM GRANT reader TO '${arn}'`,
      "ALTER ROLE reader SET search_path = 'private'",
      'CREATE SCHEMA private',
      'CREATE TABLE private.things (n int)',
      "COMMENT ON ROLE reader IS 'of one cluster'",
    );
    const seen = `
      SELECT (SELECT count(*)::int FROM pg_roles WHERE rolname = 'reader') AS roles,
        (SELECT count(*)::int FROM sys.iam_pg_role_mappings) AS mappings,
        (SELECT count(*)::int FROM pg_db_role_setting WHERE setconfig::text LIKE '%private%') AS settings,
        (SELECT count(*)::int FROM pg_namespace WHERE nspname = 'private') AS schemas,
        (SELECT count(*)::int FROM pg_class WHERE relname = 'things') AS tables,
        (SELECT count(*)::int FROM pg_shdescription WHERE description LIKE 'of one%') AS comments`;
    expect(await one.run(seen)).toEqual([{ roles: 1, mappings: 1, settings: 1, schemas: 1, tables: 1, comments: 1 }]);
    expect(await two.run(seen)).toEqual([{ roles: 0, mappings: 0, settings: 0, schemas: 0, tables: 0, comments: 0 }]);
    const session = await assume(postern, arn);
    expect(await one.outcome('reader', session)).toBe('in');
    expect(await two.outcome('reader', session)).toBe('08P01');
    await two.run('CREATE ROLE reader LOGIN');
    expect(await two.outcome('reader', session)).toBe('28000');
  });

  it('is not revoked in another', async () => {
    const arn = await makeRole(postern, 'twin', policy('Allow', 'dsql:DbConnect'));
    for (const cluster of [one, two]) await cluster.run('CREATE ROLE twin LOGIN', `AWS IAM GRANT twin TO '${arn}'`);
    const session = await assume(postern, arn);
    const [first, second] = await Promise.all([one.connect('twin', session), two.connect('twin', session)]);
    await one.run(`AWS IAM REVOKE twin FROM '${arn}'`);
    await expect(first.query('SELECT 1')).rejects.toMatchObject({ code: '28000' });
    expect((await second.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
    await second.end();
  });
});

describe('a token for one cluster', () => {
  it('is refused by another, although the key is right', async () => {
    expect(await two.outcome('admin', undefined, { password: two.token('admin') })).toBe('in');
    expect(await two.outcome('admin', undefined, { password: one.token('admin') })).toBe('08006');
    expect(await one.outcome('admin', undefined, { password: two.token('admin') })).toBe('08006');
    const refused = postern.log.filter(({ event }) => event === 'login.refused').slice(-2);
    expect(refused.map(({ kind, cluster }) => [kind, cluster])).toEqual([
      ['host-mismatch', two.record.id],
      ['host-mismatch', one.record.id],
    ]);
  });

  it('is refused by another in another region, although the key is right', async () => {
    const far = await putCluster(postern, records, 'c'.repeat(26), { region: 'eu-west-1' });
    expect(await far.outcome('admin', undefined, { password: one.token('admin') })).toBe('08006');
    expect(await one.outcome('admin', undefined, { password: far.token('admin') })).toBe('08006');
  });
});

describe('policies decide cluster by cluster', () => {
  it('by ARN', async () => {
    const user = await makeUser(postern, 'of-two', policy('Allow', 'dsql:DbConnectAdmin', two.arn));
    expect(await two.outcome('admin', user)).toBe('in');
    await expect(one.connect('admin', user)).rejects.toMatchObject({
      code: '08006',
      hint: expect.stringContaining(`on resource: ${one.arn}`),
    });
  });

  it('by tag, as it is now', async () => {
    const user = await makeUser(
      postern,
      'of-blue',
      JSON.stringify({
        Version: '2012-10-17',
        Statement: [
          {
            Effect: 'Allow',
            Action: 'dsql:DbConnectAdmin',
            Resource: '*',
            Condition: { StringEquals: { 'aws:ResourceTag/team': 'blue' } },
          },
        ],
      }),
    );
    expect(await one.outcome('admin', user)).toBe('08006');
    expect(await two.outcome('admin', user)).toBe('in');
    await records.change((draft) => draft.put('clusters', ID, { ...two.record, tags: { team: 'red' } }));
    await expect.poll(() => two.outcome('admin', user), eventually).toBe('08006');
  });
});

describe('two clusters at once', () => {
  it('never see what is the other’s', async () => {
    const CLIENTS = 4;
    const ROUNDS = 50;
    const load = async (cluster: TestCluster) => {
      const { id } = cluster.record;
      await cluster.run('CREATE TABLE load (cluster text, worker int, round int)');
      const work = async (worker: number) => {
        const client = await cluster.connect();
        for (let round = 0; round < ROUNDS; round++) {
          await client.query('INSERT INTO load VALUES ($1, $2, $3)', [id, worker, round]);
          const { rows } = await client.query('SELECT DISTINCT cluster FROM load');
          expect(rows).toEqual([{ cluster: id }]);
        }
        await client.end();
      };
      await Promise.all(Array.from({ length: CLIENTS }, (_, worker) => work(worker)));
      expect(await cluster.run('SELECT count(*)::int AS n FROM load')).toEqual([{ n: CLIENTS * ROUNDS }]);
    };
    await Promise.all([load(one), load(two)]);
  });
});

describe('two clusters of one account in two regions that are peers', () => {
  let east: TestCluster;
  let west: TestCluster;
  beforeAll(async () => {
    const database = 'd'.repeat(26);
    east = await putCluster(postern, records, database, { database });
    west = await putCluster(postern, records, 'e'.repeat(26), { database, region: 'eu-west-1' });
  });

  it('see each other’s commits, roles and mappings', async () => {
    const [client, peer] = await Promise.all([east.connect(), west.connect()]);
    await client.query('CREATE TABLE shared (n int)');
    for (let n = 0; n < 5; n++) {
      await client.query('INSERT INTO shared VALUES ($1)', [n]);
      expect((await peer.query('SELECT max(n) AS n FROM shared')).rows).toEqual([{ n }]);
    }
    await client.query('BEGIN');
    await client.query('INSERT INTO shared VALUES (100)');
    expect((await peer.query('SELECT max(n) AS n FROM shared')).rows).toEqual([{ n: 4 }]);
    await client.query('COMMIT');
    expect((await peer.query('SELECT max(n) AS n FROM shared')).rows).toEqual([{ n: 100 }]);
    await Promise.all([client.end(), peer.end()]);
  });

  it('revoke for each other’s sessions, before the client of REVOKE learns that it is done', async () => {
    const arn = await makeRole(postern, 'peer', policy('Allow', 'dsql:DbConnect'));
    await east.run('CREATE ROLE peer LOGIN', `AWS IAM GRANT peer TO '${arn}'`);
    const session = await assume(postern, arn);
    const client = await west.connect('peer', session);
    await client.query('SELECT 1');
    await east.run(`AWS IAM REVOKE peer FROM '${arn}'`);
    await expect(client.query('SELECT 1')).rejects.toMatchObject({ code: '28000' });
    expect(await west.outcome('peer', session)).toBe('28000');
  });

  it('have each their own names, tokens and policies', async () => {
    const user = await makeUser(postern, 'of-west', policy('Allow', 'dsql:DbConnectAdmin', west.arn));
    expect([await east.outcome('admin', user), await west.outcome('admin', user)]).toEqual(['08006', 'in']);
    expect(await east.outcome('admin', undefined, { password: west.token('admin') })).toBe('08006');
  });
});
