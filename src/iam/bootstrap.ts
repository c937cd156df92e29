import { newClusterId } from '../clusters/names.ts';
import type { AccountRecord } from '../state/records.ts';
import type { Sealer } from '../state/sealer.ts';
import type { Draft, Store } from '../state/store.ts';
import { newAccessKey, secretContext } from './access-keys.ts';
import type { Random } from './ids.ts';

/** The data belong to another account or region than was asked for. `option` is the one to change. */
export class AccountMismatch extends Error {
  readonly option: '--account' | '--region';

  constructor(option: '--account' | '--region', stored: string, asked: string) {
    super(`${option} ${asked}: the data directory was made for ${stored}`);
    this.name = 'AccountMismatch';
    this.option = option;
  }
}

export interface Bootstrap {
  account: string;
  region: string;
  /** Of the default cluster, used only where there is none and no other cluster has it. */
  clusterId: string;
  now: Date;
  random: Random;
}

/**
 * The account with its root key and its default cluster, made when the store is empty. A default cluster that was deleted
 * is followed by a new one. Throws AccountMismatch when the store is of another account or region.
 */
export async function bootstrapAccount(
  store: Store,
  sealer: Sealer,
  bootstrap: Bootstrap,
): Promise<Readonly<AccountRecord>> {
  const { account, region, now, random } = bootstrap;
  const found = await store.change((draft) => {
    const existing = draft.get('account', 'this');
    if (existing) return withDefaultCluster(draft, existing, bootstrap);
    const { record: key } = newAccessKey(sealer, random, null, now);
    const createdAt = now.toISOString();
    const made: AccountRecord = {
      account,
      region,
      createdAt,
      rootAccessKeyId: key.id,
      defaultClusterId: makeDefaultCluster(draft, bootstrap),
    };
    draft.put('account', 'this', made);
    draft.put('accessKeys', key.id, key);
    return made;
  });
  if (found.account !== account) throw new AccountMismatch('--account', found.account, account);
  if (found.region !== region) throw new AccountMismatch('--region', found.region, region);
  return found;
}

/** Nothing is changed where account or region are not the ones that were asked for. */
function withDefaultCluster(draft: Draft, found: Readonly<AccountRecord>, bootstrap: Bootstrap): AccountRecord {
  const cluster = draft.get('clusters', found.defaultClusterId);
  const isThere = cluster !== undefined && cluster.status !== 'DELETING';
  if (isThere || found.account !== bootstrap.account || found.region !== bootstrap.region) return found;
  const made = { ...found, defaultClusterId: makeDefaultCluster(draft, bootstrap) };
  draft.put('account', 'this', made);
  return made;
}

/** ACTIVE at once: the start waits for its PostgreSQL. */
function makeDefaultCluster(draft: Draft, { clusterId, region, now, random }: Bootstrap): string {
  const id = draft.get('clusters', clusterId) ? newClusterId(random) : clusterId;
  draft.put('clusters', id, {
    id,
    region,
    createdAt: now.toISOString(),
    status: 'ACTIVE',
    deletionProtection: true,
    tags: {},
    policy: null,
    kmsKey: null,
    multiRegion: null,
    database: id,
    madeBy: null,
  });
  return id;
}

/**
 * The key that the operator gets. Throws an Error when there is no account yet, or when the sealing key is not the one
 * that the account was made with.
 */
export function rootCredentials(store: Store, sealer: Sealer): { accessKeyId: string; secretAccessKey: string } {
  const id = store.get('account', 'this')?.rootAccessKeyId;
  const record = id === undefined ? undefined : store.get('accessKeys', id);
  if (!record) throw new Error('the account has no root access key');
  const secretAccessKey = sealer.open(record.sealedSecret, secretContext(record.id));
  if (secretAccessKey === undefined) {
    throw new Error('the root access key cannot be opened: the sealing key is not the one that it was sealed with');
  }
  return { accessKeyId: record.id, secretAccessKey };
}
