import { describe, expect, it } from 'vitest';
import { classify } from './classify.ts';
import { placesIn, placesQuery } from './locked-rows.ts';
import { Parser } from './parse.ts';

const parser = await Parser.create();

function placesOf(sql: string): string | undefined {
  const classification = classify(sql, parser);
  const [statement] = classification.kind === 'statements' ? classification.statements : [];
  return statement?.lockedRows && placesQuery(statement.lockedRows, sql, statement.end);
}

const place = (table: string) =>
  `SELECT ${table}.tableoid::pg_catalog.text OPERATOR(pg_catalog.||) ' ' OPERATOR(pg_catalog.||) ${table}.ctid::pg_catalog.text FROM `;

describe('the places of rows that are locked', () => {
  it.each([
    ['SELECT a FROM t WHERE id = 1 FOR UPDATE', '"t"', 't WHERE id = 1 FOR UPDATE'],
    ['SELECT * FROM s.t FOR KEY SHARE', '"t"', 's.t FOR KEY SHARE'],
    [
      'select 1 from t where id = $1::uuid and b is null for update;',
      '"t"',
      't where id = $1::uuid and b is null for update',
    ],
    [
      'SELECT x.a AS "from" FROM "T ""1" AS "x y" WHERE a IN (1, 2) FOR UPDATE',
      '"x y"',
      '"T ""1" AS "x y" WHERE a IN (1, 2) FOR UPDATE',
    ],
    ['SELECT a /* FROM u */ FROM t WHERE id = 1 FOR UPDATE OF t', '"t"', 't WHERE id = 1 FOR UPDATE OF t'],
  ])('are asked for by the same condition: %s', (sql, table, rest) => {
    expect(placesOf(sql)).toBe(place(table) + rest);
  });

  it.each([
    'SELECT a FROM t WHERE id = 1',
    'SELECT a FROM t, u FOR UPDATE',
    'SELECT a FROM t JOIN u USING (id) FOR UPDATE',
    'SELECT a FROM (SELECT 1 AS a) t FOR UPDATE',
    'SELECT a FROM t ORDER BY a LIMIT 1 FOR UPDATE',
    'WITH x AS (SELECT 1) SELECT a FROM t FOR UPDATE',
    'SELECT a FROM t WHERE id = (SELECT 1) FOR UPDATE',
    'SELECT a FROM t WHERE random() < 0.5 FOR UPDATE',
    'SELECT a FROM t WHERE b < now() FOR UPDATE',
    'SELECT a FROM t WHERE b < CURRENT_TIMESTAMP FOR UPDATE',
    'SELECT $1 FROM t WHERE id = $2 FOR UPDATE',
    'SELECT f(a) FROM t FOR UPDATE',
    'UPDATE t SET a = 1',
  ])('are not asked for where there is more to it: %s', (sql) => {
    expect(placesOf(sql)).toBeUndefined();
  });

  it('are not asked for by a text that begins otherwise', () => {
    const sql = 'SELECT a FROM t WHERE id = 1 FOR UPDATE';
    const classification = classify(sql, parser);
    const [statement] = classification.kind === 'statements' ? classification.statements : [];
    expect(
      placesQuery(statement?.lockedRows as never, sql.replace('a FROM t', 'b FROM u'), sql.length),
    ).toBeUndefined();
  });
});

describe('their answer', () => {
  it('is read by table', () => {
    expect(placesIn(['16400 (0,1)', '16500 (7,3)', '16400 (0,2)'])).toEqual([
      { relation: 16400, places: '{"(0,1)","(0,2)"}' },
      { relation: 16500, places: '{"(7,3)"}' },
    ]);
    expect(placesIn([])).toEqual([]);
  });

  it.each([
    '',
    '16400',
    '16400 (0,1',
    "16400 (0,1)'; --",
    'x (0,1)',
  ])('is none where it is something else: %s', (row) => {
    expect(placesIn([row])).toBeUndefined();
  });
});
