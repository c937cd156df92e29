import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { presignToken, type SigningCredentials } from '../../src/sigv4/presign.ts';
import { clusterRecord } from '../../src/state/testing-records.ts';
import { makeUser } from '../harness/identities.ts';
import { HAS_PSQL, psql } from '../harness/programs.ts';
import { putClusters } from '../harness/records.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

/** One cluster in the home region, one in a further region, one that is being made and one that is being deleted. */
const HOME = 'us-east-1';
const ABROAD = 'eu-west-1';
const OTHER = 'e'.repeat(26);
const NEW = 'c'.repeat(26);
const OLD = 'g'.repeat(26);
let postern: TestServer;
beforeAll(async () => {
  postern = await startTestServer({
    additionalRegion: [ABROAD],
    clusterAlias: [{ name: 'orders.internal', clusterId: OTHER }],
  });
  await putClusters(postern, [
    clusterRecord(OTHER, { region: ABROAD }),
    clusterRecord(NEW, { status: 'CREATING' }),
    clusterRecord(OLD, { status: 'DELETING' }),
  ]);
});
afterAll(() => postern.stop());

const endpoint = (id: string, region: string) => `${id}.dsql.${region}.on.aws`;

/** A login as admin; a token for this host and region. Resolves with what the session says. */
async function login(to: {
  servername?: string;
  options?: string;
  host: string;
  region: string;
  credentials?: SigningCredentials;
}): Promise<string> {
  const { servername, options, host, region, credentials = postern.root } = to;
  const password = presignToken({
    host,
    region,
    action: 'DbConnectAdmin',
    credentials,
    expiresIn: 900,
    now: new Date(),
  });
  const client = new pg.Client({
    // pg sends no server name of its own for an address.
    host: '127.0.0.1',
    port: postern.server.pgPort,
    user: 'admin',
    database: 'postgres',
    password,
    ssl: { ca: postern.ca, ...(servername === undefined ? {} : { servername }) },
    ...(options === undefined ? {} : { options }),
  });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query('SELECT current_user || coalesce((SELECT mark FROM mark), $1) AS mark', ['']);
    return rows[0].mark;
  } finally {
    await client.end();
  }
}

async function refusal(to: Parameters<typeof login>[0]): Promise<{ code: string; reason: unknown }> {
  const before = postern.log.length;
  const error = await login(to).then(
    () => undefined,
    (reason: { code?: string }) => reason,
  );
  const line = postern.log.slice(before).find(({ event }) => event === 'login.refused');
  return { code: String(error?.code), reason: line?.['kind'] };
}

