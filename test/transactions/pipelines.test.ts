import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { decodeFields } from '../../src/pgwire/fields.ts';
import { cstring, int32, message } from '../../src/pgwire/messages.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { WireClient } from '../harness/wire.ts';
import { Schedule } from './schedule.ts';

let server: TestServer;
let schedule: Schedule;
let client: WireClient;

beforeAll(async () => {
  server = await startTestServer();
  schedule = new Schedule(server);
  for (const table of ['told (a int)', 'fought (k int PRIMARY KEY, a int)']) await outcome(`CREATE TABLE ${table}`);
  await outcome('INSERT INTO fought VALUES (1, 0)');
});
afterAll(async () => {
  client?.end();
  await schedule?.end();
  await server?.stop();
});
beforeEach(async () => {
  client?.end();
  client = await WireClient.tls(server.server.pgPort, { ca: server.ca });
  await client.login({ user: 'admin' }, server.token('admin'));
  await outcome('DELETE FROM told');
});

const outcome = (sql: string, session = 'other') => schedule.run(`${session}: ${sql}`);
const none = Buffer.alloc(2);
const parse = (sql: string, name = '') => message('P', cstring(name), cstring(sql), none);
const bind = (name = '') => message('B', cstring(''), cstring(name), none, none, none);
const execute = (rows = 0) => message('E', cstring(''), int32(rows));
const close = (name: string) => message('C', Buffer.from('S'), cstring(name));
const sync = message('S');
const run = (sql: string) => [parse(sql), bind(), execute()];

/** The tags and errors of a request, and the status after it. */
async function ask(...messages: Buffer[]): Promise<string[]> {
  client.send(...messages);
  const said: string[] = [];
  for (const { type, body } of await client.until('Z')) {
    if (type === 'C') said.push(body.toString('latin1', 0, body.length - 1));
    if (type === 'E') said.push([decodeFields(body).get('C'), decodeFields(body).get('M')].join(' '));
    if (type === 'Z') said.push(body.toString('latin1'));
  }
  return said;
}
const query = (sql: string) => ask(message('Q', cstring(sql)));

describe('what a client is told is what is committed', () => {
  it('is not done again with another statement that has got the same name since', async () => {
    await query('BEGIN');
    await ask(parse('INSERT INTO told VALUES (1)', 's'), bind('s'), execute(), sync);
    await ask(close('s'), sync);
    await ask(parse('INSERT INTO told VALUES (2)', 's'), bind('s'), execute(), sync);
    await query('UPDATE fought SET a = 1');
    for (const sql of ['BEGIN', 'UPDATE fought SET a = 2', 'ROLLBACK']) await outcome(sql);
    expect(await query('COMMIT')).toEqual(['40001 change conflicts with another transaction (OC000)', 'I']);
    expect(await outcome('SELECT a FROM told')).toBe('SELECT 0');
  });

  it('is done again with a statement that has kept its name', async () => {
    await query('BEGIN');
    await ask(parse('INSERT INTO told VALUES (1)', 's'), bind('s'), execute(), sync);
    await ask(bind('s'), execute(), sync);
    await query('UPDATE fought SET a = 1');
    for (const sql of ['BEGIN', 'UPDATE fought SET a = 2', 'ROLLBACK']) await outcome(sql);
    expect(await query('COMMIT')).toEqual(['COMMIT', 'I']);
    expect(await outcome('SELECT a FROM told')).toBe('SELECT 2 (1) (1)');
  });
});

const LATE = '0A000 BEGIN after other statements of the same request is not supported';
const MANY = 'INSERT INTO told SELECT generate_series(1, 5000)';

describe('BEGIN after other messages of its request', () => {
  it('does not take rows along that nobody has counted', async () => {
    expect(await ask(...run(MANY), ...run('BEGIN'), sync)).toEqual(['INSERT 0 5000', LATE, 'I']);
    expect(await outcome('SELECT a FROM told')).toBe('SELECT 0');
  });

  it('does not take DDL along', async () => {
    expect(await ask(...run('CREATE TABLE early (a int)'), ...run('BEGIN'), sync)).toEqual(['CREATE TABLE', LATE, 'I']);
  });

  it('does not take anything along within a block, where it would not be done again', async () => {
    await query('BEGIN');
    expect(await ask(...run('INSERT INTO told VALUES (1)'), ...run('BEGIN'), sync)).toEqual(['INSERT 0 1', LATE, 'E']);
    expect(await query('COMMIT')).toEqual(['ROLLBACK', 'I']);
  });

  it('is what it is after a query that only reads', async () => {
    expect(await ask(...run('SELECT 1'), ...run('BEGIN'), sync)).toEqual(['SELECT 1', 'BEGIN', 'T']);
  });

  it('is refused after a part that was flushed', async () => {
    client.send(...run('INSERT INTO told VALUES (1)'), message('H'));
    expect((await client.until('C')).length).toBeGreaterThan(0);
    expect(await ask(...run('BEGIN'), sync)).toEqual([LATE, 'I']);
    expect(await outcome('SELECT a FROM told')).toBe('SELECT 0');
  });
});

const LIMIT = '54000 transaction row limit exceeded';

