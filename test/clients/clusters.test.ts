import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as dsql from '@aws-sdk/client-dsql';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeUser, policy } from '../harness/identities.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

const [HOME, FAR] = ['us-east-1', 'us-east-2'];
const ACCOUNT = '123456789012';
const DENIED = { code: '08006' };

let postern: TestServer;
let home: dsql.DSQLClient;
let far: dsql.DSQLClient;
beforeAll(async () => {
  postern = await startTestServer({ additionalRegion: [FAR] });
  home = new dsql.DSQLClient(postern.awsClient(postern.root));
  far = new dsql.DSQLClient({ ...postern.awsClient(postern.root), region: FAR });
});
afterAll(() => postern?.stop());

const waiting = (client: dsql.DSQLClient) => ({ client, maxWaitTime: 60, minDelay: 0.02, maxDelay: 0.1 }) as never;

async function make(input: dsql.CreateClusterCommandInput = {}): Promise<dsql.CreateClusterCommandOutput> {
  const made = await home.send(new dsql.CreateClusterCommand({ deletionProtectionEnabled: false, ...input }));
  await dsql.waitUntilClusterActive(waiting(home), { identifier: made.identifier! });
  return made;
}

async function connect(host: string, user = 'admin', credentials = postern.root): Promise<pg.Client> {
  const region = host.includes(FAR) ? FAR : HOME;
  const client = new pg.Client({
    host: '127.0.0.1',
    port: postern.server.pgPort,
    user,
    database: 'postgres',
    password: postern.token(user, credentials, { host, region }),
    ssl: { ca: postern.ca, servername: host },
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** Whether the login succeeds, as true, or what it is refused with. */
async function login(...to: Parameters<typeof connect>): Promise<true | { code: string }> {
  try {
    await (await connect(...to)).end();
    return true;
  } catch (error) {
    return { code: (error as { code: string }).code };
  }
}

describe('a cluster made over the API', () => {
  it('is a database of its own, until it is deleted with its data', async () => {
    const { identifier, endpoint } = await make();
    const client = await connect(endpoint!);
    await client.query('CREATE TABLE orders (id int PRIMARY KEY)');
    await client.query('INSERT INTO orders VALUES (1)');
    const other = await make();
    const elsewhere = await connect(other.endpoint!);
    await expect(elsewhere.query('SELECT * FROM orders')).rejects.toMatchObject({ code: '42P01' });
    await elsewhere.end();
    const folder = join(postern.options.dataDir, 'clusters', identifier!);
    expect(existsSync(folder)).toBe(true);
    const ended = new Promise((resolve) => client.once('end', resolve));
    await home.send(new dsql.DeleteClusterCommand({ identifier }));
    await dsql.waitUntilClusterNotExists(waiting(home), { identifier: identifier! });
    await ended;
    expect(existsSync(folder)).toBe(false);
    expect(await login(endpoint!)).toEqual(DENIED);
    expect(await login(other.endpoint!)).toBe(true);
  });
});

describe('logins', () => {
  it('follow the tags of the cluster at once', async () => {
    const { endpoint, arn: resourceArn } = await make({ tags: { team: 'blue' } });
    const document = JSON.stringify({
      Version: '2012-10-17',
      Statement: {
        Effect: 'Allow',
        Action: 'dsql:DbConnectAdmin',
        Resource: '*',
        Condition: { StringEquals: { 'aws:ResourceTag/team': 'blue' } },
      },
    });
    const blue = await makeUser(postern, 'blue', document);
    const tag = (team: string) => home.send(new dsql.TagResourceCommand({ resourceArn, tags: { team } }));
    expect(await login(endpoint!, 'admin', blue)).toBe(true);
    await tag('red');
    expect(await login(endpoint!, 'admin', blue)).toEqual(DENIED);
    await tag('blue');
    expect(await login(endpoint!, 'admin', blue)).toBe(true);
    await home.send(new dsql.UntagResourceCommand({ resourceArn, tagKeys: ['team'] }));
    expect(await login(endpoint!, 'admin', blue)).toEqual(DENIED);
  });

  it('follow the policy of the cluster at once, and only of that cluster', async () => {
    const [one, two] = [await make(), await make()];
    const guest = await makeUser(postern, 'guest', policy('Allow', 'sts:GetCallerIdentity'));
    const owner = await makeUser(postern, 'owner', policy('Allow', 'dsql:*'));
    const { identifier } = one;
    const put = (Effect: string, user: string) => {
      const Principal = { AWS: `arn:aws:iam::${ACCOUNT}:user/${user}` };
      const Statement = { Effect, Principal, Action: 'dsql:DbConnect*', Resource: '*' };
      const text = JSON.stringify({ Version: '2012-10-17', Statement });
      return home.send(new dsql.PutClusterPolicyCommand({ identifier, policy: text }));
    };
    expect(await login(one.endpoint!, 'admin', guest)).toEqual(DENIED);
    await put('Allow', 'guest');
    expect(await login(one.endpoint!, 'admin', guest)).toBe(true);
    expect(await login(two.endpoint!, 'admin', guest)).toEqual(DENIED);
    await put('Deny', 'owner');
    expect(await login(one.endpoint!, 'admin', guest)).toEqual(DENIED);
    expect(await login(one.endpoint!, 'admin', owner)).toEqual(DENIED);
    expect(await login(two.endpoint!, 'admin', owner)).toBe(true);
    await home.send(new dsql.DeleteClusterPolicyCommand({ identifier }));
    expect(await login(one.endpoint!, 'admin', owner)).toBe(true);
  });
});

describe('peers', () => {
  it('are one database with an endpoint in each region, and see each other at once', async () => {
    const witness = { witnessRegion: 'us-west-2' };
    const create = (client: dsql.DSQLClient, multiRegionProperties: dsql.MultiRegionProperties) =>
      client.send(new dsql.CreateClusterCommand({ deletionProtectionEnabled: false, multiRegionProperties }));
    const one = await create(home, witness);
    const two = await create(far, { ...witness, clusters: [one.arn!] });
    expect(await login(two.endpoint!)).not.toBe(true);
    const multiRegionProperties = { ...witness, clusters: [two.arn!] };
    await home.send(new dsql.UpdateClusterCommand({ identifier: one.identifier, multiRegionProperties }));
    await dsql.waitUntilClusterActive(waiting(home), { identifier: one.identifier! });
    await dsql.waitUntilClusterActive(waiting(far), { identifier: two.identifier! });

    const [here, there] = [await connect(one.endpoint!), await connect(two.endpoint!)];
    await here.query('CREATE TABLE seen (id int PRIMARY KEY)');
    await there.query('INSERT INTO seen VALUES (7)');
    expect((await here.query('SELECT id FROM seen')).rows).toEqual([{ id: 7 }]);
    // One's policy is not the other's.
    const Statement = { Effect: 'Deny', Principal: '*', Action: 'dsql:DbConnectAdmin', Resource: '*' };
    const text = JSON.stringify({ Version: '2012-10-17', Statement });
    await far.send(new dsql.PutClusterPolicyCommand({ identifier: two.identifier, policy: text }));
    expect([await login(one.endpoint!), await login(two.endpoint!)]).toEqual([true, DENIED]);
    await Promise.all([here.end(), there.end()]);

    await home.send(new dsql.DeleteClusterCommand({ identifier: one.identifier }));
    expect((await home.send(new dsql.GetClusterCommand({ identifier: one.identifier }))).status).toBe('PENDING_DELETE');
    await far.send(new dsql.DeleteClusterPolicyCommand({ identifier: two.identifier }));
    expect(await login(two.endpoint!)).toBe(true);
    await far.send(new dsql.DeleteClusterCommand({ identifier: two.identifier }));
    await dsql.waitUntilClusterNotExists(waiting(home), { identifier: one.identifier! });
    await dsql.waitUntilClusterNotExists(waiting(far), { identifier: two.identifier! });
  });
});

describe('the default cluster', () => {
  it('may be deleted too; the next start makes a new one', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'postern-test-'));
    try {
      const first = await startTestServer({ dataDir });
      const client = new dsql.DSQLClient(first.awsClient(first.root));
      const identifier = first.server.clusterId;
      expect(await client.send(new dsql.GetClusterCommand({ identifier }))).toMatchObject({ status: 'ACTIVE' });
      await client.send(new dsql.UpdateClusterCommand({ identifier, deletionProtectionEnabled: false }));
      await client.send(new dsql.DeleteClusterCommand({ identifier }));
      await dsql.waitUntilClusterNotExists(waiting(client), { identifier });
      await expect(first.connect()).rejects.toMatchObject(DENIED);
      await first.stop();

      const second = await startTestServer({ dataDir });
      expect(second.server.clusterId).not.toBe(identifier);
      const admin = await second.connect();
      expect((await admin.query('SELECT current_user')).rows).toEqual([{ current_user: 'admin' }]);
      await second.stop();
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  });
});
