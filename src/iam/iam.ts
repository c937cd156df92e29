import { Refused } from '../refused.ts';
import type { RoleRecord, UserRecord } from '../state/records.ts';
import type { Sealer } from '../state/sealer.ts';
import type { Store } from '../state/store.ts';
import { nameKey } from './arn.ts';
import type { Random } from './ids.ts';
import type { KeyUses } from './key-uses.ts';

/** What every IAM operation works with. */
export interface Iam {
  store: Store;
  sealer: Sealer;
  account: string;
  now(): Date;
  random: Random;
  keyUses: KeyUses;
}

/** How an operation reads: from the store, or from the draft of a change. */
type Reader = Pick<Store, 'get'>;

/** Throws Refused `no-such-entity`. */
export function findUser(reader: Reader, name: string): Readonly<UserRecord> {
  const user = reader.get('users', nameKey(name));
  if (!user) throw noSuchEntity(`The user with name ${name} cannot be found.`);
  return user;
}

/** Throws Refused `no-such-entity`. */
export function findRole(reader: Reader, name: string): Readonly<RoleRecord> {
  const role = reader.get('roles', nameKey(name));
  if (!role) throw noSuchEntity(`The role with name ${name} cannot be found.`);
  return role;
}

export function noSuchEntity(say: string): Refused<'no-such-entity'> {
  return new Refused('no-such-entity', { say, detail: say });
}

/** Throws Refused `limit-exceeded` with AWS's text when `count` is more than the account's quota. */
export function checkQuota(quota: string, count: number, limit: number): void {
  if (count <= limit) return;
  const say = `Cannot exceed quota for ${quota}: ${limit}`;
  throw new Refused('limit-exceeded', { say, detail: say });
}
