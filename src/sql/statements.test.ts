import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { splitStatements } from './statements.ts';

const ON = { standardConformingStrings: true };
const split = (sql: string): string[] => splitStatements(sql, ON).map(({ start, end }) => sql.slice(start, end).trim());

describe('splitStatements', () => {
  const cases: [string, string[]][] = [
    ['', ['']],
    ['a', ['a']],
    ['a;', ['a', '']],
    [';;', ['', '', '']],
    [`a ';' b; c $$;$$; /* ; */ d -- ;\n; ";"`, [`a ';' b`, 'c $$;$$', '/* ; */ d -- ;', '";"']],
    ['CREATE RULE r AS ON INSERT TO t DO (a; b); c', ['CREATE RULE r AS ON INSERT TO t DO (a; b)', 'c']],
    ['a); b', ['a)', 'b']],
    [
      'CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN a THEN b END; END; x',
      ['CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN a THEN b END; END', 'x'],
    ],
    [
      'create procedure p() begin /* c */ atomic select 1 as end; select t.case; end; x',
      ['create procedure p() begin /* c */ atomic select 1 as end; select t.case; end', 'x'],
    ],
    ['BEGIN; SELECT 1; END; x', ['BEGIN', 'SELECT 1', 'END', 'x']],
    ['create function begin() returns int; atomic; x', ['create function begin() returns int', 'atomic', 'x']],
    ['"begin" atomic; x', ['"begin" atomic', 'x']],
    [`'a; b`, [`'a; b`]],
  ];
  test.each(cases)('splits %j', (sql, expected) => {
    expect(split(sql)).toEqual(expected);
  });

  test('covers the text of any length and never throws', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(';', '(', ')', "'", '"', '$$', 'begin ', 'atomic ', 'end ', '/*', '*/', ' ')),
        (pieces) => {
          const sql = pieces.join('');
          const ranges = splitStatements(sql, ON);
          expect(ranges[0]!.start).toBe(0);
          expect(ranges.at(-1)!.end).toBe(sql.length);
          for (const [i, range] of ranges.slice(1).entries()) expect(range.start).toBe(ranges[i]!.end + 1);
        },
      ),
    );
  });

  test('splits ten megabytes of statements in less than a few seconds', () => {
    const sql = "INSERT INTO t VALUES (1, 'x');\n".repeat(330_000);
    const started = performance.now();
    expect(splitStatements(sql, ON)).toHaveLength(330_001);
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});
