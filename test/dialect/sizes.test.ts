import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cstring, message } from '../../src/pgwire/messages.ts';
import { cleanUp, makeFolder } from '../harness/cli.ts';
import { makeUser, policy } from '../harness/identities.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { WireClient } from '../harness/wire.ts';
import { openTagged, PROTOCOLS, type Protocol, type TaggedSession } from './session.ts';

const MEBIBYTE = 1024 * 1024;

/** An expression for a text of so many bytes, a multiple of 32, of which nothing can be compressed. */
const dense = (bytes: number) => `(SELECT string_agg(md5(n::text), '') FROM generate_series(1, ${bytes / 32}) n)`;
/** The same bytes as a client has them. */
const random = (bytes: number) => randomBytes(bytes).toString('base64').slice(0, bytes);

const TEXT = 'datatype limit greater than 1048576 bytes not supported for text';
const KEY = 'key size too large';
const ROW = 'maximum row size exceeded';

const FIXTURE = [
  'CREATE SCHEMA z',
  'CREATE TABLE z.doc (id int PRIMARY KEY, a text, b text, c text, n int)',
  'CREATE TABLE z.bytes (a bytea)',
  'CREATE TABLE z.json (a json)',
  'CREATE TABLE z.jsonb (a jsonb)',
  'CREATE TABLE z.varchars (a varchar, b varchar(20000))',
  'CREATE TABLE z.chars (a bpchar, b char(4096))',
  'CREATE DOMAIN z.prose AS text',
  'CREATE TABLE z.domains (a z.prose)',
  'CREATE TABLE z.made (a text, g text GENERATED ALWAYS AS (a || a) STORED)',
  `CREATE FUNCTION z.much() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(md5(n::text), '') FROM generate_series(1, 32769) n $$`,
  'CREATE TABLE z.given (id int, a text DEFAULT z.much())',
  `CREATE FUNCTION z.write() RETURNS void LANGUAGE sql AS $$ INSERT INTO z.given VALUES (1) $$`,
  'CREATE TABLE z.key (k text PRIMARY KEY, n int)',
  'CREATE TABLE z.child (k text REFERENCES z.key ON UPDATE CASCADE, more text, UNIQUE (k, more))',
  'CREATE TABLE z.keys (a varchar(1000), b varchar(1000), UNIQUE (a, b))',
  'CREATE TABLE z.second (id text PRIMARY KEY, u text UNIQUE)',
  'CREATE TABLE z.unindexed (a text)',
  'CREATE TABLE z.plain (a text STORAGE PLAIN)',
];

let postern: TestServer;
let session: TaggedSession;
beforeAll(async () => {
  postern = await startTestServer();
  session = await openTagged(postern);
  for (const sql of FIXTURE) await session.run(sql, 'simple');
});
afterAll(async () => {
  await postern?.stop();
  await cleanUp();
});

/** What is said, without who said it. */
const refusal = (text: string, code = '54000') => ({
  code,
  message: text,
  detail: undefined,
  hint: undefined,
  where: undefined,
  routine: undefined,
});

/** Each is undone. */
async function tryOut(sql: string, protocol: Protocol): Promise<string> {
  await session.run('BEGIN', 'simple');
  try {
    return (await session.run(sql, protocol)).tag;
  } finally {
    await session.run('ROLLBACK', 'simple');
  }
}

const accepted: string[] = [
  `INSERT INTO z.doc (id, a) VALUES (1, ${dense(MEBIBYTE)})`,
  "INSERT INTO z.doc (id, a) VALUES (1, repeat('x', 9000000))",
  `INSERT INTO z.doc (id, a, b) VALUES (1, ${dense(MEBIBYTE)}, ${dense(MEBIBYTE - 1024)})`,
  "INSERT INTO z.bytes VALUES (decode(repeat('ab', 1048576), 'hex'))",
  `INSERT INTO z.jsonb VALUES (jsonb_build_object('a', repeat('x', 2000000)))`,
  `INSERT INTO z.varchars (a) VALUES (left(${dense(65_536)}, 65535))`,
  "INSERT INTO z.varchars (a) VALUES (repeat('x', 70000))",
  "INSERT INTO z.chars VALUES (repeat('x', 4096), repeat('ü', 4096))",
  `INSERT INTO z.made (a) VALUES (${dense(MEBIBYTE / 2)})`,
  "INSERT INTO z.key VALUES (repeat('x', 1981))",
  "INSERT INTO z.keys VALUES (repeat('x', 1000), repeat('x', 974))",
  "INSERT INTO z.second VALUES (repeat('x', 500), repeat('x', 1474))",
  "INSERT INTO z.unindexed VALUES (repeat('x', 100000))",
];

