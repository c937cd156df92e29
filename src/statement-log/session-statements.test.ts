import { describe, expect, it } from 'vitest';
import { SessionStatements } from './session-statements.ts';
import type { StatementEntry } from './statement-log.ts';

/** A session that is followed, message by message: `>` from the client, `<` from the engine, `+` so many ms later. */
function follow(script: string): Partial<StatementEntry>[] {
  const told: Partial<StatementEntry>[] = [];
  let now = 0;
  const statements = new SessionStatements(
    { statement: ({ text, durationMs, tags, error }) => void told.push({ text, durationMs, tags, error }) },
    { connectionId: 'c', principal: 'p', role: 'r', cluster: 'k' },
    () => now,
  );
  for (const line of script.trim().split('\n')) {
    const [, way, type = '', rest = ''] = /^\s*([<>+])\s*(\S+) ?(.*)$/.exec(line) ?? [];
    if (way === '+') {
      now += Number(type);
      continue;
    }
    const body = Buffer.from(rest.replaceAll('|', '\0'), 'latin1');
    const frame = Buffer.alloc(5 + body.length);
    frame.write(type, 0, 'latin1');
    frame.writeInt32BE(4 + body.length, 1);
    body.copy(frame, 5);
    if (way === '>') statements.clientSent(frame);
    else statements.clientGot(frame);
  }
  return told;
}

const ended = (text: string | undefined, durationMs: number, ...tags: string[]) => ({
  text,
  durationMs,
  tags,
  error: undefined,
});
const failed = (text: string | undefined, durationMs: number, error: string, ...tags: string[]) => ({
  text,
  durationMs,
  tags,
  error,
});

