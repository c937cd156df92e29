import { setTimeout as pause } from 'node:timers/promises';
import type { Log } from '../audit/log.ts';
import type { InputOf } from '../iam/input.ts';
import type { ClusterRecord } from '../state/records.ts';
import type { Draft, Store } from '../state/store.ts';
import { ClientTokens, digestOf, reusedToken } from './client-tokens.ts';
import * as policies from './cluster-policies.ts';
import {
  arnOf,
  type ClusterDescription,
  type ClusterSummary,
  describe,
  summarize,
  type Teller,
} from './descriptions.ts';
import { type AskedProperties, mergedProperties, peerNamedBy, sameProperties, sharedDatabase } from './multi-region.ts';
import { newClusterId } from './names.ts';
import { conflict, deletionProtected, invalid, noSuchCluster, quotaExceeded } from './refusals.ts';
import { type Databases, Settling, type SettlingOptions } from './settling.ts';
import type * as shapes from './shapes.ts';

/** Clusters of one account in one region: Aurora DSQL User Guide, "Quotas". */
export interface ClusterQuotas {
  singleRegion: number;
  multiRegion: number;
}

export const DEFAULT_QUOTAS: ClusterQuotas = { singleRegion: 20, multiRegion: 5 };

export interface LifecycleOptions {
  store: Store;
  fleet: Databases;
  /** Ends the sessions of a cluster that nobody can connect to any more; its peers' go on. */
  endSessions(clusterId: string): void;
  account: string;
  /** Those that this server serves. */
  regions: readonly string[];
  quotas: ClusterQuotas;
  log: Log;
  now(): Date;
  random(bytes: number): Buffer;
  pause?: SettlingOptions['pause'];
}

type Input<Shape extends keyof typeof shapes> = InputOf<(typeof shapes)[Shape]>;
type Cluster = Readonly<ClusterRecord>;

/** How Terraform names the key that AWS owns. */
const AWS_OWNED = 'AWS_OWNED_KMS_KEY';

/**
 * The clusters' way from CREATING to their end. A change of a record is one transaction and says what shall be; the work
 * that follows from it is `Settling`'s.
 *
 *     CREATING -> ACTIVE -> DELETING -> gone
 *     PENDING_SETUP -> (both peers name each other) -> CREATING -> ACTIVE -> PENDING_DELETE -> (both deleted) -> DELETING
 */
export class Lifecycle {
  readonly #options: LifecycleOptions;
  readonly #tokens: ClientTokens;
  readonly #settling: Settling;
  readonly #teller: Teller;

