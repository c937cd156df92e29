import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cstring, message } from '../../src/pgwire/messages.ts';
import { cleanUp, makeFolder } from '../harness/cli.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { WireClient } from '../harness/wire.ts';

let postern: TestServer;
beforeAll(async () => {
  const dataDir = await makeFolder();
  // The dialect has no such function: its parameter's name is no constant.
  const stock = await startTestServer({ dialect: 'postgres', dataDir });
  await (await stock.connect()).query(
    "CREATE FUNCTION behind(text, text) RETURNS text LANGUAGE sql AS 'SELECT set_config($1, $2, false)'",
  );
  await stock.stop();
  postern = await startTestServer({ dataDir });
});
afterAll(async () => {
  await postern?.stop();
  await cleanUp();
});

async function login(): Promise<WireClient> {
  const client = await WireClient.tls(postern.server.pgPort, { ca: postern.ca });
  await client.login({ user: 'admin' }, postern.token('admin'));
  return client;
}

const MEGABYTE = 1024 * 1024;
/** In ms: how long another session may wait meanwhile, on a machine that others use too. */
const PATIENCE = 1_000;

const deep: [string, string][] = [
  ['sums', `SELECT ${'1+'.repeat(100_000)}1`],
  ['powers', `SELECT ${'1^'.repeat(100_000)}1`],
  ['sub-selects', `SELECT ${'(SELECT '.repeat(20_000)}1${')'.repeat(20_000)}`],
  ['subscripts', `SELECT ${'a['.repeat(50_000)}1${']'.repeat(50_000)}`],
  ['unions', `SELECT 1${' UNION SELECT 1'.repeat(50_000)}`],
  ['casts', `SELECT 1${'::int'.repeat(100_000)}`],
];
const big: [string, string, RegExp][] = [
  ['a literal of nearly 10 MiB', `SELECT length('${'x'.repeat(10 * MEGABYTE - 100)}')`, /^$/],
  ['10⁵ statements', 'SELECT 1;'.repeat(100_000), /^54001 statement too complex$/],
  ['10 MiB of statements', 'SELECT;'.repeat(1_400_000), /^54001 statement too complex$/],
  ['10 MiB of rows', `INSERT INTO t VALUES (1)${',(1)'.repeat(2_500_000)}`, /^54001 statement too complex$/],
  ['10 MiB of version()', `SELECT version()${',version()'.repeat(900_000)}`, /^54001 statement too complex$/],
  ['10 MiB of comments', `SELECT 1 ${'/* */'.repeat(2_000_000)}`, /^$/],
  ['10 MiB of quotes', `SELECT '${"''".repeat(5_000_000)}'`, /^$/],
  ['10 MiB of nothing', ';'.repeat(10_000_000), /^54001 statement too complex$/],
  [
    '20,000 tables',
    `SELECT FROM ${Array.from({ length: 20_000 }, (_, n) => `t${n}`)}`,
    /^54001 statement too complex$/,
  ],
  ['bodies in bodies', nested(40), /^54001 stack depth limit exceeded$/],
];

function nested(depth: number): string {
  let body = 'SELECT 1';
  for (let n = 0; n < depth; n++) body = `CREATE FUNCTION f${n}() RETURNS int LANGUAGE sql AS $b${n}$ ${body} $b${n}$`;
  return body;
}

/** The longest that another session waited for an answer, in ms, until `work` was done. */
async function longestWait(work: Promise<unknown>): Promise<number> {
  const other = await postern.connect();
  let done = false;
  const over = work.finally(() => {
    done = true;
  });
  let longest = 0;
  while (!done) {
    const began = performance.now();
    await other.query('SELECT 1');
    longest = Math.max(longest, performance.now() - began);
  }
  await over;
  await other.end();
  return longest;
}

async function answerOf(client: WireClient, sql: string): Promise<string> {
  client.query(sql);
  const frames = await client.until('Z');
  const error = frames.find(({ type }) => type === 'E');
  if (!error) return '';
  const fields = new Map(
    error.body
      .toString('utf8')
      .split('\0')
      .map((field) => [field[0], field.slice(1)]),
  );
  return `${fields.get('C')} ${fields.get('M')}`;
}

