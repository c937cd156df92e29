import { isIP } from 'node:net';
import { Refused } from '../refused.ts';
import type { Store } from '../state/store.ts';
import type { Cluster, ClusterAddress, ClusterDirectory } from './cluster.ts';
import type { Fleet } from './fleet.ts';
import { clusterArn, clusterIdOfHost, isClusterId } from './names.ts';

export interface DirectoryOptions {
  store: Store;
  fleet: Fleet;
  account: string;
  region: string;
  defaultClusterId: string;
  /** Further host names and addresses that mean the default cluster. */
  aliases: readonly string[];
}

/**
 * Which cluster does a connection mean? The TLS server name says it, else the startup option `amzn-cluster-id`;
 * `localhost`, loopback addresses and the operator's aliases mean the default cluster. A name that means nothing here is
 * refused, and so are two that mean different clusters.
 */
export function createClusterDirectory(options: DirectoryOptions): ClusterDirectory {
  const { store, fleet, account, region, defaultClusterId } = options;
  const aliases = new Set(['localhost', ...options.aliases.map((alias) => alias.toLowerCase())]);

  const isDefault = (host: string) => aliases.has(host) || isLoopback(host);
  const idOf = (host: string) => (isDefault(host) ? defaultClusterId : clusterIdOfHost(host, region));

  function cluster(id: string): Cluster | undefined {
    const record = store.get('clusters', id);
    if (!record) return undefined;
    const { database } = record;
    return {
      id,
      arn: clusterArn(id, { region, account }),
      region: record.region,
      database,
      isKnownAs: (host) => idOf(normalHost(host)) === id,
      wake: () => fleet.wake(database),
    };
  }

  return {
    resolve(address) {
      const id = addressedId(address);
      const found = isClusterId(id) ? cluster(id) : undefined;
      if (!found) throw new Refused('unknown-cluster', { detail: `no cluster ${JSON.stringify(id.slice(0, 64))}` });
      return found;
    },
  };

  function addressedId({ serverName, clusterId, localAddress }: ClusterAddress): string {
    if (serverName === undefined) {
      if (clusterId !== undefined) return clusterId;
      if (isDefault(localAddress)) return defaultClusterId;
      throw new Refused('server-name-missing', { detail: `no server name, connected to ${localAddress}` });
    }
    const named = idOf(serverName);
    if (named === undefined) {
      // The name of a VPC endpoint says nothing about the cluster; any other foreign name has no business here.
      if (clusterId !== undefined && serverName.endsWith('.vpce.amazonaws.com')) return clusterId;
      throw new Refused('unknown-cluster', {
        detail: `server name ${JSON.stringify(serverName.slice(0, 255))} means no cluster`,
      });
    }
    if (clusterId !== undefined && clusterId !== named && !isDefault(serverName)) {
      throw new Refused('unknown-cluster', {
        detail: `server name means ${named}, amzn-cluster-id ${JSON.stringify(clusterId.slice(0, 64))}`,
      });
    }
    return isDefault(serverName) ? (clusterId ?? named) : named;
  }
}

/** Lower case, and without the brackets of an IPv6 address in a URL. */
function normalHost(host: string): string {
  const lower = host.toLowerCase();
  return lower.startsWith('[') && lower.endsWith(']') ? lower.slice(1, -1) : lower;
}

function isLoopback(host: string): boolean {
  return isIP(host) === 4 ? host.startsWith('127.') : host === '::1';
}
