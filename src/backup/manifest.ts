import { lstat, open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomically } from '../machine/atomic-file.ts';
import { copyFile, type FileFacts, forEach } from './copy.ts';

/** What a backup consists of; written last, so that one that was cut off has none. */
export interface Manifest {
  format: 1;
  account: string;
  region: string;
  startedAt: string;
  endedAt: string;
  /** Whether the sealing key is in it. */
  hasKey: boolean;
  /** The names of the clusters' databases. */
  databases: string[];
  /** Below the backup's folder, with `/`. */
  folders: string[];
  files: Record<string, FileFacts>;
}

const MANIFEST = 'postern-backup.json';
/** In bytes; a backup of a million files has less. */
const MAX_MANIFEST = 256 * 1024 * 1024;

export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  await writeAtomically(join(folder, MANIFEST), `${JSON.stringify(manifest)}\n`, 0o600);
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Throws an Error when there is none, or not one of this kind. */
export async function readManifest(folder: string): Promise<Manifest> {
  const path = join(folder, MANIFEST);
  const facts = await lstat(path).catch(() => undefined);
  if (!facts?.isFile()) throw new Error(`${folder} is no whole backup: it has no ${MANIFEST}`);
  if (facts.size > MAX_MANIFEST) throw new Error(`${path} is too large`);
  return parseManifest(await readFile(path, 'utf8'), path);
}

/** `path` is what messages call it. Throws an Error where the text is no manifest of this kind. */
export function parseManifest(text: string, path: string): Manifest {
  const manifest = readJson(text, path) as Partial<Record<keyof Manifest, unknown>> | null;
  const { format, folders, files, databases } = manifest ?? {};
  const isWhole = isTexts(folders) && isTexts(databases) && typeof files === 'object' && files !== null;
  if (format !== 1 || !isWhole) throw new Error(`${path} is of another version of Postern`);
  for (const name of [...folders, ...Object.keys(files)]) {
    // It says where files are written to.
    if (!/^[^/\0]+(\/[^/\0]+)*$/.test(name) || name.split('/').some((part) => part === '.' || part === '..')) {
      throw new Error(`${path} names ${JSON.stringify(name)}, which is no path in a backup`);
    }
  }
  for (const [name, facts] of Object.entries(files)) {
    if (!isFacts(facts)) throw new Error(`${path} has no size and digest of ${JSON.stringify(name)}`);
  }
  return manifest as unknown as Manifest;
}

function readJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${path} is no JSON`);
  }
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function isFacts(value: unknown): value is FileFacts {
  const { size, sha256 } = (value ?? {}) as Partial<Record<keyof FileFacts, unknown>>;
  const isDigest = typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256);
  return isDigest && Number.isSafeInteger(size) && (size as number) >= 0;
}

/** Throws an Error that names the first file that is missing, changed, or not in the manifest. */
export async function verifyBackup(folder: string, { files, folders }: Manifest): Promise<void> {
  const known = new Set([...Object.keys(files), ...folders, MANIFEST]);
  for (const path of await listBelow(folder)) {
    if (!known.has(path)) throw new Error(`${join(folder, path)} is not part of the backup`);
  }
  await forEach(Object.entries(files), async ([path, facts]) => {
    if (!sameFacts(facts, await copyFile(join(folder, path), '', 'read'))) {
      throw new Error(`${join(folder, path)} is not what was backed up`);
    }
  });
}

export function sameFacts(a: FileFacts, b: FileFacts): boolean {
  return a.size === b.size && a.sha256 === b.sha256;
}

async function listBelow(folder: string, below = ''): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(join(folder, below), { withFileTypes: true })) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (!entry.isFile() && !entry.isDirectory())
      throw new Error(`${join(folder, path)} is neither a file nor a folder`);
    found.push(path);
    if (entry.isDirectory()) found.push(...(await listBelow(folder, path)));
  }
  return found;
}

/** The folders below, each after the one that it is in. */
export async function foldersBelow(folder: string, below = ''): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(join(folder, below), { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    found.push(path, ...(await foldersBelow(folder, path)));
  }
  return found;
}