describe('clusters in several regions', () => {
  it('have their own databases, each reached by its own names with tokens of its own region', async () => {
    const home = endpoint(postern.server.clusterId, HOME);
    const abroad = endpoint(OTHER, ABROAD);
    for (const [host, region, mark] of [
      [home, HOME, ' at home'],
      [abroad, ABROAD, ' abroad'],
    ] as const) {
      const client = new pg.Client({
        host: '127.0.0.1',
        port: postern.server.pgPort,
        user: 'admin',
        database: 'postgres',
        password: presignToken({
          host,
          region,
          action: 'DbConnectAdmin',
          credentials: postern.root,
          expiresIn: 900,
          now: new Date(),
        }),
        ssl: { ca: postern.ca, servername: host },
      });
      await client.connect();
      await client.query('CREATE TABLE mark (mark text)');
      await client.query('INSERT INTO mark VALUES ($1)', [mark]);
      await client.end();
    }
    expect(await login({ servername: home, host: home, region: HOME })).toBe('admin at home');
    expect(await login({ servername: abroad, host: abroad, region: ABROAD })).toBe('admin abroad');
    const option = `-c amzn-cluster-id=${OTHER}`;
    expect(await login({ options: option, host: abroad, region: ABROAD })).toBe('admin abroad');
    expect(await login({ servername: 'orders.internal', host: 'orders.internal', region: ABROAD })).toBe(
      'admin abroad',
    );
  });

  it.each<[string, () => Parameters<typeof login>[0], string]>([
    [
      'of the other region',
      () => ({ servername: endpoint(OTHER, ABROAD), host: endpoint(OTHER, ABROAD), region: HOME }),
      'scope-mismatch',
    ],
    [
      'of the other cluster',
      () => ({
        servername: endpoint(OTHER, ABROAD),
        host: endpoint(postern.server.clusterId, HOME),
        region: ABROAD,
      }),
      'host-mismatch',
    ],
    [
      'for localhost, which is the default cluster',
      () => ({ options: `-c amzn-cluster-id=${OTHER}`, host: 'localhost', region: ABROAD }),
      'host-mismatch',
    ],
  ])('refuse a token %s', async (_, to, reason) => {
    expect(await refusal(to())).toEqual({ code: '08006', reason });
  });

  it.skipIf(!HAS_PSQL)('are chosen by PGOPTIONS where the server name says nothing, and not against one', async () => {
    const environment = (changes: NodeJS.ProcessEnv) => ({
      ...postern.environment,
      PGPASSWORD: presignToken({
        host: endpoint(OTHER, ABROAD),
        region: ABROAD,
        action: 'DbConnectAdmin',
        credentials: postern.root,
        expiresIn: 900,
        now: new Date(),
      }),
      PGOPTIONS: `-c amzn-cluster-id=${OTHER}`,
      ...changes,
    });
    expect((await psql(environment({}), 'SELECT mark FROM mark')).stdout).toBe(' abroad\n');
    const named = { PGHOST: endpoint(postern.server.clusterId, HOME), PGHOSTADDR: '127.0.0.1' };
    const against = await psql(environment(named), 'SELECT mark FROM mark');
    expect(against.stderr).toContain('unable to accept connection, access denied');
    const known = { PGHOST: endpoint(OTHER, ABROAD), PGHOSTADDR: '127.0.0.1' };
    expect((await psql(environment(known), 'SELECT mark FROM mark')).stdout).toBe(' abroad\n');
  });

  it('are told apart by policies: by ARN and by aws:RequestedRegion', async () => {
    const allow = (Resource: string, Condition: object) =>
      JSON.stringify({
        Version: '2012-10-17',
        Statement: { Effect: 'Allow', Action: 'dsql:DbConnectAdmin', Resource, Condition },
      });
    const arn = `arn:aws:dsql:${ABROAD}:123456789012:cluster/${OTHER}`;
    const byArn = await makeUser(postern, 'by-arn', allow(arn, {}));
    const byRegion = await makeUser(
      postern,
      'by-region',
      allow('*', { StringEquals: { 'aws:RequestedRegion': ABROAD } }),
    );
    const home = endpoint(postern.server.clusterId, HOME);
    const abroad = endpoint(OTHER, ABROAD);
    for (const credentials of [byArn, byRegion]) {
      expect(await login({ servername: abroad, host: abroad, region: ABROAD, credentials })).toBe('admin abroad');
      expect(await refusal({ servername: home, host: home, region: HOME, credentials })).toEqual({
        code: '08006',
        reason: 'action-denied',
      });
    }
    const report = await postern.server.wouldAdmit({
      user: 'admin',
      principal: 'arn:aws:iam::123456789012:user/by-region',
      clusterId: OTHER,
    });
    expect(report.outcome).toBe('accepted');
    expect(report.steps.find(({ step }) => step === 'cluster')?.text).toBe(arn);
  });

  it.each([
    ['is being made', NEW, '57P03', 'cluster-not-ready'],
    ['is being deleted', OLD, '08006', 'cluster-deleting'],
  ])('refuse a connection while one %s', async (_, id, code, reason) => {
    const host = endpoint(id, HOME);
    expect(await refusal({ servername: host, host, region: HOME })).toEqual({ code, reason });
  });

  it('have one certificate with the names of all', () => {
    const file = join(postern.options.dataDir, 'tls', 'server.crt');
    const names = new X509Certificate(readFileSync(file)).subjectAltName;
    for (const name of [`*.dsql.${HOME}.on.aws`, `*.dsql.${ABROAD}.on.aws`, 'orders.internal']) {
      expect(names).toContain(`DNS:${name}`);
    }
  });
});
