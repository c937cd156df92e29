import { readFile, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname, resolve } from 'node:path';

/** The OS user that PostgreSQL runs as. */
export interface Owner {
  uid: number;
  gid: number;
  /** True when this process is root: PostgreSQL refuses to be root, so its processes are given to another user. */
  switched: boolean;
}

/** The folder that names this process's working folder, whatever the modes of its parents. Linux only. */
export const WORKING_FOLDER = process.platform === 'linux' ? '/proc/self/cwd' : undefined;

/**
 * Who runs the server. Not root: this process's own user. Root: the configured user, else `postgres`, else `nobody`.
 * Throws an Error when root finds none of them in `passwd` (the text of /etc/passwd).
 */
export function chooseOwner(self: { uid: number; gid: number }, passwd: string, configured: string | undefined): Owner {
  if (self.uid !== 0) return { ...self, switched: false };
  const names = configured === undefined ? ['postgres', 'nobody'] : [configured];
  for (const name of names) {
    for (const line of passwd.split('\n')) {
      const [user, , uid, gid] = line.split(':');
      if (user !== name || !/^\d+$/.test(uid ?? '') || !/^\d+$/.test(gid ?? '')) continue;
      if (Number(uid) === 0) throw new Error(`the user ${name} is root, and PostgreSQL refuses to run as root`);
      return { uid: Number(uid), gid: Number(gid), switched: true };
    }
  }
  throw new Error(
    `PostgreSQL refuses to run as root, and /etc/passwd has no user ${names.join(' or ')} to run it as; ` +
      'add one, or start as an ordinary user',
  );
}

export async function currentOwner(configured: string | undefined): Promise<Owner> {
  const self = { uid: process.geteuid!(), gid: process.getegid!() };
  return chooseOwner(self, self.uid === 0 ? await readFile('/etc/passwd', 'utf8').catch(() => '') : '', configured);
}

/** The name under which this process's user logs in to the socket; undefined when the system has no name for it. */
export function loginName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}

/** May the owner reach what lies in `folder`? Every folder from the root to it must let the owner search it. */
export async function canReach(owner: Owner, folder: string): Promise<boolean> {
  if (!owner.switched) return true;
  for (let path = resolve(folder); ; path = dirname(path)) {
    const { uid, gid, mode } = await stat(path);
    const search = uid === owner.uid ? 0o100 : gid === owner.gid ? 0o010 : 0o001;
    if ((mode & search) === 0) return false;
    if (path === dirname(path)) return true;
  }
}
