import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { CASES, FIXTURE } from './cases.ts';
import { openTagged, PROTOCOLS, type Protocol, type TaggedSession } from './session.ts';

let dsql: TestServer;
let postgres: TestServer;
let session: TaggedSession;
let stock: TaggedSession;
beforeAll(async () => {
  [dsql, postgres] = await Promise.all([startTestServer(), startTestServer({ dialect: 'postgres' })]);
  session = await openTagged(dsql);
  stock = await openTagged(postgres);
  for (const sql of FIXTURE) {
    await session.run(sql, 'simple');
    if (!sql.includes('disable_sync_create_index')) await stock.run(sql, 'simple');
  }
});
afterAll(() => Promise.all([dsql?.stop(), postgres?.stop()]));

const ABORTED = { code: '25P02', message: /^current transaction is aborted/ };
/** These begin a block, or end one. */
const isTransaction = (sql: string) => /^(BEGIN|START|COMMIT|END|ROLLBACK|ABORT)/.test(sql);

describe.each(CASES.filter(({ accepted }) => accepted.length > 0))('$name: what the dialect has', ({ accepted }) => {
  const cases = PROTOCOLS.flatMap((protocol) => accepted.map(([sql, tag]) => [protocol, sql, tag] as const));
  it.each(cases)('%s: %s', async (protocol, sql, tag) => {
    if (!/^(BEGIN|START|ANALYZE)/.test(sql)) await session.run('BEGIN', 'simple');
    try {
      expect((await session.run(sql, protocol)).tag).toBe(tag);
    } finally {
      await session.run('ROLLBACK', 'simple');
      await session.run('RESET ALL', 'simple');
    }
  });
});

async function expectRefused(sql: string, protocol: Protocol, message: string, code = '0A000'): Promise<void> {
  const refused = { code, message };
  await expect(session.run(sql, protocol)).rejects.toMatchObject(refused);
  expect((await session.run('SELECT 1', protocol)).tag).toBe('SELECT 1');
  await session.run('BEGIN', 'simple');
  await expect(session.run(sql, protocol)).rejects.toMatchObject(refused);
  // An aborted block comes before any refusal.
  const again = await session.run(sql, protocol).then(
    () => undefined,
    (error: { code: string }) => error.code,
  );
  expect(code === '42601' ? '25P02' : again).toBe(ABORTED.code);
  expect((await session.run('COMMIT', 'simple')).tag).toBe('ROLLBACK');
}

describe.each(CASES.filter(({ refused }) => refused.length > 0))('$name: what it has not', ({ refused }) => {
  const cases = PROTOCOLS.flatMap((protocol) =>
    refused.map(([sql, message, code]) => [protocol, sql, message, code] as const),
  );
  it.each(cases)('%s: %s', async (protocol, sql, message, code) => {
    await expectRefused(sql, protocol, message, code);
  });

  /** PostgreSQL's own words for the same statement. */
  const SAME = /^type ".*" does not exist$|^text search configuration|^syntax error|^generation expression/;
  it('is not refused by us in the dialect postgres', async () => {
    for (const [sql, message] of refused.filter(([, text]) => !SAME.test(text))) {
      await stock.run('BEGIN', 'simple');
      const said = await stock.run(sql, 'extended').then(
        () => undefined,
        (error: { message: string }) => error.message,
      );
      await stock.run('ROLLBACK', 'simple');
      expect(said, sql).not.toBe(message);
      expect(said ?? '', sql).not.toMatch(/postern/);
    }
  });
});

describe.each(CASES.filter(({ rows }) => rows.length > 0))('$name: what is answered', ({ rows }) => {
  const cases = PROTOCOLS.flatMap((protocol) => rows.map(([sql, expected]) => [protocol, sql, expected] as const));
  it.each(cases)('%s: %s', async (protocol, sql, expected) => {
    expect((await session.run(sql, protocol)).rows).toEqual(expected);
  });
});

describe('several statements in one string', () => {
  const countOf = async () => (await session.run('SELECT count(*)::int FROM d.plain', 'simple')).rows[0]?.[0] as number;

  it('are one transaction: a refusal undoes what came before', async () => {
    const before = await countOf();
    await expect(
      session.run('INSERT INTO d.plain VALUES (1); TRUNCATE d.t; INSERT INTO d.plain VALUES (2)', 'simple'),
    ).rejects.toMatchObject({ code: '0A000', message: 'unsupported statement: Truncate' });
    expect(await countOf()).toBe(before);
  });

  it('keep what an explicit COMMIT inside has ended', async () => {
    const before = await countOf();
    await expect(
      session.run('BEGIN; INSERT INTO d.plain VALUES (1); COMMIT; LISTEN x; SELECT 1', 'simple'),
    ).rejects.toMatchObject({ message: 'unsupported statement: Listen' });
    expect(await countOf()).toBe(before + 1);
  });

  it('are refused at the first of several refusals, and not at all before an error that comes earlier', async () => {
    await expect(session.run('VACUUM; TRUNCATE d.t', 'simple')).rejects.toMatchObject({
      message: 'unsupported VACUUM statement',
    });
    await expect(session.run('SELECT 1/0; TRUNCATE d.t', 'simple')).rejects.toMatchObject({ code: '22012' });
  });

  it('give way to a syntax error anywhere in the string, with its position', async () => {
    await expect(session.run("SELECT 'é'; TRUNCATE d.t; SELECT FORM x y", 'simple')).rejects.toMatchObject({
      code: '42601',
      message: 'syntax error at or near "y"',
      position: '41',
    });
  });

  it('answer with the service’s values in their places', async () => {
    const { tag } = await session.run('SELECT 1; SHOW server_version', 'simple');
    expect(tag).toBe('SHOW');
    await expect(session.run('SELECT version(), nosuch FROM d.t', 'simple')).rejects.toMatchObject({
      code: '42703',
      position: '19',
    });
  });
});

describe('a position', () => {
  it('is that of the type', async () => {
    await expect(session.run('CREATE TABLE d."é" (a serial)', 'simple')).rejects.toMatchObject({ position: '23' });
  });
});

describe('transactions', () => {
  it('are told apart by the tables', () => {
    expect(CASES.find(({ name }) => name === 'transactions')?.accepted.every(([sql]) => isTransaction(sql))).toBe(true);
  });
});
