// Postern as its users start it, on a folder of its own.
import { spawn } from 'node:child_process';
import { existsSync, openSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { end, waitFor } from './programs.mjs';

/**
 * Starts Postern on free ports. Resolves when its ready file is there, with the time that took in ms.
 * `program` is the built command, `folder` is an existing one for this server, `cache` is POSTERN_CACHE_DIR;
 * `options` are further ones of `postern start`. New connections are not limited: how fast they can be is to be seen.
 */
export async function startPostern({ program, folder, cache, options = [] }) {
  const readyFile = join(folder, 'ready.json');
  const dataDir = join(folder, 'data');
  const log = join(folder, 'postern.log');
  const given = ['--pg-port', '0', '--api-port', '0', '--connection-rate', '0', ...options];
  const began = performance.now();
  const child = spawn(
    process.execPath,
    [program, 'start', '--data-dir', dataDir, ...given, '--ready-file', readyFile],
    {
      stdio: ['ignore', 'ignore', openSync(log, 'a', 0o600)],
      env: { ...cleanEnvironment(), POSTERN_CACHE_DIR: cache },
      cwd: folder,
    },
  );
  await waitFor(child, { path: folder, look: () => existsSync(readyFile), log, name: 'Postern' });
  const startTime = performance.now() - began;
  return {
    name: 'Postern',
    pid: child.pid,
    startTime,
    dataDir,
    environment: JSON.parse(readFileSync(readyFile, 'utf8')),
    stop: () => end(child, 'SIGINT'),
  };
}

/** What would configure Postern or a client of it is the bench's business, not that of whoever runs it. */
export function cleanEnvironment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(POSTERN_|PG|AWS_)/.test(name)));
}

/** The PostgreSQL of the default cluster: where its socket and its folder are, and its process. */
export async function engineOf(postern) {
  const [id] = await readdir(join(postern.dataDir, 'clusters'));
  const folder = join(postern.dataDir, 'clusters', id);
  const [pid, , , port, socketFolder] = readFileSync(join(folder, 'postmaster.pid'), 'utf8').split('\n');
  return { folder, pid: Number(pid), port, socketFolder };
}
