import { beforeAll, describe, expect, test } from 'vitest';
import { type Classification, classify, type Statement } from './classify.ts';
import { Parser } from './parse.ts';

let parser: Parser;
beforeAll(async () => {
  parser = await Parser.create();
});

const read = (sql: string): Classification => classify(Buffer.from(sql).toString('latin1'), parser);
function statementsOf(sql: string): readonly Statement[] {
  const classification = read(sql);
  if (classification.kind !== 'statements') throw new Error(classification.kind);
  return classification.statements;
}
const one = (sql: string): Statement => statementsOf(sql)[0] as Statement;

describe('classify', () => {
  test.each<[string, Partial<Statement>]>([
    ['SELECT 1', { kind: 'select', writesRows: false, locks: undefined, relations: [] }],
    [
      'SELECT * FROM a, s.b',
      {
        relations: [
          { schema: undefined, name: 'a' },
          { schema: 's', name: 'b' },
        ].reverse(),
      },
    ],
    ['SELECT * FROM a FOR UPDATE', { kind: 'select', writesRows: false, locks: 'update' }],
    ['SELECT * FROM (SELECT 1 FROM a FOR KEY SHARE) x', { locks: 'key share' }],
    ['WITH x AS (DELETE FROM a RETURNING 1) SELECT 1 FROM x', { kind: 'select', writesRows: true }],
    ['INSERT INTO a VALUES (1)', { kind: 'dml', writesRows: true }],
    ['UPDATE a SET b = 1', { kind: 'dml', writesRows: true }],
    ['DELETE FROM a', { kind: 'dml', writesRows: true }],
    ['COPY a FROM STDIN', { kind: 'copy', writesRows: true }],
    ['COPY a TO STDOUT', { kind: 'copy', writesRows: false }],
    ['EXPLAIN DELETE FROM a', { kind: 'utility', writesRows: false }],
    ['EXPLAIN ANALYZE DELETE FROM a', { kind: 'utility', writesRows: true }],
    ['EXPLAIN (ANALYZE off) DELETE FROM a', { writesRows: false }],
    ['EXPLAIN (ANALYZE false, ANALYZE 1) DELETE FROM a', { writesRows: true }],
    ['ANALYZE a', { kind: 'utility', writesRows: false }],
    ['CREATE TABLE a (b int)', { kind: 'ddl', changesPrivileges: false }],
    [
      'CREATE FUNCTION f() RETURNS void LANGUAGE sql BEGIN ATOMIC DELETE FROM a; END',
      { kind: 'ddl', writesRows: false },
    ],
    ['GRANT SELECT ON a TO b', { kind: 'ddl', changesPrivileges: true }],
    ['GRANT a TO b', { kind: 'ddl', changesPrivileges: true }],
    ['CREATE ROLE a', { kind: 'ddl', changesPrivileges: true }],
    ['ALTER ROLE a RENAME TO b', { kind: 'ddl', changesPrivileges: true }],
    ['ALTER TABLE a RENAME TO b', { kind: 'ddl', changesPrivileges: false }],
    ['SET search_path = a', { kind: 'session', transaction: undefined }],
    ['SHOW search_path', { kind: 'show' }],
    ['BEGIN', { kind: 'transaction', transaction: { verb: 'begin', isolation: undefined, readOnly: undefined } }],
    [
      'START TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY',
      { transaction: { verb: 'begin', isolation: 'repeatable read', readOnly: true } },
    ],
    ['BEGIN READ WRITE', { transaction: { verb: 'begin', isolation: undefined, readOnly: false } }],
    ['END', { transaction: { verb: 'commit', isolation: undefined, readOnly: undefined } }],
    ['ABORT', { transaction: { verb: 'rollback', isolation: undefined, readOnly: undefined } }],
    ['SAVEPOINT a', { transaction: { verb: 'savepoint', isolation: undefined, readOnly: undefined } }],
  ])('tells what %s is', (sql, expected) => {
    expect(one(sql)).toMatchObject(expected);
  });

  test('tells where the word ASYNC is, and refuses nothing else of the statement for it', () => {
    const sql = 'SELECT 1; CREATE INDEX ASYNC ON t (a); SELECT 2';
    const statements = statementsOf(sql);
    expect(statements.map(({ async }) => async && sql.slice(async.start, async.end))).toEqual([
      undefined,
      'ASYNC',
      undefined,
    ]);
    expect(statements.map(({ tag }) => tag)).toEqual(['SelectStmt', 'IndexStmt', 'SelectStmt']);
  });

  test('does not look into AWS IAM statements', () => {
    const sql = `SELECT 1; AWS IAM GRANT a TO 'arn'; VACUUM`;
    const classification = classify(sql, parser, [{ start: 10, end: 34 }]);
    if (classification.kind !== 'statements') throw new Error(classification.kind);
    expect(classification.statements.map(({ tag, kind, changesPrivileges }) => [tag, kind, changesPrivileges])).toEqual(
      [
        ['SelectStmt', 'select', false],
        ['AwsIamStmt', 'ddl', true],
        ['VacuumStmt', 'utility', false],
      ],
    );
  });

  test('leaves syntax errors to PostgreSQL, but for those near its own words', () => {
    expect(read('SELECT FORM a b')).toMatchObject({ kind: 'syntax-error', own: false });
    expect(read('CREATE INDEX ASYNC a.b ON t (a)')).toMatchObject({ kind: 'syntax-error', own: true, position: 21 });
  });

  test('replaces names that stand for themselves only', () => {
    const splicesOf = (sql: string) =>
      one(sql).splices.map(({ start, end, replacement }) => [sql.slice(start, end), replacement]);
    expect(splicesOf('SELECT version(), pg_catalog . version()')).toEqual([
      ['version', 'sys.version'],
      ['pg_catalog . version', 'sys.version'],
    ]);
    expect(splicesOf('SELECT version(1), a.version(), version FROM version')).toEqual([]);
    expect(splicesOf('SELECT * FROM pg_settings, "pg_settings" x, s.pg_settings')).toEqual([
      ['pg_settings', 'sys.pg_settings'],
      ['"pg_settings"', 'sys.pg_settings'],
    ]);
    expect(splicesOf('WITH pg_settings AS (SELECT version()) SELECT * FROM pg_settings')).toEqual([
      ['version', 'sys.version'],
    ]);
    expect(splicesOf('ALTER TABLE t DISABLE TRIGGER ALL, ALTER enable SET DEFAULT (trigger = all(a))')).toEqual([
      ['DISABLE TRIGGER ALL', 'RESET (fillfactor)'],
    ]);
    expect(splicesOf('SET SESSION "disable_sync_create_index" = off')).toEqual([
      ['"disable_sync_create_index"', 'dsql.disable_sync_create_index'],
    ]);
  });
});
