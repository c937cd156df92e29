import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { readCases } from './cases.ts';
import { Schedule, WAYS } from './schedule.ts';

const FIXTURE = [
  'DROP SCHEMA IF EXISTS w CASCADE',
  'CREATE SCHEMA w',
  'CREATE TABLE t (id int PRIMARY KEY, a int, b text, u int UNIQUE)',
  'CREATE TABLE child (id int PRIMARY KEY, t int REFERENCES t)',
  'CREATE TABLE many (n int)',
  'CREATE TABLE keyed (n int PRIMARY KEY)',
  'CREATE TABLE long (b text)',
  'CREATE TABLE parent (id int PRIMARY KEY, a int)',
  'CREATE TABLE cascading (id int PRIMARY KEY, p int REFERENCES parent ON DELETE CASCADE)',
  'CREATE TABLE nulling (id int PRIMARY KEY, p int REFERENCES parent ON DELETE SET NULL)',
  'INSERT INTO t (id, a, u) VALUES (1, 10, 1), (2, 20, 2), (3, 30, 3)',
  'INSERT INTO parent VALUES (1, 10), (2, 20)',
];

let postern: TestServer;
let schedule: Schedule;
beforeAll(async () => {
  postern = await startTestServer();
  await (await postern.connect()).query('CREATE ROLE reader WITH LOGIN');
});
afterAll(() => postern?.stop());
beforeEach(async () => {
  schedule = new Schedule(postern, ['SET search_path = w, public']);
  for (const sql of FIXTURE) await schedule.run(`setup: ${sql}`);
});
afterEach(() => schedule.end());

describe.each(['rules.txt', 'conflicts.txt'])('%s', (file) => {
  describe.each(WAYS)('%s', (way) => {
    it.each(readCases(file))('$title', async ({ lines }) => {
      for (const { text, outcome } of lines) {
        // Several statements go by the simple protocol only.
        const came = await schedule.run(text, text.includes(';') ? 'simple' : way);
        const what = text.slice(0, 200);
        if (outcome === undefined) expect(`${what} => ${came}`).not.toMatch(/ => [0-9A-Z]{5} /);
        else expect(`${what} => ${came}`).toBe(`${what} => ${outcome}`);
      }
    });
  });
});
