import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { pino } from 'pino';
import { vi } from 'vitest';
import { clusterArn, clusterEndpoint } from '../../src/clusters/names.ts';
import type { SigningCredentials } from '../../src/sigv4/presign.ts';
import { type ControlStore, openStore } from '../../src/state/control-store.ts';
import type { ClusterRecord } from '../../src/state/records.ts';
import { clusterRecord } from '../../src/state/testing-records.ts';
import type { TestServer } from './server.ts';

export const eventually = { timeout: 20_000, interval: 20 };

/** A cluster and how to connect to it, by its endpoint as the server's name. */
export class TestCluster {
  readonly record: ClusterRecord;
  readonly #postern: TestServer;

  constructor(postern: TestServer, record: ClusterRecord) {
    this.#postern = postern;
    this.record = record;
  }

  get arn(): string {
    return clusterArn(this.record.id, { region: this.record.region, account: this.#postern.options.account });
  }

  get endpoint(): string {
    return clusterEndpoint(this.record.id, this.record.region);
  }

  token(user: string, credentials?: SigningCredentials): string {
    const { region } = this.record;
    return this.#postern.token(user, credentials, { host: this.endpoint, region });
  }

  /** A client that is not connected yet. */
  client(user = 'admin', credentials?: SigningCredentials, changes: pg.ClientConfig = {}): pg.Client {
    const client = new pg.Client({
      ...this.#postern.login(user, credentials),
      host: '127.0.0.1',
      ssl: { ca: this.#postern.ca, servername: this.endpoint },
      password: this.token(user, credentials),
      ...changes,
    });
    client.on('error', () => undefined);
    return client;
  }

  async connect(user = 'admin', credentials?: SigningCredentials, changes: pg.ClientConfig = {}): Promise<pg.Client> {
    const client = this.client(user, credentials, changes);
    await client.connect();
    return client;
  }

  /** How a login goes: `in`, or its SQLSTATE. */
  async outcome(user = 'admin', credentials?: SigningCredentials, changes: pg.ClientConfig = {}): Promise<string> {
    try {
      const client = await this.connect(user, credentials, changes);
      await client.end();
      return 'in';
    } catch (error) {
      return (error as { code: string }).code;
    }
  }

  /** Runs SQL as admin, on a session of its own. */
  async run(...statements: string[]): Promise<unknown[]> {
    const client = await this.connect();
    try {
      let rows: unknown[] = [];
      for (const sql of statements) rows = (await client.query(sql)).rows;
      return rows;
    } finally {
      await client.end();
    }
  }

  /** The data folder of its database. */
  get folder(): string {
    return join(this.#postern.options.dataDir, 'clusters', this.record.database);
  }

  get isAwake(): boolean {
    return existsSync(join(this.folder, 'postmaster.pid'));
  }
}

/** The cluster that a first start makes. */
export function defaultCluster(postern: TestServer): TestCluster {
  return new TestCluster(postern, clusterRecord(postern.server.clusterId, { region: postern.options.region }));
}

/**
 * The control database as another process sees it, for clusters that are put there as they are: for what is about their
 * databases, not about how they are made.
 */
export async function openRecords(postern: TestServer): Promise<ControlStore> {
  const pidFile = join(postern.options.dataDir, 'control', 'postmaster.pid');
  const socketFolder = readFileSync(pidFile, 'utf8').split('\n')[4] as string;
  const connection = { socketPath: join(socketFolder, '.s.PGSQL.5432'), user: 'postern', database: 'postgres' };
  return openStore({ connection, log: pino({ level: 'silent' }) });
}

/** Resolves when the server lets admin in. */
export async function putCluster(
  postern: TestServer,
  records: ControlStore,
  id: string,
  changes: Partial<ClusterRecord> = {},
): Promise<TestCluster> {
  const record = clusterRecord(id, { region: postern.options.region, ...changes });
  await records.change((draft) => draft.put('clusters', id, record));
  const cluster = new TestCluster(postern, record);
  await vi.waitFor(async () => (await cluster.connect()).end(), eventually);
  return cluster;
}
