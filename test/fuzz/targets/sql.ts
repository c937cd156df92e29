/** Client SQL: tokens, statements that only DSQL has, and what the dialect makes of a text. */
import { readText } from '../../../src/gateway/reading.ts';
import { isShared, shapeOf, withLength } from '../../../src/gateway/shape.ts';
import { originalPosition, translate } from '../../../src/gateway/translate.ts';
import { readAwsIamStatements } from '../../../src/roles/aws-iam-statement.ts';
import { reservedStatementFinder } from '../../../src/roles/reserved-statement.ts';
import { tokens } from '../../../src/sql/lexer.ts';
import { identifierValue, LexicalError, stringValue } from '../../../src/sql/lexical-values.ts';
import { Parser } from '../../../src/sql/parse.ts';
import { splitStatements } from '../../../src/sql/statements.ts';
import { allowing, hashOf, must, same, type Target } from '../target.ts';

const SQL_PIECES =
  `' '' " "" \\ $$ $a$ $1 /* */ -- E' U&" U&' b' n' x' ; ( ) . .. : := :: => + - @ = 1 1. .5 1e 0x a é AWS IAM GRANT REVOKE
  TO FROM UESCAPE 'x' '!' "r" begin atomic case end ALTER DROP ROLE USER admin postern SET ON , IN ADMIN OWNER \\0041 \\uD83D`
    .split(/\s+/)
    .concat('\n', ' ', '\0', '\xff');
const DIALECT_SQL = [
  'SELECT version(), a.b FROM s.t JOIN pg_settings ON true WHERE x = $1 FOR UPDATE',
  'CREATE TABLE t (a int PRIMARY KEY, b jsonb, c bigint GENERATED ALWAYS AS IDENTITY (CACHE 1), UNIQUE (a, b))',
  'ALTER TABLE t ADD COLUMN a int[], DISABLE TRIGGER ALL, ADD CHECK (a > 1) NOT VALID',
  'CREATE UNIQUE INDEX ASYNC i ON t (a); ALTER TABLE ASYNC t VALIDATE CONSTRAINT c',
  'BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL role = x; SHOW server_version; COMMIT',
  "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT set_config('a', 'b', true) $$",
  "SELECT a, 12 FROM t, u WHERE b = 345 AND c IN (1, 2) AND d = 'x 1' LIMIT 10;",
  'INSERT INTO t VALUES (1, 23), (4, 567) ON CONFLICT DO NOTHING',
  'GRANT SELECT ON ALL TABLES IN SCHEMA s TO x; CREATE ROLE y WITH LOGIN; EXPLAIN ANALYZE DELETE FROM t',
];
const DIALECT_PIECES = [
  'ASYNC',
  'TEMP',
  'COLLATE "C"',
  'serial',
  '::line',
  'FOR SHARE',
  'INTO x',
  ';',
  '(',
  ')',
  "'",
  '$$',
];
const AWS_IAM_SQL = [
  "AWS IAM GRANT app TO 'arn:aws:iam::123456789012:role/r'; SELECT 1",
  `aws iam revoke "A p" from E'arn\\'x' ; /* AWS IAM */ SELECT 'AWS IAM GRANT a TO ''b'''`,
  `BEGIN; AWS IAM GRANT U&"d!0061t" UESCAPE '!' TO $$arn$$; ALTER ROLE admin NOLOGIN; COMMIT`,
  'CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; END; GRANT postern TO x',
];
const seeds = [...AWS_IAM_SQL, ...DIALECT_SQL];
const vocabulary = [...SQL_PIECES, ...DIALECT_PIECES];

/** What comes of an input through the protocol, whose strings end at the first zero byte. */
const received = (input: string) => input.split('\0', 1)[0] as string;

export const lexer: Target = {
  seeds,
  vocabulary,
  check(input) {
    const text = received(input);
    const options = { standardConformingStrings: hashOf(text) % 2 === 0 };
    let at = 0;
    for (const { kind, start, end } of tokens(text, options)) {
      must(start === at && end > start, 'tokens tile the text');
      at = end;
      const raw = text.slice(start, end);
      if (kind.endsWith('identifier')) allowing(LexicalError, () => identifierValue(kind, raw));
      else allowing(LexicalError, () => stringValue(kind, raw));
    }
    must(at === text.length, 'tokens reach to the end');
    must(splitStatements(text, options).at(-1)!.end === text.length, 'statements reach to the end');
  },
};

