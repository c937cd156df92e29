import { execFile } from 'node:child_process';
import { mkdir, readdir, realpath, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Log } from '../../audit/log.ts';
import { type Engine, type EngineHost, type EngineOptions, SUPERUSER } from '../port.ts';
import { type Binaries, copyPlaces, findInstalled, provideBinaries } from './binaries.ts';
import { exists, isUnfinished, makeWhole, removeWhole, syncPath, syncTree, writeWhole } from './folders.ts';
import { guard } from './guard.ts';
import { claim, ownerOf, refuseClaimed, stopOrphan, unclaim } from './orphan.ts';
import { currentOwner, loginName, type Owner } from './owner.ts';
import { startServer } from './server.ts';
import { pgHbaConf, pgIdentConf, postgresqlConf, type Settings } from './settings.ts';
import { makeSocketFolder, removeSocketFolder, socketPath } from './socket-folder.ts';
import { syncMethod } from './sync-method.ts';
import { copyTemplate, provideTemplate } from './template.ts';

/** The data folders whose servers are this process's, or about to be: each is started once. */
const taken = new Set<string>();

export interface EmbeddedOptions {
  /** For what can be made again: the template, copies of the programs. Made when missing. */
  cacheFolder: string;
  /** For the sockets, one folder an instance. Made when missing. */
  runFolder: string;
  log: Log;
  /** Who runs PostgreSQL when this process is root; left out: `postgres`, else `nobody`. Otherwise without effect. */
  postgresUser?: string | undefined;
}

/**
 * PostgreSQL 16 from npm, one server for each data folder, reached only through a unix socket in a folder 0700 and only
 * by the OS user that runs this process. Needs Linux with glibc, or macOS.
 */
export function createEmbeddedHost(options: EmbeddedOptions): EngineHost {
  const { log } = options;
  const cacheFolder = resolve(options.cacheFolder);
  const runFolder = resolve(options.runFolder);
  let prepared: Promise<{ binaries: Binaries; owner: Owner }> | undefined;
  let template: Promise<string> | undefined;

  async function prepare() {
    const found = await findInstalled();
    const owner = await currentOwner(options.postgresUser);
    return { binaries: await provideBinaries(found, owner, copyPlaces(owner, cacheFolder)), owner };
  }

  /** One at a time, so that instances which start together do not each make it. It may be cleared away any time later. */
  function currentTemplate(binaries: Binaries, owner: Owner): Promise<string> {
    template ??= provideTemplate(binaries, owner, cacheFolder).finally(() => {
      template = undefined;
    });
    return template;
  }

  async function start(engine: EngineOptions): Promise<Engine> {
    prepared ??= prepare();
    const { binaries, owner: usual } = await prepared.catch((error) => {
      prepared = undefined;
      throw error;
    });
    const folder = await locate(engine.folder);
    if (taken.has(folder)) throw new Error(`the PostgreSQL of ${folder} already runs in this process`);
    taken.add(folder);
    let socketFolder: string | undefined;
    let claimed = false;
    let cleaned: Promise<void> | undefined;
    // Once: a second time could hit what the next start has made.
    const cleanUp = () => {
      cleaned ??= (async () => {
        if (socketFolder !== undefined) await removeSocketFolder(socketFolder, runFolder, engine.name);
        if (claimed) await unclaim(folder);
        taken.delete(folder);
      })();
      return cleaned;
    };
    try {
      await refuseClaimed(folder);
      const left = await stopOrphan(folder, log);
      if (left) await removeSocketFolder(left, runFolder, engine.name);
      const fresh = await isFresh(folder);
      const owner = fresh ? usual : await ownerOf(folder, usual, () => giveTo(usual, folder));
      if (fresh) {
        const from = await currentTemplate(binaries, owner);
        await makeWhole(folder, (draft) => makeInstance(from, draft));
      }
      await claim(folder, owner);
      claimed = true;
      socketFolder = await makeSocketFolder(runFolder, engine.name, owner);
      const facts = { socketFolder, loginName: loginName(), syncMethod: await syncMethod() };
      await configure(folder, { ...engine, ...facts }, owner);
      // Together with the start, which does not wait for the disk.
      const synced = fresh && engine.durable ? syncTree(folder) : Promise.resolve();
      synced.catch(() => undefined);
      const server = await startServer(binaries, owner, folder, engine.name, log);
      try {
        await synced;
        if (fresh) await settle(folder, engine.durable);
      } catch (error) {
        await server.stop();
        throw error;
      }
      if (!engine.durable) server.exited.then(guard(server.pid, socketFolder, owner));
      return {
        socketPath: socketPath(socketFolder),
        superuser: SUPERUSER,
        pid: server.pid,
        ended: server.ended.finally(cleanUp),
        async stop(how) {
          await server.stop(how);
          await cleanUp();
        },
      };
    } catch (error) {
      await cleanUp();
      throw error;
    }
  }

  /** Works on a folder that nobody else may start on meanwhile. */
  async function alone(given: string, work: (folder: string) => Promise<void>): Promise<void> {
    const folder = await locate(given);
    if (taken.has(folder)) throw new Error(`the PostgreSQL of ${folder} runs in this process`);
    taken.add(folder);
    try {
      if (!(await exists(folder))) return;
      await refuseClaimed(folder);
      const left = await stopOrphan(folder, log);
      if (left) await removeSocketFolder(left, runFolder, basename(folder));
      await work(folder);
    } finally {
      taken.delete(folder);
    }
  }

  return {
    start,
    stopLeft: (folder) => alone(folder, unclaim),
    remove: (folder) => alone(folder, removeWhole),
    async clear(path) {
      // The program that was copying may not have noticed yet, and go on for a moment.
      const retry = { maxRetries: 10, retryDelay: 100 };
      if (isUnfinished(basename(path))) await rm(path, { recursive: true, force: true, ...retry });
    },
  };
}

