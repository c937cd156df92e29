import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { classify } from './classify.ts';
import { byteLiteral } from './literal.ts';
import { Parser } from './parse.ts';
import { splice } from './splice.ts';

let parser: Parser;
beforeAll(async () => {
  parser = await Parser.create();
});

/** What the engine gets for a statement with ASYNC. */
function translated(sql: string): string {
  const classification = classify(sql, parser);
  if (classification.kind !== 'statements') throw new Error(`${classification.kind}: ${sql}`);
  const [{ splices, refusal } = { splices: [], refusal: undefined }] = classification.statements;
  expect(refusal).toBeUndefined();
  return splice(
    sql,
    [...splices].sort((a, b) => a.start - b.start),
  );
}

/** The string constants among the arguments of the one call that the text is. */
function argumentsOf(sql: string): { name: string; texts: (string | undefined)[] } {
  const parsed = parser.parse(sql);
  if (parsed.kind !== 'statements' || parsed.statements.length !== 1) throw new Error(`not one statement: ${sql}`);
  // biome-ignore lint/suspicious/noExplicitAny: a parse tree
  const [target] = (parsed.statements[0]?.node as any).targetList;
  const { funcname, args } = target.ResTarget.val.FuncCall;
  return {
    name: funcname.map((part: { String: { sval: string } }) => part.String.sval).join('.'),
    texts: args.map((arg: { A_Const: { sval?: { sval: string } } }) => arg.A_Const.sval?.sval),
  };
}

describe('a statement with ASYNC', () => {
  /** Pieces that could end a constant too early. */
  const piece = fc.constantFrom(
    '$q0$',
    '$q0',
    '$q1$',
    '$',
    '$$',
    "''",
    '\\',
    'q0$',
    ' ',
    'é',
    '--',
    '/*',
    '*/',
    ';',
    '$q',
  );
  const text = fc.array(piece, { maxLength: 12 }).map((pieces) => Buffer.from(pieces.join('')).toString('latin1'));

  it('becomes one call with its own text in constants, whatever the text is', () => {
    fc.assert(
      fc.property(text, text, text, (constant, comment, name) => {
        const quoted = `"n${name}"`;
        const line = comment.replaceAll('\n', '');
        const sql = `CREATE INDEX ASYNC i ON s.${quoted} (a) WHERE b = '${constant}' -- ${line}`;
        const { name: called, texts } = argumentsOf(translated(sql));
        expect(called).toBe('sys.create_index_async');
        const [head, schema, table, tail] = texts;
        expect(head).toBe('CREATE INDEX /*postern:async*/ i ON ');
        expect(schema).toBe('s');
        expect(Buffer.from(table ?? '').toString('latin1')).toBe(`n${name}`);
        expect(Buffer.from(tail ?? '').toString('latin1')).toBe(` (a) WHERE b = '${constant}' -- ${line}`);
      }),
      { numRuns: 500 },
    );
  });

  it('becomes one call for a validation, too', () => {
    fc.assert(
      fc.property(text, text, (name, comment) => {
        const sql = `ALTER TABLE ASYNC "n${name}" VALIDATE CONSTRAINT "c${name}" -- ${comment}`;
        const { name: called, texts } = argumentsOf(translated(sql));
        expect(called).toBe('sys.validate_constraint_async');
        expect(texts.slice(2, 4).map((one) => Buffer.from(one ?? '').toString('latin1'))).toEqual([
          `n${name}`,
          `c${name}`,
        ]);
      }),
      { numRuns: 200 },
    );
  });

  it('has names in constants that read the same in any setting', () => {
    expect(byteLiteral(`a'\\é`)).toBe(Buffer.from(` E'a\\'\\\\é'`).toString('latin1'));
  });
});