const refused: [sql: string, text: string, code?: string][] = [
  [`INSERT INTO z.doc (id, a) VALUES (1, ${dense(MEBIBYTE)} || 'x')`, TEXT],
  [`INSERT INTO z.doc (id, a) SELECT 1, ${dense(MEBIBYTE + 32)}`, TEXT],
  [`INSERT INTO z.doc (id) VALUES (7) ON CONFLICT (id) DO UPDATE SET a = ${dense(MEBIBYTE + 32)}`, TEXT],
  ['UPDATE z.doc SET a = a || a WHERE id = 7', TEXT],
  ['WITH w AS (UPDATE z.doc SET b = a || a WHERE id = 7 RETURNING id) SELECT * FROM w', TEXT],
  ['UPDATE z.doc SET b = a, c = a WHERE id = 7', ROW],
  ['INSERT INTO z.doc SELECT 8, a, a, a FROM z.doc WHERE id = 7', ROW],
  ["INSERT INTO z.plain VALUES (repeat('x', 9000))", ROW],
  [
    "INSERT INTO z.bytes VALUES (decode(repeat('ab', 1048577), 'hex'))",
    'datatype limit greater than 1048576 bytes not supported for bytea',
  ],
  [
    `INSERT INTO z.json VALUES (to_json(${dense(MEBIBYTE)}))`,
    'datatype limit greater than 1048576 bytes not supported for json',
  ],
  [
    `INSERT INTO z.jsonb VALUES (to_jsonb(${dense(MEBIBYTE)}))`,
    'datatype limit greater than 1048576 bytes not supported for jsonb',
  ],
  [
    `INSERT INTO z.varchars (a) VALUES (${dense(65_536)})`,
    'datatype limit greater than 65535 bytes not supported for varchar',
  ],
  ["INSERT INTO z.chars (a) VALUES (repeat('x', 4097))", 'value too long for type character(4096)', '22001'],
  [`INSERT INTO z.domains VALUES (${dense(MEBIBYTE + 32)})`, TEXT],
  [`INSERT INTO z.made (a) VALUES (${dense(MEBIBYTE / 2 + 32)})`, TEXT],
  ['INSERT INTO z.given VALUES (1)', TEXT],
  ['SELECT z.write()', TEXT],
  ["INSERT INTO z.key VALUES (repeat('x', 1982))", KEY],
  ["INSERT INTO z.key VALUES (repeat('x', 2800))", KEY],
  ["INSERT INTO z.key VALUES (repeat('x', 100000))", KEY],
  ["UPDATE z.key SET k = repeat('ü', 991)", KEY],
  ["INSERT INTO z.keys VALUES (repeat('x', 1000), repeat('x', 975))", KEY],
  ["INSERT INTO z.second VALUES (repeat('x', 500), repeat('x', 1475))", KEY],
  ["UPDATE z.key SET k = repeat('y', 1900) WHERE k = 'parent'", KEY],
];

