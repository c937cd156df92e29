import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../harness/server.ts';

let postern: TestServer;
let client: pg.Client;
beforeAll(async () => {
  postern = await startTestServer();
  client = await postern.connect();
});
afterAll(() => postern?.stop());

const commands = async (sql: string) =>
  ((await client.query(sql)) as unknown as pg.QueryResult[]).map(({ command }) => command);

/** As tools write migrations: what the engine gets in other words stands between statements that begin and end transactions. */
const CASES: [string, string, string[]][] = [
  [
    'tables and indexes in the background',
    `BEGIN;CREATE TABLE "Größe" (id int PRIMARY KEY, n int);COMMIT;
     BEGIN;CREATE INDEX ASYNC "Größe_n" ON "Größe" (n);COMMIT; -- $q0$
     BEGIN;CREATE UNIQUE INDEX ASYNC ON "Größe" (n, id);COMMIT`,
    ['BEGIN', 'CREATE', 'COMMIT', 'BEGIN', 'CREATE', 'COMMIT', 'BEGIN', 'CREATE', 'COMMIT'],
  ],
  [
    'constraints that are validated in the background',
    `BEGIN;ALTER TABLE "Größe" ADD CONSTRAINT c CHECK (n > 0) NOT VALID;COMMIT;
     BEGIN;ALTER TABLE ASYNC "Größe" VALIDATE CONSTRAINT c;COMMIT`,
    ['BEGIN', 'ALTER', 'COMMIT', 'BEGIN', 'ALTER', 'COMMIT'],
  ],
  [
    'triggers that are switched',
    'BEGIN;ALTER TABLE "Größe" DISABLE TRIGGER ALL;COMMIT;BEGIN;INSERT INTO "Größe" VALUES (1, 1);COMMIT',
    ['BEGIN', 'ALTER', 'COMMIT', 'BEGIN', 'INSERT', 'COMMIT'],
  ],
];

describe('a string of several transactions', () => {
  it.each(CASES)('has each of its statements answered: %s', async (_, sql, expected) => {
    expect(await commands(sql)).toEqual(expected);
  });

  it('with AWS IAM GRANT in the middle', async () => {
    await client.query('CREATE ROLE app LOGIN');
    await commands(`BEGIN;AWS IAM GRANT app TO 'arn:aws:iam::123456789012:role/app';COMMIT`);
    const { rows } = await client.query('SELECT pg_role_name AS role FROM sys.iam_pg_role_mappings');
    expect(rows).toEqual([{ role: 'app' }]);
  });

  it('ends in the block that it leaves open', async () => {
    await commands('BEGIN;CREATE INDEX ASYNC left_open ON "Größe" (id)');
    await client.query('ROLLBACK');
    expect((await client.query("SELECT 1 FROM pg_class WHERE relname = 'left_open'")).rows).toEqual([]);
  });
});

describe('a transaction that begins behind a statement that it takes along', () => {
  let other: pg.Client;
  beforeAll(async () => {
    await client.query('CREATE TABLE late (id int PRIMARY KEY, n int)');
    await client.query('INSERT INTO late VALUES (1, 0), (2, 0), (3, 0)');
    other = await postern.connect();
  });

  it('conflicts with rows that were locked since', async () => {
    await commands('UPDATE late SET n = 2 WHERE id = 1; BEGIN');
    for (const sql of ['BEGIN', 'SELECT n FROM late WHERE id = 2 FOR UPDATE', 'COMMIT']) await other.query(sql);
    await client.query('UPDATE late SET n = 3 WHERE id = 2');
    await expect(client.query('COMMIT')).rejects.toMatchObject({ message: expect.stringContaining('(OC000)') });
  });

  it('learns that the schema has changed since', async () => {
    await client.query('CREATE TABLE later (id int)');
    await commands('UPDATE late SET n = 4 WHERE id = 3; BEGIN');
    await other.query('ALTER TABLE later ADD COLUMN n int');
    await expect(client.query('SELECT * FROM later')).rejects.toMatchObject({
      message: expect.stringContaining('(OC001)'),
    });
    await client.query('ROLLBACK');
    await other.end();
  });
});
