/** COPY … FROM STDIN takes what comes after it for its own, and where an error ends it only PostgreSQL knows. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { message } from '../../src/pgwire/messages.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { WireClient } from '../harness/wire.ts';
import { ask, bind, copied, copyDone, execute, flush, heard, parse, query, run, sync } from './extended.ts';

const COPY = 'COPY taken FROM STDIN';
const BAD = '22P02 invalid input syntax for type integer: "x"';

describe.each(['dsql', 'postgres'] as const)('in the dialect %s', (dialect) => {
  let server: TestServer;
  let client: WireClient;
  beforeAll(async () => {
    server = await startTestServer({ dialect });
    const admin = await connect();
    await ask(admin, query('CREATE TABLE taken (a int)'));
    await ask(admin, query('CREATE VIEW seen AS SELECT a FROM taken'));
    admin.end();
  });
  afterAll(() => server?.stop());
  beforeEach(async () => {
    client = await connect();
    await ask(client, query('DELETE FROM taken'));
  });
  afterEach(() => client.end());

  async function connect(): Promise<WireClient> {
    const connected = await WireClient.tls(server.server.pgPort, { ca: server.ca });
    await connected.login({ user: 'admin' }, server.token('admin'));
    return connected;
  }
  const begin = async (...messages: Buffer[]) => {
    client.send(...messages);
    expect(await heard(client, 'G')).toEqual(['copy in']);
  };

  it('an unsynced COPY whose data was sent ahead does not wait for what came before it', async () => {
    await begin(copyDone, ...run(COPY), copied('1\n'));
    client.send(copied('2\n'), copyDone, flush);
    expect(await heard(client, 'C')).toEqual(['COPY 2']);
    expect(await ask(client, sync)).toEqual(['I']);
    expect(await ask(client, query('SELECT a FROM taken'))).toEqual(['SELECT 2', 'I']);
  });

  it('asks for data as soon as it runs, whether or not a Sync or a Flush has come', async () => {
    await begin(...run(COPY));
    expect(await ask(client, copied('1\n'), copyDone, sync)).toEqual(['COPY 1', 'I']);
    await begin(...run(COPY), flush);
    expect(await ask(client, copied('1\n'), copyDone, sync)).toEqual(['COPY 1', 'I']);
  });

  it('two in one request take their own data', async () => {
    await begin(
      ...run(COPY),
      copied('1\n'),
      copyDone,
      ...run(COPY),
      copied('2\n3\n'),
      copyDone,
      ...run('SELECT 1'),
      sync,
    );
    expect(await heard(client, 'Z')).toEqual(['COPY 1', 'copy in', 'COPY 2', 'SELECT 1', 'I']);
  });

  it('a Sync in the midst of a COPY is none, and one after its error is', async () => {
    await begin(...run(COPY), sync);
    expect(await ask(client, sync, copied('1\n'), sync, copied('x\n'), sync)).toEqual([BAD, 'I']);
    expect(await ask(client, query('SELECT 1'))).toEqual(['SELECT 1', 'I']);
  });

  it('as many Syncs as come after its error are answered', async () => {
    await begin(...run(COPY), sync);
    client.send(sync, copied('x\n'), sync, sync, copyDone, sync, query('SELECT 1'));
    expect([
      await heard(client, 'Z'),
      await heard(client, 'Z'),
      await heard(client, 'Z'),
      await heard(client, 'Z'),
    ]).toEqual([[BAD, 'I'], ['I'], ['I'], ['SELECT 1', 'I']]);
  });

  it('a Sync after the error of a simple COPY is answered too', async () => {
    await begin(query(COPY));
    client.send(sync, copied('x\n'), sync, query('SELECT 1'));
    expect([await heard(client, 'Z'), await heard(client, 'Z'), await heard(client, 'Z')]).toEqual([
      [BAD, 'I'],
      ['I'],
      ['SELECT 1', 'I'],
    ]);
  });

  it('all of it is taken in a block that it has failed', async () => {
    await ask(client, query('BEGIN'));
    await begin(...run(COPY), sync);
    expect(await ask(client, sync, copied('x\n'), sync)).toEqual([BAD, 'E']);
    expect(await ask(client, query('ROLLBACK'))).toEqual(['ROLLBACK', 'I']);
  });

  it('what follows an error is left out, though it has no place in a COPY', async () => {
    await begin(...run(COPY), sync);
    expect(await ask(client, copied('x\n'), ...run('SELECT 1'), sync)).toEqual([BAD, 'I']);
    await begin(query(COPY));
    expect(await ask(client, copied('x\n'), query('SELECT 1'))).toEqual([BAD, 'I']);
    expect(await heard(client, 'Z')).toEqual(['SELECT 1', 'I']);
  });

  it('ends the session where a message has no place in it', async () => {
    await begin(...run(COPY), copied('1\n'));
    client.send(query('SELECT 1'));
    await expect(client.until('Z')).rejects.toThrow();
  });

  it('an error in the midst of a message does not take what is said next for the rest of it', async () => {
    await begin(...run(COPY));
    const long = copied(`${'1\n'.repeat(50_000)}`);
    client.send(copied('x\n'), long.subarray(0, 60_000));
    expect(await heard(client, 'E')).toEqual([BAD]);
    expect(await ask(client, long.subarray(60_000), copyDone, sync)).toEqual(['I']);
    expect(await ask(client, query('SELECT 1'))).toEqual(['SELECT 1', 'I']);
  });

  it('one that fails before it has taken anything is answered once', async () => {
    await begin(...run('COPY seen FROM STDIN'), sync);
    expect(await heard(client, 'Z')).toEqual(['42809 cannot copy to view "seen"', 'I']);
    expect(await ask(client, query('SELECT 1'))).toEqual(['SELECT 1', 'I']);
  });

  it('data outside of a COPY is nothing, even half of a message', async () => {
    expect(await ask(client, copied('1\n'), copyDone, message('f', Buffer.from('\0')), query('SELECT 1'))).toEqual([
      'SELECT 1',
      'I',
    ]);
    expect(await ask(client, parse(COPY), copied('1\n'), bind(), sync)).toEqual(['I']);
    const half = copied('1\n');
    client.send(half.subarray(0, 6));
    expect(await ask(client, half.subarray(6), ...run('SELECT 1'), execute(), sync)).toEqual([
      'SELECT 1',
      'SELECT 0',
      'I',
    ]);
  });
});