describe('the size of what is written', () => {
  beforeAll(async () => {
    await session.run(`INSERT INTO z.doc (id, a) VALUES (7, ${dense(MEBIBYTE - 320)})`, 'simple');
    await session.run("INSERT INTO z.key VALUES ('parent')", 'simple');
    await session.run("INSERT INTO z.child VALUES ('parent', repeat('z', 500))", 'simple');
  });

  const ways = <T>(rows: readonly T[]) => PROTOCOLS.flatMap((protocol) => rows.map((row) => [protocol, row] as const));

  it.each(ways(accepted))('%s: %s', async (protocol, sql) => {
    expect(await tryOut(sql, protocol)).toBe('INSERT 0 1');
  });

  it.each(ways(refused))('%s: is refused: %s', async (protocol, [sql, text, code]) => {
    await expect(tryOut(sql, protocol)).rejects.toMatchObject(refusal(text, code));
  });

  it('is limited in parameters and in what is copied in', async () => {
    const { client } = session;
    const insert = 'INSERT INTO z.unindexed VALUES ($1)';
    await expect(client.query(insert, [random(MEBIBYTE + 1)])).rejects.toMatchObject(refusal(TEXT));
    await client.query({ name: 'exactly', text: insert, values: [random(MEBIBYTE)] });

    const wire = await WireClient.tls(postern.server.pgPort, { ca: postern.ca });
    await wire.login({ user: 'admin' }, postern.token('admin'));
    wire.query('COPY z.unindexed FROM STDIN');
    await wire.until('G');
    wire.send(message('d', Buffer.from(`small\n${random(MEBIBYTE + 1)}\n`)), message('c'));
    const error = (await wire.until('Z')).find(({ type }) => type === 'E')?.body.toString();
    expect(error?.split('\0')).toEqual(expect.arrayContaining(['C54000', `M${TEXT}`]));
    wire.end();
    const { rows } = await client.query('SELECT count(*)::int FROM z.unindexed');
    expect(rows).toEqual([{ count: 1 }]);
  });

  it('is limited at each Execute of a pipeline, and ends its transaction', async () => {
    const wire = await WireClient.tls(postern.server.pgPort, { ca: postern.ca });
    await wire.login({ user: 'admin' }, postern.token('admin'));
    const steps = (sql: string) => [
      message('P', cstring(''), cstring(sql), Buffer.from([0, 0])),
      message('B', Buffer.alloc(8)),
      message('E', cstring(''), Buffer.alloc(4)),
    ];
    const key = (bytes: number) => `INSERT INTO z.key VALUES (repeat('p', ${bytes}))`;
    wire.send(...steps(key(10)), ...steps(key(1982)), ...steps(key(11)), message('S'));
    expect((await wire.until('Z')).map(({ type }) => type).join('')).toBe('12C12EZ');
    wire.end();
    expect((await session.run("SELECT FROM z.key WHERE k LIKE 'p%' AND k <> 'parent'", 'simple')).rows).toEqual([]);
  });

  it('is limited for every role', async () => {
    const { client } = session;
    await client.query('CREATE ROLE sized LOGIN');
    await client.query('GRANT USAGE ON SCHEMA z TO sized');
    await client.query('GRANT INSERT ON z.key TO sized');
    await client.query("AWS IAM GRANT sized TO 'arn:aws:iam::123456789012:user/sized'");
    const credentials = await makeUser(postern, 'sized', policy('Allow', 'dsql:DbConnect'));
    const other = await postern.connect('sized', credentials);
    await expect(other.query("INSERT INTO z.key VALUES (repeat('x', 1982))")).rejects.toMatchObject(refusal(KEY));
    await other.end();
  });
});

