import type { AwakeCluster, Cluster } from '../clusters/cluster.ts';
import type { Use } from '../clusters/fleet.ts';
import { Refused } from '../refused.ts';
import type { Gateway } from './gateway.ts';

/**
 * Wakes the database of a cluster for a connection, and keeps it awake until `use` is released. With strict fidelity a
 * connection that has to wait for that is refused (`waking-up`); the next one finds it awake. Throws Refused
 * when the cluster has been deleted since it was addressed; nothing is woken then, which would make its data anew.
 */
export function wakeUp(
  { id: clusterId }: Cluster,
  { clusters, fleet, fidelity }: Pick<Gateway, 'clusters' | 'fleet' | 'fidelity'>,
): { awake: Promise<AwakeCluster>; use: Use } {
  const cluster = clusters.resolve({ serverName: undefined, clusterId, localAddress: '' });
  const asleep = !fleet.isAwake(cluster.database);
  const use = fleet.use(cluster.database);
  const awake = cluster.wake();
  if (fidelity === 'local' || !asleep) return { awake, use };
  // Whether it wakes shows at the next connection.
  awake.catch(() => undefined);
  use.release();
  throw new Refused('waking-up', { detail: `database ${cluster.database} was asleep and is being woken` });
}
