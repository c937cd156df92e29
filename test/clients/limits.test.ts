import { networkInterfaces } from 'node:os';
import pg from 'pg';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Options } from '../../src/config/options.ts';
import { cancelRequest } from '../../src/pgwire/messages.ts';
import { eventually } from '../harness/clusters.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { WireClient } from '../harness/wire.ts';

let postern: TestServer;
const start = async (changes: Partial<Options>) => {
  postern = await startTestServer(changes);
};
afterEach(() => postern?.stop());

const TOO_MANY = { severity: 'FATAL', code: '53300' };
const TOO_FAST = { severity: 'FATAL', code: '53400' };
const why = () => {
  const report = postern.server.why(undefined);
  return { step: report?.steps.find(({ outcome }) => outcome === 'failed')?.step, change: report?.change };
};

describe('limits of an address and of a principal', () => {
  it('refuses the connection too many of an address, and lets one in when one has gone', async () => {
    await start({ connectionsPerAddress: 2 });
    const first = await postern.connect();
    await postern.connect();
    await expect(postern.connect()).rejects.toMatchObject(TOO_MANY);
    expect(why()).toMatchObject({ step: 'startup', change: expect.stringContaining('--connections-per-address') });
    await first.end();
    await vi.waitFor(() => postern.connect(), eventually);
  });

  it('counts a connection from its first moment on, whether it says anything or not', async () => {
    await start({ connectionsPerAddress: 2 });
    const silent = await Promise.all([1, 2].map(() => WireClient.tcp(postern.server.pgPort)));
    await expect(postern.connect()).rejects.toMatchObject(TOO_MANY);
    silent[0]?.end();
    await vi.waitFor(() => postern.connect(), eventually);
  });

  it('tells ten connections of an address at a time that there are too many, and closes others without a word', async () => {
    await start({ connectionsPerAddress: 1 });
    const client = await postern.connect();
    await Promise.all(Array.from({ length: 10 }, () => WireClient.tcp(postern.server.pgPort)));
    const dropped = await WireClient.tcp(postern.server.pgPort);
    expect((await dropped.closed()).length).toBe(0);
    await expect(postern.connect()).rejects.not.toMatchObject(TOO_MANY);
    const metrics = await fetch(`http://127.0.0.1:${postern.server.apiPort}/metrics`);
    expect(await metrics.text()).toMatch(/^postern_connections_dropped_total 2$/m);
    // They keep nobody from being told for long.
    await vi.waitFor(() => expect(postern.connect()).rejects.toMatchObject(TOO_MANY), {
      timeout: 15_000,
      interval: 500,
    });
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  it('lets a client with too many connections cancel its queries', async () => {
    await start({ connectionsPerAddress: 1 });
    const client = await WireClient.tls(postern.server.pgPort, { rejectUnauthorized: false });
    const greeting = await client.login({ user: 'admin' }, postern.token('admin'));
    const key = greeting.find(({ type }) => type === 'K')?.body as Buffer;
    client.query('SELECT pg_sleep(60)');
    const canceller = await WireClient.tcp(postern.server.pgPort);
    canceller.send(cancelRequest(key.readInt32BE(0), key.subarray(4)));
    const error = (await client.until('Z')).find(({ type }) => type === 'E');
    expect(error?.body.toString('latin1')).toContain('C57014\0');
    client.end();
  });

  it('refuses the connection too many of a principal once it is proved, and nobody else’s', async () => {
    await start({ connectionsPerPrincipal: 1 });
    await postern.connect();
    await expect(postern.connect()).rejects.toMatchObject(TOO_MANY);
    expect(why()).toMatchObject({ step: 'policy', change: expect.stringContaining('--connections-per-principal') });
    // Who has proved nothing is not counted to whom it claims to be.
    const wrong = { ...postern.root, secretAccessKey: 'x'.repeat(40) };
    await expect(postern.connect('admin', wrong)).rejects.toMatchObject({ code: '08006' });
  });

  it.each([
    ['connectionRatePerAddress', '--connection-rate-per-address'],
    ['connectionRatePerPrincipal', '--connection-rate-per-principal'],
  ] as const)('refuses what comes too fast: %s', async (option, flag) => {
    await start({ [option]: 1 });
    const outcomes = await Promise.allSettled(Array.from({ length: 40 }, () => postern.connect()));
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(outcomes.length - refused.length).toBeGreaterThanOrEqual(10);
    expect(refused.length).toBeGreaterThan(0);
    for (const { reason } of refused) expect(reason).toMatchObject(TOO_FAST);
    expect(why().change).toContain(flag);
  });
});

const elsewhere = Object.values(networkInterfaces())
  .flat()
  .find((each) => each && !each.internal && each.family === 'IPv4')?.address;

describe('the throttle on failed logins', () => {
  /** The SQLSTATE that a login from this address ends with; undefined: it is let in. */
  async function login(host: string, password?: string): Promise<string | undefined> {
    const settings = postern.login('admin');
    const client = new pg.Client({
      ...settings,
      host,
      ...(password === undefined ? {} : { password }),
      ssl: { ca: postern.ca, servername: 'localhost' },
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.end();
      return undefined;
    } catch (error) {
      return (error as { code: string }).code;
    }
  }
  const wrong = () => postern.token('admin', { ...postern.root, secretAccessKey: 'x'.repeat(40) });

  it.skipIf(elsewhere === undefined)('holds up an address that keeps failing, and this machine not', async () => {
    await start({ host: '0.0.0.0', failedLoginRate: 1, failedLoginBurst: 8 });
    const host = elsewhere as string;
    expect(await login(host)).toBeUndefined();
    for (let i = 0; i < 4; i++) expect(await login(host, wrong())).toBe('08006');
    // The key from this address first; whoever fails with another has still what the address has left.
    expect(await login(host)).toBe('53400');
    expect(why()).toMatchObject({ step: 'signature', change: expect.stringContaining('--failed-login-rate') });
    let last: string | undefined;
    for (let i = 0; i < 20 && last !== '53400'; i++) last = await login(host, 'no token');
    expect(last).toBe('53400');
    expect(why().step).toBe('token');
    expect(await login('127.0.0.1', wrong())).toBe('08006');
    expect(await login('127.0.0.1')).toBeUndefined();
    await vi.waitFor(async () => expect(await login(host)).toBeUndefined(), { timeout: 15_000, interval: 500 });
  });
});
