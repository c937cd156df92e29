import { describe, expect, test } from 'vitest';
import { findAsyncWords } from './async.ts';

const wordsOf = (sql: string) => findAsyncWords(sql).map(({ start, end }) => [start, sql.slice(start, end)]);

describe('findAsyncWords', () => {
  test.each([
    ['CREATE INDEX ASYNC ON t (a)', [[13, 'ASYNC']]],
    ['create/**/unique index Async i on t (a)', [[23, 'Async']]],
    [
      'SELECT 1; CREATE INDEX ASYNC i ON t (a); ALTER TABLE ASYNC a.b VALIDATE CONSTRAINT c',
      [
        [23, 'ASYNC'],
        [53, 'ASYNC'],
      ],
    ],
    ['ALTER TABLE ASYNC IF EXISTS ONLY "T" VALIDATE CONSTRAINT c', [[12, 'ASYNC']]],
  ] as const)('finds the word in %s', (sql, words) => {
    expect(wordsOf(sql)).toEqual(words);
  });

  test.each([
    'CREATE INDEX "async" ON t (a)',
    'CREATE INDEX i ON async (a)',
    'ALTER TABLE async ADD COLUMN a int',
    'ALTER TABLE async RENAME TO validate',
    'ALTER TABLE async DROP CONSTRAINT validate',
    'ALTER TABLE async VALIDATE CONSTRAINT c',
    'ALTER TABLE async',
    "SELECT '; CREATE INDEX ASYNC ON t (a)'",
    '/* CREATE INDEX ASYNC */ SELECT 1',
    'EXPLAIN CREATE INDEX ASYNC ON t (a)',
  ])('leaves %s alone', (sql) => {
    expect(findAsyncWords(sql)).toEqual([]);
  });
});
