import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  CreateClusterCommand,
  DeleteClusterCommand,
  DSQLClient,
  GetClusterCommand,
  waitUntilClusterActive,
} from '@aws-sdk/client-dsql';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { clusterRecord } from '../../src/state/testing-records.ts';
import { defaultCluster, eventually, openRecords, putCluster, TestCluster } from '../harness/clusters.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let postern: TestServer;
let dsql: DSQLClient;
beforeAll(async () => {
  postern = await startTestServer({ additionalRegion: ['eu-west-1'] });
  dsql = new DSQLClient(postern.awsClient(postern.root));
});
afterAll(() => postern?.stop());

async function create(): Promise<TestCluster> {
  const { identifier } = await dsql.send(new CreateClusterCommand({ deletionProtectionEnabled: false }));
  await waitUntilClusterActive({ client: dsql, maxWaitTime: 20, minDelay: 1, maxDelay: 1 }, { identifier });
  return new TestCluster(postern, clusterRecord(identifier as string, { region: postern.options.region }));
}

const remove = ({ record: { id } }: TestCluster) => dsql.send(new DeleteClusterCommand({ identifier: id }));

const gone = ({ record: { id } }: TestCluster) =>
  vi.waitFor(async () => {
    const found = await dsql.send(new GetClusterCommand({ identifier: id })).catch((error) => error.name);
    expect(found).toBe('ResourceNotFoundException');
  }, eventually);

/** How a session's client learns of its end. */
const told = (client: pg.Client) => new Promise<{ code?: string }>((resolve) => client.once('error', resolve));

describe('deleting a cluster', () => {
  it('ends its jobs, which are not taken up again', async () => {
    const cluster = await create();
    const admin = await cluster.connect();
    await admin.query(`CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE sql
      AS 'SELECT $1 FROM (SELECT pg_sleep(60)) s'`);
    await admin.query('CREATE TABLE t (a int)');
    await admin.query('INSERT INTO t VALUES (1)');
    await admin.query('CREATE INDEX ASYNC ON t (slow(a))');
    expect((await admin.query('SELECT status FROM sys.jobs')).rows).toEqual([{ status: 'processing' }]);
    await remove(cluster);
    await gone(cluster);
    await vi.waitFor(() => {
      expect(postern.log.some(({ msg }) => msg === 'the jobs of a database were interrupted')).toBe(true);
    }, eventually);
    expect(readdirSync(join(postern.options.dataDir, 'clusters'))).toEqual([postern.server.clusterId]);
    expect(postern.log.filter(({ level }) => (level as number) >= 50)).toEqual([]);
  });

  it('ends its sessions, idle or at work, and tells them; removes its data; and leaves others alone', async () => {
    const cluster = await create();
    const [idle, busy, other] = await Promise.all([cluster.connect(), cluster.connect(), postern.connect()]);
    const idleTold = told(idle);
    const work = busy.query('SELECT pg_sleep(600)');
    work.catch(() => undefined);
    await vi.waitFor(async () => {
      const sql = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE query LIKE '%sleep(600)' AND state = 'active'";
      expect((await idle.query(`${sql} AND pid <> pg_backend_pid()`)).rows).toEqual([{ n: 1 }]);
    }, eventually);
    await remove(cluster);
    expect(await idleTold).toMatchObject({ code: '57P01' });
    await expect(work).rejects.toMatchObject({ code: '57P01' });
    await gone(cluster);
    expect(readdirSync(join(postern.options.dataDir, 'clusters'))).toEqual([postern.server.clusterId]);
    expect(await cluster.outcome()).toBe('08006');
    expect((await other.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
    await other.end();
  });

  it('leaves nothing behind, however many want in at that moment', async () => {
    const cluster = await create();
    let removed = false;
    const outcomes = new Set<string>();
    const knock = async () => {
      while (!removed) outcomes.add(await cluster.outcome());
    };
    const knocking = Array.from({ length: 4 }, knock);
    await vi.waitFor(() => expect(outcomes).toContain('in'), eventually);
    await remove(cluster);
    await gone(cluster);
    removed = true;
    await Promise.all(knocking);
    expect(await cluster.outcome()).toBe('08006');
    expect(existsSync(cluster.folder)).toBe(false);
  });
});

describe('deleting one of two peers', () => {
  it('ends its sessions and what they do in the database they share; the other’s go on', async () => {
    const records = await openRecords(postern);
    const database = 'd'.repeat(26);
    const east = await putCluster(postern, records, database, { database });
    const west = await putCluster(postern, records, 'e'.repeat(26), { database, region: 'eu-west-1' });
    await records.close();
    const peer = await west.connect();
    await peer.query('CREATE TABLE kept (n int)');
    await peer.query('INSERT INTO kept VALUES (1)');
    const client = await east.connect();
    const clientTold = told(client);
    const asleep = async () => {
      const sql = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE query LIKE '%sleep(601)' AND state = 'active'";
      return (await peer.query(`${sql} AND pid <> pg_backend_pid()`)).rows[0].n;
    };
    client.query('SELECT pg_sleep(601)').catch(() => undefined);
    await vi.waitFor(async () => expect(await asleep()).toBe(1), eventually);
    await remove(east);
    await clientTold.catch(() => undefined);
    await vi.waitFor(async () => expect(await asleep()).toBe(0), eventually);
    expect(await east.outcome()).toBe('08006');
    expect((await peer.query('SELECT n FROM kept')).rows).toEqual([{ n: 1 }]);
    expect(await west.outcome()).toBe('in');
    await peer.end();
  });
});

it('the default cluster is still there', async () => {
  expect(await defaultCluster(postern).outcome()).toBe('in');
});