describe('the limits of a table', () => {
  const TOO_LONG = `(SELECT string_agg(md5(n::text), '') FROM generate_series(1, 32769) n)`;
  const run = (sql: string) => session.run(sql, 'simple');

  it('are not to be seen, and not to be dropped', async () => {
    await run('CREATE TABLE z.hidden (id int PRIMARY KEY, a text)');
    expect(
      (await run("SELECT tgname FROM pg_trigger WHERE tgrelid = 'z.hidden'::regclass AND NOT tgisinternal")).rows,
    ).toEqual([]);
    expect(
      (await run("SELECT trigger_name FROM information_schema.triggers WHERE event_object_table = 'hidden'")).rows,
    ).toEqual([]);
    await run('DROP TRIGGER IF EXISTS postern_limits ON z.hidden');
    await run('ALTER TABLE z.hidden DISABLE TRIGGER ALL');
    await expect(run(`INSERT INTO z.hidden VALUES (1, ${TOO_LONG})`)).rejects.toMatchObject(refusal(TEXT));
  });

  it('follow its columns', async () => {
    await run('CREATE DOMAIN z.passing AS text');
    await run('CREATE TABLE z.changing (id int, a text, p z.passing)');
    await run('ALTER TABLE z.changing RENAME COLUMN a TO "b""c"');
    await expect(run(`INSERT INTO z.changing VALUES (1, ${TOO_LONG})`)).rejects.toMatchObject(refusal(TEXT));
    await run('ALTER TABLE z.changing DROP COLUMN "b""c"');
    await run('INSERT INTO z.changing VALUES (1)');
    await run('DROP DOMAIN z.passing CASCADE');
    await run('INSERT INTO z.changing VALUES (1)');
    await run('ALTER TABLE z.changing ADD COLUMN d text');
    await run('ALTER TABLE z.changing RENAME TO changed');
    await expect(run(`UPDATE z.changed SET d = ${TOO_LONG}`)).rejects.toMatchObject(refusal(TEXT));
    await run('DROP TABLE z.changed');
  });

  it.each([
    'ALTER VIEW z.renaming RENAME COLUMN a TO b',
    'ALTER TYPE z.renaming RENAME ATTRIBUTE a TO b',
  ])('follow a column that is renamed by %s', async (rename) => {
    await run('CREATE TABLE z.renaming (a text)');
    const renamed = await run(rename).then(
      () => 'b',
      () => 'a',
    );
    await run(`INSERT INTO z.renaming (${renamed}) VALUES ('short')`);
    await expect(run(`INSERT INTO z.renaming VALUES (${TOO_LONG})`)).rejects.toMatchObject(refusal(TEXT));
    await run('DROP TABLE z.renaming');
  });

  it('follow its indexes, while others write', async () => {
    await run('CREATE TABLE z.indexed (id int PRIMARY KEY, a text)');
    const writer = await postern.connect();
    await writer.query('BEGIN');
    await writer.query('INSERT INTO z.indexed VALUES (1)');
    const [[job]] = (await run('CREATE INDEX ASYNC by_a ON z.indexed (a)')).rows as [[string]];
    await writer.query('ROLLBACK');
    await writer.end();
    expect((await run(`CALL sys.wait_for_job('${job}')`)).rows).toEqual([[true]]);
    await run("INSERT INTO z.indexed VALUES (2, repeat('x', 1970))");
    await expect(run("INSERT INTO z.indexed VALUES (3, repeat('x', 1971))")).rejects.toMatchObject(refusal(KEY));
    await run('DROP INDEX z.by_a');
    await run("INSERT INTO z.indexed VALUES (3, repeat('x', 1971))");
  });

  it('cost nothing where no row can be too large', async () => {
    await run(
      'CREATE TABLE z.narrow (id bigint PRIMARY KEY, name varchar(300), amount numeric(10, 2), at timestamptz)',
    );
    expect((await run("SELECT tgname FROM pg_trigger WHERE tgrelid = 'z.narrow'::regclass")).rows).toEqual([]);
  });

  it('go with it', async () => {
    const routines = async () => (await run("SELECT count(*)::int FROM pg_proc WHERE proname LIKE 'limits\\_%'")).rows;
    const before = await routines();
    await run('CREATE SCHEMA gone CREATE TABLE one (a text) CREATE TABLE two (a text PRIMARY KEY)');
    await run('ALTER TABLE gone.one ADD COLUMN b text');
    expect(await routines()).not.toEqual(before);
    await run('DROP TABLE gone.one');
    await run('DROP SCHEMA gone CASCADE');
    expect(await routines()).toEqual(before);
  });

  it.each([
    dense(4096),
    "repeat('x', 100000)",
  ])('make an index fail whose keys are too large already: %s', async (value) => {
    await run('CREATE TABLE z.early (id int PRIMARY KEY, a text)');
    await run(`INSERT INTO z.early VALUES (1, 'x'), (2, ${value})`);
    const [[job]] = (await run('CREATE INDEX ASYNC ON z.early (a)')).rows as [[string]];
    expect((await run(`CALL sys.wait_for_job('${job}')`)).rows).toEqual([[false]]);
    expect((await run(`SELECT details FROM sys.jobs WHERE job_id = '${job}'`)).rows).toEqual([[KEY]]);
    await run('DROP TABLE z.early');
  });

  it('hold what PostgreSQL’s own limits hold where no index says how large a key is', async () => {
    await run('CREATE TABLE z.expressions (a text)');
    const [[job]] = (await run('CREATE INDEX ASYNC ON z.expressions (lower(a))')).rows as [[string]];
    await run(`CALL sys.wait_for_job('${job}')`);
    await expect(run("INSERT INTO z.expressions VALUES (repeat('x', 3000))")).rejects.toMatchObject(refusal(KEY));
    await expect(run("INSERT INTO z.expressions VALUES (repeat('x', 300000))")).rejects.toMatchObject(refusal(KEY));
  });
});

