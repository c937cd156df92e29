import { chmod, mkdir, open, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isThere } from './backup.ts';
import { copyFile, forEach } from './copy.ts';
import { type Manifest, readManifest, sameFacts, verifyBackup } from './manifest.ts';

/**
 * Makes a data directory of a backup, whole or not at all. The backup is verified before, and each file while it is copied.
 * `keyFile` is the sealing key's file where the backup has none. Throws an Error when the directory is there and not empty,
 * and when the backup is not what was backed up.
 */
export async function restore(from: string, dataDir: string, keyFile: string | undefined): Promise<Manifest> {
  const manifest = await readManifest(from);
  if (manifest.hasKey && keyFile !== undefined)
    throw new Error('the backup has the sealing key in it: leave --key-file out');
  if (await isThere(dataDir)) {
    if ((await readdir(dataDir)).length > 0) throw new Error(`${dataDir} is not empty`);
  }
  await verifyBackup(from, manifest);
  await mkdir(dirname(dataDir), { recursive: true, mode: 0o700 });
  const draft = join(dirname(dataDir), `${basename(dataDir)}.partial`);
  if (await isThere(draft)) throw new Error(`${draft} is there, of one that was cut off: remove it first`);
  await mkdir(draft, { mode: 0o700 });
  try {
    for (const folder of manifest.folders) await mkdir(join(draft, folder), { mode: 0o700 });
    await forEach(Object.entries(manifest.files), async ([path, facts]) => {
      if (!sameFacts(facts, await copyFile(join(from, path), join(draft, path)))) {
        throw new Error(`${join(from, path)} was changed while it was copied`);
      }
    });
    // The authority's certificate is for everybody to read.
    if (manifest.files['tls/ca.crt']) await chmod(join(draft, 'tls/ca.crt'), 0o644);
    if (keyFile !== undefined) await copyFile(keyFile, join(draft, 'seal.key'));
    for (const folder of [...manifest.folders.map((name) => join(draft, name)), draft]) await syncFolder(folder);
    if (await isThere(dataDir)) await rmdir(dataDir);
    await rename(draft, dataDir);
    await syncFolder(dirname(dataDir));
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
  return manifest;
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
