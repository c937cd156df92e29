import { describe, expect, it } from 'vitest';
import { cstring, int32, message } from '../pgwire/messages.ts';
import type { Statement } from '../sql/classify.ts';
import { Parser } from '../sql/parse.ts';
import type { PreparedStatement } from './prepared.ts';
import { readText } from './reading.ts';
import {
  changesFor,
  closingBytes,
  extendedSteps,
  joinedStep,
  meanTheSame,
  namesPrepared,
  type Piece,
  PLAIN,
  refusalStep,
  requestBytes,
  type Step,
  simpleSteps,
  type Writer,
  type Writing,
} from './steps.ts';
import { translate } from './translate.ts';

const parser = await Parser.create();
const reading = (sql: string) => readText(sql, parser);
const none = Buffer.alloc(2);
const REFUSAL = { sqlstate: '0A000', message: 'no' };

const writer: Writer = {
  text: (original, known, writing, { range }) =>
    translate(
      original,
      { role: 'r', standardConformingStrings: true },
      () => 'refused',
      known,
      changesFor(original, known, writing, range),
    )?.sql,
  refusal: () => 'refused',
};

/** Types and texts of messages, in short. */
function show(bytes: Buffer): string[] {
  const shown: string[] = [];
  for (let at = 0; at < bytes.length; at += 1 + bytes.readInt32BE(at + 1)) {
    const body = bytes.toString('latin1', at + 5, at + 1 + bytes.readInt32BE(at + 1));
    shown.push(`${String.fromCharCode(bytes[at] as number)} ${body.replace(/[^ -~]+/g, ' ').trim()}`.trim());
  }
  return shown;
}

const simple = (sql: string) => simpleSteps(sql, reading(sql), writer);
const texts = (steps: readonly Step[], writing: Writing = PLAIN) => steps.map((step) => show(step.bytes(writing)));

const prepared = (original: string, name = ''): PreparedStatement => ({
  name,
  original,
  reading: reading(original),
  types: none,
});
const parse = (query: PreparedStatement): Piece => ({ bytes: Buffer.alloc(0), type: 0x50, query });
const bind = (bound: PreparedStatement): Piece => ({
  bytes: message('B', cstring(''), cstring(bound.name), none, none, none),
  type: 0x42,
  bound,
});
const execute = ({ reading: { classification } }: PreparedStatement, rows = 0): Piece => ({
  bytes: message('E', cstring(''), int32(rows)),
  type: 0x45,
  statement: classification.kind === 'statements' ? classification.statements[0] : undefined,
});
const close = (name: string): Piece => ({ bytes: message('C', Buffer.from('S'), cstring(name)), type: 0x43 });
const run = (sql: string, rows?: number): Piece[] => {
  const query = prepared(sql);
  return [parse(query), bind(query), execute(query, rows)];
};
const extended = (pieces: readonly Piece[], inBlock = false) => extendedSteps(pieces, true, inBlock, writer);
const sqlOf = (steps: readonly Step[]) =>
  texts(steps).map((messages) => messages.filter((one) => one.startsWith('P')).map((one) => one.slice(2)));

describe('a string of statements', () => {
  it('is one step, unless a transaction begins or ends in it', () => {
    expect(texts(simple('SELECT 1; SELECT 2'))).toEqual([['Q SELECT 1; SELECT 2']]);
    expect(simple('BEGIN; SELECT 1; SELECT 2; COMMIT').map(({ verb }) => verb)).toEqual(['begin', undefined, 'commit']);
  });

  it('keeps positions, since the rest of it is blank', () => {
    const sql = 'BEGIN; SELECT 1; COMMIT';
    const sent = simple(sql).map((step) => step.bytes(PLAIN).toString('latin1', 5));
    expect(sent.map((text) => text.length)).toEqual([24, 24, 24]);
    expect(sent.map((text) => text.indexOf('SELECT'))).toEqual([-1, 7, -1]);
  });

  it('counts what each step is of it, and holds all of it in each', () => {
    const sql = `BEGIN; INSERT INTO t VALUES ('${'x'.repeat(1_000)}'); COMMIT`;
    const steps = simple(sql);
    expect(steps[0]?.size).toBeLessThan(10);
    expect(steps[1]?.size).toBeGreaterThan(1_000);
    for (const { holds } of steps) expect(holds).toBeGreaterThanOrEqual(sql.length);
  });

  it('says what is refused and what is meant of another schema, in the place of its statement', () => {
    const [step] = simple('SELECT a FROM public.t; SELECT 2');
    const second = step?.statements[1] as Statement;
    const writing = { refused: new Map([[second, REFUSAL]]), shadowed: new Set(['t']), again: false };
    expect(texts([step as Step], writing)).toEqual([['Q SELECT a FROM pg_temp."t"; refused']]);
  });

  it('that nobody can read has no statements', () => {
    expect(simple('SELECT FROM WHERE')).toMatchObject([{ verb: undefined, statements: [], tagged: [] }]);
  });
});

