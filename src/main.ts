import { randomBytes, randomUUID } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Attempts } from './attempts/attempts.ts';
import { type Report, report } from './attempts/report.ts';
import { createLogAudit } from './audit/events.ts';
import type { Log } from './audit/log.ts';
import { createClusterDirectory } from './clusters/directory.ts';
import { Fleet } from './clusters/fleet.ts';
import { isClusterId, newClusterId } from './clusters/names.ts';
import { openCertificate } from './config/certificate.ts';
import { cacheFolder, makeRunFolder } from './config/folders.ts';
import type { Options } from './config/options.ts';
import { createEmbeddedHost } from './engine/embedded/host.ts';
import { keepRunning } from './engine/kept.ts';
import type { Gateway } from './gateway/gateway.ts';
import { listen } from './gateway/listener.ts';
import { Reader } from './gateway/reader.ts';
import { refusalFields } from './gateway/refuse.ts';
import { Revocation } from './gateway/revocation.ts';
import { Sessions } from './gateway/sessions.ts';
import { type LoginQuestion, wouldAdmit } from './gateway/would-admit.ts';
import { createDispatch } from './http/dispatch.ts';
import { createApiServer } from './http/server.ts';
import { createServices } from './http/services.ts';
import { createAuthority } from './iam/authority.ts';
import { bootstrapAccount, rootCredentials } from './iam/bootstrap.ts';
import { createKeyUses } from './iam/key-uses.ts';
import { createKeyRing } from './iam/keys.ts';
import { namedIdentity } from './iam/named-identity.ts';
import { openStore } from './state/control-store.ts';
import { openDataFolder } from './state/data-folder.ts';
import { loadSealer } from './state/sealing.ts';
import { createOidcKeys } from './sts/oidc-keys.ts';
import { createSessionMaker } from './sts/session-token.ts';

/** A server that accepts connections. */
export interface RunningServer {
  pgPort: number;
  apiPort: number;
  clusterId: string;
  /** PEM file that clients check the server's certificate with; undefined: the system's own authorities. */
  caFile: string | undefined;
  runFolder: string;
  /** The account root user's long-term key, for the operator. */
  rootCredentials(): { accessKeyId: string; secretAccessKey: string };
  /** The named login attempt, or the last one, step by step; undefined when it is not known (any more). */
  why(connectionId: string | undefined): Report | undefined;
  /** The same for a login that nobody has tried. */
  wouldAdmit(question: LoginQuestion): Promise<Report>;
  /** Reads the certificates again; connections that are open keep theirs. Throws when the new ones are of no use. */
  reloadCertificate(): Promise<void>;
  /** Resolves with a text when something has ended without which nothing goes on. */
  failed: Promise<string>;
  /** Sessions in a transaction get `grace` ms to end it. */
  stop(grace: number): Promise<void>;
}

export interface ServerSetup {
  options: Options & { dataDir: string };
  /** False for servers that are thrown away. */
  durable: boolean;
  env: NodeJS.ProcessEnv;
  log: Log;
}

/** In ms, from a client's first byte to the end of its login. */
const LOGIN_TIME = 30_000;
/** The control database has few users: this process and the operator. */
const CONTROL_CONNECTIONS = 20;

const now = () => new Date();

/** The names of what is in a folder; none where there is no folder. */
async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Binds an address. Throws an Error that names the option to change. */
async function bind<T>(
  option: string,
  host: string,
  port: number,
  listenAt: (address: { host: string; port: number }) => Promise<T>,
): Promise<T> {
  try {
    return await listenAt({ host, port });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why: Record<string, string> = {
      EADDRINUSE: `${option}: ${host}:${port} is in use`,
      EACCES: `${option}: ${host}:${port} may not be used by this user`,
      EADDRNOTAVAIL: `--host: ${host} is no address of this machine`,
    };
    throw new Error(why[code ?? ''] ?? message);
  }
}

/**
 * Builds everything from the configuration, and takes down what it has built when a part of it fails. Throws
 * DataFolderError, AccountMismatch, and Errors of the parts.
 */