describe('the declared size of a key', () => {
  const DECLARED = 'key size greater than 2000 bytes not supported';
  it.each([
    'CREATE TABLE z.x (a varchar(2001) PRIMARY KEY)',
    'CREATE TABLE z.x (a varchar(1999), b int, UNIQUE (a, b))',
    'CREATE INDEX ASYNC ON z.long (a, b)',
  ])('is at most 2000 bytes: %s', async (sql) => {
    await session.run('CREATE TABLE IF NOT EXISTS z.long (a varchar(1000), b varchar(1001))', 'simple');
    for (const protocol of PROTOCOLS) await expect(session.run(sql, protocol)).rejects.toMatchObject(refusal(DECLARED));
  });

  it('can be all of it', async () => {
    expect(await tryOut('CREATE TABLE z.x (a varchar(1996), b int, PRIMARY KEY (a, b))', 'simple')).toBe(
      'CREATE TABLE',
    );
    expect(await tryOut('CREATE TABLE z.x (a text PRIMARY KEY)', 'simple')).toBe('CREATE TABLE');
  });
});

describe('the memory of a query', () => {
  const SPACE = 'query requires more than allowed temp space of 131072 KB to execute';
  it('is 128 MiB', async () => {
    const sql = 'SELECT count(*) FROM (SELECT md5(n::text) m FROM generate_series(1, 3500000) n ORDER BY 1 OFFSET 1) x';
    await expect(session.run(sql, 'extended')).rejects.toMatchObject(refusal(SPACE));
    expect((await session.run('SELECT 1', 'simple')).rows).toEqual([[1]]);
  });
});

describe('in the dialect postgres', () => {
  it('nothing is limited, whatever the dialect was before', async () => {
    const dataDir = await makeFolder();
    const first = await startTestServer({ dataDir });
    await (await first.connect()).query('CREATE TABLE t (a text PRIMARY KEY)');
    await first.stop();
    const stock = await startTestServer({ dataDir, dialect: 'postgres' });
    const client = await stock.connect();
    const insert = "INSERT INTO t VALUES (repeat('x', 2600))";
    await client.query(insert);
    await client.query('CREATE TABLE of_stock (a text)');
    await client.query("CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'");
    await client.query('CREATE TRIGGER postern_limits AFTER INSERT ON of_stock EXECUTE FUNCTION nothing()');
    // What can neither be replaced nor dropped would have kept the whole cluster from waking up.
    await client.query('CREATE TABLE constrained (a text)');
    await client.query(
      'CREATE CONSTRAINT TRIGGER postern_limits AFTER INSERT ON constrained FOR EACH ROW EXECUTE FUNCTION nothing()',
    );
    await client.query('CREATE TABLE whole (a text) PARTITION BY LIST (a)');
    await client.query('CREATE TABLE a_part PARTITION OF whole DEFAULT');
    await client.query('CREATE TRIGGER postern_limits AFTER INSERT ON whole FOR EACH ROW EXECUTE FUNCTION nothing()');
    await client.query(`INSERT INTO of_stock SELECT ${dense(MEBIBYTE + 32)}`);
    await expect(client.query("INSERT INTO t VALUES (repeat(md5('x'), 100000))")).rejects.toMatchObject({
      message: expect.stringMatching(/^index row/),
    });
    await stock.stop();
    const again = await startTestServer({ dataDir });
    const back: pg.Client = await again.connect();
    await expect(back.query("INSERT INTO t VALUES (repeat('y', 2600))")).rejects.toMatchObject(refusal(KEY));
    await expect(back.query('UPDATE of_stock SET a = a')).rejects.toMatchObject(refusal(TEXT));
    for (const table of ['constrained', 'a_part'])
      await expect(back.query(`INSERT INTO ${table} SELECT ${dense(MEBIBYTE + 32)}`)).rejects.toMatchObject(
        refusal(TEXT),
      );
    await again.stop();
  });
});
