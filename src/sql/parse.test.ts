import { beforeAll, describe, expect, test } from 'vitest';
import { DIRECT_BYTES, Parser } from './parse.ts';

let parser: Parser;
beforeAll(async () => {
  parser = await Parser.create();
});

const bytes = (sql: string) => Buffer.from(sql).toString('latin1');
const tagsOf = (sql: string) => {
  const parsed = parser.parse(bytes(sql));
  return parsed.kind === 'statements' ? parsed.statements.map(({ tag }) => tag) : parsed.kind;
};

describe('Parser', () => {
  test('tells the statements of a text and where they are, in bytes', () => {
    const sql = bytes(`SELECT 'é;'; -- é\n DROP TABLE "ö" ;;COMMIT`);
    const parsed = parser.parse(sql);
    if (parsed.kind !== 'statements') throw new Error(parsed.kind);
    expect(
      parsed.statements.map(({ start, end, tag }) => [tag, Buffer.from(sql.slice(start, end), 'latin1').toString()]),
    ).toEqual([
      ['SelectStmt', `SELECT 'é;'`],
      ['DropStmt', ` -- é\n DROP TABLE "ö" `],
      ['TransactionStmt', 'COMMIT'],
    ]);
  });

  test('knows no statement in empty texts', () => {
    for (const sql of ['', ' ', ';;', '-- x', '/* x */;', '\0SELECT 1']) expect(tagsOf(sql)).toEqual([]);
  });

  test('gives the message and the position of a syntax error, in characters', () => {
    expect(parser.parse(bytes(`SELECT 'é' FORM t u`))).toEqual({
      kind: 'syntax-error',
      message: 'syntax error at or near "t"',
      position: 17,
    });
  });

  test('reads broken UTF-8 as PostgreSQL does its own encoding: letters', () => {
    expect(tagsOf('SELECT 1')).toEqual(['SelectStmt']);
    expect(parser.parse("SELECT '\xff', \xc3; DROP TABLE \x80").kind).toBe('statements');
  });

  const deep: [name: string, text: (n: number) => string][] = [
    ['sub-selects', (n) => `SELECT ${'(SELECT '.repeat(n)}1${')'.repeat(n)}`],
    ['sums', (n) => `SELECT ${'1+'.repeat(n)}1`],
    ['powers', (n) => `SELECT ${'1^'.repeat(n)}1`],
    ['subscripts', (n) => `SELECT ${'a['.repeat(n)}1${']'.repeat(n)}`],
    ['arrays', (n) => `SELECT ARRAY${'['.repeat(n)}1${']'.repeat(n)}`],
    ['parentheses', (n) => `SELECT ${'('.repeat(n)}1${')'.repeat(n)}`],
    ['functions', (n) => `SELECT ${'f('.repeat(n)}1${')'.repeat(n)}`],
    ['negations', (n) => `SELECT ${'NOT '.repeat(n)}true`],
    ['casts', (n) => `SELECT 1${'::a'.repeat(n)}`],
  ];

  test.each(deep)('reads %s of the direct length', (_, text) => {
    let n = 1;
    while (text(n + 1).length <= DIRECT_BYTES) n++;
    expect(parser.parse(text(n)).kind).toBe('statements');
  });

  test('survives any number of texts that are too deep', async () => {
    let refused = 0;
    for (let i = 0; i < 60; i++) {
      for (const [, text] of deep) {
        if (parser.parse(text(30_000)).kind === 'too-deep') refused++;
        await parser.ready();
      }
    }
    expect(refused).toBeGreaterThan(200);
    expect(tagsOf('SELECT 1; ROLLBACK')).toEqual(['SelectStmt', 'TransactionStmt']);
  });

  test('says that a text is too deep while it has no instance left', () => {
    const tooDeep = `SELECT ${'1+'.repeat(100_000)}1`;
    expect([parser.parse(tooDeep).kind, parser.parse(tooDeep).kind]).toEqual(['too-deep', 'too-deep']);
    expect(parser.parse('SELECT 1')).toEqual({ kind: 'too-deep' });
  });
});
