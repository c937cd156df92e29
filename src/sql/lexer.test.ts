import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Lexer, type LexerOptions, tokens } from './lexer.ts';

const ON: LexerOptions = { standardConformingStrings: true };
const OFF: LexerOptions = { standardConformingStrings: false };

/** `kind text`, blanks left out. */
function lex(sql: string, options = ON): string[] {
  return [...tokens(sql, options)]
    .filter(({ kind }) => kind !== 'space')
    .map(({ kind, start, end }) => `${kind} ${sql.slice(start, end)}`);
}

describe('the lexer', () => {
  const cases: [sql: string, ...expected: string[]][] = [
    ['', ...[]],
    ['SELECT a_1$b', 'identifier SELECT', 'identifier a_1$b'],
    ['\u00c3\u00a9t\u00c3\u00a9', 'identifier \u00c3\u00a9t\u00c3\u00a9'],
    ['a\vb\fc', 'identifier a', 'identifier b', 'identifier c'],
    ['-- x\ny', 'comment -- x', 'identifier y'],
    ['-- x\ry', 'comment -- x', 'identifier y'],
    ['--', 'comment --'],
    ['/* a /* b */ c */d', 'comment /* a /* b */ c */', 'identifier d'],
    ['/*/ */', 'comment /*/ */'],
    ['/***/a', 'comment /***/', 'identifier a'],
    ['/* /* */', 'unterminated /* /* */'],
    ['/*', 'unterminated /*'],
    [`'a''b'`, `string 'a''b'`],
    [`'a' 'b'`, `string 'a'`, `string 'b'`],
    [`'a'\n'b'`, `string 'a'\n'b'`],
    [`'a' -- it's\n -- c\n 'b'c`, `string 'a' -- it's\n -- c\n 'b'`, 'identifier c'],
    [`'a' /* */ \n'b'`, `string 'a'`, 'comment /* */', `string 'b'`],
    [`'a' -- x`, `string 'a'`, 'comment -- x'],
    [`'a\\'b`, `string 'a\\'`, 'identifier b'],
    [`'a`, `unterminated 'a`],
    [`e'a\\'b'`, `escape-string e'a\\'b'`],
    [`E'a\\\\'b`, `escape-string E'a\\\\'`, 'identifier b'],
    [`E'a'\n'\\''`, `escape-string E'a'\n'\\''`],
    [`E'a\\'`, `unterminated E'a\\'`],
    [`u&'a' U&"b""c"`, `unicode-string u&'a'`, `unicode-identifier U&"b""c"`],
    [`u &'a'`, 'identifier u', 'operator &', `string 'a'`],
    [`U&a`, 'identifier U', 'operator &', 'identifier a'],
    [`b'01' X'f''0'`, `bit-string b'01'`, `bit-string X'f'`, `string '0'`],
    [`n'x'`, 'national-prefix n', `string 'x'`],
    [`xe'a'`, 'identifier xe', `string 'a'`],
    ['"a""b" "', 'quoted-identifier "a""b"', 'unterminated "'],
    ['""', 'quoted-identifier ""'],
    ['$$a$$', 'dollar-string $$a$$'],
    ['$a$ $$ $b$ ; $a$', 'dollar-string $a$ $$ $b$ ; $a$'],
    ['$\u00e9_1$x$\u00e9_1$', 'dollar-string $\u00e9_1$x$\u00e9_1$'],
    ['$a$a$a$', 'dollar-string $a$a$a$'],
    ['$a$ $A$', 'unterminated $a$ $A$'],
    ['$$', 'unterminated $$'],
    ['$', 'other $'],
    ['$a', 'other $', 'identifier a'],
    ['a$$b$$', 'identifier a$$b$$'],
    ['$1$2', 'parameter $1', 'parameter $2'],
    ['$1a', 'junk $1a'],
    ['$1$$;$$', 'parameter $1', 'dollar-string $$;$$'],
    ['1 1.5 .5 1. 1e3 1E-3 1.e+3', ...['1', '1.5', '.5', '1.', '1e3', '1E-3', '1.e+3'].map((n) => `number ${n}`)],
    ['0xfF 0b10 0o17 1_000', ...['0xfF', '0b10', '0o17', '1_000'].map((n) => `number ${n}`)],
    ['1..10', 'number 1', 'punctuation ..', 'number 10'],
    ['1.a 1e 0x', 'junk 1.a', 'junk 1e', 'junk 0x'],
    ['1a', 'junk 1a'],
    [
      'a::b:=c=>d',
      'identifier a',
      'punctuation ::',
      'identifier b',
      'punctuation :=',
      'identifier c',
      'punctuation =>',
      'identifier d',
    ],
    [
      'a>=b<>c!=d',
      'identifier a',
      'operator >=',
      'identifier b',
      'operator <>',
      'identifier c',
      'operator !=',
      'identifier d',
    ],
    ['a=-1', 'identifier a', 'operator =', 'operator -', 'number 1'],
    ['a@-1', 'identifier a', 'operator @-', 'number 1'],
    ['+-+', 'operator +', 'operator -', 'operator +'],
    ['*--x', 'operator *', 'comment --x'],
    ['@--x', 'operator @', 'comment --x'],
    ['a*/*x*/b', 'identifier a', 'operator *', 'comment /*x*/', 'identifier b'],
    ['=>=', 'operator =>='],
    [
      '(a[1]);',
      'punctuation (',
      'identifier a',
      'punctuation [',
      'number 1',
      'punctuation ]',
      'punctuation )',
      'punctuation ;',
    ],
    ['\\x\0{', 'other \\', 'identifier x', 'other \0', 'other {'],
  ];
  test.each(cases)('reads %j', (sql, ...expected) => {
    expect(lex(sql)).toEqual(expected);
  });

  test('lets a backslash escape in plain strings when standard_conforming_strings is off', () => {
    expect(lex(`'a\\'b' n'\\''`, OFF)).toEqual([`escape-string 'a\\'b'`, 'national-prefix n', `escape-string '\\''`]);
  });

  const piece = fc.oneof(
    fc.constantFrom(
      "'",
      "''",
      '"',
      '$$',
      '$a$',
      '/*',
      '*/',
      '--',
      '\n',
      ' ',
      '\\',
      'E',
      'U&',
      'b',
      'n',
      '$1',
      '1',
      '.',
      ';',
      '+',
      '@',
      '(',
      ')',
      ':',
      '=',
    ),
    fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((c) => String.fromCharCode(c)), maxLength: 3 }),
  );
  test('tiles any text: every byte belongs to one token, and none is empty', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), fc.boolean(), (pieces, standardConformingStrings) => {
        const sql = pieces.join('');
        let at = 0;
        for (const { start, end, kind } of tokens(sql, { standardConformingStrings })) {
          expect(start).toBe(at);
          expect(end).toBeGreaterThan(start);
          if (kind === 'unterminated') expect(end).toBe(sql.length);
          at = end;
        }
        expect(at).toBe(sql.length);
      }),
      { numRuns: 500 },
    );
  });

  test('reads the same tokens before a cut, whatever stands behind', () => {
    const sql = `SELECT 'it''s' /* a /* b */ */ || $x$ ; $x$, E'\\'' "q""r" -- end\n, 1.5e3 @- 2;`;
    const whole = [...tokens(sql, ON)];
    for (let cut = 0; cut <= sql.length; cut++) {
      const part = [...tokens(sql.slice(0, cut), ON)];
      const ended = whole.filter(({ end }) => end < cut);
      expect(part.slice(0, ended.length)).toEqual(ended);
    }
  });

  const long = 500_000;
  const hostile: [string, string][] = [
    ['comment openers', '/*'.repeat(long / 2)],
    ['signs', '+-'.repeat(long / 2)],
    ['signs after an operator', `@${'+'.repeat(long)}`],
    ['stars', '*'.repeat(long)],
    ['quotes', "'".repeat(long + 1)],
    ['strings between line breaks', "'a'\n--x\n".repeat(long / 8)],
    ['dollars', '$'.repeat(long)],
    ['dollar tags', '$a'.repeat(long / 2)],
    ['digits with dots', '1.'.repeat(long / 2)],
    ['underscored digits', '1_'.repeat(long / 2)],
    ['double quotes', '"'.repeat(long + 1)],
    ['backslashes', `E'${'\\'.repeat(long)}`],
  ];
  test.each(hostile)('takes linear time for half a megabyte of %s', (_, sql) => {
    const started = performance.now();
    const lexer = new Lexer(sql, ON);
    while (lexer.next() !== 'end');
    // Quadratic time would be minutes; the bound leaves room for a slow machine.
    expect(performance.now() - started).toBeLessThan(5_000);
    expect(lexer.end).toBe(sql.length);
  });
});
