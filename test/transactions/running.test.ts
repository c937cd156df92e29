import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { Schedule, WAYS } from './schedule.ts';

const OC000 = '40001 change conflicts with another transaction (OC000)';
/** Of a statement that is under way while others do all that they have to do. */
const LONG = 'pg_sleep(2)';

let postern: TestServer;
let schedule: Schedule;
beforeAll(async () => {
  postern = await startTestServer();
  schedule = new Schedule(postern);
  await schedule.run('setup: CREATE TABLE t (id int PRIMARY KEY, a int)');
});
afterAll(async () => {
  await schedule?.end();
  await postern?.stop();
});
beforeEach(async () => {
  await schedule.run('setup: INSERT INTO t VALUES (1, 10), (2, 20)');
});
afterEach(async () => {
  await schedule.rollback();
  await schedule.run('setup: DELETE FROM t');
});

/** Resolves when the statement that takes long is at it. */
async function atWork(): Promise<void> {
  for (let count = '0'; count === '0'; )
    count = /\((\d+)\)$/.exec(
      await schedule.run("setup: SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"),
    )?.[1] as string;
}

/** Runs lines one after the other, and says what was answered in the order in which it was. */
async function inOrder(lines: readonly (string | readonly ['meanwhile', string])[], way: (typeof WAYS)[number]) {
  const answers: string[] = [];
  const under: Promise<unknown>[] = [];
  for (const line of lines) {
    const text = typeof line === 'string' ? line : line[1];
    const answered = schedule
      .run(text, text.includes(';') ? 'simple' : way)
      .then((outcome) => answers.push(`${text.slice(0, 1)} ${outcome}`));
    if (typeof line === 'string') {
      await answered;
    } else {
      under.push(answered);
      await atWork();
    }
  }
  await Promise.all(under);
  return answers;
}

it.each(WAYS)('a statement does not wait for a transaction that is at work: %s', async (way) => {
  const answers = await inOrder(
    [
      'a: BEGIN',
      'a: UPDATE t SET a = 11 WHERE id = 1',
      ['meanwhile', `a: SELECT a, ${LONG} FROM t WHERE id = 1`],
      'b: BEGIN',
      'b: UPDATE t SET a = 12 WHERE id = 1 RETURNING a',
      'b: COMMIT',
    ],
    way,
  );
  expect(answers).toEqual(['a BEGIN', 'a UPDATE 1', 'b BEGIN', 'b UPDATE 1 (12)', 'b COMMIT', 'a SELECT 1 (11,)']);
  expect(await schedule.run('a: COMMIT')).toBe(OC000);
});

it('and the one at work wins where it commits first', async () => {
  const answers = await inOrder(
    [
      'a: BEGIN',
      'b: BEGIN',
      ['meanwhile', `a: UPDATE t SET a = 11 WHERE id = 1 AND ${LONG} IS NOT NULL`],
      'b: UPDATE t SET a = 12 WHERE id IN (1, 2) RETURNING a',
    ],
    'extended',
  );
  expect(answers).toEqual(['a BEGIN', 'b BEGIN', 'b UPDATE 2 (12) (12)', 'a UPDATE 1']);
  expect(await schedule.run('a: COMMIT')).toBe('COMMIT');
  expect(await schedule.run('b: COMMIT')).toBe(OC000);
});

it.each(WAYS)('a statement by itself that is at work is done again: %s', async (way) => {
  const answers = await inOrder(
    [
      ['meanwhile', `a: UPDATE t SET a = a + 1 WHERE id = 1 RETURNING a, ${LONG}`],
      'b: UPDATE t SET a = 20 WHERE id = 1 RETURNING a',
    ],
    way,
  );
  expect(answers).toEqual(['b UPDATE 1 (20)', 'a UPDATE 1 (21,)']);
});

it('so are several in one string', async () => {
  const answers = await inOrder(
    [['meanwhile', `a: UPDATE t SET a = a + 1 WHERE id = 1; SELECT ${LONG}`], 'b: UPDATE t SET a = 12 WHERE id = 1'],
    'simple',
  );
  expect(answers).toEqual(['b UPDATE 1', 'a SELECT 1 ()']);
  expect(await schedule.run('b: SELECT a FROM t WHERE id = 1')).toBe('SELECT 1 (13)');
});

it('what has told its client too much keeps what it has, and who would wait for it conflicts', async () => {
  const answers = await inOrder(
    [
      'a: BEGIN',
      'a: UPDATE t SET a = 11 WHERE id = 1',
      ['meanwhile', `a: SELECT repeat('x', 100000) FROM t; SELECT ${LONG}`],
      'b: UPDATE t SET a = 12 WHERE id = 1',
    ],
    'simple',
  );
  expect(answers.map((answer) => answer.slice(0, 100).trim())).toEqual([
    'a BEGIN',
    'a UPDATE 1',
    `b ${OC000}`,
    expect.stringMatching(/^a SELECT 1 /),
  ]);
  expect(await schedule.run('a: COMMIT')).toBe('COMMIT');
});
