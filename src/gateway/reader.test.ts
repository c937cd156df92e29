import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Reader } from './reader.ts';

let reader: Reader;
beforeAll(async () => {
  reader = await Reader.create();
});
afterAll(() => reader.close());

const long = (text: string) => `${text} /* ${'x'.repeat(5_000)} */`;

describe('Reader', () => {
  test('reads short texts at once and remembers them', () => {
    const first = reader.read('SELECT 1');
    expect(first).toMatchObject({ plain: true });
    expect(reader.read('SELECT 1')).toBe(first);
    expect(reader.read('VACUUM')).toMatchObject({ plain: false });
  });

  test('reads long texts in its thread, in order, and remembers them', async () => {
    const texts = ['SELECT 1', 'VACUUM', 'DROP ROLE admin', `AWS IAM GRANT a TO 'b'`].map(long);
    expect(texts.map((text) => reader.read(text))).toEqual(texts.map(() => undefined));
    const order: string[] = [];
    const readings = await Promise.all(
      texts.map(async (text) => {
        const reading = await reader.readLong(text);
        order.push(text);
        return reading;
      }),
    );
    expect(order).toEqual(texts);
    expect(readings.map(({ plain }) => plain)).toEqual([true, false, false, false]);
    expect(texts.map((text) => reader.read(text))).toEqual(readings);
  });

  test.each([
    ['SELECT 1', true],
    ['SELECT FORM a b', true],
    ['SELECT version()', false],
    ['CREATE INDEX ASYNC', false],
    ['DROP ROLE admin', false],
    ['SELECT current_user', false],
    [`AWS IAM GRANT a TO 'b'`, false],
    ['AWS IAM GRANT', false],
  ])('knows whether %s can go as it is: %s', (sql, plain) => {
    expect(reader.read(sql)?.plain).toBe(plain);
  });

  test('reads texts once that differ in numbers only, and tells their own lengths', () => {
    const endOf = (sql: string) => {
      const reading = reader.read(sql);
      return reading?.classification.kind === 'statements' && reading.classification.statements[0]?.end;
    };
    const first = reader.read('UPDATE t SET a = 5 WHERE b IN (1, 2);');
    expect(reader.read('UPDATE t SET a = 6 WHERE b IN (3, 4);')).toBe(first);
    expect(endOf('UPDATE t SET a = 678 WHERE b IN (3, 4);')).toBe(38);
    expect(endOf('UPDATE t SET a = 678 WHERE b IN (3, 4)')).toBe(38);
  });

  test.each([
    ['SELECT 1 FROM t1', 'SELECT 1 FROM t2'],
    ['SELECT 1 FROM "t 1"', 'SELECT 1 FROM "t 2"'],
    ['SELECT 1; SELECT 2', 'SELECT 1; SELECT 3'],
    [`SELECT U&'\\0041 1'`, `SELECT U&'\\0041 2'`],
    ['CREATE SEQUENCE s CACHE 1', 'CREATE SEQUENCE s CACHE 2'],
  ])('reads %s and %s each for itself', (one, other) => {
    expect(reader.read(other)).not.toBe(reader.read(one));
  });

  test('forgets the oldest texts', () => {
    const first = reader.read('SHOW a');
    for (let n = 0; n < 4_001; n++) reader.read(`SHOW a${n}`);
    expect(reader.read('SHOW a')).not.toBe(first);
    expect(reader.read('SHOW a')).toEqual(first);
  });
});
