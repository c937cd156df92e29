import { join } from 'node:path';
import { type BackupDone, type BackupSource, backUp } from '../backup/backup.ts';
import type { Fleet } from '../clusters/fleet.ts';
import type { KeptEngine } from '../engine/kept.ts';
import type { Store } from '../state/store.ts';
import { now, type ServerSetup } from './setup.ts';

/** Copies everything into a folder that is not there yet. One backup at a time. Throws an Error that says why not. */
export type BackUp = (target: string, withKey: boolean) => Promise<BackupDone>;

export function createBackUp(
  { options, env }: Pick<ServerSetup, 'options' | 'env'>,
  { engine, store, fleet, clusters }: { engine: KeptEngine; store: Store; fleet: Fleet; clusters: string },
): BackUp {
  const { dataDir, account, region } = options;
  let backingUp = false;
  const source: BackupSource = {
    dataDir,
    account,
    region,
    control: () => ({ ...engine.current(), folder: join(dataDir, 'control') }),
    databases: () => [
      ...new Set(
        store
          .all('clusters')
          .filter(({ status }) => status !== 'DELETING')
          .map(({ database }) => database),
      ),
    ],
    async whileAwake(database, work) {
      // Woken after its end it would be made anew, empty.
      if (!source.databases().includes(database)) throw new Error(`database ${database} was deleted meanwhile`);
      const use = fleet.use(database);
      try {
        await work({ ...(await fleet.wake(database)).engine, folder: join(clusters, database) });
      } finally {
        use.release();
      }
    },
    now,
  };
  return async (target, withKey) => {
    if (backingUp) throw new Error('a backup is being made already');
    if (withKey && env['POSTERN_SEAL_KEY']) {
      throw new Error('the sealing key comes from POSTERN_SEAL_KEY: there is no file of it to include');
    }
    backingUp = true;
    try {
      return await backUp(source, target, withKey);
    } finally {
      backingUp = false;
    }
  };
}
