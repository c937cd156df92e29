import { existsSync, readdirSync, watch } from 'node:fs';
import { join } from 'node:path';
import { CreateClusterCommand, DeleteClusterCommand, DSQLClient, GetClusterCommand } from '@aws-sdk/client-dsql';
import pg from 'pg';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { presignToken } from '../../src/sigv4/presign.ts';
import { cleanUp, makeFolder, type StartedServer, startServerProcess } from '../harness/cli.ts';
import { eventually } from '../harness/clusters.ts';
import { openFiles, postgresBelow, residentMemory, tells } from '../harness/machine.ts';

/** Clusters made, used and deleted in a row; each takes a quarter of a second, or more where others are at work. */
const CLUSTERS = Number(process.env['POSTERN_TEST_CLUSTERS'] ?? 50);

afterAll(cleanUp);

let folder: string;
let server: StartedServer;
/** Sends a request once only: none is to be repeated when the server is killed. */
let dsql: DSQLClient;
const start = async () => {
  server = await startServerProcess(folder, ['--connection-rate', '0']);
  const { AWS_ENDPOINT_URL: endpoint, AWS_REGION: region } = server.environment;
  dsql = new DSQLClient({
    endpoint: endpoint as string,
    region: region as string,
    credentials: keys(),
    maxAttempts: 1,
  });
};
beforeEach(async () => {
  folder = await makeFolder();
  await start();
});

const clusters = () => join(folder, '.postern', 'clusters');
const names = () => readdirSync(clusters()).sort();
const defaultId = () => server.environment['POSTERN_CLUSTER_ID'] as string;

function keys() {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = server.environment;
  return { accessKeyId: accessKeyId as string, secretAccessKey: secretAccessKey as string };
}

async function query(id: string, sql: string): Promise<unknown[]> {
  const host = `${id}.dsql.us-east-1.on.aws`;
  const client = new pg.Client({
    host: '127.0.0.1',
    port: Number(server.environment['PGPORT']),
    database: 'postgres',
    user: 'admin',
    password: presignToken({
      host,
      region: 'us-east-1',
      action: 'DbConnectAdmin',
      credentials: keys(),
      expiresIn: 900,
      now: new Date(),
    }),
    ssl: { rejectUnauthorized: false, servername: host },
  });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const results = await client.query(sql);
    return (Array.isArray(results) ? results.at(-1) : results).rows;
  } finally {
    await client.end();
  }
}

const create = async () => {
  const made = await dsql.send(new CreateClusterCommand({ deletionProtectionEnabled: false }));
  return made.identifier as string;
};
const statusOf = (id: string): Promise<string> =>
  dsql.send(new GetClusterCommand({ identifier: id })).then(
    ({ status }) => status as string,
    (error) => error.name,
  );
const isSoon = (id: string, status: string) =>
  vi.waitFor(async () => expect(await statusOf(id)).toBe(status), eventually);
const remove = (id: string) => dsql.send(new DeleteClusterCommand({ identifier: id }));

/** Resolves as soon as a name like this is in the folder of the databases. */
async function appears(pattern: RegExp): Promise<void> {
  const watcher = watch(clusters());
  try {
    await new Promise<void>((resolve) => {
      const look = () => names().some((name) => pattern.test(name)) && resolve();
      watcher.on('change', look);
      look();
    });
  } finally {
    watcher.close();
  }
}

async function killAndRestart(): Promise<void> {
  await server.stop('SIGKILL');
  await start();
}

describe('a server that is killed while a cluster is made', () => {
  it.each<[string, (id: string) => Promise<void>]>([
    ['when it has only said that it will be', async () => undefined],
    ['with its data half made', () => appears(/\.new-/)],
    ['when its data are there', (id) => appears(new RegExp(`^${id}$`))],
    ['when its PostgreSQL runs', (id) => vi.waitFor(() => expect(postmasterOf(id)).toBe(true), eventually)],
  ])('makes it at its next start: %s', async (_, moment) => {
    const id = await create();
    await moment(id);
    await killAndRestart();
    await isSoon(id, 'ACTIVE');
    await query(id, 'CREATE TABLE t (n int)');
    expect(await query(id, 'INSERT INTO t VALUES (1) RETURNING n')).toEqual([{ n: 1 }]);
    await vi.waitFor(() => expect(names()).toEqual([id, defaultId()].sort()), eventually);
  });
});

const postmasterOf = (id: string) => existsSync(join(clusters(), id, 'postmaster.pid'));

describe('a server that is killed while a cluster is deleted', () => {
  it.each<[string, () => Promise<void>]>([
    ['when it has only said that it will be', async () => undefined],
    ['with its data half removed', () => appears(/\.removing-/)],
  ])('removes it at its next start: %s', async (_, moment) => {
    const id = await create();
    await isSoon(id, 'ACTIVE');
    await query(id, 'CREATE TABLE t (n int)');
    await query(id, 'INSERT INTO t SELECT generate_series(1, 1000)');
    await Promise.all([moment(), remove(id)]);
    await killAndRestart();
    await isSoon(id, 'ResourceNotFoundException');
    await vi.waitFor(() => expect(names()).toEqual([defaultId()]), eventually);
    if (tells) expect(postgresBelow(join(clusters(), id))).toEqual([]);
  });
});

describe('a server that is killed with clusters awake', () => {
  it.runIf(tells)('stops at its next start what was left running, and has all data', async () => {
    const ids = [await create(), await create()];
    for (const id of ids) {
      await isSoon(id, 'ACTIVE');
      await query(id, 'CREATE TABLE t (id text)');
      await query(id, `INSERT INTO t VALUES ('${id}')`);
    }
    await killAndRestart();
    await vi.waitFor(() => {
      for (const id of ids) expect(postgresBelow(join(clusters(), id))).toEqual([]);
    }, eventually);
    for (const id of ids) expect(await statusOf(id)).toBe('IDLE');
    for (const id of ids) expect(await query(id, 'SELECT id FROM t')).toEqual([{ id }]);
  });
});

describe(`${CLUSTERS} clusters made, used and deleted in a row`, () => {
  it.runIf(tells)(
    'leave no process, no file and no memory behind',
    async () => {
      const pid = server.child.pid as number;
      const one = async () => {
        const id = await create();
        await isSoon(id, 'ACTIVE');
        for (const sql of ['CREATE ROLE r LOGIN', 'CREATE TABLE t (n int)', 'INSERT INTO t VALUES (1)'])
          await query(id, sql);
        await remove(id);
        await isSoon(id, 'ResourceNotFoundException');
      };
      // What is loaded and cached once is no leak, nor is what the garbage collector has not looked at yet.
      const WARM_UP = 20;
      for (let i = 0; i < WARM_UP; i++) await one();
      const before = { files: openFiles(pid), memory: residentMemory(pid) };
      for (let i = 0; i < CLUSTERS - WARM_UP; i++) await one();
      expect(names()).toEqual([defaultId()]);
      const databases = new Set(postgresBelow(folder));
      for (const own of [join(clusters(), defaultId()), join(folder, '.postern', 'control')]) {
        for (const process of postgresBelow(own)) databases.delete(process);
      }
      expect([...databases]).toEqual([]);
      // Connections of the API that are kept alive come and go.
      expect(openFiles(pid)).toBeLessThanOrEqual(before.files + 10);
      expect(residentMemory(pid) - before.memory).toBeLessThan(40);
    },
    120_000,
  );
});
