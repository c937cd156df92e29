import { Refused } from '../refused.ts';
import type { Sealer } from '../state/sealer.ts';
import type { Store } from '../state/store.ts';
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
export type Reader = Pick<Store, 'get' | 'all'>;

export function noSuchEntity(say: string): Refused<'no-such-entity'> {
  return new Refused('no-such-entity', { say, detail: say });
}

export function entityExists(say: string): Refused<'entity-exists'> {
  return new Refused('entity-exists', { say, detail: say });
}

export function deleteConflict(say: string): Refused<'delete-conflict'> {
  return new Refused('delete-conflict', { say, detail: say });
}

export function invalidInput(say: string): Refused<'invalid-input'> {
  return new Refused('invalid-input', { say, detail: say });
}
