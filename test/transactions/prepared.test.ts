/** What a name of a prepared statement means is what it means to PostgreSQL, or rules would be kept for another statement. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { WireClient } from '../harness/wire.ts';
import { ask, bind, close, execute, parse, query, sync } from './extended.ts';

let server: TestServer;
let client: WireClient;

async function connect(): Promise<WireClient> {
  const connected = await WireClient.tls(server.server.pgPort, { ca: server.ca });
  await connected.login({ user: 'admin' }, server.token('admin'));
  return connected;
}

beforeAll(async () => {
  server = await startTestServer();
  const admin = await connect();
  await ask(admin, query('CREATE TABLE told (a int)'));
  admin.end();
});
afterAll(() => server?.stop());
beforeEach(async () => {
  client = await connect();
});
afterEach(() => client.end());

const MANY = 'INSERT INTO told SELECT generate_series(1, 5000)';
const LIMIT = '54000 transaction row limit exceeded';

describe('the statement of a name', () => {
  it('stays what it is when PostgreSQL has left out its Close after an error', async () => {
    expect(await ask(client, parse(MANY, 's'), sync)).toEqual(['I']);
    expect(await ask(client, parse('SELECT FROM WHERE'), close('s'), sync)).toEqual([
      '42601 syntax error at or near "WHERE"',
      'I',
    ]);
    expect(await ask(client, bind('s'), execute(), sync)).toEqual([LIMIT, 'I']);
  });

  it('is the one of the same first 63 bytes', async () => {
    const name = 'n'.repeat(63);
    await ask(client, parse('SELECT 1', `${name}1`), sync);
    await ask(client, close(`${name}2`), sync);
    await ask(client, parse(MANY, `${name}3`), sync);
    expect(await ask(client, bind(`${name}1`), execute(), sync)).toEqual([LIMIT, 'I']);
  });
});
