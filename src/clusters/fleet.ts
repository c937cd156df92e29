import { rm } from 'node:fs/promises';
import type { Log } from '../audit/log.ts';
import type { Engine, EngineHost } from '../engine/port.ts';
import { Refused } from '../refused.ts';
import { openRoleCatalog } from '../roles/role-catalog.ts';
import type { AwakeCluster } from './cluster.ts';

export interface FleetOptions {
  host: EngineHost;
  /** Where the data of a cluster live. */
  folderOf: (clusterId: string) => string;
  durable: boolean;
  log: Log;
  /** Called when the mappings of a cluster may have changed. */
  onMappingsChanged: (clusterId: string) => void;
}

/** PostgreSQL's slots for one cluster. */
const MAX_CONNECTIONS = 1_000;

interface Entry {
  awake: Promise<AwakeCluster>;
}

/** The PostgreSQL instances of the clusters: started when they are wanted, and again when they have died. */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #entries = new Map<string, Entry>();
  /** Servers of lost clusters on their way down: two must not run on one folder. */
  readonly #stopping = new Map<string, Promise<void>>();
  #closed = false;

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  /** Throws Refused `engine-unavailable`. */
  wake(clusterId: string): Promise<AwakeCluster> {
    if (this.#closed) return Promise.reject(new Refused('shutting-down', { detail: 'the server is shutting down' }));
    const known = this.#entries.get(clusterId);
    if (known) return known.awake;
    const entry: Entry = { awake: this.#start(clusterId, () => this.#forget(clusterId, entry)) };
    this.#entries.set(clusterId, entry);
    entry.awake.catch(() => this.#forget(clusterId, entry));
    return entry.awake;
  }

  isAwake(clusterId: string): boolean {
    return this.#entries.has(clusterId);
  }

  /** Stops it, which ends its sessions, and deletes its data. Idempotent. */
  async remove(clusterId: string): Promise<void> {
    const entry = this.#entries.get(clusterId);
    this.#entries.delete(clusterId);
    const cluster = await entry?.awake.catch(() => undefined);
    await cluster?.catalog.close().catch(() => undefined);
    await cluster?.engine.stop();
    await this.#stopping.get(clusterId);
    await rm(this.#options.folderOf(clusterId), { recursive: true, force: true });
  }

  /** What runs now, or is just starting. */
  awake(clusterId: string): Promise<AwakeCluster> | undefined {
    return this.#entries.get(clusterId)?.awake;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    await Promise.all([
      ...this.#stopping.values(),
      ...entries.map(async ({ awake }) => {
        const cluster = await awake.catch(() => undefined);
        await cluster?.catalog.close().catch(() => undefined);
        await cluster?.engine.stop();
      }),
    ]);
  }

  async #stop(engine: Engine, clusterId: string): Promise<void> {
    try {
      await engine.stop();
    } catch (error) {
      this.#options.log.error({ err: error, cluster: clusterId }, 'stopping a lost cluster failed');
    } finally {
      this.#stopping.delete(clusterId);
    }
  }

  #forget(clusterId: string, entry: Entry): void {
    if (this.#entries.get(clusterId) === entry) this.#entries.delete(clusterId);
  }

  async #start(clusterId: string, forget: () => void): Promise<AwakeCluster> {
    const { host, folderOf, durable, log, onMappingsChanged } = this.#options;
    let engine: Engine | undefined;
    await this.#stopping.get(clusterId);
    try {
      engine = await host.start({
        name: clusterId,
        folder: folderOf(clusterId),
        durable,
        maxConnections: MAX_CONNECTIONS,
      });
      const started = engine;
      const catalog = await openRoleCatalog(started, {
        onChange: () => onMappingsChanged(clusterId),
        // Without the catalog nobody can be checked any more: the next login starts the cluster anew.
        onLost: (reason) => {
          if (this.#closed) return;
          log.warn({ cluster: clusterId, reason }, 'the cluster was lost and starts again when it is wanted');
          this.#stopping.set(clusterId, this.#stop(started, clusterId));
          forget();
        },
      });
      started.ended.then((how) => {
        if (!this.#closed) log.error({ cluster: clusterId, how }, 'the PostgreSQL of a cluster ended');
        forget();
      });
      return { engine: started, catalog };
    } catch (error) {
      await engine?.stop().catch(() => undefined);
      if (error instanceof Refused) throw error;
      log.error({ err: error, cluster: clusterId }, 'a cluster does not start');
      throw new Refused('engine-unavailable', {
        detail: `cluster ${clusterId} does not start: ${(error as Error).message}`,
      });
    }
  }
}