  constructor(options: LifecycleOptions) {
    const { store, fleet, log, account } = options;
    this.#options = options;
    this.#tokens = new ClientTokens(options.now);
    this.#settling = new Settling({
      store,
      fleet,
      log,
      pause: options.pause ?? ((ms, signal) => pause(ms, undefined, { signal })),
    });
    this.#teller = { account, isAwake: (database) => fleet.isAwake(database) };
  }

  /** Finishes what a crash has cut off, in the background. Once, at the start. */
  recover(): void {
    this.#settling.recover();
  }

  /** Resolves when every cluster is what its record says. */
  settled(): Promise<void> {
    return this.#settling.settled();
  }

  close(): Promise<void> {
    return this.#settling.close();
  }

  /** The record. Throws Refused `resource-not-found`. */
  find(region: string, identifier: string, reader: Pick<Draft, 'get'> = this.#options.store): Cluster {
    const cluster = reader.get('clusters', identifier);
    if (cluster?.region !== region) throw noSuchCluster(identifier);
    return cluster;
  }

  describe(cluster: Cluster): ClusterDescription {
    return describe(cluster, this.#teller);
  }

  /** In the order of their identifiers. */
  list(region: string): readonly Cluster[] {
    return this.#options.store.all('clusters').filter((cluster) => cluster.region === region);
  }

  /** Throws Refused `validation`, `malformed-policy`, `conflict` or `quota-exceeded`. */
  async createCluster(
    region: string,
    input: Input<'CREATE_CLUSTER'>,
    asker: policies.Asker,
  ): Promise<ClusterDescription> {
    const cluster = await this.#options.store.change((draft) => {
      const made = madeWith(draft, region, input);
      if (made) return made;
      const cluster = this.#newCluster(draft, region, input, asker);
      draft.put('clusters', cluster.id, cluster);
      return cluster;
    });
    this.#settling.settle(cluster.database);
    // A request that is repeated has the answer of the first, whatever has become of the cluster but its end.
    return this.describe(isEnding(cluster) ? cluster : { ...cluster, status: firstStatus(cluster.multiRegion) });
  }

  #newCluster(draft: Draft, region: string, input: Input<'CREATE_CLUSTER'>, asker: policies.Asker): ClusterRecord {
    const { account, regions, random, quotas } = this.#options;
    const now = this.#options.now();
    const { clientToken, multiRegionProperties, policy, tags = {} } = input;
    refuseReserved(Object.keys(tags));
    const id = newClusterId(random);
    const plain: ClusterRecord = {
      id,
      region,
      createdAt: now.toISOString(),
      status: firstStatus(multiRegionProperties),
      deletionProtection: input.deletionProtectionEnabled ?? true,
      tags,
      policy: null,
      kmsKey: kmsKeyOf(input),
      multiRegion: null,
      database: id,
      madeBy: clientToken === undefined ? null : { clientToken, digest: digestOf(input) },
    };
    checkQuota(draft, region, multiRegionProperties !== undefined, quotas);
    let cluster = plain;
    if (multiRegionProperties) {
      cluster = { ...plain, multiRegion: mergedProperties(plain, multiRegionProperties, { account, regions }) };
      peerNamedBy(draft, cluster, account);
    }
    if (policy === undefined) return cluster;
    return policies.withPolicy(draft, cluster, { ...input, policy }, { account, asker, now });
  }

  /**
   * Takes effect at once. Starts a cluster that sleeps: who updates one waits for it to be ACTIVE. Throws Refused
   * `resource-not-found`, `validation` or `conflict`.
   */
  updateCluster(region: string, input: Input<'UPDATE_CLUSTER'>): Promise<ClusterSummary> {
    const { identifier } = input;
    return this.#tokens.once(['UpdateCluster', region, identifier], input, identifier, async () => {
      const { store, fleet, log } = this.#options;
      const cluster = await store.change((draft) => {
        const before = this.#changeable(draft, region, identifier);
        const plain = {
          ...before,
          deletionProtection: input.deletionProtectionEnabled ?? before.deletionProtection,
          kmsKey: input.kmsEncryptionKey === undefined ? before.kmsKey : kmsKeyOf(input),
        };
        const asked = input.multiRegionProperties;
        const after = asked ? this.#withProperties(draft, plain, asked) : plain;
        draft.put('clusters', identifier, after);
        return after;
      });
      this.#settling.settle(cluster.database);
      if (cluster.status === 'ACTIVE') {
        await fleet
          .wake(cluster.database)
          .catch((error: unknown) =>
            log.warn({ err: error, cluster: identifier }, 'an updated cluster does not start'),
          );
      }
      return summarize(cluster, this.#teller);
    });
  }

  /** Where the peer that it names has named it too, both are made, of one database. */
  #withProperties(draft: Draft, cluster: ClusterRecord, asked: AskedProperties): ClusterRecord {
    const { account, regions } = this.#options;
    if (cluster.multiRegion === null) {
      throw invalid('multiRegionProperties', 'A single-Region cluster cannot become a multi-Region cluster.');
    }
    const multiRegion = mergedProperties(cluster, asked, { account, regions });
    if (cluster.status !== 'PENDING_SETUP') {
      if (sameProperties(multiRegion, cluster.multiRegion)) return cluster;
      throw invalid('multiRegionProperties', 'The witness Region and the peer cluster cannot be changed any more.');
    }
    const named = { ...cluster, multiRegion };
    const peer = peerNamedBy(draft, named, account);
    if (!peer?.multiRegion?.clusters.includes(arnOf(cluster, account))) return named;
    const made = { status: 'CREATING', database: sharedDatabase(cluster, peer) } as const;
    draft.put('clusters', peer.id, { ...peer, ...made });
    return { ...named, ...made };
  }

  /** One that is being deleted already stays so. Throws Refused `resource-not-found` or `validation`. */
  deleteCluster(region: string, input: Input<'DELETE_CLUSTER'>): Promise<ClusterSummary> {
    const { identifier } = input;
    return this.#tokens.once(['DeleteCluster', region, identifier], input, identifier, async () => {
      const cluster = await this.#options.store.change((draft) => {
        const before = this.find(region, identifier, draft);
        if (isEnding(before)) return before;
        if (before.deletionProtection) throw deletionProtected(identifier);
        const peers = draft
          .all('clusters')
          .filter(({ id, database }) => database === before.database && id !== identifier);
        const isLast = peers.every(isEnding);
        const after: ClusterRecord = { ...before, status: isLast ? 'DELETING' : 'PENDING_DELETE' };
        draft.put('clusters', identifier, after);
        if (isLast) for (const peer of peers) draft.put('clusters', peer.id, { ...peer, status: 'DELETING' });
        return after;
      });
      this.#options.endSessions(identifier);
      this.#settling.settle(cluster.database);
      return summarize(cluster, this.#teller);
    });
  }

  /** Throws Refused `resource-not-found`, `malformed-policy`, `validation` or `conflict`. */
  putPolicy(
    region: string,
    input: Input<'PUT_CLUSTER_POLICY'>,
    asker: policies.Asker,
  ): Promise<{ policyVersion: string }> {
    const { identifier } = input;
    const { store, account } = this.#options;
    return this.#tokens.once(['PutClusterPolicy', region, identifier], input, identifier, () =>
      store.change((draft) => {
        const before = this.#changeable(draft, region, identifier);
        const after = policies.withPolicy(draft, before, input, { account, asker, now: this.#options.now() });
        draft.put('clusters', identifier, after);
        return { policyVersion: after.policy.version };
      }),
    );
  }

  /** Throws Refused `resource-not-found` or `conflict`. */
  deletePolicy(region: string, input: Input<'DELETE_CLUSTER_POLICY'>): Promise<{ policyVersion: string }> {
    const { identifier } = input;
    return this.#tokens.once(['DeleteClusterPolicy', region, identifier], input, identifier, () =>
      this.#options.store.change((draft) => {
        const { cluster, policyVersion } = policies.withoutPolicy(this.#changeable(draft, region, identifier), input);
        draft.put('clusters', identifier, cluster);
        return { policyVersion };
      }),
    );
  }

  /** Replaces all tags by what `work` makes of them. Throws Refused `resource-not-found`, and what `work` throws. */
  changeTags(
    region: string,
    identifier: string,
    work: (tags: Cluster['tags']) => ClusterRecord['tags'],
  ): Promise<void> {
    return this.#options.store.change((draft) => {
      const cluster = this.find(region, identifier, draft);
      draft.put('clusters', identifier, { ...cluster, tags: work(cluster.tags) });
    });
  }

  #changeable(draft: Draft, region: string, identifier: string): Cluster {
    const cluster = this.find(region, identifier, draft);
    if (isEnding(cluster)) throw conflict(identifier, `Cluster ${identifier} is ${cluster.status}.`);
    return cluster;
  }
}

