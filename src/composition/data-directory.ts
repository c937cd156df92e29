import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../audit/log.ts';
import { cacheFolder, makeRunFolder } from '../config/folders.ts';
import type { Options } from '../config/options.ts';
import { createEmbeddedHost } from '../engine/embedded/host.ts';
import { keepRunning } from '../engine/kept.ts';
import type { EngineHost } from '../engine/port.ts';
import { openStore } from '../state/control-store.ts';
import { openDataFolder } from '../state/data-folder.ts';
import { now, type ServerSetup } from './setup.ts';
import type { Undo } from './undo.ts';

/** The control database has few users: this process and the operator. */
const CONTROL_CONNECTIONS = 20;

/** Takes the data directory for this process, and names who runs PostgreSQL on it. Throws DataFolderError. */
export async function openDataDirectory(
  { options, env, log }: Omit<ServerSetup, 'durable'>,
  undo: Undo,
): Promise<{ runFolder: string; host: EngineHost }> {
  const { dataDir, postgresUser } = options;
  const folder = await openDataFolder(dataDir, unsafeWayOf(options, log));
  undo.push(() => folder.release());
  const runFolder = await makeRunFolder(dataDir);
  undo.push(() => rm(runFolder, { recursive: true, force: true }));
  const host = createEmbeddedHost({ cacheFolder: cacheFolder(dataDir, env), runFolder, log, postgresUser });
  return { runFolder, host };
}

/** Containers mount folders that every user can write to, and have no other users; only their operator knows that. */
function unsafeWayOf({ dataDirWay }: Options, log: Log): ((why: string) => void) | undefined {
  return dataDirWay === 'warn'
    ? (why) => log.warn({ why }, 'the data directory is not safe from other users')
    : undefined;
}

/** The names of what is in a folder; none where there is no folder. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** The control database's PostgreSQL and the store over it; how to take both down is in `undo` as soon as they run. */
export async function startControl(
  host: EngineHost,
  { dataDir, durable, log, undo }: { dataDir: string; durable: boolean; log: Log; undo: Undo },
) {
  const folder = join(dataDir, 'control');
  const settings = { name: 'control', folder, durable, maxConnections: CONTROL_CONNECTIONS };
  const engine = await keepRunning(() => host.start(settings), log, now);
  undo.push(() => engine.stop());
  const connection = async () => {
    const { socketPath, superuser: user } = await engine.running();
    return { socketPath, user, database: 'postgres' };
  };
  const store = await openStore({ connection, log });
  undo.push(() => store.close());
  return { engine, store };
}
