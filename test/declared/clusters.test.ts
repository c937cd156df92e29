import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DeleteClusterCommand,
  DSQLClient,
  GetClusterCommand,
  GetClusterPolicyCommand,
  ListClustersCommand,
  UpdateClusterCommand,
} from '@aws-sdk/client-dsql';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { presignToken } from '../../src/sigv4/presign.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

/** Clusters that are declared, over starts of one server. */
const REGION = 'eu-west-1';
let dataDir: string;
let folder: string;
let postern: TestServer | undefined;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'postern-declared-'));
  folder = await mkdtemp(join(tmpdir(), 'postern-declared-files-'));
  await writeFile(join(folder, 'mark.sql'), "CREATE TABLE mark AS SELECT 'reports' AS mark;");
});
afterEach(async () => {
  await postern?.stop();
  postern = undefined;
});
afterAll(async () => {
  await rm(dataDir, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
});

const POLICY = {
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a placeholder of the file.
      Principal: { AWS: 'arn:aws:iam::${postern:account}:root' },
      Action: 'dsql:*',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a placeholder of the file.
      Resource: '${postern:cluster.reports.arn}',
    },
  ],
};
const REPORTS = {
  name: 'reports',
  region: REGION,
  aliases: ['reports.internal'],
  tags: { stage: 'test' },
  deletionProtection: false,
  policy: POLICY,
  sql: ['mark.sql'],
};

async function start(): Promise<{ server: TestServer; dsql: DSQLClient; changes: unknown[] }> {
  const declare = { file: 'postern.json', folder, content: { clusters: [{ name: 'default' }, REPORTS] } };
  const server = await startTestServer({ dataDir, declare, additionalRegion: [REGION] }, true);
  postern = server;
  const changes = server.log.filter(({ msg }) => msg === 'declared').map(({ path }) => path);
  return { server, dsql: new DSQLClient({ ...server.awsClient(server.root), region: REGION }), changes };
}

async function only(dsql: DSQLClient): Promise<string> {
  const { clusters } = await dsql.send(new ListClustersCommand({}));
  expect(clusters).toHaveLength(1);
  return clusters?.[0]?.identifier as string;
}

async function mark(server: TestServer, host: string): Promise<string> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port: server.server.pgPort,
    user: 'admin',
    database: 'postgres',
    password: presignToken({
      host,
      region: REGION,
      action: 'DbConnectAdmin',
      credentials: server.root,
      expiresIn: 60,
      now: new Date(),
    }),
    ssl: { ca: server.ca, servername: host },
  });
  await client.connect();
  try {
    return (await client.query('SELECT mark FROM mark')).rows[0].mark;
  } finally {
    await client.end();
  }
}

describe('a declared cluster', () => {
  it('is made as it is declared, and reached by its endpoint and its alias', async () => {
    const { server, dsql, changes } = await start();
    expect(changes).toEqual(['', '.tags', '.policy', '.sql[0]'].map((at) => `declare.clusters[1]${at}`));
    const identifier = await only(dsql);
    const cluster = await dsql.send(new GetClusterCommand({ identifier }));
    expect(cluster).toMatchObject({ status: 'ACTIVE', deletionProtectionEnabled: false, tags: { stage: 'test' } });
    const { policy } = await dsql.send(new GetClusterPolicyCommand({ identifier }));
    expect(JSON.parse(policy as string).Statement[0].Resource).toBe(cluster.arn);
    expect(await mark(server, cluster.endpoint as string)).toBe('reports');
    expect(await mark(server, 'reports.internal')).toBe('reports');
  });

  it('is found again by the next start, which sets right what has drifted', async () => {
    const first = await start();
    expect(first.changes).toEqual([]);
    const identifier = await only(first.dsql);
    await first.dsql.send(new UpdateClusterCommand({ identifier, deletionProtectionEnabled: true }));
    await first.server.stop();
    const second = await start();
    expect(second.changes).toEqual(['declare.clusters[1].deletionProtection']);
    expect(await only(second.dsql)).toBe(identifier);
  });

  it('is made again when it was deleted', async () => {
    const first = await start();
    const identifier = await only(first.dsql);
    await first.dsql.send(new DeleteClusterCommand({ identifier }));
    await first.server.stop();
    const { server, dsql, changes } = await start();
    expect(changes).toHaveLength(4);
    const { endpoint } = await dsql.send(new GetClusterCommand({ identifier: await only(dsql) }));
    expect(endpoint).not.toContain(identifier);
    expect(await mark(server, endpoint as string)).toBe('reports');
  });
});