const findReserved = reservedStatementFinder(new Set(['postern']));

export const awsIam: Target = {
  seeds,
  vocabulary,
  check(input) {
    const text = received(input);
    const options = { standardConformingStrings: hashOf(text) % 2 === 0 };
    const { found } = readAwsIamStatements(text, options);
    let at = 0;
    for (const { start, end } of found) {
      must(start >= at && end > start && end <= text.length, 'statements lie one after the other in the text');
      must(/^aws/i.test(text.slice(start, end)), 'a statement begins with AWS');
      at = end;
    }
    const reserved = findReserved(text, { ...options, role: 'admin' });
    if (reserved) {
      must(reserved.start < reserved.end && reserved.end <= text.length, 'a reserved statement lies in the text');
    }
    let refusals = 0;
    const refuse = () => `SELECT refusal_${++refusals}`;
    const translation = translate(text, { ...options, role: 'admin' }, refuse, undefined);
    if (!translation) return;
    // What is put in place must be one whole statement, whatever the names and constants in it are.
    for (const { replacement } of translation.splices) {
      const { length } = [...tokens(replacement, options)].filter(
        ({ kind }) => /string$/.test(kind) || kind === 'junk',
      );
      must(length === (replacement.startsWith('CALL ') ? 2 : 0), 'a replacement has its two constants and no more');
      must(splitStatements(replacement, options).length === 1, 'a replacement is one statement');
    }
    for (let position = 1; position <= Math.min(translation.sql.length + 1, 300); position++) {
      const original = originalPosition(position, text, translation);
      must(original >= 1 && original <= text.length + 1, 'a position of the engine lies in the text of the client');
    }
  },
};

const parser = await Parser.create();

/** Those that are more than blanks and comments. */
function statementsIn(sql: string): number {
  const options = { standardConformingStrings: true };
  return splitStatements(sql, options).filter(({ start, end }) =>
    [...tokens(sql.slice(start, end), options)].some(({ kind }) => kind !== 'space' && kind !== 'comment'),
  ).length;
}

export const classification: Target = {
  seeds,
  vocabulary,
  check(input) {
    const text = received(input);
    const reading = readText(text, parser);
    const { awsIam, classification: read, plain } = reading;
    const shape = shapeOf(text);
    if (shape !== undefined && isShared(text, reading)) {
      must(same(withLength(reading, text, shape), readText(shape, parser)), 'texts of one shape are read alike');
    }
    if (read.kind !== 'statements') return;
    let at = 0;
    for (const { start, end, splices, refusal } of read.statements) {
      must(start >= at && end >= start && end <= text.length, 'statements lie one after the other in the text');
      let inside = start;
      for (const splice of [...splices].sort((a, b) => a.start - b.start)) {
        must(
          splice.start >= inside && splice.end >= splice.start && splice.end <= end,
          'splices lie in their statement',
        );
        inside = splice.end;
      }
      must(!refusal || (/^[0-9A-Z]{5}$/.test(refusal.sqlstate) && refusal.message !== ''), 'a refusal has its texts');
      must(!plain || (!refusal && splices.length === 0), 'a plain text has nothing to change');
      at = end;
    }
    const found = read.statements.filter(({ tag }) => tag === 'AwsIamStmt').length;
    must(awsIam.error !== undefined || found === awsIam.found.length, 'AWS IAM statements are found again');
    const translated = translate(
      text,
      { standardConformingStrings: true, role: 'admin' },
      () => 'SELECT refusal_1',
      reading,
    );
    if (!translated || awsIam.error) return;
    // What a client wrote stays inside of what stands around it, whatever quotes are in it.
    must(
      statementsIn(translated.sql) === statementsIn(text),
      'a translated text has as many statements as the client has written',
    );
  },
};
