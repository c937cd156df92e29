import { beforeAll, describe, expect, it } from 'vitest';
import { classify, type Statement } from '../sql/classify.ts';
import { TEXTS } from '../sql/dialect/texts.ts';
import { Parser } from '../sql/parse.ts';
import { MAX_AGE, MAX_ROWS, rowsOf, TransactionRules } from './rules.ts';

let parser: Parser;
beforeAll(async () => {
  parser = await Parser.create();
});

function statement(sql: string): Statement {
  const classification = classify(sql, parser);
  if (classification.kind !== 'statements') throw new Error(sql);
  return classification.statements[0] as Statement;
}

describe('the rules of a transaction', () => {
  it('let it last 300 seconds, which any statement and COMMIT look at', () => {
    const rules = new TransactionRules(1_000);
    expect(rules.age(1_000 + MAX_AGE)).toBeUndefined();
    expect(rules.admit(statement('SELECT 1'), 1_000 + MAX_AGE, true)).toBeUndefined();
    expect(rules.age(1_000 + MAX_AGE + 1)).toEqual(TEXTS.ageLimit(300));
    expect(rules.admit(statement('SELECT 1'), 1_000 + MAX_AGE + 1, true)).toEqual(TEXTS.ageLimit(300));
    expect(rules.age(313_999)).toMatchObject({
      sqlstate: '54000',
      message: 'transaction age limit of 300s exceeded',
      detail: 'Current transaction age 312s exceeds 300s',
    });
  });

  it('count rows of all statements', () => {
    const rules = new TransactionRules(0);
    expect(rules.count(MAX_ROWS - 1)).toBeUndefined();
    expect(rules.count(1)).toBeUndefined();
    expect(rules.count(1)).toEqual(TEXTS.rowLimit);
  });

  it.each([
    ['CREATE TABLE x (a int)', 'CREATE TABLE y (a int)', TEXTS.multipleDdl],
    ['CREATE TABLE x (a int)', 'GRANT SELECT ON x TO y', TEXTS.multipleDdl],
    ['CREATE TABLE x (a int)', 'INSERT INTO y VALUES (1)', TEXTS.ddlAndDml],
    ['DELETE FROM y', 'DROP TABLE x', TEXTS.ddlAndDml],
    ['CREATE TABLE x (a int)', 'SELECT 1', undefined],
    ['SELECT 1 FROM y FOR UPDATE', 'DROP TABLE x', undefined],
    ['DELETE FROM y', 'UPDATE y SET a = 1', undefined],
  ])('%s; %s', (first, second, refusal) => {
    const rules = new TransactionRules(0);
    expect(rules.admit(statement(first), 0, true)).toBeUndefined();
    expect(rules.admit(statement(second), 0, true)).toEqual(refusal);
  });

  it('have ANALYZE outside of blocks only', () => {
    expect(new TransactionRules(0).admit(statement('ANALYZE x'), 0, false)).toBeUndefined();
    expect(new TransactionRules(0).admit(statement('ANALYZE x'), 0, true)).toMatchObject({ sqlstate: '25001' });
  });

  it.each([
    ['INSERT 0 3', 3],
    ['UPDATE 12', 12],
    ['COPY 5', 5],
    ['SELECT', 0],
    ['', 0],
  ])('read %j as %i rows', (tag, rows) => {
    expect(rowsOf(tag)).toBe(rows);
  });
});
