import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { FailedLogins } from '../../src/gateway/failed-logins.ts';
import { HeldBodies } from '../../src/http/held-bodies.ts';
import { type ApiUnderTest, type Credentials, startApi } from './api-under-test.ts';
import { type RawAnswer, send } from './signed-request.ts';

let api: ApiUnderTest;
afterEach(() => api.close());

const BURST = 20;
const WHO = 'Action=GetCallerIdentity&Version=2011-06-15';
const LIST = 'Action=ListUsers&Version=2010-05-08';

/** An API whose clients on this machine count as if they came from elsewhere. */
async function startThrottled() {
  const time = { now: 0 };
  const throttle = new FailedLogins({ rate: 10, burst: BURST }, () => time.now);
  const elsewhere = '192.0.2.1';
  api = await startApi({
    failures: {
      check: (_, key) => throttle.check(elsewhere, key),
      note: (_, key, kind) => throttle.note(elsewhere, key, kind),
    },
  });
  return { time, throttle };
}

const call = (credentials: Credentials | undefined, body = WHO, service = 'sts') =>
  send(api.port, credentials, { service, body, ...(credentials ? {} : { unsigned: true }) });
const wrong = () => ({ ...api.root, secretAccessKey: 'x'.repeat(40) });
const codeOf = ({ body }: RawAnswer) => /<Code>(\w+)<\/Code>/.exec(body)?.[1] ?? 'none';

describe('calls whose signature is wrong', () => {
  it('are throttled by key and by address, and answered again in time', async () => {
    const { time } = await startThrottled();
    for (let i = 0; i < BURST / 2; i++) expect(codeOf(await call(wrong()))).toBe('SignatureDoesNotMatch');
    const throttled = await call(wrong());
    expect([throttled.status, codeOf(throttled)]).toEqual([400, 'Throttling']);
    expect(throttled.body).toContain('Rate exceeded');
    // The key is held up from there; another key is not, as long as the address has something left.
    expect(codeOf(await call(api.root))).toBe('Throttling');
    const unknown = { accessKeyId: `AKIA${'A'.repeat(16)}`, secretAccessKey: 'x' };
    for (let i = 0; i < BURST / 2; i++) expect(codeOf(await call(unknown))).toBe('InvalidClientTokenId');
    expect(codeOf(await call(undefined))).toBe('Throttling');
    time.now += 1000;
    expect((await call(api.root)).status).toBe(200);
  });

  it('are in the log each, with what the caller is not told', async () => {
    await startThrottled();
    for (let i = 0; i <= BURST / 2; i++) await call(wrong());
    const line = api.lines.at(-1)?.fields;
    expect(line).toMatchObject({ status: 400, code: 'Throttling', kind: 'failed-logins-exceeded' });
    expect(line?.['detail']).toMatch(/with this access key from this address/);
  });

  it('are not those that a policy refuses, that ask for nothing there is, or that nobody signed', async () => {
    const { throttle } = await startThrottled();
    for (const body of [LIST.replace('ListUsers', 'Nothing'), LIST]) await call(api.root, body, 'iam');
    await call(undefined, LIST, 'iam');
    expect(throttle.size).toBe(0);
  });

  it('count when the proof is a web identity token', async () => {
    const { throttle } = await startThrottled();
    const body = new URLSearchParams({
      Action: 'AssumeRoleWithWebIdentity',
      Version: '2011-06-15',
      RoleArn: 'arn:aws:iam::123456789012:role/deploy',
      RoleSessionName: 'session',
      WebIdentityToken: 'not.a.token',
    });
    const answer = await call(undefined, body.toString());
    expect(codeOf(answer)).toBe('InvalidIdentityToken');
    expect(throttle.size).toBe(1);
  });
});

describe('bodies that nobody has proved to be theirs', () => {
  it('are refused when there is no room for all of them, and leave it when their clients go', async () => {
    const bodies = new HeldBodies(64 * 1024);
    api = await startApi({ bodies });
    const slow = connect({ port: api.port, host: '127.0.0.1' });
    slow.on('error', () => undefined);
    const head = `POST / HTTP/1.1\r\nHost: 127.0.0.1:${api.port}\r\nContent-Length: 65536\r\n\r\n`;
    slow.write(head + 'x'.repeat(65_000));
    await expect.poll(() => bodies.held).toBe(65_000);
    const other = await call(undefined, `${LIST}&PathPrefix=${'x'.repeat(1000)}`, 'iam');
    expect([other.status, codeOf(other)]).toEqual([503, 'ServiceUnavailable']);
    slow.destroy();
    await once(slow, 'close');
    await expect.poll(() => bodies.held).toBe(0);
    expect((await call(api.root)).status).toBe(200);
    expect(bodies.held).toBe(0);
  });
});
