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

  test('forgets the oldest texts', () => {
    const first = reader.read('SELECT 0');
    for (let n = 0; n < 4_001; n++) reader.read(`SELECT ${n}, 1`);
    expect(reader.read('SELECT 0')).not.toBe(first);
    expect(reader.read('SELECT 0')).toEqual(first);
  });
});
