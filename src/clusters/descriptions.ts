import { createHash } from 'node:crypto';
import type { ClusterRecord, ClusterStatus } from '../state/records.ts';
import { clusterArn, clusterEndpoint } from './names.ts';

/** A cluster as the control plane tells of it after a change. */
export interface ClusterSummary {
  identifier: string;
  arn: string;
  /** IDLE: an ACTIVE one whose PostgreSQL does not run. The next connection, or an update, starts it. */
  status: ClusterStatus | 'IDLE';
  creationTime: Date;
}

export interface ClusterDescription extends ClusterSummary {
  deletionProtectionEnabled: boolean;
  /** Of a multi-Region cluster. As on the service, `clusters` names the cluster itself too. */
  multiRegionProperties?: { witnessRegion?: string; clusters: string[] };
  encryptionDetails: {
    encryptionType: 'AWS_OWNED_KMS_KEY' | 'CUSTOMER_MANAGED_KMS_KEY';
    kmsKeyArn?: string;
    encryptionStatus: 'ENABLED';
  };
  endpoint: string;
}

type Cluster = Readonly<ClusterRecord>;

export interface Teller {
  account: string;
  /** Whether the PostgreSQL of a database runs. */
  isAwake(database: string): boolean;
}

export function arnOf(cluster: Pick<Cluster, 'id' | 'region'>, account: string): string {
  return clusterArn(cluster.id, { region: cluster.region, account });
}

export function summarize(cluster: Cluster, { account, isAwake }: Teller): ClusterSummary {
  return {
    identifier: cluster.id,
    arn: arnOf(cluster, account),
    status: cluster.status === 'ACTIVE' && !isAwake(cluster.database) ? 'IDLE' : cluster.status,
    creationTime: new Date(cluster.createdAt),
  };
}

export function describe(cluster: Cluster, teller: Teller): ClusterDescription {
  const { multiRegion } = cluster;
  const summary = summarize(cluster, teller);
  return {
    ...summary,
    deletionProtectionEnabled: cluster.deletionProtection,
    ...(multiRegion && {
      multiRegionProperties: {
        ...(multiRegion.witnessRegion !== null && { witnessRegion: multiRegion.witnessRegion }),
        clusters: [summary.arn, ...multiRegion.clusters],
      },
    }),
    encryptionDetails: encryptionOf(cluster, teller.account),
    endpoint: clusterEndpoint(cluster.id, cluster.region),
  };
}

/** A key may have been named by its ARN, its id or its alias; the service tells ARNs. */
function encryptionOf({ kmsKey, region }: Cluster, account: string): ClusterDescription['encryptionDetails'] {
  if (kmsKey === null) return { encryptionType: 'AWS_OWNED_KMS_KEY', encryptionStatus: 'ENABLED' };
  const resource = kmsKey.startsWith('alias/') ? kmsKey : `key/${kmsKey}`;
  return {
    encryptionType: 'CUSTOMER_MANAGED_KMS_KEY',
    kmsKeyArn: kmsKey.startsWith('arn:') ? kmsKey : `arn:aws:kms:${region}:${account}:${resource}`,
    encryptionStatus: 'ENABLED',
  };
}

/**
 * The names that a VPC endpoint would have: `com.amazonaws.<region>.dsql-<six hexadecimal digits>` (shape ServiceName), and
 * the cluster's private DNS name, under which it can be reached here too.
 */
export function vpcEndpointNames({ id, region }: Cluster): { serviceName: string; clusterVpcEndpoint: string } {
  const suffix = createHash('sha256').update(region).digest('hex').slice(0, 6);
  return {
    serviceName: `com.amazonaws.${region}.dsql-${suffix}`,
    clusterVpcEndpoint: `${id}.dsql-${suffix}.${region}.on.aws`,
  };
}
