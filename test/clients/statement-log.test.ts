import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../harness/server.ts';

let postern: TestServer;
let client: pg.Client;
beforeAll(async () => {
  postern = await startTestServer({ statementLog: 'on' });
  client = await postern.connect();
});
afterAll(() => postern.stop());

const SECRET = 'hunter2';

function text(): string {
  const folder = join(postern.options.dataDir, 'statements');
  return readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('');
}

/** The lines since the last time, once there are so many. */
let seen = 0;
async function next(count: number): Promise<Record<string, unknown>[]> {
  const all = () =>
    readdirSync(postern.options.dataDir).includes('statements') ? text().split('\n').slice(0, -1) : [];
  await expect.poll(() => all().length, { timeout: 10_000 }).toBeGreaterThanOrEqual(seen + count);
  const fresh = all().slice(seen);
  seen += fresh.length;
  return fresh.map((line) => JSON.parse(line));
}

describe('the statement log', () => {
  it('has who ran what, how it ended and how long it took', async () => {
    await client.query('SELECT 1 AS one');
    const [line] = await next(1);
    expect(line).toMatchObject({
      principal: 'arn:aws:iam::123456789012:root',
      role: 'admin',
      cluster: postern.server.clusterId,
      text: 'SELECT ? AS one',
      tags: ['SELECT 1'],
    });
    expect(line?.['durationMs']).toBeGreaterThan(0);
    const accepted = postern.log.find(({ event }) => event === 'login.accepted');
    expect(line?.['connectionId']).toBe(accepted?.['connectionId']);
  });

  it('has no constant and no parameter, in either protocol', async () => {
    await client.query('CREATE TABLE people (id int PRIMARY KEY, name text)');
    await client.query(`INSERT INTO people VALUES (1, '${SECRET}') -- ${SECRET}`);
    await client.query('INSERT INTO people VALUES ($1, $2)', [2, SECRET]);
    await client.query({ name: 'find', text: 'SELECT id FROM people WHERE name = $1', values: [SECRET] });
    await client.query({ name: 'find', text: 'SELECT id FROM people WHERE name = $1', values: [SECRET] });
    const lines = await next(5);
    expect(lines.map((line) => [line['text'], line['tags']])).toEqual([
      ['CREATE TABLE people (id int PRIMARY KEY, name text)', ['CREATE TABLE']],
      ['INSERT INTO people VALUES (?, ?)', ['INSERT 0 1']],
      ['INSERT INTO people VALUES ($1, $2)', ['INSERT 0 1']],
      ['SELECT id FROM people WHERE name = $1', ['SELECT 2']],
      ['SELECT id FROM people WHERE name = $1', ['SELECT 2']],
    ]);
    expect(text()).not.toContain(SECRET);
  });

  it('has refusals of the database and of the dialect with the SQLSTATE that the client got', async () => {
    const codes: string[] = [];
    for (const sql of [`SELECT '${SECRET}'::int`, 'TRUNCATE people', 'SELECT nothing', `SELECT ${SECRET}'`]) {
      await client.query(sql).catch(({ code }: pg.DatabaseError) => codes.push(code as string));
      await client.query(sql, []).catch(() => undefined);
    }
    const lines = await next(8);
    expect(lines.map(({ error }) => error)).toEqual(codes.flatMap((code) => [code, code]));
    expect(lines[2]).toMatchObject({ text: 'TRUNCATE people', tags: [] });
  });

  it('has AWS IAM statements as the client wrote them, their tags as it got them', async () => {
    await client.query('CREATE ROLE app WITH LOGIN');
    await client.query("AWS IAM GRANT app TO 'arn:aws:iam::123456789012:user/u'");
    const [, line] = await next(2);
    expect(line).toMatchObject({ text: 'AWS IAM GRANT app TO ?', tags: ['AWS IAM GRANT'] });
  });

  it('begins and ends with the sessions that are opened while it is on', async () => {
    const { options, reload } = postern.server;
    await reload(() => ({ ...options, statementLog: 'off' }));
    const quiet = await postern.connect();
    await quiet.query('SELECT 1 AS quiet');
    await reload(() => options);
    const told = await postern.connect();
    await told.query('SELECT 1 AS told');
    expect((await next(1)).map((line) => line['text'])).toEqual(['SELECT ? AS told']);
    await quiet.end();
    expect(text()).not.toContain('quiet');
  });
});
