import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cleanUp, makeFolder } from '../harness/cli.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { openTagged, type TaggedSession } from './session.ts';

/** Made without the dialect, which is faster: as many as there may be. */
const FULL = `
  CREATE SCHEMA filled;
  DO $$ BEGIN
    FOR n IN 1..1000 LOOP EXECUTE format('CREATE TABLE filled.t%s (a int)', n); END LOOP;
    FOR n IN 1..5000 LOOP
      EXECUTE format('CREATE VIEW filled.v%s AS SELECT 1 AS a', n);
      EXECUTE format('CREATE SEQUENCE filled.s%s', n);
    END LOOP;
  END $$`;

let dataDir: string;
let postern: TestServer;
let session: TaggedSession;
beforeAll(async () => {
  dataDir = await makeFolder();
  const stock = await startTestServer({ dialect: 'postgres', dataDir });
  await (await stock.connect()).query(FULL);
  await stock.stop();
  postern = await startTestServer({ dataDir });
  session = await openTagged(postern);
  await run('CREATE SCHEMA q');
});
afterAll(async () => {
  await postern?.stop();
  await cleanUp();
});

const run = (sql: string) => session.run(sql, 'simple');
const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);

/** What is said, without who said it. */
async function expectRefused(sql: string, code: string, message: string): Promise<void> {
  await expect(run(sql)).rejects.toMatchObject({ code, message, where: undefined, routine: undefined });
}

describe('quotas of schema objects', () => {
  it('are 10 schemas beside public and sys', async () => {
    for (const n of numbers(8)) await run(`CREATE SCHEMA s${n}`);
    await expectRefused('CREATE SCHEMA one_more', '54000', 'more than 10 schemas not allowed');
    await run('DROP SCHEMA s0');
    await run('CREATE SCHEMA one_more');
  });

  it('are 1000 tables, 5000 views and 5000 sequences', async () => {
    await expectRefused('CREATE TABLE q.more (a int)', '54000', 'creating more than 1000 tables not allowed');
    await expectRefused('CREATE VIEW q.more AS SELECT 1', '54000', 'creating more than 5000 views not allowed');
    await expectRefused('CREATE SEQUENCE q.more CACHE 1', '54000', 'creating more than 5000 sequences is not allowed');
    await run('CREATE OR REPLACE VIEW filled.v1 AS SELECT 1 AS a');
    await run('CREATE TABLE IF NOT EXISTS filled.t1 (a int)');
    for (const kind of ['TABLE filled.t1', 'VIEW filled.v1', 'SEQUENCE filled.s1']) await run(`DROP ${kind}`);
    await run('CREATE TABLE q.more (id bigint GENERATED ALWAYS AS IDENTITY (CACHE 1))');
    await run('CREATE VIEW q.enough AS SELECT 1');
    // Piece by piece: all at once needs more locks than there are by default.
    for (const [kind, letter] of [
      ['TABLE', 't'],
      ['VIEW', 'v'],
      ['SEQUENCE', 's'],
    ]) {
      const names = numbers(kind === 'TABLE' ? 1001 : 5001).map((n) => `filled.${letter}${n}`);
      for (let at = 0; at < names.length; at += 2500) {
        await run(`DROP ${kind} IF EXISTS ${names.slice(at, at + 2500).join(', ')}`);
      }
    }
    await run('DROP SCHEMA filled');
  });

  it('are 256 columns in a table, whatever the text says', async () => {
    await run(`CREATE TABLE q.wide (${numbers(255).map((n) => `c${n} int`)})`);
    await run('ALTER TABLE q.wide ADD COLUMN last int');
    await expectRefused('ALTER TABLE q.wide ADD COLUMN more int', '54011', 'tables can have at most 255 columns');
    await run('ALTER TABLE q.wide DROP COLUMN last');
    await run('ALTER TABLE q.wide ADD COLUMN more int');
    await run(`CREATE TABLE q.keyed (id int PRIMARY KEY, ${numbers(255).map((n) => `c${n} int`)})`);
    const inIndex = 'cannot use more than 256 columns in an index';
    await expectRefused('ALTER TABLE q.keyed ADD COLUMN more int', '54011', inIndex);
  });

  it('are 24 indexes on a table, with those of its constraints', async () => {
    await run(`CREATE TABLE q.indexed (id int PRIMARY KEY, ${numbers(22).map((n) => `c${n} int UNIQUE`)})`);
    await run('SET disable_sync_create_index = off');
    await run('CREATE INDEX ON q.indexed (c0)');
    await expectRefused('CREATE INDEX ON q.indexed (c1)', '54000', 'more than 24 indexes per table are not allowed');
    await run('RESET disable_sync_create_index');
    await expectRefused(
      `CREATE TABLE q.too_many (${numbers(25).map((n) => `c${n} int UNIQUE`)})`,
      '54000',
      'more than 24 indexes per table are not allowed',
    );
  });

  it('are 5 extended statistics on a table', async () => {
    await run('CREATE TABLE q.counted (a int, b int)');
    const create = (n: number) => `CREATE STATISTICS q.st${n} ON a, b FROM q.counted`;
    for (const n of numbers(5)) await run(create(n));
    await expect(run(create(5))).rejects.toMatchObject({ code: '54000' });
  });
});

it('the definition of a view has at most 524 KiB', async () => {
  const view = (bytes: number) => `CREATE VIEW q.long AS SELECT '${'x'.repeat(bytes)}' AS a`;
  await run(view(524 * 1024 - 50));
  await expectRefused(view(524 * 1024), '54000', 'view definition too large');
});

describe('an index without ASYNC', () => {
  const MODE = { code: '0A000', message: 'unsupported mode. please use CREATE INDEX ASYNC.' };

  it('can be made on an empty table once disable_sync_create_index is off', async () => {
    await run('CREATE TABLE q.plain (a int, j jsonb)');
    await expect(run('CREATE INDEX ON q.plain (a)')).rejects.toMatchObject(MODE);
    await run('SET disable_sync_create_index TO off');
    expect((await run('SHOW disable_sync_create_index')).rows).toEqual([['off']]);
    expect((await run('CREATE INDEX ON q.plain (a)')).tag).toBe('CREATE INDEX');
    await expectRefused('CREATE INDEX ON q.plain (j)', '0A000', 'datatype jsonb is not supported in a key');
    await run('INSERT INTO q.plain VALUES (1)');
    await expect(run('CREATE INDEX ON q.plain (a)')).rejects.toMatchObject(MODE);
    await run('RESET disable_sync_create_index');
  });

  it('can be chosen at startup', async () => {
    const client = await postern.connect('admin', postern.root, { options: '-c disable_sync_create_index=off' });
    await client.query('CREATE TABLE q.early (a int)');
    await client.query('CREATE INDEX ON q.early (a)');
    await client.end();
  });
});

describe('the guards', () => {
  it('leave sessions of the dialect postgres alone', async () => {
    const stock = await startTestServer({ dialect: 'postgres' });
    const client = await stock.connect();
    await client.query('CREATE TABLE t (a int PRIMARY KEY, b int[], j jsonb UNIQUE)');
    await client.query('CREATE INDEX ON t (b)');
    await client.query('ALTER TABLE t DROP COLUMN a');
    expect((await client.query('SHOW server_version')).rows[0].server_version).toMatch(/^16\.\d+$/);
    expect((await client.query('SHOW transaction_isolation')).rows[0].transaction_isolation).toBe('read committed');
    await stock.stop();
  });
});