function firstStatus(multiRegion: unknown): 'PENDING_SETUP' | 'CREATING' {
  return multiRegion ? 'PENDING_SETUP' : 'CREATING';
}

function isEnding({ status }: Cluster): boolean {
  return status === 'DELETING' || status === 'PENDING_DELETE';
}

/** The cluster that this client token has made. Throws Refused `conflict` where it was asked for with other parameters. */
function madeWith(draft: Draft, region: string, input: Input<'CREATE_CLUSTER'>): Cluster | undefined {
  const { clientToken } = input;
  if (clientToken === undefined) return undefined;
  const made = draft.all('clusters').find((each) => each.region === region && each.madeBy?.clientToken === clientToken);
  if (made && made.madeBy?.digest !== digestOf(input)) throw reusedToken(made.id);
  return made;
}

function kmsKeyOf({ kmsEncryptionKey: key }: { readonly kmsEncryptionKey?: string }): string | null {
  return key === undefined || key === AWS_OWNED ? null : key;
}

/** Throws Refused `validation`. */
export function refuseReserved(tagKeys: readonly string[]): void {
  const reserved = tagKeys.find((key) => key.toLowerCase().startsWith('aws:'));
  if (reserved !== undefined) throw invalid('tags', 'Tag keys starting with aws: are reserved for system use.');
}

/** A cluster that is being deleted does not count. */
function checkQuota(draft: Draft, region: string, multiRegion: boolean, quotas: ClusterQuotas): void {
  const quota = multiRegion ? quotas.multiRegion : quotas.singleRegion;
  const count = draft
    .all('clusters')
    .filter(
      (each) => each.region === region && (each.multiRegion !== null) === multiRegion && each.status !== 'DELETING',
    );
  if (count.length < quota) return;
  throw quotaExceeded('You have reached the cluster limit.', {
    resourceId: '*',
    resourceType: 'cluster',
    quotaCode: multiRegion ? 'multi-region-clusters' : 'single-region-clusters',
  });
}
