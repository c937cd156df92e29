import type { AccountRecord } from '../state/records.ts';
import type { Sealer } from '../state/sealer.ts';
import type { Store } from '../state/store.ts';
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
  /** Of the default cluster, used only where there is none yet. */
  clusterId: string;
  now: Date;
  random: Random;
}

/**
 * The account with its root key and its default cluster, made when the store is empty. Throws AccountMismatch when the
 * store is of another account or region.
 */
export async function bootstrapAccount(
  store: Store,
  sealer: Sealer,
  { account, region, clusterId, now, random }: Bootstrap,
): Promise<Readonly<AccountRecord>> {
  const found = await store.change((draft) => {
    const existing = draft.get('account', 'this');
    if (existing) return existing;
    const { record: key } = newAccessKey(sealer, random, null, now);
    const createdAt = now.toISOString();
    const made: AccountRecord = {
      account,
      region,
      createdAt,
      rootAccessKeyId: key.id,
      defaultClusterId: clusterId,
    };
    draft.put('account', 'this', made);
    draft.put('accessKeys', key.id, key);
    draft.put('clusters', clusterId, {
      id: clusterId,
      region,
      createdAt,
      status: 'ACTIVE',
      deletionProtection: true,
      tags: {},
      policy: null,
      kmsKey: null,
      multiRegion: null,
      database: clusterId,
      madeBy: null,
    });
    return made;
  });
  if (found.account !== account) throw new AccountMismatch('--account', found.account, account);
  if (found.region !== region) throw new AccountMismatch('--region', found.region, region);
  return found;
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
