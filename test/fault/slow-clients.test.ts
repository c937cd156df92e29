import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cstring, int32, message, startupMessage } from '../../src/pgwire/messages.ts';
import { cleanUp, makeFolder, type StartedServer, startServerProcess } from '../harness/cli.ts';
import { eventually } from '../harness/clusters.ts';
import { residentMemory, tells } from '../harness/machine.ts';
import { SSL_REQUEST, WireClient } from '../harness/wire.ts';
import { Door } from './door.ts';
import { figure, LIMIT, READERS, randomFrom, SEED, UNREAD } from './scale.ts';

let server: StartedServer;
const door = new Door(() => server);
const TLS = { rejectUnauthorized: false };
const memory = () => (tells ? residentMemory(door.pid) : 0);

/** Logged in as admin, under this application name. */
async function session(name: string): Promise<WireClient> {
  const client = await WireClient.tls(door.port, TLS);
  await client.login({ user: 'admin', application_name: name }, door.token());
  return client;
}

/** What the engine's sessions under this application name wait for. */
const waits = async (name: string) =>
  (await door.run(`SELECT wait_event FROM pg_stat_activity WHERE application_name = '${name}'`)).map(
    ({ wait_event }) => wait_event,
  );
const gone = (name: string) => expect.poll(() => waits(name), eventually).toEqual([]);

/** A TLS record that says that 16,384 bytes of a handshake follow. */
const ENDLESS_HELLO = Buffer.concat([Buffer.from([0x16, 0x03, 0x01, 0x40, 0x00, 0x01]), Buffer.alloc(200)]);
const STARTUP = startupMessage([
  ['user', 'admin'],
  ['database', 'postgres'],
]);

/** Each sends a byte a second, and never comes to its end before its time is over. */
const DRIPS: Record<string, { open: () => Promise<WireClient>; bytes: Buffer; told: string }> = {
  'the question for TLS, and then its hello': {
    open: () => WireClient.tcp(door.port),
    bytes: Buffer.concat([SSL_REQUEST, ENDLESS_HELLO]),
    told: '',
  },
  'the hello of TLS at once': { open: () => WireClient.tcp(door.port), bytes: ENDLESS_HELLO, told: '' },
  'the startup message': { open: () => WireClient.tls(door.port, TLS), bytes: STARTUP, told: '08006' },
  'the token': {
    async open() {
      const client = await WireClient.tls(door.port, TLS);
      client.send(STARTUP);
      await client.frame();
      return client;
    },
    bytes: message('p', cstring('x'.repeat(2000))),
    told: '08006',
  },
};

interface Dripped {
  name: string;
  said: string;
  seconds: number;
}

async function drip(name: string): Promise<Dripped> {
  const { open, bytes } = DRIPS[name] as (typeof DRIPS)[string];
  const began = performance.now();
  const client = await open();
  let sent = 0;
  // This is the fault itself.
  const timer = setInterval(() => client.send(bytes.subarray(sent, ++sent)), 1000);
  const said = await client.closed();
  clearInterval(timer);
  return { name, said: said.toString('latin1'), seconds: (performance.now() - began) / 1000 };
}

let dripping: Promise<Dripped[]>;
beforeAll(async () => {
  server = await startServerProcess(await makeFolder(), ['--log-level', 'warn']);
  // From here to the last test of this file.
  dripping = Promise.all(Object.keys(DRIPS).map(drip));
});
afterAll(cleanUp);

