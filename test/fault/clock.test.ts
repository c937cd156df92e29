import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateUserCommand, IAMClient } from '@aws-sdk/client-iam';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SigningCredentials } from '../../src/sigv4/presign.ts';
import { postern as command } from '../harness/cli.ts';
import { assume, makeRole, policy } from '../harness/identities.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

/**
 * The clock of the whole server is set, as `date` or a time server that comes late would; timers go on as they do, by the
 * monotonic clock. PostgreSQL keeps the machine's own time: nothing of Postern's is compared with it.
 */
const setClock = (time: number) => vi.setSystemTime(time);

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

let dataDir: string;
let postern: TestServer;
let credentials: SigningCredentials;
/** In ms: the time that it really is. */
let real: number;
beforeAll(async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  dataDir = await mkdtemp(join(tmpdir(), 'postern-clock-'));
  postern = await startTestServer({
    dataDir,
    auditLog: 'on',
    // Each login is written before it is answered, by the clock that it saw.
    auditRequired: 'on',
    idleTime: 3600,
    maxConnectionTime: 3600,
  });
  credentials = await assume(postern, await makeRole(postern, 'timed', policy('Allow', 'dsql:DbConnectAdmin')));
});
afterAll(async () => {
  await postern?.stop();
  vi.useRealTimers();
  await rm(dataDir, { recursive: true, force: true });
});
beforeEach(() => {
  real = Date.now();
});
afterEach(() => setClock(real));

interface Outcome {
  code: string;
  hint?: string;
}

/** How a login with this token goes. */
async function outcome(token: string): Promise<Outcome> {
  try {
    const client = await postern.connect('admin', postern.root, { password: token });
    await client.end();
    return { code: 'in' };
  } catch (error) {
    const { code, hint } = error as { code: string; hint?: string };
    return { code, ...(hint && { hint: hint.slice(0, 25) }) };
  }
}

const metric = async (line: string) => {
  const text = await (await fetch(`http://127.0.0.1:${postern.server.apiPort}/metrics`)).text();
  return text.split('\n').find((found) => found.startsWith(line));
};

describe('a clock that is set', () => {
  it.each<[string, number, { old: Outcome; session: string }]>([
    ['forward by ten minutes', 10 * MINUTE, { old: { code: 'in' }, session: 'in' }],
    ['forward by an hour', HOUR + MINUTE, { old: { code: '08006', hint: 'Signature expired: 20' }, session: '08006' }],
    ['forward by a day', DAY, { old: { code: '08006', hint: 'Signature expired: 20' }, session: '08006' }],
    ['back by ten minutes', -10 * MINUTE, { old: { code: 'in' }, session: 'in' }],
    ['back by an hour', -HOUR, { old: { code: '08006', hint: 'Signature not yet current' }, session: 'in' }],
    ['back by a day', -DAY, { old: { code: '08006', hint: 'Signature not yet current' }, session: 'in' }],
  ])('%s judges tokens and credentials by its new time, and ends no session', async (_, jump, expected) => {
    const client = await postern.connect();
    const old = postern.token('admin');
    setClock(real + jump);

    const { code, hint } = await outcome(old);
    expect({ code, ...(hint && { hint: hint.slice(0, expected.old.hint?.length) }) }).toEqual(expected.old);
    expect(await outcome(postern.token('admin'))).toEqual({ code: 'in' });
    expect((await outcome(postern.token('admin', credentials))).code).toBe(expected.session);
    // The monotonic clock has not moved: an hour without use, or of a session, is not over.
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    expect(await metric('postern_engines{state="awake"}')).toBe('postern_engines{state="awake"} 1');
    // A client of its own: the SDK remembers how far the server's clock was from its own.
    const iam = new IAMClient(postern.awsClient(postern.root));
    const made = await iam.send(new CreateUserCommand({ UserName: `made-at-${jump}` }));
    expect(made.User?.CreateDate?.getTime()).toBe(Math.floor((real + jump) / 1000) * 1000);
    await client.end();

    setClock(real);
    expect(await outcome(postern.token('admin', credentials))).toEqual({ code: 'in' });
  });

  it('there and back does not lend new life to a token that has expired', async () => {
    const token = postern.token('admin', postern.root, { expiresIn: 60 });
    setClock(real + 2 * MINUTE);
    expect((await outcome(token)).code).toBe('08006');
    // The signer's clock and the server's are the same again: until its end the token is good.
    setClock(real);
    expect((await outcome(token)).code).toBe('in');
    setClock(real + 61_000);
    expect((await outcome(token)).code).toBe('08006');
  });
});

describe('the audit log of a server whose clock was set', () => {
  it('keeps its order, in files of the days that it saw, and verifies', async () => {
    for (const jump of [DAY, -DAY, 0, 2 * DAY, -HOUR]) {
      setClock(real + jump);
      expect(await outcome(postern.token('admin'))).toEqual({ code: 'in' });
    }
    setClock(real);
    await postern.stop();
    const folder = join(dataDir, 'audit');
    const files = readdirSync(folder)
      .filter((name) => name.endsWith('.jsonl'))
      .sort();
    expect(files.length).toBeGreaterThan(1);
    const lines = files.flatMap((name) => readFileSync(join(folder, name), 'utf8').trimEnd().split('\n'));
    const sequence = lines.map((line) => JSON.parse(line).chain.sequence);
    expect(sequence).toEqual(sequence.map((_, n) => n + 1));
    const { status, stdout, stderr } = await command(['audit', 'verify', '--data-dir', dataDir]);
    expect({ status, said: stdout + stderr }).toMatchObject({ status: 0 });
  });
});
