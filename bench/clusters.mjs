// Clusters from their creation to their end, what sleeping ones cost, and what awake ones do.
import { chmodSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { CreateClusterCommand, DeleteClusterCommand, DSQLClient, GetClusterCommand } from '@aws-sdk/client-dsql';
import { DsqlSigner } from '@aws-sdk/dsql-signer';
import pg from 'pg';
import { medianOf } from './figures.mjs';
import { startPostern } from './postern.mjs';

/** The service's quota, with the default cluster. */
const CLUSTERS = 20;
const AWAKE = 10;

export async function measureClusters({ program, folder, rounds }) {
  const cache = join(folder, 'cache-clusters');
  const own = join(folder, 'clusters');
  for (const each of [cache, own]) {
    mkdirSync(each, { recursive: true });
    // The user that PostgreSQL runs as, when this is root, must reach it.
    chmodSync(each, 0o755);
  }
  const start = async (options) => new Clusters(await startPostern({ program, folder: own, cache, options }));

  const created = [];
  const inARow = await start([]);
  const before = inARow.memory();
  for (let round = 0; round < rounds; round++) {
    const began = performance.now();
    const id = await inARow.create();
    await inARow.query(id);
    created.push({ time: (performance.now() - began) / 1000 });
    await inARow.remove(id);
  }
  const growth = (inARow.memory() - before) / rounds;

  const ids = [inARow.defaultId];
  while (ids.length < CLUSTERS) ids.push(await inARow.create());
  await inARow.stop();

  // Started anew, all but the default cluster sleep.
  const awake = await start(['--idle-time', '0']);
  for (const id of ids.slice(0, AWAKE)) await awake.query(id);
  const perCluster = ids.slice(0, AWAKE).map((id) => ({ memory: awake.databaseMemory(id) }));
  await awake.stop();

  const sleeping = await start(['--idle-time', '1']);
  await sleeping.allAsleep();
  const processes = sleeping.databaseProcesses().length;
  const woken = [];
  for (let round = 0; round < rounds; round++) {
    const began = performance.now();
    await sleeping.query(ids[round % ids.length]);
    woken.push({ time: (performance.now() - began) / 1000 });
    await sleeping.allAsleep();
  }
  await sleeping.stop();
  for (const each of [cache, own]) rmSync(each, { recursive: true });

  return [
    {
      name: 'CreateCluster to its first query',
      value: medianOf(created, 'time'),
      unit: ' s',
      target: { atMost: 0.5 },
      samples: created,
    },
    {
      name: 'a sleeping cluster to its first query',
      value: medianOf(woken, 'time'),
      unit: ' s',
      target: { atMost: 0.3 },
      samples: woken,
    },
    ...(process.platform === 'linux'
      ? [
          { name: `processes of ${CLUSTERS} sleeping clusters`, value: processes, unit: '', target: { atMost: 0 } },
          {
            name: `memory of each of ${AWAKE} awake clusters`,
            value: medianOf(perCluster, 'memory'),
            unit: ' MB',
            target: { atMost: 40 },
            samples: perCluster,
          },
          { name: 'growth of the server with each cluster made, used and deleted', value: growth, unit: ' MB' },
        ]
      : []),
  ];
}

/** A server's clusters, as its API and its PostgreSQL port give them. */
class Clusters {
  #postern;
  #dsql;
  #ca;

  constructor(postern) {
    this.#postern = postern;
    const { AWS_ENDPOINT_URL: endpoint, AWS_REGION: region, PGSSLROOTCERT } = postern.environment;
    this.#dsql = new DSQLClient({ endpoint, region, credentials: this.#credentials });
    this.#ca = readFileSync(PGSSLROOTCERT, 'utf8');
  }

  get #credentials() {
    const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = this.#postern.environment;
    return { accessKeyId, secretAccessKey };
  }

  get defaultId() {
    return this.#postern.environment.POSTERN_CLUSTER_ID;
  }

  /** Resolves when it is ACTIVE. */
  async create() {
    const { identifier } = await this.#dsql.send(new CreateClusterCommand({ deletionProtectionEnabled: false }));
    while ((await this.#dsql.send(new GetClusterCommand({ identifier }))).status !== 'ACTIVE') await pause(5);
    return identifier;
  }

  /** Resolves when it is not there any more. */
  async remove(identifier) {
    await this.#dsql.send(new DeleteClusterCommand({ identifier }));
    const isThere = () =>
      this.#dsql.send(new GetClusterCommand({ identifier })).then(
        () => true,
        () => false,
      );
    while (await isThere()) await pause(5);
  }

  async query(id) {
    const { AWS_REGION: region, PGPORT } = this.#postern.environment;
    const hostname = `${id}.dsql.${region}.on.aws`;
    const signer = new DsqlSigner({ hostname, region, credentials: this.#credentials });
    const client = new pg.Client({
      host: '127.0.0.1',
      port: Number(PGPORT),
      database: 'postgres',
      user: 'admin',
      password: await signer.getDbConnectAdminAuthToken(),
      ssl: { ca: this.#ca, servername: hostname },
    });
    await client.connect();
    await client.query('SELECT 1');
    await client.end();
  }

  #folder(id = '') {
    return join(this.#postern.dataDir, 'clusters', id);
  }

  /** The PostgreSQL processes of one database, or of all. */
  databaseProcesses(id) {
    const folder = this.#folder(id);
    return readdirSync('/proc').filter((name) => {
      try {
        return /^\d+$/.test(name) && readlinkSync(`/proc/${name}/cwd`).startsWith(folder);
      } catch {
        return false;
      }
    });
  }

  /** In MB: what is shared among processes counts once (the kernel's PSS). */
  databaseMemory(id) {
    if (process.platform !== 'linux') return 0;
    const sizes = this.databaseProcesses(id).map((pid) =>
      Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))[1]),
    );
    return (sizes.reduce((sum, size) => sum + size, 0) * 1024) / 1e6;
  }

  /** Of the server itself, in MB. */
  memory() {
    if (process.platform !== 'linux') return 0;
    const status = readFileSync(`/proc/${this.#postern.pid}/status`, 'latin1');
    return (Number(/^VmRSS:\s+(\d+) kB/m.exec(status)[1]) * 1024) / 1e6;
  }

  async allAsleep() {
    const isAwake = (id) => readdirSync(this.#folder(id)).includes('postmaster.pid');
    while (readdirSync(this.#folder()).some(isAwake)) await pause(20);
    // The next connection is to wait for a start only, not also for the end of what ran before.
    await pause(100);
  }

  async stop() {
    this.#dsql.destroy();
    await this.#postern.stop();
  }
}
