import type { ClusterRecord } from '../state/records.ts';
import type { Draft } from '../state/store.ts';
import { arnOf } from './descriptions.ts';
import { conflict, invalid } from './refusals.ts';

/*
 * Two clusters of one account in two regions that name each other, and the same witness region, are one database (Aurora
 * DSQL User Guide, "Configuring multi-Region clusters"). They stay PENDING_SETUP until both do.
 */

type Cluster = Readonly<ClusterRecord>;
type Properties = NonNullable<ClusterRecord['multiRegion']>;

export interface AskedProperties {
  readonly witnessRegion?: string;
  readonly clusters?: readonly string[];
}

export interface Place {
  account: string;
  /** Those that this server serves; only the witness may be another. */
  regions: readonly string[];
}

const REGION = /^[a-z]{2,4}(?:-[a-z]+)+-\d{1,2}$/;
const WITNESS = 'multiRegionProperties.witnessRegion';
const PEERS = 'multiRegionProperties.clusters';

/** What is asked put over what the cluster has. Throws Refused `validation`. */
export function mergedProperties(cluster: Cluster, asked: AskedProperties, { account, regions }: Place): Properties {
  const { region, multiRegion } = cluster;
  const witnessRegion = asked.witnessRegion ?? multiRegion?.witnessRegion ?? null;
  if (witnessRegion !== null && !REGION.test(witnessRegion)) {
    throw invalid(WITNESS, `${JSON.stringify(witnessRegion)} is not the name of a Region.`);
  }
  if (witnessRegion === region) {
    throw invalid(WITNESS, "The witness Region cannot be the same as the cluster's Region.");
  }
  const own = arnOf(cluster, account);
  // GetCluster names the cluster among its peers, so callers may.
  const clusters = [...new Set(asked.clusters ?? multiRegion?.clusters)].filter((arn) => arn !== own);
  if (clusters.length > 1) throw invalid(PEERS, 'A multi-Region cluster has one peer cluster.');
  for (const arn of clusters) {
    const [, partition, , peerRegion = '', peerAccount] = arn.split(':');
    if (partition !== 'aws' || peerAccount !== account) {
      throw invalid(PEERS, `The peer cluster ${arn} is not of account ${account}.`);
    }
    if (peerRegion === region) throw invalid(PEERS, 'Peer clusters must be in different Regions.');
    if (peerRegion === witnessRegion) throw invalid(PEERS, 'A peer cluster cannot be in the witness Region.');
    if (!regions.includes(peerRegion)) {
      throw invalid(PEERS, `This server has no clusters in ${peerRegion}, only in ${regions.join(', ')}.`);
    }
  }
  return { witnessRegion, clusters };
}

/**
 * Whether the peer that a cluster names can be its peer; returns it, or undefined where none is named. Throws Refused
 * `validation` or `conflict`.
 */
export function peerNamedBy(draft: Pick<Draft, 'get'>, cluster: Cluster, account: string): Cluster | undefined {
  const { witnessRegion, clusters } = cluster.multiRegion!;
  const [arn] = clusters;
  if (arn === undefined) return undefined;
  const peer = draft.get('clusters', arn.slice(arn.lastIndexOf('/') + 1));
  if (!peer || arnOf(peer, account) !== arn) throw invalid(PEERS, `The peer cluster ${arn} does not exist.`);
  if (peer.multiRegion === null) throw invalid(PEERS, `The peer cluster ${arn} is a single-Region cluster.`);
  if (witnessRegion === null || peer.multiRegion.witnessRegion !== witnessRegion) {
    throw invalid(WITNESS, 'Peer clusters must have the same witness Region.');
  }
  if (peer.status !== 'PENDING_SETUP') {
    throw conflict(peer.id, `The peer cluster ${arn} is ${peer.status}, not PENDING_SETUP.`);
  }
  const [other] = peer.multiRegion.clusters;
  if (other !== undefined && other !== arnOf(cluster, account)) {
    throw conflict(peer.id, `The peer cluster ${arn} has named another peer.`);
  }
  return peer;
}

/** Both name each other: the database is that of the one which was there first. */
export function sharedDatabase(a: Cluster, b: Cluster): string {
  const [first] = [a, b].sort((x, y) => (x.createdAt + x.id < y.createdAt + y.id ? -1 : 1));
  return first!.id;
}

export function sameProperties(a: Properties, b: Properties): boolean {
  return a.witnessRegion === b.witnessRegion && a.clusters.join() === b.clusters.join();
}
