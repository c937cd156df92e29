/** A Query that follows on messages without a Sync is in their transaction, and left out after their errors. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { message } from '../../src/pgwire/messages.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { WireClient } from '../harness/wire.ts';
import { ask, bind, execute, heard, parse, query, run, sync } from './extended.ts';

describe.each(['dsql', 'postgres'] as const)('in the dialect %s', (dialect) => {
  let server: TestServer;
  let client: WireClient;
  beforeAll(async () => {
    server = await startTestServer({ dialect });
    client = await connect();
    await ask(client, query('CREATE TABLE told (a int)'));
    client.end();
  });
  afterAll(() => server?.stop());
  beforeEach(async () => {
    client = await connect();
    await ask(client, query('DELETE FROM told'));
  });
  afterEach(() => client.end());

  async function connect(): Promise<WireClient> {
    const connected = await WireClient.tls(server.server.pgPort, { ca: server.ca });
    await connected.login({ user: 'admin' }, server.token('admin'));
    return connected;
  }
  const some = [parse('INSERT INTO told VALUES (1), (2) RETURNING a'), bind(), execute(1)];

  it.each([
    'SELECT a FROM told',
    'UPDATE told SET a = 3',
    '',
    'SELECT a FROM told; SELECT a FROM told',
  ])('rows of a portal that is not at its end are as PostgreSQL shows them to %j without a Sync', async (sql) => {
    const shown = { 'SELECT a FROM told': ['SELECT 0'], 'UPDATE told SET a = 3': ['UPDATE 0'], '': [] }[sql];
    expect(await ask(client, ...some, query(sql))).toEqual([...(shown ?? ['SELECT 0', 'SELECT 2']), 'I']);
    expect(await ask(client, query('SELECT a FROM told'))).toEqual(['SELECT 2', 'I']);
  });

  it('whatever messages come between', async () => {
    const between = [message('C', Buffer.from('P\0')), parse('SELECT a FROM told', 'later')];
    expect(await ask(client, ...some, between[0] as Buffer, query('UPDATE told SET a = 3'))).toEqual(['UPDATE 0', 'I']);
    expect(await ask(client, ...some, ...between, query('UPDATE told SET a = 3'))).toEqual(['UPDATE 4', 'I']);
  });

  it('and in a block', async () => {
    await ask(client, query('BEGIN'));
    expect(await ask(client, ...some, query('SELECT a FROM told'))).toEqual(['SELECT 0', 'T']);
    expect(await ask(client, query('COMMIT'))).toEqual(['COMMIT', 'I']);
  });

  it('the Query is left out after an error before it', async () => {
    expect(await ask(client, ...run('SELECT 1/0'), ...some, query('SELECT 1'), sync)).toEqual([
      '22012 division by zero',
      'I',
    ]);
    const bad = [parse('INSERT INTO told SELECT 1/0 RETURNING a'), bind(), execute(1)];
    expect(await ask(client, ...bad, query('SELECT 1'), sync)).toEqual(['22012 division by zero', 'I']);
    expect(await ask(client, ...some, query('SELECT 1/0'), query('SELECT a FROM told'))).toEqual([
      '22012 division by zero',
      'I',
    ]);
    expect(await heard(client, 'Z')).toEqual(['SELECT 0', 'I']);
  });

  it('BEGIN and what comes before it go before it', async () => {
    expect(await ask(client, ...run('BEGIN'), ...some, query('SELECT a FROM told'))).toEqual([
      'BEGIN',
      'SELECT 0',
      'T',
    ]);
    expect(await ask(client, ...some, query('COMMIT'))).toEqual(['COMMIT', 'I']);
    expect(await ask(client, query('SELECT a FROM told'))).toEqual(['SELECT 4', 'I']);
  });
});