describe('the limit of rows', () => {
  it.each([
    'generate_series(1, 5000)',
    'pg_catalog.generate_series(1, 5000)',
    'unnest(array_fill(1, ARRAY[5000]))',
  ])('counts the rows that %s makes of one, before they are committed', async (values) => {
    expect(await query(`INSERT INTO told VALUES (${values})`)).toEqual([LIMIT, 'I']);
    expect(await ask(...run(`INSERT INTO told VALUES (${values})`), sync)).toEqual([LIMIT, 'I']);
    expect(await outcome('SELECT a FROM told')).toBe('SELECT 0');
  });

  it('counts what a portal has written of which only some rows were asked for', async () => {
    const some = [parse(`${MANY} RETURNING a`), bind(), execute(1), sync];
    expect(await ask(...some)).toEqual([LIMIT, 'I']);
    await query('BEGIN');
    expect(await ask(...some)).toEqual([LIMIT, 'E']);
    expect(await query('COMMIT')).toEqual(['ROLLBACK', 'I']);
    expect(await outcome('SELECT a FROM told')).toBe('SELECT 0');
  });

  it('counts what is written after queries of the same request', async () => {
    for (const queries of [run('SELECT 1'), run(''), [...run(''), ...run('SELECT 1')]]) {
      expect((await ask(...queries, ...run(MANY), sync)).slice(-2)).toEqual([LIMIT, 'I']);
    }
    await query('BEGIN');
    expect((await ask(...run(''), ...run(MANY), sync)).slice(-2)).toEqual([LIMIT, 'E']);
    await query('ROLLBACK');
    expect(await outcome('SELECT a FROM told')).toBe('SELECT 0');
  });

  it('counts rows once that are fetched in parts', async () => {
    await query('BEGIN');
    await ask(parse('INSERT INTO told SELECT generate_series(1, 2000) RETURNING a'), bind(), execute(1), sync);
    expect(await ask(execute(3000), sync)).toEqual(['INSERT 0 1999', 'T']);
    expect(await query('COMMIT')).toEqual(['COMMIT', 'I']);
  });
});

it('leaves the client its unnamed statement and portal, whatever the gateway asks of the engine in between', async () => {
  await query('BEGIN');
  await ask(parse('INSERT INTO told SELECT generate_series(1, 5)'), sync);
  expect(await ask(bind(), execute(), sync)).toEqual(['INSERT 0 5', 'T']);
  expect(await ask(bind(), execute(), sync)).toEqual(['INSERT 0 5', 'T']);
  expect(await query('COMMIT')).toEqual(['COMMIT', 'I']);
});

it('leaves no copy of a table behind for a client that asks for one', async () => {
  expect(await outcome("SELECT sys.shadow(NULL, 'told')", 'copier')).toBe('SELECT 1 ()');
  await outcome('INSERT INTO told VALUES (7)', 'copier');
  expect(await outcome('SELECT a FROM told')).toBe('SELECT 1 (7)');
});

it.each([
  ['a default', 'INSERT INTO calling (a) VALUES (1)'],
  ['a view', 'SELECT * FROM calls'],
  ['a view of a view', 'SELECT * FROM outer_calls'],
  ['the check of a domain', 'INSERT INTO checked VALUES (1)'],
  ['a cast to a domain', 'SELECT 1::public.checking'],
  ['a cast to a domain over a domain', 'SELECT CAST(1 AS checking_twice)'],
  ['a cast that looks like a function', 'SELECT checking(1)'],
  ['a column of a function’s result', 'SELECT * FROM json_to_record(\'{"a": 1}\') AS r (a checking)'],
  ['a row of a table', `SELECT json_populate_record(NULL::checked, '{"a": 1}')`],
  ['a view of a cast', 'SELECT * FROM casting'],
  ['the default of a domain', 'INSERT INTO defaulting (b) VALUES (1)'],
  ['a function that says that it does not write', 'INSERT INTO disguised (a) VALUES (1)'],
])('the limit of rows counts what a function writes that %s calls', async (_, sql) => {
  await outcome(`CREATE FUNCTION writing() RETURNS int LANGUAGE sql VOLATILE AS '${MANY}; SELECT 1'`);
  await outcome('CREATE TABLE calling (a int, b int DEFAULT writing())');
  await outcome('CREATE VIEW calls AS SELECT writing() AS x');
  await outcome('CREATE VIEW outer_calls AS SELECT * FROM calls');
  await outcome('CREATE DOMAIN checking AS int CHECK (writing() = VALUE)');
  await outcome('CREATE DOMAIN checking_twice AS checking');
  await outcome('CREATE TABLE checked (a checking)');
  await outcome('CREATE VIEW casting AS SELECT n::checking FROM generate_series(1, 1) n');
  await outcome('CREATE DOMAIN by_default AS int DEFAULT writing()');
  await outcome('CREATE TABLE defaulting (a by_default, b int)');
  await outcome("CREATE FUNCTION disguise(int) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT Writing() = 1'");
  await outcome('CREATE TABLE disguised (a int CHECK (disguise(a)))');
  expect(await query(sql)).toEqual([LIMIT, 'I']);
  expect(await outcome('SELECT a FROM told')).toBe('SELECT 0');
});
