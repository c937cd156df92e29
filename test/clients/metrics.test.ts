import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { CreateUserCommand } from '@aws-sdk/client-iam';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { eventually } from '../harness/clusters.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { send } from '../sdk/signed-request.ts';

let postern: TestServer;
beforeAll(async () => {
  postern = await startTestServer({ host: '0.0.0.0' });
});
afterAll(() => postern.stop());

/** One value of the metrics; 0 where the series is not there yet. */
async function metric(series: string): Promise<number> {
  const { status, body } = await send(postern.server.apiPort, undefined, { method: 'GET', target: '/metrics' });
  expect(status).toBe(200);
  const line = body.split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? 0 : Number(line.slice(series.length + 1));
}

describe('GET /metrics', () => {
  it('has no metric that the manual does not tell of', async () => {
    const { body } = await send(postern.server.apiPort, undefined, { method: 'GET', target: '/metrics' });
    const manual = ['operations', 'audit'].map((page) => readFileSync(`docs/${page}.md`, 'utf8')).join('\n');
    const names = [...body.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name as string);
    expect(names.length).toBeGreaterThan(20);
    expect(names.filter((name) => !manual.includes(`\`${name}\``) && !manual.includes(`\`${name}{`))).toEqual([]);
  });

  it('is text that Prometheus reads: each series once, of a type that was said before', async () => {
    const { body } = await send(postern.server.apiPort, undefined, { method: 'GET', target: '/metrics' });
    const types = new Map<string, string>();
    const seen = new Set<string>();
    for (const line of body.trimEnd().split('\n')) {
      const [, name, type] = /^# TYPE (\w+) (counter|gauge|histogram)$/.exec(line) ?? [];
      if (name !== undefined) {
        expect(types.has(name)).toBe(false);
        types.set(name, type as string);
      }
      if (line.startsWith('#')) continue;
      const [, series = '', family = '', value = ''] = /^(([a-z_]+)(?:\{.*\})?) (\S+)$/.exec(line) ?? [];
      expect(seen.has(series)).toBe(false);
      seen.add(series);
      expect(types.has(family) || types.get(family.replace(/_(bucket|sum|count)$/, '')) === 'histogram').toBe(true);
      expect(Number.isFinite(Number(value))).toBe(true);
    }
    expect(types.size).toBeGreaterThan(20);
  });

  it('counts logins by outcome and reason, and the time of each step', async () => {
    const accepted = 'postern_logins_total{outcome="accepted",kind=""}';
    const refused = 'postern_logins_total{outcome="refused",kind="signature-mismatch"}';
    const before = [await metric(accepted), await metric(refused)] as const;
    const client = await postern.connect();
    const other = { ...postern.root, secretAccessKey: 'x'.repeat(40) };
    await expect(postern.connect('admin', other)).rejects.toMatchObject({ code: '08006' });
    expect(await metric(accepted)).toBe(before[0] + 1);
    expect(await metric(refused)).toBe(before[1] + 1);
    for (const step of ['encryption', 'token', 'proof', 'wake', 'role', 'session', 'login']) {
      expect(await metric(`postern_login_step_seconds_count{step="${step}"}`)).toBeGreaterThan(0);
    }
    expect(await metric('postern_decisions_total{front="login",effect="allow"}')).toBeGreaterThan(0);
    await client.end();
  });

  it('counts sessions, bytes, statements, transactions and conflicts', async () => {
    const sessions = `postern_sessions{cluster="${postern.server.clusterId}"}`;
    const names = ['from_clients', 'to_clients'].map((way) => `postern_relayed_bytes_total{direction="${way}"}`);
    const client = await postern.connect();
    expect(await metric(sessions)).toBe(1);
    const bytes = await Promise.all(names.map(metric));
    const statements = await metric('postern_statements_total');
    const transactions = await metric('postern_transactions_total');
    await client.query("SELECT repeat('x', 100000)");
    await client.query('BEGIN');
    await client.query('COMMIT');
    expect((await metric(names[0] as string)) - (bytes[0] as number)).toBeGreaterThan(30);
    expect((await metric(names[1] as string)) - (bytes[1] as number)).toBeGreaterThan(100_000);
    expect(await metric('postern_statements_total')).toBe(statements + 3);
    expect(await metric('postern_transactions_total')).toBe(transactions + 2);
    await client.query('CREATE TABLE counted (n int)');
    await client.query('INSERT INTO counted VALUES (1)');
    const other = await postern.connect();
    for (const each of [client, other]) {
      await each.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
      await each.query('SELECT n FROM counted');
    }
    const conflicts = await metric('postern_conflicts_total');
    await client.query('UPDATE counted SET n = 2');
    await client.query('COMMIT');
    await other.query('UPDATE counted SET n = 3');
    await expect(other.query('COMMIT')).rejects.toMatchObject({ code: '40001' });
    expect(await metric('postern_conflicts_total')).toBe(conflicts + 1);
    await Promise.all([client.end(), other.end()]);
    await vi.waitFor(async () => expect(await metric(sessions)).toBe(0), eventually);
    expect(await metric('postern_sessions_ended_total{reason="client-terminated"}')).toBeGreaterThan(0);
  });

  it('counts HTTP calls by operation and class of status, and knows no name that a client made up', async () => {
    await postern.iam.send(new CreateUserCommand({ UserName: 'counted' }));
    await expect(postern.iam.send(new CreateUserCommand({ UserName: 'counted' }))).rejects.toThrow();
    await send(postern.server.apiPort, undefined, { body: 'Action=Invented&Version=2010-05-08' });
    const { accessKeyId, secretAccessKey } = postern.root;
    await send(
      postern.server.apiPort,
      { accessKeyId, secretAccessKey },
      { body: 'Action=Invented&Version=2010-05-08' },
    );
    expect(await metric('postern_api_calls_total{service="iam",operation="CreateUser",status="2xx"}')).toBe(1);
    expect(await metric('postern_api_calls_total{service="iam",operation="CreateUser",status="4xx"}')).toBe(1);
    expect(await metric('postern_api_calls_total{service="none",operation="none",status="4xx"}')).toBeGreaterThan(0);
    expect(await metric('postern_api_calls_total{service="iam",operation="none",status="4xx"}')).toBe(1);
    const { body } = await send(postern.server.apiPort, undefined, { method: 'GET', target: '/metrics' });
    expect(body).not.toContain('Invented');
  });

  it('tells what the engines and the control database do', async () => {
    expect(await metric('postern_engines{state="awake"}')).toBe(1);
    expect(await metric('postern_control_connected')).toBe(1);
    expect(await metric('postern_ready')).toBe(1);
    expect(await metric('process_resident_memory_bytes')).toBeGreaterThan(10_000_000);
    await vi.waitFor(
      async () => expect(await metric('postern_event_loop_lag_seconds_count')).toBeGreaterThan(0),
      eventually,
    );
  });

  it('has no secret, key or token', async () => {
    const { body } = await send(postern.server.apiPort, undefined, { method: 'GET', target: '/metrics' });
    expect(body).not.toMatch(/AKIA|ASIA|X-Amz|arn:/);
    expect(body).not.toContain(postern.root.secretAccessKey);
  });
});

