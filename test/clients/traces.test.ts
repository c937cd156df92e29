import { ListUsersCommand } from '@aws-sdk/client-iam';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attributesOf, type Collector, type ReceivedSpan, startCollector } from '../../src/traces/testing-collector.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { send } from '../sdk/signed-request.ts';

let collector: Collector;
let postern: TestServer;
let spans: ReceivedSpan[];
let token: string;

/** One server's life: a login, one that is refused, two calls. What it traced has arrived when it has stopped. */
beforeAll(async () => {
  collector = await startCollector();
  postern = await startTestServer({ otelEndpoint: collector.endpoint });
  const settings = postern.login('admin');
  token = settings.password as string;
  const client = await postern.connect('admin', postern.root, settings);
  await client.query("SELECT 'a secret of the client'");
  await expect(postern.connect('nobody')).rejects.toMatchObject({ code: '08P01' });
  await expect(postern.connect('admin', { ...postern.root, secretAccessKey: 'wrong' })).rejects.toThrow();
  await postern.iam.send(new ListUsersCommand({}));
  const headers = { traceparent: `00-${'c'.repeat(32)}-${'d'.repeat(16)}-01` };
  const body = 'Action=GetCallerIdentity&Version=2011-06-15';
  const { accessKeyId, secretAccessKey } = postern.root;
  await send(postern.server.apiPort, { accessKeyId, secretAccessKey }, { service: 'sts', body, headers });
  await send(postern.server.apiPort, undefined, { service: 'sts', body, headers });
  await postern.stop();
  spans = collector.spans();
});
afterAll(() => collector.close());

const traceOf = (root: ReceivedSpan | undefined) => spans.filter(({ traceId }) => traceId === root?.traceId);
const roots = (name: string) => spans.filter((span) => span.name === name);

describe('traces', () => {
  it('have every step of a login, within the whole of it', () => {
    const root = roots('login').find((span) => span.status.code === 0);
    const [, ...steps] = traceOf(root);
    expect(steps.map(({ name }) => name)).toEqual(['encryption', 'token', 'proof', 'wake', 'role', 'session']);
    for (const step of steps) {
      expect(step.parentSpanId).toBe(root?.spanId);
      expect(BigInt(step.startTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(root?.startTimeUnixNano ?? 0));
      // A step is measured by itself: a tenth of a ms may lie between the two clocks' beginnings.
      expect(BigInt(step.endTimeUnixNano)).toBeLessThanOrEqual(BigInt(root?.endTimeUnixNano ?? 0) + 100_000n);
    }
    const accepted = postern.log.find(({ event }) => event === 'login.accepted');
    expect(attributesOf(root as ReceivedSpan)).toMatchObject({
      'postern.connection.id': accepted?.['connectionId'],
      'postern.cluster.id': postern.server.clusterId,
      'postern.role': 'admin',
      'postern.outcome': 'accepted',
      'enduser.id': 'arn:aws:iam::123456789012:root',
      'db.system.name': 'postgresql',
      'client.address': '127.0.0.1',
    });
  });

  it('say at which step a login was refused, and why in a word', () => {
    const refused = roots('login').filter((span) => span.status.code === 2);
    expect(refused.map((root) => [root.status.message, traceOf(root).at(-1)?.name])).toEqual([
      ['unknown-role', 'role'],
      ['signature-mismatch', 'proof'],
    ]);
  });

  it('have the calls of the API', () => {
    const [call] = roots('iam/ListUsers');
    expect(attributesOf(call as ReceivedSpan)).toMatchObject({
      'http.request.method': 'POST',
      'http.response.status_code': '200',
      'rpc.system': 'aws-api',
      'rpc.service': 'iam',
      'rpc.method': 'ListUsers',
    });
  });

  it('go on with the trace that a caller names, once it is known who calls', () => {
    const named = spans.filter(({ traceId }) => traceId === 'c'.repeat(32));
    expect(named.map(({ name, parentSpanId }) => [name, parentSpanId])).toEqual([
      ['sts/GetCallerIdentity', 'd'.repeat(16)],
    ]);
    expect(roots('api call').length).toBe(1);
  });

  it('have no secret, no token and no statement in them', () => {
    const all = collector.requests.map(({ body }) => body).join();
    const signature = /X-Amz-Signature=([0-9a-f]{64})/.exec(token)?.[1] as string;
    for (const secret of [
      postern.root.secretAccessKey,
      token,
      signature,
      'a secret of the client',
      postern.root.accessKeyId,
    ]) {
      expect(secret.length).toBeGreaterThan(10);
      expect(all).not.toContain(secret);
    }
  });
});