describe('messages up to Sync', () => {
  it('are one step with a Sync of its own', () => {
    expect(texts(extended(run('SELECT 1')))).toEqual([['P SELECT 1', 'B', 'E', 'S']]);
  });

  it('end a step with BEGIN, and have COMMIT in one of its own', () => {
    const steps = extended([...run('BEGIN'), ...run('SELECT 1'), ...run('COMMIT'), ...run('SELECT 2')]);
    expect(steps.map(({ verb }) => verb)).toEqual(['begin', undefined, 'commit', undefined]);
    expect(steps.map(({ isEnded }) => isEnded)).toEqual([false, true, false, false]);
    // What COMMIT is bound to is bound before.
    expect(sqlOf(steps)).toEqual([['BEGIN'], ['SELECT 1', 'COMMIT'], [], ['SELECT 2']]);
  });

  it('go with COMMIT where they only bind it, and stay before it where they prepare it', () => {
    const [insert, commit] = [prepared('INSERT INTO t VALUES (1)', 'i'), prepared('COMMIT', 'c')];
    const work = [bind(insert), execute(insert)];
    const kinds = (pieces: readonly Piece[]) =>
      texts(extendedSteps([...pieces], true, true, writer)).map((step) => step.map(([type]) => type).join(''));
    expect(kinds([...work, bind(commit), execute(commit)])).toEqual(['BES', 'BES']);
    expect(kinds([bind(commit), execute(commit)])).toEqual(['BES']);
    expect(kinds([...work, parse(commit), bind(commit), execute(commit)])).toEqual(['BEPS', 'BES']);
  });

  it('need no step for a COMMIT of nothing, but in a block', () => {
    expect(extended(run('COMMIT'))).toHaveLength(1);
    expect(extended(run('COMMIT'), true)).toHaveLength(2);
  });

  it('have COPY … FROM STDIN in a step that has no Sync', () => {
    const steps = extended([...run('SELECT 1'), ...run('COPY t FROM STDIN')]);
    expect(steps.map(({ copiesIn }) => copiesIn)).toEqual([false, true]);
    expect(texts(steps).at(-1)).toEqual(['E', 'H']);
    expect(extended(run('COPY t TO STDOUT'))).toMatchObject([{ copiesIn: false }]);
  });

  it('are partial where some rows are asked for of a statement that writes', () => {
    const insert = 'INSERT INTO t VALUES (1) RETURNING a';
    expect([run(insert, 1), run(insert), run('SELECT 1', 1)].map((pieces) => extended(pieces)[0]?.partial)).toEqual([
      true,
      false,
      false,
    ]);
  });

  it('have command tags of statements and of what nobody has looked at, in their order', () => {
    const unseen: Piece = { bytes: Buffer.alloc(0), queries: 2 };
    const [step] = extended([unseen, ...run(''), ...run('INSERT INTO t VALUES (1)')]);
    expect(step?.tagged.map((statement) => statement?.tag)).toEqual([undefined, undefined, undefined, 'InsertStmt']);
    expect(step?.statements.map(({ tag }) => tag)).toEqual(['InsertStmt']);
  });

  it('fail where a statement is refused, under a name of their own', () => {
    const query = prepared('INSERT INTO t VALUES (1)');
    const [step] = extended([bind(query), execute(query)]);
    const refused = new Map([[step?.statements[0] as Statement, REFUSAL]]);
    expect(texts([step as Step], { ...PLAIN, refused })).toEqual([['B', 'P postern_refusal refused', 'S']]);
  });

  it('hold a text once, and count it', () => {
    const query = prepared(`SELECT '${'x'.repeat(10_000)}'`, 's');
    const [step] = extended([parse(query), bind(query)]);
    expect(step?.size).toBeLessThan(10_100);
    expect(step?.holds).toBeGreaterThan(10_000);
    expect(step?.holds).toBeLessThan(12_000);
    expect(show(step?.bytes(PLAIN) as Buffer)[0]).toBe(`P s ${query.original}`);
  });
});