export async function startServer({ options, durable, env, log }: ServerSetup): Promise<RunningServer> {
  const { dataDir, account, region } = options;
  const undo: (() => Promise<unknown>)[] = [];
  const takeDown = async () => {
    for (const step of undo.splice(0).reverse()) {
      await step().catch((error) => log.error({ err: error }, 'a step of the shutdown failed'));
    }
  };
  try {
    const folder = await openDataFolder(dataDir);
    undo.push(() => folder.release());
    const runFolder = await makeRunFolder(dataDir);
    undo.push(() => rm(runFolder, { recursive: true, force: true }));

    const host = createEmbeddedHost({
      cacheFolder: cacheFolder(dataDir, env),
      runFolder,
      log,
      postgresUser: options.postgresUser,
    });
    const sessions = new Sessions();
    const clusters = join(dataDir, 'clusters');
    const fleet = new Fleet({
      host,
      folderOf: (id) => join(clusters, id),
      durable,
      log,
      onMappingsChanged: (id) => void revocation.refresh(id),
    });
    const revocation = new Revocation(fleet, sessions, log);
    undo.push(() => fleet.close());

    // The first connection should not have to wait for the default cluster, and a start not for one PostgreSQL after
    // the other: which cluster it is the control database will say, but where there is one at most, it must be that one.
    const [onlyCluster = newClusterId(randomBytes), ...others] = (await namesIn(clusters)).filter(isClusterId);
    if (others.length === 0) fleet.wake(onlyCluster).catch(() => undefined);

    const parts = [
      loadSealer({ folder: dataDir, env }),
      openCertificate(options, join(dataDir, 'tls'), now),
      startControl(),
    ] as const;
    // None may still be building when what was built is taken down.
    await Promise.allSettled(parts);
    const [sealer, certificate, { engine, store }] = await Promise.all(parts);

    const bootstrap = { account, region, clusterId: onlyCluster, now: now(), random: randomBytes };
    const { defaultClusterId } = await bootstrapAccount(store, sealer, bootstrap);
    const awake = fleet.wake(defaultClusterId);

    const sessionTokens = createSessionMaker({ sealer, random: randomBytes });
    const keys = createKeyRing({ store, sealer, sessions: sessionTokens });
    const authority = createAuthority({ store, account });
    const keyUses = createKeyUses();

    const iam = { store, sealer, account, now, random: randomBytes, keyUses };
    const services = createServices({
      iam,
      authority,
      sessions: sessionTokens,
      oidcKeys: createOidcKeys({ now }),
      region,
    });
    const dispatch = createDispatch({
      keys,
      authority,
      keyUses,
      ...services,
      region,
      log,
      now,
      newRequestId: randomUUID,
    });
    const api = createApiServer({ dispatch, log });

    await awake;
    const aliases = [...options.clusterAlias, options.host];
    const attempts = new Attempts();
    const reader = options.dialect === 'dsql' ? await Reader.create() : undefined;
    undo.push(async () => reader?.close());
    const gateway: Gateway = {
      keys,
      authority,
      region,
      now,
      clusters: createClusterDirectory({ store, fleet, account, region, defaultClusterId, aliases }),
      sessions,
      audit: createLogAudit(log),
      attempts,
      dialect: options.dialect,
      reader,
      tls: () => certificate.tls,
      loginTime: LOGIN_TIME,
      newConnectionId: randomUUID,
      refreshMappings: (id) => revocation.refresh(id),
    };
    const { host: address } = options;
    const listener = await bind('--pg-port', address, options.pgPort, (at) => listen(at, gateway));
    let grace = 0;
    undo.push(() => listener.close(grace));
    const { port: apiPort } = await bind('--api-port', address, options.apiPort, (at) => api.listen(at));
    undo.push(() => api.close());

    return {
      pgPort: listener.port,
      apiPort,
      clusterId: defaultClusterId,
      caFile: certificate.caFile,
      runFolder,
      rootCredentials: () => rootCredentials(store, sealer),
      why(connectionId) {
        const attempt = connectionId === undefined ? attempts.newest : attempts.find(connectionId);
        if (!attempt) return undefined;
        return report(attempt, attempt.end?.outcome === 'refused' ? refusalFields(attempt.end.why) : undefined);
      },
      wouldAdmit: (question) => wouldAdmit(question, gateway, (arn, at) => namedIdentity(store, account, arn, at)),
      reloadCertificate: () => certificate.reload(),
      failed: engine.failed.then((why) => `the control database cannot be started: ${why}`),
      async stop(time) {
        grace = time;
        await takeDown();
      },
    };

    async function startControl() {
      const folder = join(dataDir, 'control');
      const settings = { name: 'control', folder, durable, maxConnections: CONTROL_CONNECTIONS };
      const engine = await keepRunning(() => host.start(settings), log, now);
      undo.push(() => engine.stop());
      const connection = () => {
        const { socketPath, superuser: user } = engine.current();
        return { socketPath, user, database: 'postgres' };
      };
      const store = await openStore({ connection, log });
      undo.push(() => store.close());
      return { engine, store };
    }
  } catch (error) {
    await takeDown();
    throw error;
  }
}
