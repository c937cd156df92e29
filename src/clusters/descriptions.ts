import type { Store } from '../state/store.ts';
import { clusterArn, clusterEndpoint } from './names.ts';

/** A cluster as the control plane tells of it. */
export interface ClusterDescription {
  identifier: string;
  arn: string;
  status: 'ACTIVE';
  creationTime: Date;
  deletionProtectionEnabled: boolean;
  tags: Readonly<Record<string, string>>;
  encryptionDetails: { encryptionType: 'AWS_OWNED_KMS_KEY'; encryptionStatus: 'ENABLED' };
  endpoint: string;
}

export interface ClusterDescriptions {
  get(identifier: string): ClusterDescription | undefined;
  /** In the order of their identifiers. */
  list(): readonly ClusterDescription[];
}

/**
 * The clusters of one region. They are always ACTIVE, asleep or not: a connection to one that sleeps waits until it is
 * awake and is not refused, which is what ACTIVE promises.
 */
export function createClusterDescriptions(store: Store, region: string, account: string): ClusterDescriptions {
  const describe = (cluster: NonNullable<ReturnType<typeof store.get<'clusters'>>>): ClusterDescription => ({
    identifier: cluster.id,
    arn: clusterArn(cluster.id, { region, account }),
    status: 'ACTIVE',
    creationTime: new Date(cluster.createdAt),
    deletionProtectionEnabled: cluster.deletionProtection,
    tags: cluster.tags,
    encryptionDetails: { encryptionType: 'AWS_OWNED_KMS_KEY', encryptionStatus: 'ENABLED' },
    endpoint: clusterEndpoint(cluster.id, region),
  });
  return {
    get(identifier) {
      const cluster = store.get('clusters', identifier);
      return cluster?.region === region ? describe(cluster) : undefined;
    },
    list: () =>
      store
        .all('clusters')
        .filter((cluster) => cluster.region === region)
        .map(describe),
  };
}
