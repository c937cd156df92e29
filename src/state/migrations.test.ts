import type pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectTo, startTestEngine, type TestEngine } from '../engine/embedded/test-engine.ts';
import { load } from './control-rows.ts';
import { MIGRATIONS, migrate } from './migrations.ts';

let engine: TestEngine;
let client: pg.Client;
beforeAll(async () => {
  engine = await startTestEngine();
  client = await connectTo(engine.socketPath, 'postern');
});
afterAll(async () => {
  await client?.end();
  await engine?.stop();
});

it('gives the rows of an older schema what newer ones have', async () => {
  await migrate(client, MIGRATIONS.slice(0, 1));
  const old = {
    account: { this: { account: '123456789012', region: 'eu-west-1' } },
    users: { ann: { name: 'Ann', policies: { p: '{}' } } },
    roles: { reader: { name: 'reader' } },
    clusters: { abc: { id: 'abc', tags: { team: 'a' } } },
  };
  for (const [table, rows] of Object.entries(old)) {
    for (const [key, body] of Object.entries(rows)) {
      await client.query(`insert into postern.${table} (key, body) values ($1, $2)`, [key, JSON.stringify(body)]);
    }
  }
  await migrate(client);
  const { tables } = await load(client);
  expect(tables.get('users', 'ann')).toEqual({
    name: 'Ann',
    policies: { p: '{}' },
    attached: [],
    boundary: null,
    groups: [],
  });
  expect(tables.get('roles', 'reader')).toEqual({ name: 'reader', attached: [], boundary: null });
  expect(tables.get('clusters', 'abc')).toEqual({
    id: 'abc',
    tags: { team: 'a' },
    region: 'eu-west-1',
    status: 'ACTIVE',
    policy: null,
    kmsKey: null,
    multiRegion: null,
    database: 'abc',
    madeBy: null,
  });
});
