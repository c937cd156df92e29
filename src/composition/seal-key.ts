import { join } from 'node:path';
import { resealChainKey, TRAIL_FOLDER } from '../audit/trail-folder.ts';
import { assertSecretsOpen, resealSecrets } from '../iam/reseal.ts';
import type { Sealer } from '../state/sealer.ts';
import { type KeyChange, loadSealer, prepareKeyChange, unfinishedKeyChange } from '../state/sealing.ts';
import type { Store } from '../state/store.ts';
import { namesIn, openDataDirectory, startControl } from './data-directory.ts';
import type { ServerSetup } from './setup.ts';
import { type Undo, undoAll } from './undo.ts';

async function finishKeyChange(
  dataDir: string,
  store: Store,
  old: Sealer,
  { next, finish }: KeyChange,
): Promise<number> {
  const count = await resealSecrets(store, old, next);
  await resealChainKey(join(dataDir, TRAIL_FOLDER), old, next);
  await finish();
  return count;
}

/** The sealer in use: that of a change of the key which had been cut off, once it is finished. */
export async function finishCutOffKeyChange(
  { options: { dataDir }, env, log }: Omit<ServerSetup, 'durable'>,
  store: Store,
  old: Sealer,
): Promise<Sealer> {
  const cutOff = await unfinishedKeyChange({ folder: dataDir, env });
  if (!cutOff) return old;
  await finishKeyChange(dataDir, store, old, cutOff);
  log.warn('a change of the sealing key that had been cut off is finished');
  return cutOff.next;
}

/**
 * Gives the data directory a new sealing key, with no server on it. Cut off at any moment, it is finished by the next start
 * or by doing it again. Throws DataFolderError when a server runs, and Errors of the parts; nothing has changed then.
 */
export async function rotateSealKey({ options, env, log }: Omit<ServerSetup, 'durable'>): Promise<{
  count: number;
  kept: KeyChange['kept'];
}> {
  const { dataDir } = options;
  if ((await namesIn(join(dataDir, 'control'))).length === 0) throw new Error(`there is no account in ${dataDir}`);
  const undo: Undo = [];
  try {
    const { host } = await openDataDirectory({ options, env, log }, undo);
    const old = await loadSealer({ folder: dataDir, env });
    const { store } = await startControl(host, { dataDir, durable: true, log, undo });
    const change = await prepareKeyChange({ folder: dataDir, env });
    // Asked before there is a second key: a change that has begun must be able to end.
    assertSecretsOpen(store, [old, change.next]);
    await change.begin();
    return { count: await finishKeyChange(dataDir, store, old, change), kept: change.kept };
  } finally {
    await undoAll(undo, log);
  }
}
