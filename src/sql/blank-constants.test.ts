import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blankConstants, UNREADABLE } from './blank-constants.ts';

const blank = (text: string) => blankConstants(Buffer.from(text).toString('latin1'));

describe('a statement without its constants', () => {
  it.each([
    ["SELECT * FROM t WHERE name = 'Ada' AND age > 36", 'SELECT * FROM t WHERE name = ? AND age > ?'],
    ["INSERT INTO t VALUES (1, 'a''b', -2.5e3, 0xFF, NULL, true)", 'INSERT INTO t VALUES (?, ?, -?, ?, NULL, true)'],
    ["ALTER ROLE r WITH PASSWORD 'secret'", 'ALTER ROLE r WITH PASSWORD ?'],
    ["SELECT E'it\\'s', U&'d\\0061t', B'01', N'x'", 'SELECT ?, ?, ?, ?'],
    ["SELECT 'one'\n  'secret'", 'SELECT ?'],
    ['SELECT $$secret$$, $tag$secret$tag$, $1', 'SELECT ?, ?, $1'],
    ['SELECT 1 /* secret */ -- secret\n  FROM t', 'SELECT ? FROM t'],
    ["SELECT 'secret", 'SELECT ?'],
    ['SELECT /* secret', 'SELECT ?'],
    ['SELECT $$secret', 'SELECT ?'],
    ['SELECT 123secret', 'SELECT ?'],
    ['SELECT "Größe" FROM "t 1" ;', 'SELECT "Größe" FROM "t 1" ;'],
    ['  \n SELECT\t\n1  ', 'SELECT ?'],
    ['SET app.token TO secret', 'SET app.token TO ?'],
    ['SET app.token = secret, other; SELECT a', 'SET app.token = ?, ?; SELECT a'],
    ['SET SESSION app.token = secret', 'SET SESSION app.token = ?'],
    ['ALTER ROLE r SET app.token TO secret', 'ALTER ROLE r SET app.token TO ?'],
    [
      'CREATE FUNCTION f() RETURNS int SET app.token TO secret AS $$x$$',
      'CREATE FUNCTION f() RETURNS int SET app.token TO ? AS ?',
    ],
    [
      'CREATE OR REPLACE PROCEDURE p(a int) LANGUAGE sql SET app.token = secret, more SECURITY DEFINER AS $$x$$; SELECT a',
      'CREATE OR REPLACE PROCEDURE p(a int) LANGUAGE sql SET app.token = ?, ? SECURITY DEFINER AS ?; SELECT a',
    ],
    [
      'CREATE FUNCTION f() RETURNS int SET a FROM CURRENT COST b RETURN x = y',
      'CREATE FUNCTION f() RETURNS int SET a FROM CURRENT COST b RETURN x = y',
    ],
    [
      'CREATE TABLE t (a int REFERENCES b ON DELETE SET NULL, CHECK (a = c))',
      'CREATE TABLE t (a int REFERENCES b ON DELETE SET NULL, CHECK (a = c))',
    ],
    ['UPDATE t SET a = b WHERE c = d', 'UPDATE t SET a = b WHERE c = d'],
    ["AWS IAM GRANT r TO 'arn:aws:iam::1:user/u'", 'AWS IAM GRANT r TO ?'],
    ['', ''],
  ])('%j', (text, shown) => {
    expect(blank(text)).toBe(shown);
  });

  it('is not shown at all where a setting decides where its constants end', () => {
    expect(blank("SELECT 'a\\', 'secret', 'b'")).toBe(UNREADABLE);
    expect(blank("SELECT 'a\\b'")).toBe('SELECT ?');
  });

  it('is not shown where half of a letter may look like a quote, a backslash or a dollar', () => {
    const [table, po] = ['\u0095\\', '\u0083|'];
    for (const text of [`SELECT E'${table}', 'secret'`, `SELECT $${po}$secret$${po}$`]) {
      for (const encoding of ['SJIS', 'GBK', 'UTF8', undefined])
        expect(blankConstants(text, encoding)).toBe(UNREADABLE);
    }
    expect(blankConstants("SELECT 'secret'", 'SJIS')).toBe('SELECT ?');
    expect(blankConstants("SELECT 'Gr\u00f6\u00dfe'", 'LATIN1')).toBe('SELECT ?');
    expect(blank(`SELECT ${'"ö", '.repeat(20_000)}b`).startsWith('SELECT "ö", "ö"')).toBe(true);
  });

  it('is cut where it is long', () => {
    const shown = blank(`SELECT ${'a, '.repeat(100_000)}b`);
    expect(shown.length).toBe(8 * 1024 + 1);
    expect(shown.endsWith('…')).toBe(true);
    expect(blank(`SELECT '${'x'.repeat(200_000)}'`)).toBe('SELECT ?…');
  });

  it('never has what stood in quotes, whatever surrounds it', () => {
    const secret = 'Zq7';
    const around = fc.string({ unit: fc.constantFrom(...'ab1\'"$\\;-/*EU&() \n=') });
    const quoted = fc.constantFrom(`'${secret}'`, `$$${secret}$$`, `E'${secret}'`, `U&'${secret}'`);
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('SELECT', ',', ' ', 'x', '=', '(', ')'), { maxLength: 6 }),
        quoted,
        around,
        (before, it, after) => {
          expect(blank(`${before.join(' ')} ${it}${after}`)).not.toContain(secret);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
