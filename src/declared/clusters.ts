import { isDeepStrictEqual } from 'node:util';
import { ConfigurationError } from '../config/configuration-error.ts';
import type { ClusterRecord } from '../state/records.ts';
import type { Applying } from './applying.ts';
import { DEFAULT_CLUSTER, type DeclaredCluster } from './declaration.ts';
import { below } from './shape.ts';

/** What the control plane does for declared clusters. All throw Refused. */
export interface ClusterOperations {
  /** Begins; resolves with the cluster's id. */
  create(region: string, input: { clientToken: string; deletionProtection?: boolean | undefined }): Promise<string>;
  /** Resolves when the cluster is made, or gone: no longer CREATING or DELETING. */
  settled(id: string): Promise<void>;
  protect(cluster: Readonly<ClusterRecord>, deletionProtection: boolean): Promise<void>;
  tag(cluster: Readonly<ClusterRecord>, tags: Readonly<Record<string, string>>): Promise<void>;
  putPolicy(cluster: Readonly<ClusterRecord>, document: string): Promise<void>;
}

export interface ClusterPlaces {
  operations: ClusterOperations;
  defaultClusterId: string;
  /** The home region first. */
  regions: readonly string[];
}

/** How a cluster is found again at the next start: by the client token that it was made with. */
export function declaredToken(name: string): string {
  return `declared:${name}`;
}

/** Makes the cluster if there is none, and sets its settings right, but for its policy, which may name what comes later. */
export async function applyCluster(
  applying: Applying,
  path: string,
  declared: DeclaredCluster,
  { operations, defaultClusterId, regions }: ClusterPlaces,
): Promise<void> {
  const { name, tags = {}, deletionProtection } = declared;
  const { store } = applying.iam;
  const region = checkedRegion(path, declared, regions);
  const clientToken = declaredToken(name);
  const find = () =>
    name === DEFAULT_CLUSTER
      ? store.get('clusters', defaultClusterId)
      : store.all('clusters').find((each) => each.region === region && each.madeBy?.clientToken === clientToken);
  const before = find();
  // What a start before this one, or a deletion, has left half done.
  if (before) await applying.at(path, () => operations.settled(before.id));
  let id = find()?.id;
  if (id === undefined) {
    if (name === DEFAULT_CLUSTER) throw new ConfigurationError(`${path}: the default cluster has been deleted`);
    const made = await applying.at(path, () => operations.create(region, { clientToken, deletionProtection }));
    await applying.at(path, () => operations.settled(made));
    applying.changed(path, `cluster ${made} made in ${region}`);
    id = made;
  }
  const cluster = recordOf(applying, id);
  if (cluster.status !== 'ACTIVE') throw new ConfigurationError(`${path}: cluster ${id} is ${cluster.status}`);
  if (deletionProtection !== undefined && deletionProtection !== cluster.deletionProtection) {
    const at = below(path, 'deletionProtection');
    await applying.at(at, () => operations.protect(cluster, deletionProtection));
    applying.changed(at, `deletion protection of cluster ${id} ${deletionProtection ? 'on' : 'off'}`);
  }
  if (Object.entries(tags).some(([key, value]) => !Object.hasOwn(cluster.tags, key) || cluster.tags[key] !== value)) {
    const at = below(path, 'tags');
    await applying.at(at, () => operations.tag(cluster, tags));
    applying.changed(at, `tags of cluster ${id}`);
  }
  applying.clusters.set(name, recordOf(applying, id));
}

export async function applyClusterPolicy(
  applying: Applying,
  path: string,
  { name, policy }: DeclaredCluster,
  { operations }: ClusterPlaces,
): Promise<void> {
  if (policy === undefined) return;
  const at = below(path, 'policy');
  const { text, value } = await applying.document(policy, at);
  const cluster = recordOf(applying, applying.clusters.get(name)?.id as string);
  if (cluster.policy && isDeepStrictEqual(JSON.parse(cluster.policy.document), value)) return;
  await applying.at(at, () => operations.putPolicy(cluster, text));
  applying.changed(at, `policy of cluster ${cluster.id}`);
}

function recordOf(applying: Applying, id: string): Readonly<ClusterRecord> {
  const record = applying.iam.store.get('clusters', id);
  if (!record) throw new Error(`cluster ${id} went away while it was being set right`);
  return record;
}

function checkedRegion(path: string, { name, region }: DeclaredCluster, regions: readonly string[]): string {
  const [home = ''] = regions;
  const asked = region ?? home;
  const at = below(path, 'region');
  if (name === DEFAULT_CLUSTER && asked !== home) {
    throw new ConfigurationError(`${at}: the default cluster is in ${home} (--region)`);
  }
  if (!regions.includes(asked)) {
    throw new ConfigurationError(`${at}: ${asked} is not served (--additional-region ${asked})`);
  }
  return asked;
}
