import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { SPARE_FILES } from '../../src/gateway/entry.ts';
import { OpenFiles, openFileLimit } from '../../src/machine/open-files.ts';
import { startupMessage } from '../../src/pgwire/messages.ts';
import { cleanUp, makeFolder, type StartedServer, startServerProcess } from '../harness/cli.ts';
import { postgresBelow, residentMemory, tells } from '../harness/machine.ts';
import { SSL_REQUEST, WireClient } from '../harness/wire.ts';
import { Door } from './door.ts';
import { figure, HALF_OPEN, LIMIT, LOGINS, SESSIONS, times } from './scale.ts';

let server: StartedServer;
let folder: string;
const door = new Door(() => server);
/** A new one each time: what memory a process has once taken it keeps for what comes next. */
async function openDoor(...options: string[]): Promise<void> {
  const places = String(Math.min(10_000, Math.max(1_000, SESSIONS + 100)));
  folder = await makeFolder();
  server = await startServerProcess(folder, [
    ...['--connection-rate', '0', '--postgres-connections', places, '--log-level', 'warn'],
    ...options,
  ]);
}
afterEach(cleanUp);

const TLS = { rejectUnauthorized: false };
/** So many handshakes at a time: the rest wait here, not there. */
const AT_ONCE = 100;

/** Does something for each number below `count`, some at a time. */
async function each<T>(count: number, work: (n: number) => Promise<T>, atOnce = AT_ONCE): Promise<T[]> {
  const results: T[] = [];
  const numbers = Array(count).keys();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const n of numbers) results[n] = await work(n);
    }),
  );
  return results;
}

/** Sessions that are made one after the other, at the end. */
const LAST = Math.min(SESSIONS, 100);

/** In MiB: the memory of all PostgreSQL processes of this server, shared pages counted once. */
function engineMemory(): number {
  const all = postgresBelow(folder).map((pid) => {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
    return Number(/^Pss: +(\d+) kB/m.exec(text)?.[1] ?? 0);
  });
  return all.reduce((sum, kibibytes) => sum + kibibytes, 0) / 1024;
}

/** In MiB, of Postern's own process; 0 where the system does not tell. */
const memory = () => (tells ? residentMemory(door.pid) : 0);
const connections = () => door.metric('postern_connections');

/** What one login says: `in`, or its SQLSTATE. The client is still there then. */
async function logIn(token: string, user = 'admin'): Promise<{ outcome: string; client: WireClient }> {
  const client = await WireClient.tls(door.port, TLS);
  client.startup({ database: 'postgres', user });
  for (;;) {
    const { type, body } = await client.frame();
    if (type === 'R' && body.readInt32BE(0) === 3) client.password(token);
    if (type === 'Z') return { outcome: 'in', client };
    if (type === 'E') return { outcome: /\0C([0-9A-Z]{5})\0/.exec(`\0${body.toString('latin1')}`)?.[1] ?? '?', client };
  }
}

/** Resolves with the ms that honest logins took, one after the other. */
async function honestLogins(count: number): Promise<number[]> {
  const took: number[] = [];
  for (let n = 0; n < count; n++) {
    const began = performance.now();
    expect(await door.outcome()).toBe('in');
    took.push(performance.now() - began);
  }
  return took;
}

describe(`${HALF_OPEN} connections that never log in`, () => {
  it.each<[string, () => Promise<{ end(): void }>]>([
    ['without a byte', () => silent()],
    ['with the question for TLS only', () => silent(SSL_REQUEST)],
    ['with TLS and no more', () => WireClient.tls(door.port, TLS)],
    [
      'with TLS and half a startup message',
      async () => {
        const client = await WireClient.tls(door.port, TLS);
        client.send(startupMessage([['user', 'admin']]).subarray(0, 9));
        return client;
      },
    ],
    [
      'asked for the token',
      async () => {
        const client = await WireClient.tls(door.port, TLS);
        client.startup({ database: 'postgres', user: 'admin' });
        await client.frame();
        return client;
      },
    ],
  ])(
    'keep nobody from logging in: %s',
    async (name, open) => {
      await openDoor();
      const quiet = await honestLogins(5);
      const before = memory();
      const crowd = await each(HALF_OPEN, open);
      // What the system has taken for the server the server takes soon.
      await expect.poll(connections, { timeout: 20_000 }).toBe(HALF_OPEN);
      const held = memory() - before;
      const meanwhile = await honestLogins(5);
      for (const client of crowd) client.end();
      await expect.poll(connections, { timeout: 30_000 }).toBe(0);
      figure(
        `half-open, ${name}`,
        `${HALF_OPEN} held, ${((held * 1024) / HALF_OPEN).toFixed(0)} KiB each; logins ${times(meanwhile)}, before ${times(quiet)}`,
      );
      // 160 KiB each would be what a TLS session costs in Node, twice over.
      expect(held).toBeLessThan(60 + (HALF_OPEN * 160) / 1024);
    },
    LIMIT,
  );
});

