import { lstat, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { copyFile, type FileFacts } from './copy.ts';
import { copyInstance, type Instance } from './instance.ts';
import { foldersBelow, writeManifest } from './manifest.ts';

export interface BackupSource {
  dataDir: string;
  account: string;
  region: string;
  control: () => Instance;
  /** The databases of all clusters that are not being deleted. */
  databases: () => readonly string[];
  /** Does the work while the database is awake, and keeps it so. Rejects when it is gone. */
  whileAwake: (database: string, work: (instance: Instance) => Promise<void>) => Promise<void>;
  now: () => Date;
}

export interface BackupDone {
  files: number;
  /** In bytes. */
  size: number;
  databases: number;
}

/**
 * Copies all that a server needs while it goes on working. Each PostgreSQL is copied as of one moment of its own: the
 * control database first, then one cluster after the other. Nothing is left when it fails, and a backup that is cut off has
 * another name and no manifest. Throws an Error when the target is there already.
 */
export async function backUp(source: BackupSource, target: string, withKey: boolean): Promise<BackupDone> {
  const { dataDir } = source;
  if (!relative(dataDir, target).startsWith('..')) throw new Error(`${target} is in the data directory`);
  if (await isThere(target)) throw new Error(`${target} is there already`);
  const draft = join(dirname(target), `${basename(target)}.partial`);
  const startedAt = source.now().toISOString();
  if (await isThere(draft)) throw new Error(`${draft} is there, of one that was cut off: remove it first`);
  await mkdir(draft, { mode: 0o700 });
  try {
    const files: Record<string, FileFacts> = {};
    const into = (place: string) => (path: string, facts: FileFacts) => {
      files[`${place}/${path}`] = facts;
    };
    const before = source.databases();
    await copyInstance(source.control(), join(draft, 'control'), into('control'));
    // What the copied control database knows of must be there: nothing is deleted between the two.
    const databases = source.databases();
    const gone = before.find((database) => !databases.includes(database));
    if (gone !== undefined) throw new Error(`database ${gone} was deleted meanwhile: try again`);
    await mkdir(join(draft, 'clusters'), { mode: 0o700 });
    for (const database of databases) {
      const place = `clusters/${database}`;
      await source.whileAwake(database, (instance) => copyInstance(instance, join(draft, place), into(place)));
    }
    await mkdir(join(draft, 'tls'), { mode: 0o700 });
    for (const name of await namesOf(join(dataDir, 'tls'))) {
      files[`tls/${name}`] = await copyFile(join(dataDir, 'tls', name), join(draft, 'tls', name));
    }
    if (withKey) files['seal.key'] = await copyFile(join(dataDir, 'seal.key'), join(draft, 'seal.key'));
    const { account, region } = source;
    await writeManifest(draft, {
      format: 1,
      account,
      region,
      startedAt,
      endedAt: source.now().toISOString(),
      hasKey: withKey,
      databases: [...databases],
      folders: await foldersBelow(draft),
      files,
    });
    await rename(draft, target);
    const size = Object.values(files).reduce((sum, facts) => sum + facts.size, 0);
    return { files: Object.keys(files).length, size, databases: databases.length };
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
}

async function namesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    // A server with its operator's certificates has none of its own.
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}

export async function isThere(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined;
}
