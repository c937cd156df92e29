import type { Engine } from '../engine/port.ts';
import type { RoleCatalog } from '../roles/role-catalog.ts';

/** A cluster whose PostgreSQL runs. */
export interface AwakeCluster {
  engine: Engine;
  catalog: RoleCatalog;
}

/** A cluster as the fronts see it. */
export interface Cluster {
  id: string;
  arn: string;
  region: string;
  /** Which PostgreSQL holds its data; the peers of a multi-Region cluster share one. */
  database: string;
  /** Host names that a token for this cluster may be signed for, in lower case, without port. */
  isKnownAs(host: string): boolean;
  /** Starts the cluster's PostgreSQL if it does not run. Throws Refused `engine-unavailable`. */
  wake(): Promise<AwakeCluster>;
}

/** How a connection says which cluster it wants. */
export interface ClusterAddress {
  /** TLS server name, lower case. */
  serverName: string | undefined;
  /** The startup option `amzn-cluster-id`. */
  clusterId: string | undefined;
  /** The address of ours that the client connected to: clients do not send a server name for an IP address. */
  localAddress: string;
}

export interface ClusterDirectory {
  /** Throws Refused `unknown-cluster`, `server-name-missing`, `cluster-not-ready` or `cluster-going`. */
  resolve(address: ClusterAddress): Cluster;
}