describe('hostile SQL', () => {
  it.each(deep)('that nests %s is refused, or run, and the session goes on', async (_, sql) => {
    const client = await login();
    const answers = (async () => {
      for (let n = 0; n < 5; n++) expect(await answerOf(client, sql)).toMatch(/^$|^54001 |^42(804|601|703) /);
    })();
    expect(await longestWait(answers)).toBeLessThan(PATIENCE);
    expect(await answerOf(client, 'SELECT 1; VACUUM')).toBe('0A000 unsupported VACUUM statement');
    client.end();
  });

  it.each(big)('that has %s takes nobody else’s time', async (_, sql, expected) => {
    const client = await login();
    let answer = '';
    const before = process.memoryUsage().rss;
    const asked = answerOf(client, sql).then((text) => {
      answer = text;
    });
    expect(await longestWait(asked)).toBeLessThan(PATIENCE);
    expect(answer).toMatch(expected);
    expect(process.memoryUsage().rss - before).toBeLessThan(700 * MEGABYTE);
    expect(await answerOf(client, 'TRUNCATE t')).toBe('0A000 unsupported statement: Truncate');
    client.end();
  });

  it('with broken bytes is PostgreSQL’s to refuse', async () => {
    const client = await login();
    client.send(message('Q', Buffer.from("SELECT '\xff\xfe'; \xc3 ", 'latin1'), Buffer.from([0])));
    const frames = await client.until('Z');
    expect(frames.find(({ type }) => type === 'E')?.body.toString('latin1')).toContain('C22021');
    client.send(message('Q', Buffer.from('VACUUM /* \xff */', 'latin1'), Buffer.from([0])));
    expect((await client.until('Z')).find(({ type }) => type === 'E')?.body.toString()).toMatch(/C0A000|C22021/);
    client.end();
  });

  it('leaves long statements what they are, pipelined with short ones, in order', async () => {
    const client = await login();
    const parse = (sql: string) => [
      message('P', cstring(''), cstring(sql), Buffer.from([0, 0])),
      message('B', Buffer.alloc(8)),
      message('E', cstring(''), Buffer.alloc(4)),
    ];
    const filler = (text: string) => `SELECT '${text}', '${'x'.repeat(50_000)}'`;
    client.send(...parse('SELECT 1'), ...parse(filler('a')), ...parse('SELECT 2'), ...parse(filler('b')), message('S'));
    const rows = (await client.until('Z')).filter(({ type }) => type === 'D');
    expect(rows.map(({ body }) => body.toString('latin1', 6, 7))).toEqual(['1', 'a', '2', 'b']);
    client.send(...parse(`${filler('a')}; --`), ...parse(`TRUNCATE t /* ${'x'.repeat(50_000)} */`), message('S'));
    expect((await client.until('Z')).map(({ type }) => type).join('')).toBe('12DCEZ');
    client.end();
  });

  it.each([
    ['client_encoding', 'LATIN1'],
    ['standard_conforming_strings', 'off'],
  ])('cannot be hidden by a change of %s behind our back: nothing more is run', async (name, value) => {
    const client = await login();
    expect(await answerOf(client, `SELECT behind('${name}', '${value}')`)).toBe('');
    for (const sql of ['SELECT 1', `RESET ${name}`, 'COMMIT']) {
      expect(await answerOf(client, sql)).toBe(`0A000 setting configuration parameter "${name}" not supported`);
    }
    client.end();
  });

  it('is forgotten with the session that sent it', async () => {
    const client = await login();
    client.query(`SELECT '${'x'.repeat(5 * MEGABYTE)}'`);
    client.end();
    const other = await postern.connect();
    expect((await other.query(`SELECT length('${'y'.repeat(MEGABYTE)}') AS n`)).rows).toEqual([{ n: MEGABYTE }]);
    await other.end();
  });
});
