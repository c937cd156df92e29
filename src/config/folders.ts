import { chmod, mkdir, mkdtemp } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';

/** Unix socket paths end at 107 bytes; this leaves room for a folder and a socket's name below. */
const LONGEST_RUN_FOLDER = 60;

/**
 * The folder for unix sockets. It stands in the data directory where that path is short enough and PostgreSQL runs as the
 * same user; else it is a new one among the system's temporary folders, which another user can pass through.
 */
export async function makeRunFolder(dataDir: string): Promise<string> {
  const own = join(dataDir, 'run');
  const root = process.getuid?.() === 0;
  if (!root && Buffer.byteLength(own) <= LONGEST_RUN_FOLDER) {
    await mkdir(own, { recursive: true, mode: 0o700 });
    return own;
  }
  const folder = await mkdtemp(join(tmpdir(), 'postern-'));
  await chmod(folder, root ? 0o711 : 0o700);
  return folder;
}

/** For what can be made again and is the same for every data directory. */
export function cacheFolder(dataDir: string, env: NodeJS.ProcessEnv): string {
  if (env['POSTERN_CACHE_DIR']) return env['POSTERN_CACHE_DIR'];
  if (process.getuid?.() === 0) return '/var/cache/postern';
  const base = env['XDG_CACHE_HOME'] || (homedir() === '/' ? '' : join(homedir(), '.cache'));
  return base.startsWith('/') ? join(base, 'postern') : join(dataDir, 'cache');
}