function silent(first?: Buffer): Promise<{ end(): void }> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ host: '127.0.0.1', port: door.port }, () => {
      if (first) socket.write(first);
      resolve({ end: () => socket.destroy() });
    });
    socket.once('error', reject);
    socket.on('error', () => undefined);
  });
}

describe(`${LOGINS} logins at once`, () => {
  it(
    'are each answered as they deserve, and leave nothing behind',
    async () => {
      await openDoor();
      await honestLogins(5);
      const good = door.token();
      const bad = [
        door.token('admin', { ...door.root, sessionToken: 'x'.repeat(1000) }),
        good.replace(/.{8}$/, '00000000'),
        door.token('admin', { accessKeyId: 'AKIAAAAAAAAAAAAAAAAA', secretAccessKey: 'x'.repeat(40) }),
        'no token at all',
      ];
      /** Every second one is good. All are in the listener's queue before the first is answered. */
      const storm = () =>
        Promise.all(
          Array.from({ length: LOGINS }, async (_, n) => {
            const isGood = n % 2 === 0;
            const { outcome, client } = await logIn(isGood ? good : (bad[((n - 1) / 2) % bad.length] as string));
            client.end();
            return outcome === (isGood ? 'in' : '08006') ? undefined : outcome;
          }),
        );
      const before = memory();
      const held: number[] = [];
      const took: number[] = [];
      for (let wave = 0; wave < 3; wave++) {
        const began = performance.now();
        expect((await storm()).filter((wrong) => wrong !== undefined)).toEqual([]);
        took.push(performance.now() - began);
        await expect.poll(connections, { timeout: 30_000 }).toBe(0);
        held.push(memory() - before);
      }
      const seconds = Math.min(...took) / 1000;
      figure(
        'login storm',
        `${LOGINS} at once, half of them with bad tokens, three times: all answered rightly, ${Math.round(LOGINS / seconds)} a second; ${held.map((mebibytes) => Math.round(mebibytes)).join(', ')} MiB more after each`,
      );
      // What the first takes is there for the others.
      expect((held[2] as number) - (held[1] as number)).toBeLessThan(50);
      expect(await door.outcome()).toBe('in');
    },
    LIMIT,
  );

  it(
    'are let in as far as the quota goes, and the others are told so',
    async () => {
      const QUOTA = 50;
      await openDoor('--max-connections', String(QUOTA));
      const token = door.token();
      const all = await Promise.all(Array.from({ length: LOGINS }, () => logIn(token)));
      const count = (wanted: string) => all.filter(({ outcome }) => outcome === wanted).length;
      expect({ in: count('in'), '53300': count('53300') }).toEqual({ in: QUOTA, '53300': LOGINS - QUOTA });
      for (const { client } of all) client.end();
      await expect.poll(() => door.outcome(), { timeout: 30_000 }).toBe('in');
    },
    LIMIT,
  );
});

describe(`${SESSIONS} sessions that do nothing`, () => {
  it(
    'are held, work when they are asked, and cost little',
    async () => {
      await openDoor();
      await honestLogins(5);
      const token = door.token();
      const before = memory();
      // Two descriptors each in the server, which has the limit that this process has.
      const most = Math.min(SESSIONS, new OpenFiles(await openFileLimit()).connections(2, SPARE_FILES));
      const began = performance.now();
      const sessions = await each(most - LAST, () => logIn(token));
      // One after the other: who is just logging in has descriptors, too.
      sessions.push(...(await each(LAST, () => logIn(token), 1)));
      const took = performance.now() - began;
      expect(sessions.filter(({ outcome }) => outcome !== 'in')).toEqual([]);
      for (const { outcome, client } of await each(SESSIONS - most, () => logIn(token), 1)) {
        expect(outcome).toBe('53300');
        client.end();
      }
      const held = memory() - before;
      const engine = tells ? engineMemory() : 0;
      const some = sessions.filter((_, n) => n % Math.ceil(SESSIONS / 50) === 0);
      for (const { client } of some) {
        client.query('SELECT 1');
        expect((await client.until('Z')).some(({ type }) => type === 'D')).toBe(true);
      }
      // Where it is full, for others there is room when some have gone.
      for (const { client } of sessions.splice(0, 20)) client.end();
      const meanwhile = await honestLogins(5);
      for (const { client } of sessions) client.end();
      await expect.poll(connections, { timeout: 60_000 }).toBe(0);
      figure(
        'idle sessions',
        `${most} held, made in ${(took / 1000).toFixed(0)} s, ${((held * 1024) / most).toFixed(0)} KiB of Postern’s memory each and ${((engine * 1024) / most).toFixed(0)} KiB of PostgreSQL’s; ${SESSIONS - most} more refused with 53300; logins meanwhile ${times(meanwhile)}`,
      );
      expect(held).toBeLessThan(60 + (SESSIONS * 200) / 1024);
    },
    LIMIT,
  );
});
