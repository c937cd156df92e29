import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Options } from '../../src/config/options.ts';
import { defaultCluster, eventually, type TestCluster } from '../harness/clusters.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let postern: TestServer;
let cluster: TestCluster;
async function start(changes: Partial<Options>): Promise<void> {
  postern = await startTestServer({ idleTime: 1, ...changes });
  cluster = defaultCluster(postern);
}
afterEach(() => postern?.stop());

const asleep = () => vi.waitFor(() => expect(cluster.isAwake).toBe(false), eventually);

describe('a cluster that sleeps', () => {
  it('is woken by a connection, which waits for it, with all that it had', async () => {
    await start({});
    await cluster.run('CREATE ROLE sleeper', 'CREATE TABLE t (n int)', 'INSERT INTO t VALUES (7)');
    for (let round = 0; round < 2; round++) {
      await asleep();
      expect(
        await cluster.run("SELECT n, (SELECT count(*)::int FROM pg_roles WHERE rolname = 'sleeper') AS r FROM t"),
      ).toEqual([{ n: 7, r: 1 }]);
    }
  });

  it('is woken once by many', async () => {
    await start({});
    await asleep();
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => cluster.outcome()));
    expect(new Set(outcomes)).toEqual(new Set(['in']));
  });

  it('is woken by a review of access, unless it is to be left alone, and sleeps again', async () => {
    await start({});
    await asleep();
    const question = { cluster: undefined, principal: undefined, role: undefined };
    const left = await postern.server.access({ ...question, wake: false });
    expect([left.clusters[0]?.state, cluster.isAwake]).toEqual(['unknown', false]);
    const read = await postern.server.access({ ...question, wake: true });
    expect([read.clusters[0]?.state, cluster.isAwake]).toEqual(['read', true]);
    await asleep();
  });

  it('is not woken by who may not connect to it', async () => {
    await start({});
    await asleep();
    expect(await cluster.outcome('admin', undefined, { password: 'x' })).toBe('08006');
    expect(cluster.isAwake).toBe(false);
  });

  it('answers as the service does with strict fidelity, and is awake soon after', async () => {
    await start({ fidelity: 'strict' });
    expect(await cluster.outcome()).toBe('in');
    await asleep();
    await expect(cluster.connect()).rejects.toMatchObject({
      severity: 'FATAL',
      code: '57P03',
      message: 'unable to accept connection, waking up cluster, please retry later',
    });
    await vi.waitFor(async () => (await cluster.connect()).end(), eventually);
  });
});

describe('a cluster with a session', () => {
  it('does not sleep, however long nothing is said', async () => {
    await start({});
    const client = await cluster.connect();
    // The clock of the database says when the idle time is over.
    const { rows } = await client.query('SELECT pg_sleep(2.5), 1 AS n');
    expect(rows[0].n).toBe(1);
    expect(cluster.isAwake).toBe(true);
    await client.end();
    await asleep();
  });
});