describe('the statements of a session', () => {
  it.each<[string, string, Partial<StatementEntry>[]]>([
    ['a simple query', '> Q SELECT 1|\n+ 5\n< C SELECT 1|\n< Z I', [ended('SELECT ?', 5, 'SELECT 1')]],
    [
      'a string of several, up to its error',
      '> Q BEGIN; SELECT 1; x|\n< C BEGIN|\n< C SELECT 1|\n+ 1\n< E SERROR|C42601|Mno||\n< Z E',
      [failed('BEGIN; SELECT ?; x', 1, '42601', 'BEGIN', 'SELECT 1')],
    ],
    ['an empty one', '> Q |\n< I \n< Z I', [ended('', 0)]],
    [
      'the extended protocol, executed twice',
      `> P s|SELECT 'x', $1|
       > B p|s|
       > E p|
       > S
       + 2
       < 1
       < 2
       < C SELECT 1|
       < Z I
       > B p|s|
       > E p|
       > S
       < 2
       + 3
       < C SELECT 1|
       < Z I`,
      [ended('SELECT ?, $1', 2, 'SELECT 1'), ended('SELECT ?, $1', 3, 'SELECT 1')],
    ],
    [
      'a pipeline: each from the end of the one before',
      `> P |a|
       > B ||
       > E |
       > P |b|
       > B ||
       > E |
       > S
       < 1
       < 2
       + 10
       < C A|
       < 1
       < 2
       + 1
       < C B|
       < Z I`,
      [ended('a', 10, 'A'), ended('b', 1, 'B')],
    ],
    [
      'an error in a pipeline, and what is skipped for it',
      `> P |a|
       > B ||
       > E |
       > P |b|
       > Q skipped|
       > S
       > Q c|
       < 1
       < 2
       < E C23505||
       < Z I
       < C C|
       < Z I`,
      [failed('a', 0, '23505'), ended('c', 0, 'C')],
    ],
    ['a text that is wrong', '> P |x|\n> S\n< E C42601||\n< Z I', [failed('x', 0, '42601')]],
    ['values that are wrong', '> P |x|\n> B ||\n> S\n< 1\n< E C22P02||\n< Z I', [failed('x', 0, '22P02')]],
    [
      'a commit that fails at Sync',
      '> P |x|\n> B ||\n> E |\n> S\n< 1\n< 2\n< C INSERT 0 1|\n+ 4\n< E C40001||\n< Z I\n> Q y|\n< C Y|\n< Z I',
      [ended('x', 0, 'INSERT 0 1'), failed('x', 4, '40001'), ended('y', 0, 'Y')],
    ],
    [
      'values too long to be read: a text that is not known is not guessed',
      '> P |x|\n> B ||\n> E |\n> S\n< 1\n< 2\n< C X|\n< Z I\n> E |\n> S\n< 2\n< C Y|\n< Z I',
      [ended('x', 0, 'X'), ended(undefined, 0, 'Y')],
    ],
    [
      'a portal that is read in parts',
      '> P |x|\n> B ||\n> E |\n> S\n< 1\n< 2\n< s \n< Z T',
      [ended('x', 0, 'PortalSuspended')],
    ],
    ['the end of an idle session', '< E C57P01||', []],
    ['a message without its end', '> Q SELECT 1\n< C SELECT 1|\n< Z I', [ended('SELECT ?', 0, 'SELECT 1')]],
  ])('%s', (_, script, entries) => {
    expect(follow(script)).toEqual(entries);
  });

  it('forgets the oldest texts when a client prepares ever more', () => {
    const column = 'a, '.repeat(2000);
    const lines = Array.from({ length: 300 }, (_, i) => `> P s${i}|SELECT ${column}b|\n> S\n< 1\n< Z I`);
    const use = (name: string) => `> B |${name}|\n> E |\n> S\n< 2\n< C SELECT 1|\n< Z I`;
    const entries = follow([...lines, use('s0'), use('s299')].join('\n'));
    expect(entries.map(({ text }) => text?.slice(0, 8))).toEqual([undefined, 'SELECT a']);
  });

  it('forgets the oldest when their names are what is long, or when there are many without a text', () => {
    const use = (name: string) => `> B |${name}|\n> E |\n> S\n< 2\n< C SELECT 1|\n< Z I`;
    const named = (i: number) => `s${i}${'x'.repeat(10_000)}`;
    const long = Array.from({ length: 300 }, (_, i) => `> P ${named(i)}|SELECT a|\n> S\n< 1\n< Z I`);
    expect(follow([...long, use(named(0)), use(named(299))].join('\n')).map(({ text }) => text)).toEqual([
      undefined,
      'SELECT a',
    ]);
    const empty = Array.from({ length: 20_000 }, (_, i) => `> P s${i}||\n> S\n< 1\n< Z I`);
    expect(follow([...empty, use('s0'), use('s19999')].join('\n')).map(({ text }) => text)).toEqual([undefined, '']);
  });

  it('forgets portals with their transaction, and when their names are what is long', () => {
    const bind = (name: string) => `> B ${name}|s|\n> S\n< 2\n< Z T`;
    const named = (i: number) => `p${i}${'x'.repeat(100_000)}`;
    const binds = Array.from({ length: 11 }, (_, i) => bind(named(i)));
    const run = (name: string) => `> E ${name}|\n> S\n< C SELECT 1|\n< Z I`;
    const script = ['> P s|SELECT a|\n> S\n< 1\n< Z T', ...binds, run(named(0)), bind('q'), run('q'), run('q')];
    expect(follow(script.join('\n')).map(({ text }) => text)).toEqual([undefined, 'SELECT a', undefined]);
  });

  it('do not grow with what a client sends and the server reads over, and not without end with what it sends ahead', () => {
    const told: (string | undefined)[] = [];
    const open = () =>
      new SessionStatements(
        { statement: ({ text }) => void told.push(text) },
        { connectionId: 'c', principal: 'p', role: 'r', cluster: 'k' },
        () => 0,
      );
    const execute = Buffer.from('E\0\0\0\x09\0\0\0\0\0', 'latin1');
    const executes = Buffer.concat(new Array<Buffer>(100_000).fill(execute));
    const query = Buffer.from('Q\0\0\0\x0dSELECT 1\0', 'latin1');
    const answer = Buffer.from('C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I', 'latin1');
    const failing = open();
    failing.clientSent(execute);
    failing.clientGot(Buffer.from('E\0\0\0\x0cC42601\0\0', 'latin1'));
    for (let i = 0; i < 10; i++) failing.clientSent(executes);
    failing.clientSent(Buffer.from('S\0\0\0\x04', 'latin1'));
    failing.clientGot(Buffer.from('Z\0\0\0\x05I', 'latin1'));
    failing.clientSent(query);
    failing.clientGot(answer);
    expect(told).toEqual([undefined, 'SELECT ?']);
    told.length = 0;
    const ahead = open();
    for (let i = 0; i < 10; i++) ahead.clientSent(executes);
    ahead.clientSent(query);
    ahead.clientGot(answer);
    expect(told).toEqual(['(not followed any further: too many messages ahead)']);
  });

  it('reads texts in the encoding that the server has reported', () => {
    const sjis = "> Q SELECT E'\u0095\\', 'secret', 'x'|\n< C SELECT 1|\n< Z I";
    const shown = (encoding: string) => follow(`< S client_encoding|${encoding}|\n${sjis}`)[0]?.text;
    for (const encoding of ['SJIS', 'UTF8']) expect(shown(encoding)).toMatch(/^\(not shown/);
  });

  it('are found however the bytes are cut, and not looked for where there are no messages', () => {
    const told: (string | undefined)[] = [];
    const statements = new SessionStatements(
      { statement: ({ text }) => void told.push(text) },
      { connectionId: 'c', principal: 'p', role: 'r', cluster: 'k' },
      () => 0,
    );
    const query = Buffer.from('Q\0\0\0\x0dSELECT 1\0', 'latin1');
    const answer = Buffer.from('C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I', 'latin1');
    for (const byte of query) statements.clientSent(Buffer.from([byte]));
    for (const byte of answer) statements.clientGot(Buffer.from([byte]));
    expect(told).toEqual(['SELECT ?']);
    statements.clientSent(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    statements.clientSent(Buffer.from('\0\0\0\0\0\0\0\0\0\0'));
    statements.clientSent(query);
    statements.clientGot(answer);
    expect(told).toEqual(['SELECT ?']);
  });
});
