import { isIP } from 'node:net';
import { Refused } from '../refused.ts';
import type { ClusterRecord, ClusterStatus } from '../state/records.ts';
import type { Store } from '../state/store.ts';
import type { AwakeCluster, Cluster, ClusterAddress, ClusterDirectory } from './cluster.ts';
import { clusterArn, clusterOfHost, isClusterId } from './names.ts';

export interface DirectoryOptions {
  store: Store;
  fleet: { wake(database: string): Promise<AwakeCluster> };
  account: string;
  /** Those that this server serves: clusters of others are there, and closed. */
  regions: readonly string[];
  defaultClusterId: string;
  /** Further host names and addresses, in lower case, and the clusters that they mean; undefined: the default cluster. */
  aliases: ReadonlyMap<string, string | undefined>;
}

/** Which clusters take connections, and how the others refuse them. An idle one is ACTIVE here: it is woken. */
const REFUSES: Readonly<Record<ClusterStatus, 'cluster-not-ready' | 'cluster-deleting' | undefined>> = {
  ACTIVE: undefined,
  CREATING: 'cluster-not-ready',
  PENDING_SETUP: 'cluster-not-ready',
  PENDING_DELETE: 'cluster-deleting',
  DELETING: 'cluster-deleting',
};

/** What a host name says: one cluster, or the default one for want of another. */
interface Meaning {
  id: string;
  /** Of an endpoint: the region that stands in it. */
  region?: string;
  /** The name says nothing about the cluster, so that the startup option may. */
  general: boolean;
}

/**
 * Which cluster does a connection mean? The TLS server name says it, else the startup option `amzn-cluster-id`;
 * `localhost`, loopback addresses and the operator's aliases mean the default cluster, or the one that an alias was made
 * for. A name that means nothing here is refused, and so are two that mean different clusters.
 */
export function createClusterDirectory(options: DirectoryOptions): ClusterDirectory {
  const { store, fleet, account, regions, defaultClusterId, aliases } = options;

  function meaningOf(host: string): Meaning | undefined {
    const aliased = aliases.get(host);
    if (aliased !== undefined) return { id: aliased, general: false };
    if (aliases.has(host) || host === 'localhost' || isLoopback(host)) return { id: defaultClusterId, general: true };
    const named = clusterOfHost(host);
    return named && { ...named, general: false };
  }

  /** Whether the name means this cluster: an endpoint names its region, too. */
  function means(meaning: Meaning | undefined, { id, region }: Readonly<ClusterRecord>): boolean {
    return meaning?.id === id && (meaning.region ?? region) === region;
  }

  function describe(record: Readonly<ClusterRecord>): Cluster {
    const { id, region, database } = record;
    return {
      id,
      region,
      database,
      arn: clusterArn(id, { region, account }),
      isKnownAs: (host) => means(meaningOf(normalHost(host)), record),
      wake: () => fleet.wake(database),
    };
  }

  return {
    resolve(address) {
      const meaning = addressed(address);
      const record = isClusterId(meaning.id) ? store.get('clusters', meaning.id) : undefined;
      if (!record || !means(meaning, record)) {
        const where = meaning.region === undefined ? '' : ` in ${meaning.region}`;
        throw unknown(`no cluster ${JSON.stringify(meaning.id.slice(0, 64))}${where}`);
      }
      if (!regions.includes(record.region)) {
        throw unknown(`cluster ${record.id} is in ${record.region}, which this server does not serve`);
      }
      const refusal = REFUSES[record.status];
      if (refusal) throw new Refused(refusal, { detail: `cluster ${record.id} is ${record.status}` });
      return describe(record);
    },
  };

  function addressed({ serverName, clusterId, localAddress }: ClusterAddress): Meaning {
    const host = serverName ?? normalHost(localAddress);
    const meaning = meaningOf(host);
    if (clusterId === undefined) {
      if (meaning) return meaning;
      if (serverName !== undefined)
        throw unknown(`server name ${JSON.stringify(serverName.slice(0, 255))} means no cluster`);
      throw new Refused('server-name-missing', { detail: `no server name, connected to ${localAddress}` });
    }
    const asked = { id: clusterId, general: false };
    if (!meaning) {
      // The name of a VPC endpoint says nothing about the cluster; any other foreign name has no business here.
      if (serverName === undefined || serverName.endsWith('.vpce.amazonaws.com')) return asked;
      throw unknown(`server name ${JSON.stringify(serverName.slice(0, 255))} means no cluster`);
    }
    if (meaning.general) return asked;
    if (meaning.id === clusterId) return meaning;
    throw unknown(`${host} means ${meaning.id}, amzn-cluster-id ${JSON.stringify(clusterId.slice(0, 64))}`);
  }
}

/** What of the configuration leads nowhere, for the log at the start: nobody would else learn why it is refused. */
export function deadEnds({
  store,
  regions,
  aliases,
}: Pick<DirectoryOptions, 'store' | 'regions' | 'aliases'>): string[] {
  const closed = store.all('clusters').filter(({ region }) => !regions.includes(region));
  const gone = [...aliases].filter(([, id]) => id !== undefined && !store.get('clusters', id));
  return [
    ...closed.map(({ id, region }) => `cluster ${id} is in ${region}: --additional-region ${region} opens it`),
    ...gone.map(([name, id]) => `--cluster-alias ${name}=${id}: there is no such cluster`),
  ];
}

function unknown(detail: string): Refused<'unknown-cluster'> {
  return new Refused('unknown-cluster', { detail });
}

/** Lower case, and without the brackets of an IPv6 address in a URL. */
function normalHost(host: string): string {
  const lower = host.toLowerCase();
  return lower.startsWith('[') && lower.endsWith(']') ? lower.slice(1, -1) : lower;
}

function isLoopback(host: string): boolean {
  return isIP(host) === 4 ? host.startsWith('127.') : host === '::1';
}
