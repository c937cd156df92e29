import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readAwsIamStatements } from './aws-iam-statement.ts';

const ON = { standardConformingStrings: true };
const ARN = 'arn:aws:iam::123456789012:role/example';
const read = (sql: string): ReturnType<typeof readAwsIamStatements> => readAwsIamStatements(Buffer.from(sql), ON);

describe('readAwsIamStatements', () => {
  const statements: [string, { kind: 'grant' | 'revoke'; role: string; arn: string }][] = [
    [`AWS IAM GRANT example TO '${ARN}'`, { kind: 'grant', role: 'example', arn: ARN }],
    [`AWS IAM REVOKE example FROM '${ARN}'`, { kind: 'revoke', role: 'example', arn: ARN }],
    [`aws\tIam/* x */gRaNt -- y\n Example\nTO\n'${ARN}'`, { kind: 'grant', role: 'example', arn: ARN }],
    [`AWS IAM GRANT "My ""Role""" TO '${ARN}'`, { kind: 'grant', role: 'My "Role"', arn: ARN }],
    [`AWS IAM GRANT U&"d\\0061ta" TO '${ARN}'`, { kind: 'grant', role: 'data', arn: ARN }],
    [`AWS IAM GRANT U&"d!0061ta" UESCAPE '!' TO '${ARN}'`, { kind: 'grant', role: 'data', arn: ARN }],
    [`AWS IAM GRANT ünï TO '${ARN}'`, { kind: 'grant', role: 'ünï', arn: ARN }],
    [`AWS IAM GRANT grants TO E'arn\\x3aaws'`, { kind: 'grant', role: 'grants', arn: 'arn:aws' }],
    [`AWS IAM GRANT iam TO U&'arn\\003aaws'`, { kind: 'grant', role: 'iam', arn: 'arn:aws' }],
    [`AWS IAM GRANT aws TO U&'arn!003aaws' UESCAPE '!'`, { kind: 'grant', role: 'aws', arn: 'arn:aws' }],
    ['AWS IAM GRANT a TO $$x$$', { kind: 'grant', role: 'a', arn: 'x' }],
    ["AWS IAM GRANT a TO $q$it's$q$", { kind: 'grant', role: 'a', arn: "it's" }],
    [`AWS IAM GRANT a TO 'arn:'\n  'aws'`, { kind: 'grant', role: 'a', arn: 'arn:aws' }],
    [`AWS IAM GRANT a TO ''`, { kind: 'grant', role: 'a', arn: '' }],
    [`AWS IAM GRANT "admin" TO 'x'`, { kind: 'grant', role: 'admin', arn: 'x' }],
    [`AWS IAM GRANT "user" TO 'x'`, { kind: 'grant', role: 'user', arn: 'x' }],
  ];
  test.each(statements)('reads %j', (sql, expected) => {
    const { found, error } = read(sql);
    expect(error).toBeUndefined();
    expect(found).toEqual([{ ...expected, start: 0, end: Buffer.byteLength(sql) }]);
  });

  test('tells the bytes to replace, without what stands around', () => {
    const sql = `SELECT 'é'; -- AWS IAM GRANT\n /* é */ AWS IAM GRANT a TO 'x' /* b */ ; AWS IAM REVOKE b FROM 'y' -- end`;
    const bytes = Buffer.from(sql);
    const reading = readAwsIamStatements(bytes, ON);
    expect(reading.found.map(({ start, end }) => bytes.subarray(start, end).toString())).toEqual([
      `AWS IAM GRANT a TO 'x'`,
      `AWS IAM REVOKE b FROM 'y'`,
    ]);
    expect(reading.statements).toBe(3);
    expect(readAwsIamStatements(bytes.toString('latin1'), ON)).toEqual(reading);
  });

  const others = [
    'SELECT 1',
    `SELECT 'AWS IAM GRANT a TO ''x'''`,
    `SELECT $$; AWS IAM GRANT a TO 'x'; $$`,
    `SELECT 1 /* ; AWS IAM GRANT a TO 'x'; */`,
    `"AWS" IAM GRANT a TO 'x'`,
    `AWS "IAM" GRANT a TO 'x'`,
    `AWS.IAM`,
    'AWS',
    'SELECT aws iam FROM t',
    `EXPLAIN AWS IAM GRANT a TO 'x'`,
    `CREATE RULE r AS ON INSERT TO t DO (SELECT 1; AWS IAM GRANT a TO 'x')`,
    'AWSIAM GRANT',
    '',
    ';;',
  ];
  test.each(others)('leaves %j to PostgreSQL', (sql) => {
    expect(read(sql)).toMatchObject({ found: [], error: undefined });
  });

  const at = (text: string): string => `syntax error at or near "${text}"`;
  const errors: [sql: string, message: string, position: number, sqlstate?: string][] = [
    ['AWS IAM', 'syntax error at end of input', 8],
    ['AWS IAM;', at(';'), 8],
    ['AWS IAM SELECT 1', at('SELECT'), 9],
    ['AWS IAM GRANT', 'syntax error at end of input', 14],
    ['AWS IAM GRANT a', 'syntax error at end of input', 16],
    ['AWS IAM GRANT a TO', 'syntax error at end of input', 19],
    ['AWS IAM GRANT a TO -- c\n', 'syntax error at end of input', 25],
    ['AWS IAM GRANT a TO $1', at('$1'), 20],
    ['AWS IAM GRANT $1 TO $2', at('$1'), 15],
    ['AWS IAM GRANT a TO x', at('x'), 20],
    [`AWS IAM GRANT a TO N'x'`, at('N'), 20],
    [`AWS IAM GRANT a TO B'1'`, at(`B'1'`), 20],
    [`AWS IAM GRANT a, b TO 'x'`, at(','), 16],
    [`AWS IAM GRANT a TO 'x', 'y'`, at(','), 23],
    [`AWS IAM GRANT a TO 'x' WITH ADMIN OPTION`, at('WITH'), 24],
    [`AWS IAM GRANT a FROM 'x'`, at('FROM'), 17],
    [`AWS IAM REVOKE a TO 'x'`, at('TO'), 18],
    [`AWS IAM REVOKE a FROM 'x' CASCADE`, at('CASCADE'), 27],
    [`AWS IAM GRANT a.b TO 'x'`, at('.'), 16],
    [`AWS IAM GRANT 'a' TO 'x'`, at(`'a'`), 15],
    [`AWS IAM GRANT user TO 'x'`, at('user'), 15],
    [`AWS IAM GRANT SELECT TO 'x'`, at('SELECT'), 15],
    [`AWS IAM GRANT current_user TO 'x'`, at('current_user'), 15],
    [`AWS IAM GRANT 1a TO 'x'`, 'trailing junk after numeric literal at or near "1a"', 15],
    [`AWS IAM GRANT a TO $1x`, 'trailing junk after parameter at or near "$1x"', 20],
    [`AWS IAM GRANT a TO 'x`, `unterminated quoted string at or near "'x"`, 20],
    ['AWS IAM GRANT "a', 'unterminated quoted identifier at or near ""a"', 15],
    ['AWS IAM GRANT a TO $$x', 'unterminated dollar-quoted string at or near "$$x"', 20],
    ['AWS IAM GRANT a /* x', 'unterminated /* comment at or near "/* x"', 17],
    [`AWS IAM GRANT "" TO 'x'`, 'zero-length delimited identifier at or near """"', 15],
    [`AWS IAM GRANT U&"\\zz" TO 'x'`, 'invalid Unicode escape', 15],
    [`AWS IAM GRANT "none" TO 'x'`, 'role name "none" is reserved', 15, '42939'],
    [`/* éé */ AWS IAM GRANT é, b TO 'x'`, at(','), 25],
    [`SELECT 1; AWS IAM GRANT a TO é`, at('é'), 30],
    [`AWS IAM GRANT a TO U&'x' UESCAPE b`, 'UESCAPE must be followed by a simple string literal at or near "b"', 34],
    [`AWS IAM GRANT a TO U&'x' UESCAPE '+'`, `invalid Unicode escape character at or near "'+'"`, 34],
  ];
  test.each(errors)('finds the error in %j', (sql, message, position, sqlstate = '42601') => {
    expect(read(sql).error).toEqual({ sqlstate, message, position });
  });

  test('follows standard_conforming_strings', () => {
    const sql = `SELECT '\\'; AWS IAM GRANT a TO ''x'' -- '`;
    expect(readAwsIamStatements(sql, ON).error?.message).toBe(at(`x''`));
    expect(readAwsIamStatements(sql, { standardConformingStrings: false })).toMatchObject({
      found: [],
      error: undefined,
    });
  });

  test('never throws, and what it finds lies where it says', () => {
    const piece = fc.constantFrom(
      'AWS ',
      'IAM ',
      'GRANT ',
      'REVOKE ',
      'a ',
      '"b" ',
      'U&"c" ',
      'UESCAPE ',
      'TO ',
      'FROM ',
      "'x' ",
      "U&'y' ",
      "'",
      '"',
      '$$',
      ';',
      '/*',
      '*/',
      '--',
      '\n',
      '(',
      ')',
      '\xff',
      '1a',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        const sql = pieces.join('');
        for (const { start, end } of readAwsIamStatements(sql, ON).found) {
          expect(sql.slice(start, end)).toMatch(/^AWS .*['$]$/s);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