describe('GET /readyz', () => {
  it('says when the PostgreSQL of the default cluster does not start, and when it does again', async () => {
    const broken = await startTestServer({ idleTime: 1 });
    const ready = async () => {
      const { status, body } = await send(broken.server.apiPort, undefined, { method: 'GET', target: '/readyz' });
      return [status, body];
    };
    const version = join(broken.options.dataDir, 'clusters', broken.server.clusterId, 'PG_VERSION');
    await vi.waitFor(
      () => expect(broken.log.some(({ msg }) => msg === 'a database that nobody uses goes to sleep')).toBe(true),
      eventually,
    );
    // Asleep is as good as awake.
    expect(await ready()).toEqual([200, 'ready\n']);
    await writeFile(version, '15\n');
    await expect(broken.connect()).rejects.toMatchObject({ code: '57P03' });
    expect(await ready()).toEqual([503, 'not ready\n- the PostgreSQL of the default cluster does not start\n']);
    await writeFile(version, '16\n');
    // Nobody but the question has to try.
    await vi.waitFor(async () => expect(await ready()).toEqual([200, 'ready\n']), eventually);
    await (await broken.connect()).end();
    await broken.stop();
  });

  it('says when the control database does not start, and that clients may come all the same', async () => {
    const broken = await startTestServer({}, true);
    const ready = async () => {
      const { status, body } = await send(broken.server.apiPort, undefined, { method: 'GET', target: '/readyz' });
      return [status, body];
    };
    const control = join(broken.options.dataDir, 'control');
    await writeFile(join(control, 'PG_VERSION'), '15\n');
    process.kill(Number(readFileSync(join(control, 'postmaster.pid'), 'utf8').split('\n')[0]), 'SIGKILL');
    await vi.waitFor(
      async () =>
        expect(await ready()).toEqual([
          200,
          expect.stringMatching(
            /^ready\n- the control database does not start and is tried again: .*data of PostgreSQL 15; this one is 16\n$/,
          ),
        ]),
      eventually,
    );
    await (await broken.connect()).end();
    await writeFile(join(control, 'PG_VERSION'), '16\n');
    await vi.waitFor(async () => expect(await ready()).toEqual([200, 'ready\n']), eventually);
    await broken.iam.send(new CreateUserCommand({ UserName: 'afterwards' }));
    await broken.stop();
  });
});

const elsewhere = Object.values(networkInterfaces())
  .flat()
  .find((each) => each && !each.internal && each.family === 'IPv4')?.address;

describe.skipIf(elsewhere === undefined)('from another address than this machine’s own', () => {
  const ask = async (port: number) => {
    const answer = await fetch(`http://${elsewhere}:${port}/metrics`);
    return [answer.status, (await answer.text()).includes('MissingAuthenticationToken')];
  };

  it('metrics are what any path is: refused', async () => {
    expect(await ask(postern.server.apiPort)).toEqual([403, true]);
  });

  it('metrics are answered when the operator allows the network', async () => {
    const network = { address: elsewhere as string, prefix: 24 };
    const allowed = await startTestServer({ host: '0.0.0.0', metricsFrom: [network] });
    expect(await ask(allowed.server.apiPort)).toEqual([200, false]);
    await allowed.stop();
  });
});