describe(`a client that asks for ${UNREAD} MiB and reads none of it`, () => {
  const rows = `SELECT repeat('x', 1048576) FROM generate_series(1, ${UNREAD})`;
  const WAYS: Record<string, readonly string[]> = {
    'in one statement': [rows],
    'in a transaction': ['BEGIN', rows],
    'by COPY': [`COPY (${rows}) TO STDOUT`],
  };
  it.each(Object.keys(WAYS))(
    `lets the engine wait, ${READERS} of them as well: %s`,
    async (way) => {
      await door.run('SELECT 1');
      const before = memory();
      const readers: WireClient[] = [];
      while (readers.length < READERS) readers.push(await session('unread'));
      const statements = [...(WAYS[way] ?? [])];
      const last = statements.pop() ?? '';
      await Promise.all(
        readers.map(async (client) => {
          for (const sql of statements) {
            client.query(sql);
            await client.until('Z');
          }
          client.stopReading();
          client.query(last);
        }),
      );
      await expect.poll(() => waits('unread'), { timeout: 60_000 }).toEqual(readers.map(() => 'ClientWrite'));
      const held = memory() - before;
      for (const client of readers) client.end();
      await gone('unread');
      figure(
        `slow readers, ${way}`,
        `${READERS} clients that read nothing of ${UNREAD} MiB each: ${Math.round(held)} MiB in all`,
      );
      // One MiB for what is on its way in each, and what the server takes for itself meanwhile.
      expect(held).toBeLessThan(90 + 2 * READERS);
    },
    LIMIT,
  );

  it('is not read from either: what it asks ahead waits in its own machine', async () => {
    const before = memory();
    const client = await session('ahead');
    client.stopReading();
    const comment = '-'.repeat(64 * 1024);
    client.query("SELECT repeat('x', 1048576) FROM generate_series(1, 50)");
    for (let n = 0; n < UNREAD * 4; n++) client.query(`SELECT ${n} --${comment}`);
    await expect.poll(() => waits('ahead'), eventually).toEqual(['ClientWrite']);
    const held = memory() - before;
    client.end();
    await gone('ahead');
    figure(
      'questions ahead',
      `${UNREAD / 4} MiB of questions by a client that reads no answer: ${Math.round(held)} MiB`,
    );
    expect(held).toBeLessThan(60);
  });
});

describe(`a connection that is reset (seed ${SEED})`, () => {
  const random = randomFrom(SEED);
  const row = (n: number) => Buffer.from(`${n}\t${'x'.repeat(1000)}\n`);
  const copyData = (n: number) => message('d', row(n));
  beforeAll(() => door.run('CREATE TABLE copied (n int PRIMARY KEY, filler text)'));

  it('in the middle of COPY to the server leaves no row, no lock and no session', async () => {
    for (let round = 0; round < 5; round++) {
      const client = await session('copying');
      client.query('COPY copied FROM STDIN');
      expect((await client.frame()).type).toBe('G');
      const rows = 1 + Math.floor(random() * 2_500);
      for (let n = 0; n < rows; n++) client.send(copyData(n));
      // In the middle of a message, too.
      client.send(copyData(rows).subarray(0, 1 + Math.floor(random() * 900)));
      client.reset();
      await gone('copying');
      expect(await door.run('SELECT count(*)::int AS n FROM copied')).toEqual([{ n: 0 }]);
    }
    await door.run("INSERT INTO copied SELECT n, repeat('x', 1000) FROM generate_series(1, 2500) AS n");
  });

  it('in the middle of COPY from the server ends the session there', async () => {
    for (let round = 0; round < 5; round++) {
      const client = await session('copied');
      client.query('COPY copied TO STDOUT');
      const frames = 1 + Math.floor(random() * 2_000);
      for (let n = 0; n < frames; n++) await client.frame();
      client.reset();
      await gone('copied');
    }
    expect(await door.run('SELECT count(*)::int AS n FROM copied')).toEqual([{ n: 2500 }]);
  });

  it('in the middle of a transaction undoes it', async () => {
    const client = await session('changing');
    client.query('BEGIN');
    await client.until('Z');
    client.query('DELETE FROM copied');
    await client.until('Z');
    client.reset();
    await gone('changing');
    expect(await door.run('SELECT count(*)::int AS n FROM copied')).toEqual([{ n: 2500 }]);
  });

  it('in the middle of a message of ten MiB leaves nothing in memory', async () => {
    await door.run('SELECT 1');
    const before = memory();
    for (let round = 0; round < 10; round++) {
      const client = await session('long');
      client.send(Buffer.from('Q'), int32(10 * 1024 * 1024), Buffer.alloc(9 * 1024 * 1024, 'x'));
      // The server has begun to read it.
      await expect.poll(() => door.metric('postern_connections'), eventually).toBeGreaterThan(0);
      client.reset();
      await gone('long');
    }
    expect(memory() - before).toBeLessThan(150);
  });
});

describe('a client that sends a byte a second', () => {
  it(
    'is sent away at the end of the time for a login, wherever it is',
    async () => {
      const ends = await dripping;
      for (const { name, said } of ends) expect(said, name).toContain(DRIPS[name]?.told ?? 'unknown');
      const seconds = ends.map((end) => end.seconds);
      figure(
        'a byte a second',
        `sent away after ${Math.min(...seconds).toFixed(1)} to ${Math.max(...seconds).toFixed(1)} s`,
      );
      // Nobody is sent away early: a slow network is no offence.
      expect(Math.min(...seconds)).toBeGreaterThan(25);
    },
    LIMIT,
  );
});
