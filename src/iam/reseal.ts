import type { Sealer } from '../state/sealer.ts';
import type { Store } from '../state/store.ts';
import { secretContext } from './access-keys.ts';

/** Throws an Error that names the first access key whose secret opens with none of the sealers. */
export function assertSecretsOpen(store: Store, sealers: readonly Sealer[]): void {
  for (const { id, sealedSecret } of store.all('accessKeys')) {
    if (sealers.some((sealer) => sealer.open(sealedSecret, secretContext(id)) !== undefined)) continue;
    throw new Error(`the secret of access key ${id} does not open: nothing was changed`);
  }
}

/**
 * Seals the secrets of all access keys under another key, in one change: at no time is one under the old key and another
 * under the new one. What is under the new one already stays. Resolves to how many were sealed anew. Throws an Error, and
 * nothing has changed, when a secret opens with neither key.
 */
export function resealSecrets(store: Store, from: Sealer, to: Sealer): Promise<number> {
  return store.change((draft) => {
    let count = 0;
    for (const record of draft.all('accessKeys')) {
      const context = secretContext(record.id);
      if (to.open(record.sealedSecret, context) !== undefined) continue;
      const secret = from.open(record.sealedSecret, context);
      if (secret === undefined) {
        throw new Error(
          `the secret of access key ${record.id} opens neither with the old sealing key nor with the new one`,
        );
      }
      draft.put('accessKeys', record.id, { ...record, sealedSecret: to.seal(secret, context) });
      count++;
    }
    return count;
  });
}
