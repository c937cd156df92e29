import { lstat, readdir, readlink, stat } from 'node:fs/promises';
import { dirname, join, parse, resolve, sep } from 'node:path';

/** Who this process is to the file system. */
export interface Self {
  uid: number;
  gid: number;
}

/** What is followed before a path is taken for one that leads in a circle (ELOOP). */
const MAX_LINKS = 40;
const OTHERS_WRITE = 0o002;
const GROUP_WRITE = 0o020;
const STICKY = 0o1000;

/**
 * Why another user of this machine could put something else in the place of `path`; undefined when none can. Looked at are
 * all folders on the way, and all symbolic links with the folders on their ways. A folder is safe when only its owner can
 * change it, or it is sticky (such as /tmp) and what stands in it belongs to us; and when its owner is us or root. Whoever
 * is root trusts other owners too: containers mount folders of ordinary users.
 */
export async function unsafeWay(path: string, self: Self): Promise<string | undefined> {
  const left = { links: MAX_LINKS };
  return await walk(resolve(path), self, left);
}

async function walk(path: string, self: Self, left: { links: number }): Promise<string | undefined> {
  const { root } = parse(path);
  let at = root;
  for (const name of path.slice(root.length).split(sep)) {
    const complaint = await complaintOf(at, self);
    if (complaint !== undefined) return complaint;
    at = join(at, name);
    const facts = await lstat(at).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    // What is not there yet will be made by us.
    if (!facts) return undefined;
    if (!facts.isSymbolicLink()) continue;
    if (!isTrusted(facts.uid, self)) return `${at} is a symbolic link of another user (uid ${facts.uid})`;
    if (left.links-- === 0) return `${path} leads through too many symbolic links`;
    const target = await walk(resolve(dirname(at), await readlink(at)), self, left);
    if (target !== undefined) return target;
  }
  return undefined;
}

async function complaintOf(folder: string, self: Self): Promise<string | undefined> {
  // Through a link, whose own way has been looked at.
  const { mode, uid, gid } = await stat(folder);
  if (!isTrusted(uid, self)) return `${folder} belongs to another user (uid ${uid})`;
  if ((mode & STICKY) !== 0) return undefined;
  if ((mode & OTHERS_WRITE) !== 0) return `every user can write to ${folder}`;
  // The group of the same name as its user has nobody else in it.
  if ((mode & GROUP_WRITE) !== 0 && gid !== self.gid && gid !== 0)
    return `other users (group ${gid}) can write to ${folder}`;
  return undefined;
}

function isTrusted(uid: number, self: Self): boolean {
  return uid === self.uid || uid === 0 || self.uid === 0;
}

/** The first symbolic link of another user right in the folder; undefined where there is none. */
export async function foreignLink(folder: string, self: Self): Promise<string | undefined> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isSymbolicLink()) continue;
    const path = join(folder, entry.name);
    const { uid } = await lstat(path);
    if (uid !== self.uid && uid !== 0) return path;
  }
  return undefined;
}