describe('a step that is done again', () => {
  const named = prepared('SELECT 1', 's');
  const unnamed = prepared('SELECT 2');

  it('neither prepares nor closes by name', () => {
    const [step] = extended([parse(named), bind(named), close('s'), parse(unnamed), bind(unnamed)]);
    expect(texts([step as Step], { ...PLAIN, again: true })).toEqual([['B s', 'P SELECT 2', 'B', 'S']]);
  });

  it('knows what it has prepared by name, before it was known that care is needed as well', () => {
    const unseen: Piece = { bytes: Buffer.alloc(0), prepares: [prepared('SELECT 3', 'early'), unnamed] };
    const [step] = extended([unseen, parse(named)]);
    expect(namesPrepared(step as Step)).toEqual(['early', 's']);
  });

  it('means the same only where its names do', () => {
    const steps = extended([parse(unnamed), bind(unnamed), bind(named)]);
    expect(meanTheSame(steps, () => true)).toBe(true);
    expect(meanTheSame(steps, () => false)).toBe(false);
    expect(meanTheSame(extended([bind(unnamed)]), () => true)).toBe(false);
    expect(meanTheSame(extended([parse(unnamed), parse(prepared('SELECT 4')), bind(unnamed)]), () => true)).toBe(false);
  });
});

describe('a table that has a copy of the session’s own', () => {
  const writing = { ...PLAIN, shadowed: new Set(['t']) };
  const query = prepared('INSERT INTO public.t VALUES (1)', 's');
  const [step] = extended([bind(query), execute(query)]);

  it('has statements prepared for it, under names of ours', () => {
    expect(show(step?.preparation?.(writing) as Buffer)).toEqual([
      'C Spostern_shadow_0',
      'P postern_shadow_0 INSERT INTO pg_temp."t" VALUES (1)',
      'S',
    ]);
    expect(show(step?.bytes(writing) as Buffer)).toEqual(['B postern_shadow_0', 'E', 'S']);
  });

  it('changes nothing for others', () => {
    expect(step?.preparation?.(PLAIN)).toBeUndefined();
    expect(show(step?.bytes({ ...PLAIN, shadowed: new Set(['other']) }) as Buffer)).toEqual(['B s', 'E', 'S']);
  });
});

it('a Query is joined to messages without a Sync between them', () => {
  const [first] = extended(run('INSERT INTO t VALUES (1) RETURNING a', 1));
  const [second] = simple('SELECT a FROM t');
  const joined = joinedStep(first as Step, second as Step);
  expect(texts([joined])).toEqual([['P INSERT INTO t VALUES (1) RETURNING a', 'B', 'E', 'Q SELECT a FROM t']]);
  expect(joined).toMatchObject({ joined: true, partial: true });
  expect(joined.tagged.map((statement) => statement?.tag)).toEqual(['InsertStmt', 'SelectStmt']);
});

it('requests of ours leave the client its unnamed statement and portal', () => {
  expect(show(requestBytes('SELECT 1'))).toEqual([
    'C Ppostern_request',
    'C Spostern_request',
    'P postern_request SELECT 1',
    'B postern_request postern_request',
    'E postern_request',
    'C Ppostern_request',
    'C Spostern_request',
    'S',
  ]);
  expect(show(closingBytes(['a', 'b']))).toEqual(['C Sa', 'C Sb', 'S']);
  expect(texts([refusalStep(REFUSAL, writer)])).toEqual([['P postern_refusal refused', 'S']]);
});
