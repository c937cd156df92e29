/** What a session may have the gateway keep is bounded; who asks for more is told so, and nobody else. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { WireClient } from '../harness/wire.ts';
import { ask, bind, execute, heard, parse, query, run, sync } from './extended.ts';

let server: TestServer;
let client: WireClient;
beforeAll(async () => {
  server = await startTestServer();
  client = await connect();
  await ask(client, query('CREATE TABLE kept (a int)'));
  client.end();
});
afterAll(() => server?.stop());
beforeEach(async () => {
  client = await connect();
});
afterEach(() => client.end());

async function connect(): Promise<WireClient> {
  const connected = await WireClient.tls(server.server.pgPort, { ca: server.ca });
  await connected.login({ user: 'admin' }, server.token('admin'));
  return connected;
}

const MIB = 1024 * 1024;
const FULL = '53200 out of memory';
const text = `SELECT '${'x'.repeat(6 * MIB)}'`;

it('prepared statements of more than 32 MiB', async () => {
  for (let count = 0; count < 5; count++) expect(await ask(client, parse(text, `s${count}`), sync)).toEqual(['I']);
  expect(await ask(client, parse(text, 's5'), sync)).toEqual([FULL, 'I']);
  await ask(client, query('BEGIN'));
  expect(await ask(client, parse(text, 's5'), sync)).toEqual([FULL, 'E']);
  expect(await ask(client, query('ROLLBACK'))).toEqual(['ROLLBACK', 'I']);
  expect(await ask(client, query('DEALLOCATE ALL'))).toEqual(['DEALLOCATE ALL', 'I']);
  expect(await ask(client, parse(text, 's5'), bind('s5'), execute(), sync)).toEqual(['SELECT 1', 'I']);
});

it('a request of more than 32 MiB before its Sync, of which nothing is done', async () => {
  await ask(client, query('DELETE FROM kept'));
  const insert = run('INSERT INTO kept VALUES (1)');
  const many = Array.from({ length: 6 }, () => parse(text));
  expect(await ask(client, ...insert, ...many, ...insert, sync)).toEqual([FULL, 'I']);
  expect(await ask(client, ...run('SELECT a FROM kept'), sync)).toEqual(['SELECT 0', 'I']);
});

it('messages that are not whole, of all sessions together; a short one is served', async () => {
  const half = query(text).subarray(0, 5 * MIB);
  const hoarders = await Promise.all(Array.from({ length: 30 }, connect));
  const refused = Promise.any(hoarders.map((hoarder) => heard(hoarder, 'E')));
  for (const hoarder of hoarders) hoarder.send(half);
  expect(await refused).toEqual([FULL]);
  expect(await ask(client, query('SELECT 1'))).toEqual(['SELECT 1', 'I']);
  for (const hoarder of hoarders) hoarder.end();
});
