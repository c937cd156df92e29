import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Options } from '../../src/config/options.ts';
import { defaultCluster, eventually, openRecords, putCluster } from '../harness/clusters.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { WireClient } from '../harness/wire.ts';

let postern: TestServer;
const start = async (changes: Partial<Options>) => {
  postern = await startTestServer(changes);
  return postern;
};
afterEach(() => postern?.stop());

const connectWire = () => WireClient.tls(postern.server.pgPort, { ca: postern.ca });

const TOO_MANY = {
  severity: 'FATAL',
  code: '53300',
  message: 'Unable to accept connection, too many open connections.',
};
const TOO_FAST = { severity: 'FATAL', code: '53400', message: 'Unable to accept connection, rate exceeded.' };

describe('the quota of open connections', () => {
  it('refuses the one too many, lets the next in when one has gone, and counts each cluster by itself', async () => {
    await start({ maxConnections: 2 });
    const first = await postern.connect();
    await postern.connect();
    await expect(postern.connect()).rejects.toMatchObject(TOO_MANY);
    const records = await openRecords(postern);
    await putCluster(postern, records, 'b'.repeat(26));
    await records.close();
    await first.end();
    await vi.waitFor(() => postern.connect(), eventually);
  });

  it('counts those that have not logged in, and refuses before it asks for a token', async () => {
    await start({ maxConnections: 1 });
    const silent = await connectWire();
    silent.startup({ user: 'admin', database: 'postgres' });
    expect((await silent.frame()).type).toBe('R');
    const refused = await connectWire();
    refused.startup({ user: 'admin', database: 'postgres' });
    expect(await refused.error()).toMatchObject({ C: '53300' });
    expect(postern.server.why(undefined)?.steps.find(({ outcome }) => outcome === 'failed')?.step).toBe('cluster');
    silent.end();
    await vi.waitFor(() => postern.connect(), eventually);
  });

  it('has the same words when it is PostgreSQL that has no more room', async () => {
    await start({ maxConnections: 0, postgresConnections: 10 });
    for (let i = 0; i < 10; i++) await postern.connect();
    await expect(postern.connect()).rejects.toMatchObject(TOO_MANY);
  });
});

describe('the quota of new connections', () => {
  it('lets a burst in and refuses what comes faster', async () => {
    await start({ connectionRate: 1, connectionBurst: 3 });
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => postern.connect()));
    const refused = outcomes.filter(({ status }) => status === 'rejected');
    expect(outcomes.length - refused.length).toBeGreaterThanOrEqual(3);
    expect(refused.length).toBeGreaterThan(0);
    for (const { reason } of refused as PromiseRejectedResult[]) expect(reason).toMatchObject(TOO_FAST);
  });

  it('counts logins that are refused', async () => {
    await start({ connectionRate: 1, connectionBurst: 3 });
    const cluster = defaultCluster(postern);
    const codes = await Promise.all(
      Array.from({ length: 20 }, () => cluster.outcome('admin', undefined, { password: 'x' })),
    );
    expect(codes.filter((code) => code === '08006').length).toBeGreaterThanOrEqual(3);
    expect(codes).toContain('53400');
  });
});

describe('the time of a connection', () => {
  it('ends without a word, but for a transaction in progress, which may end first', async () => {
    await start({ maxConnectionTime: 1 });
    const idle = await connectWire();
    const busy = await connectWire();
    for (const client of [idle, busy]) await client.login({ user: 'admin' }, postern.token('admin'));
    busy.query('CREATE TABLE t (n int); BEGIN; INSERT INTO t VALUES (1)');
    await busy.until('Z');
    // Whoever came first goes first: the time of the other is over soon after.
    expect((await idle.closed()).length).toBe(0);
    await vi.waitFor(async () => {
      busy.query(
        "SELECT clock_timestamp() - xact_start > interval '1 s' FROM pg_stat_activity WHERE pid = pg_backend_pid()",
      );
      const frames = await busy.until('Z');
      expect(frames.find(({ type }) => type === 'D')?.body.toString('latin1')).toMatch(/t$/);
    }, eventually);
    busy.query('COMMIT');
    expect((await busy.until('Z')).map(({ type }) => type)).toEqual(['C', 'Z']);
    expect((await busy.closed()).length).toBe(0);
    const client = await postern.connect();
    expect((await client.query('SELECT n FROM t')).rows).toEqual([{ n: 1 }]);
    const ends = postern.log.filter(({ event }) => event === 'session.ended');
    expect(ends.map(({ reason }) => reason)).toEqual(['expired', 'expired']);
  });
});