/** The folder's real path: the same folder under two names is one folder. */
async function locate(folder: string): Promise<string> {
  const parent = dirname(resolve(folder));
  await mkdir(parent, { recursive: true, mode: 0o700 });
  const path = join(await realpath(parent), resolve(folder).slice(parent.length));
  return realpath(path).catch(() => path);
}

/** Stands in an instance until its files are on the disk. Nobody has had a session before, so nothing is lost with it. */
const UNSETTLED = 'postern.unsettled';

async function makeInstance(template: string, folder: string): Promise<void> {
  await copyTemplate(template, folder);
  await writeFile(join(folder, UNSETTLED), '', { mode: 0o600 });
}

async function settle(folder: string, durable: boolean): Promise<void> {
  await rm(join(folder, UNSETTLED));
  if (!durable) return;
  // If the mark came back after a crash, the instance would be thrown away, with what was committed since.
  await syncPath(folder);
  await syncPath(dirname(folder));
}

/** True when the instance has to be made: there is none, or its making was cut off. */
async function isFresh(folder: string): Promise<boolean> {
  if (!(await exists(folder))) return true;
  if (await exists(join(folder, UNSETTLED))) {
    await rm(folder, { recursive: true });
    return true;
  }
  return (await readdir(folder)).length === 0;
}

async function giveTo(owner: Owner, folder: string): Promise<void> {
  await promisify(execFile)('chown', ['-hR', `${owner.uid}:${owner.gid}`, folder]);
}

async function configure(folder: string, settings: Settings & { durable: boolean }, owner: Owner): Promise<void> {
  const { durable } = settings;
  await writeWhole(join(folder, 'postgresql.conf'), postgresqlConf(settings), owner, durable);
  await writeWhole(join(folder, 'pg_hba.conf'), pgHbaConf(settings), owner, durable);
  await writeWhole(join(folder, 'pg_ident.conf'), pgIdentConf(settings), owner, durable);
}
