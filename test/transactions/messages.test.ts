/** Random messages, of which a client may send any in any order: what comes is what PostgreSQL alone answers. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { decodeFields } from '../../src/pgwire/fields.ts';
import { int32, message } from '../../src/pgwire/messages.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { type Frame, WireClient } from '../harness/wire.ts';

/** Sequences; more by POSTERN_TEST_SEQUENCES. */
const RUNS = Number(process.env['POSTERN_TEST_SEQUENCES'] ?? 60);
/** In ms: what nothing takes. */
const BOUND = 8_000;

const text = (...parts: string[]) => Buffer.from(parts.map((part) => `${part}\0`).join(''), 'latin1');
const int16 = (value: number) => int32(value).subarray(2);
const parse = (name: string, sql: string) => message('P', text(name, sql), int16(0));
const bind = (portal: string, name: string) => message('B', text(portal, name), int16(0), int16(0), int16(0));
const execute = (portal: string, rows = 0) => message('E', text(portal), int32(rows));

const TEXTS = [
  'SELECT 1',
  'SELECT n FROM generate_series(1, 5) n',
  'INSERT INTO rows VALUES (1), (2) RETURNING n',
  'UPDATE rows SET n = n + 1',
  'DELETE FROM rows WHERE n > 1',
  'SELECT n FROM rows ORDER BY n FOR UPDATE',
  'BEGIN',
  'COMMIT',
  'ROLLBACK',
  'SELECT 1/0',
  'SELECT nosuch',
  'SELECT FROM WHERE',
  'COPY rows FROM STDIN',
  'COPY rows TO STDOUT',
  '',
];
const STRINGS = [
  ...TEXTS,
  'INSERT INTO rows VALUES (7); SELECT 1',
  'BEGIN; INSERT INTO rows VALUES (8); COMMIT',
  'INSERT INTO rows VALUES (9); SELECT 1/0; SELECT 2',
  'INSERT INTO rows VALUES (10); BEGIN; SELECT 3',
  'COMMIT; INSERT INTO rows VALUES (11)',
];

const named = fc.constantFrom('', '', 's');
const anyText = fc.constantFrom(...TEXTS);
const portal = fc.constantFrom('', '', 'p');
const rows = fc.constantFrom(0, 0, 2);

/** Messages that often come together. */
const statement = fc
  .tuple(named, anyText, portal, rows)
  .map(([name, sql, to, count]) => [
    parse(name, sql),
    bind(to, name),
    message('D', text(`P${to}`)),
    execute(to, count),
  ]);
const single = fc.oneof(
  fc.tuple(named, anyText).map(([name, sql]) => parse(name, sql)),
  fc.tuple(portal, named).map(([to, name]) => bind(to, name)),
  fc.tuple(portal, rows).map(([to, count]) => execute(to, count)),
  portal.map((name) => message('D', text(`P${name}`))),
  named.map((name) => message('D', text(`S${name}`))),
  portal.map((name) => message('C', text(`P${name}`))),
  named.map((name) => message('C', text(`S${name}`))),
  fc.constantFrom(message('S'), message('S'), message('S'), message('H')),
  fc.constantFrom(...STRINGS).map((sql) => message('Q', text(sql))),
  fc.constantFrom(message('d', Buffer.from('5\n6\n')), message('d', Buffer.from('x\n')), message('c')),
);
const bytes = fc
  .array(fc.oneof({ weight: 2, arbitrary: statement }, { weight: 3, arbitrary: single.map((one) => [one]) }), {
    minLength: 1,
    maxLength: 12,
  })
  .map((messages) => messages.flat());

let dsql: TestServer;
let postgres: TestServer;
beforeAll(async () => {
  [dsql, postgres] = await Promise.all([startTestServer(), startTestServer({ dialect: 'postgres' })]);
  for (const server of [dsql, postgres]) await (await server.connect()).query('CREATE TABLE rows (n int)');
});
afterAll(() => Promise.all([dsql?.stop(), postgres?.stop()]));

/** What is compared: no notices, and of errors only what they are. */
function describeFrame({ type, body }: Frame): string | undefined {
  switch (type) {
    case 'N':
    case 'S':
      return undefined;
    case 'E': {
      const fields = decodeFields(body);
      return `E ${fields.get('C')} ${fields.get('M')}`;
    }
    case 'T':
      return 'T';
    default:
      return `${type} ${body.toString('latin1').replace(/[^ -~]/g, '.')}`;
  }
}

async function answers(server: TestServer, messages: readonly Buffer[], pieces: number): Promise<string[]> {
  const client = await WireClient.tls(server.server.pgPort, { ca: server.ca });
  try {
    await client.login({ user: 'admin' }, server.token('admin'));
    client.query('DELETE FROM rows');
    await client.until('Z');
    const all = Buffer.concat([...messages, message('f', text('enough')), message('S')]);
    for (let at = 0; at < all.length; at += Math.ceil(all.length / pieces))
      client.send(all.subarray(at, at + Math.ceil(all.length / pieces)));
    client.send(message('Q', text('ROLLBACK')), message('Q', text("SELECT 'end', count(*), sum(n) FROM rows")));
    const frames: string[] = [];
    for (let isEnd = false; ; ) {
      const frame = await client.frame().catch(() => undefined);
      // As PostgreSQL does where it has lost its place; what it said before may be lost with the connection.
      if (!frame) return ['closed'];
      const described = describeFrame(frame);
      if (described !== undefined) frames.push(described);
      isEnd ||= frame.type === 'D' && frame.body.includes('end');
      if (isEnd && frame.type === 'Z') return frames;
    }
  } finally {
    client.end();
  }
}

async function inTime<Result>(work: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer')), BOUND);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

const LATE_BEGIN = 'E 0A000 BEGIN after other statements of the same request is not supported';

const show = (messages: readonly Buffer[]) =>
  messages.map((one) => one.toString('latin1').replace(/[^ -~]/g, '.')).join(' | ');

it(
  'are answered as PostgreSQL answers them',
  async () => {
    await fc.assert(
      fc.asyncProperty(bytes, fc.constantFrom(1, 1, 3), async (messages, pieces) => {
        const expected = await answers(postgres, messages, pieces);
        const came = await inTime(answers(dsql, messages, pieces)).catch(({ message: said }) => [said]);
        // Refused on purpose, docs/differences.md.
        fc.pre(!came.includes(LATE_BEGIN));
        expect({ sent: show(messages), came }).toEqual({ sent: show(messages), came: expected });
      }),
      { seed: Number(process.env['POSTERN_TEST_SEED'] ?? 3), numRuns: RUNS },
    );
  },
  Math.max(120_000, RUNS * 3_000),
);
