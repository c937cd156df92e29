import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { Schedule } from './schedule.ts';

const CONFLICT = '40001 change conflicts with another transaction (OC000)';
let server: TestServer;
let schedule: Schedule;

beforeAll(async () => {
  server = await startTestServer({ injectConflicts: { allowed: true, rule: { table: 'orders', every: 2 } } });
  schedule = new Schedule(server);
  await schedule.run('a: CREATE TABLE orders (id int)');
  await schedule.run('a: CREATE TABLE others (id int)');
});
afterAll(async () => {
  await schedule?.end();
  await server?.stop();
});

const outcomes = async (...lines: string[]) => {
  const said: string[] = [];
  for (const line of lines) said.push(await schedule.run(line));
  return said;
};

describe('conflicts that are feigned', () => {
  it('come as the server was started: with every second commit that writes the table', async () => {
    expect(
      await outcomes(
        'a: BEGIN',
        'a: INSERT INTO orders VALUES (1)',
        'a: COMMIT',
        'a: BEGIN',
        'a: INSERT INTO orders VALUES (2)',
        'a: COMMIT',
        'a: SELECT * FROM orders',
        'a: INSERT INTO others VALUES (1)',
        'a: UPDATE orders SET id = 3',
        'a: UPDATE orders SET id = 4',
        'a: SELECT * FROM orders',
      ),
    ).toEqual([
      'BEGIN',
      'INSERT 0 1',
      'COMMIT',
      'BEGIN',
      'INSERT 0 1',
      CONFLICT,
      'SELECT 1 (1)',
      'INSERT 0 1',
      'UPDATE 1',
      CONFLICT,
      'SELECT 1 (3)',
    ]);
  });

  it('come as admin asks for, and no more', async () => {
    expect(
      await outcomes(
        'a: CALL sys.inject_conflicts(probability => 1, "table" => \'others\')',
        'b: INSERT INTO others VALUES (2)',
        'b: INSERT INTO orders VALUES (2)',
        'b: BEGIN',
        'b: SELECT count(*) FROM others',
        'b: COMMIT',
        'a: CALL sys.inject_conflicts()',
        'b: INSERT INTO others VALUES (2)',
        'b: CALL sys.inject_conflicts(every => 0)',
      ),
    ).toEqual([
      'CALL',
      CONFLICT,
      'INSERT 0 1',
      'BEGIN',
      'SELECT 1 (1)',
      'COMMIT',
      'CALL',
      'INSERT 0 1',
      '22023 every must be 1 or more',
    ]);
  });

  it('are no business of clients where the server was not told so', async () => {
    const other = await startTestServer();
    const plain = new Schedule(other);
    for (const protocol of ['simple', 'extended'] as const) {
      expect(await plain.run('a: CALL sys.inject_conflicts(every => 1)', protocol)).toBe(
        '0A000 conflict injection is not allowed by this server',
      );
    }
    await plain.end();
    await other.stop();
  });
});
