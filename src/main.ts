import { randomBytes, randomUUID } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readDatabase } from './access/database.ts';
import { inPieces } from './access/pieces.ts';
import type { AccessQuestion, AccessReview } from './access/report.ts';
import { reviewAccess } from './access/review.ts';
import { Attempts } from './attempts/attempts.ts';
import { type Report, report } from './attempts/report.ts';
import { openTrail } from './audit/audit.ts';
import type { Log } from './audit/log.ts';
import { both, createLogAudit } from './audit/log-audit.ts';
import { resealChainKey, TRAIL_FOLDER } from './audit/trail-folder.ts';
import { type BackupDone, type BackupSource, backUp } from './backup/backup.ts';
import { createClusterDirectory, deadEnds } from './clusters/directory.ts';
import { Fleet } from './clusters/fleet.ts';
import { DEFAULT_QUOTAS, Lifecycle } from './clusters/lifecycle.ts';
import { clusterEndpoint, isClusterId, newClusterId } from './clusters/names.ts';
import { openCertificate } from './config/certificate.ts';
import { cacheFolder, makeRunFolder } from './config/folders.ts';
import type { Options } from './config/options.ts';
import { applyDeclaration, declaredAliases } from './declared/apply.ts';
import { controlPlane } from './declared/control-plane.ts';
import { createEmbeddedHost } from './engine/embedded/host.ts';
import { keepRunning } from './engine/kept.ts';
import type { Engine, EngineHost } from './engine/port.ts';
import { FailedLogins } from './gateway/failed-logins.ts';
import type { Gateway } from './gateway/gateway.ts';
import { listen } from './gateway/listener.ts';
import { type QuotaKinds, Quotas } from './gateway/quotas.ts';
import { Reader } from './gateway/reader.ts';
import { refusalFields } from './gateway/refuse.ts';
import { Revocation } from './gateway/revocation.ts';
import { Sessions } from './gateway/sessions.ts';
import { noTraffic } from './gateway/traffic.ts';
import { type LoginQuestion, wouldAdmit } from './gateway/would-admit.ts';
import { createDispatch } from './http/dispatch.ts';
import { answeredNetworks, type Probes } from './http/probes.ts';
import { createApiServer } from './http/server.ts';
import { createServices } from './http/services.ts';
import { createAuthority } from './iam/authority.ts';
import { bootstrapAccount, rootCredentials } from './iam/bootstrap.ts';
import { createKeyUses } from './iam/key-uses.ts';
import { createKeyRing } from './iam/keys.ts';
import { namedIdentity } from './iam/named-identity.ts';
import { assertSecretsOpen, resealSecrets } from './iam/reseal.ts';
import { JobRunner } from './jobs/runner.ts';
import { measureLag, readProcess } from './metrics/process-metrics.ts';
import { CONTENT_TYPE, Registry } from './metrics/registry.ts';
import { countedAudit, countedAuthority, createServerMetrics } from './metrics/server-metrics.ts';
import { type EngineState, readWatched } from './metrics/watched.ts';
import { openRoleCatalog } from './roles/role-catalog.ts';
import { openStore } from './state/control-store.ts';
import { openDataFolder } from './state/data-folder.ts';
import type { Sealer } from './state/sealer.ts';
import { type KeyChange, loadSealer, prepareKeyChange, unfinishedKeyChange } from './state/sealing.ts';
import type { Store } from './state/store.ts';
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
  /** The public endpoints of all clusters, in the order of their ids. */
  endpoints(): string[];
  /** The account root user's long-term key, for the operator. */
  rootCredentials(): { accessKeyId: string; secretAccessKey: string };
  /** The named login attempt, or the last one, step by step; undefined when it is not known (any more). */
  why(connectionId: string | undefined): Report | undefined;
  /** The same for a login that nobody has tried. */
  wouldAdmit(question: LoginQuestion): Promise<Report>;
  /** Who can log in as which database role, and what that may do. Throws an Error for what there is none of. */
  access(question: AccessQuestion): Promise<AccessReview>;
  /** The same as JSON, piece by piece. */
  accessText(question: AccessQuestion): Promise<AsyncIterable<string>>;
  /** Reads the certificates again; connections that are open keep theirs. Throws when the new ones are of no use. */
  reloadCertificate(): Promise<void>;
  /** Copies everything into a folder that is not there yet. One backup at a time. Throws an Error that says why not. */
  backUp(target: string, withKey: boolean): Promise<BackupDone>;
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

const after = (ms: number, work: () => void) => {
  const timer = setTimeout(work, ms);
  return () => clearTimeout(timer);
};

/** After a quiet time as many at once as in ten seconds: the proportion of the service's own quotas. */
function limited(maxConnections: number, rate: number, kinds: QuotaKinds): Quotas {
  return new Quotas({ maxConnections, rate, burst: Math.max(1, 10 * rate) }, () => performance.now(), kinds);
}

/** Containers mount folders that every user can write to, and have no other users; only their operator knows that. */
function unsafeWayOf({ dataDirWay }: Options, log: Log): ((why: string) => void) | undefined {
  return dataDirWay === 'warn'
    ? (why) => log.warn({ why }, 'the data directory is not safe from other users')
    : undefined;
}

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
 * DataFolderError, AccountMismatch, ConfigurationError, and Errors of the parts.
 */
export async function startServer({ options, durable, env, log }: ServerSetup): Promise<RunningServer> {
  const { dataDir, account, region, additionalRegion } = options;
  const regions = [region, ...additionalRegion];
  // What is wrong with it is told before anything is made.
  const furtherNames = declaredAliases(options.declare);
  const since = now();
  const registry = new Registry();
  const metrics = createServerMetrics(registry);
  const undo: Undo = [];
  const takeDown = () => undoAll(undo, log);
  try {
    const folder = await openDataFolder(dataDir, unsafeWayOf(options, log));
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
      openCatalog: openRoleCatalog,
      folder: clusters,
      durable,
      maxConnections: options.postgresConnections,
      idleTime: options.idleTime * 1000,
      after,
      log,
      onMappingsChanged: (database) => void revocation.refresh(database),
      onJobs: (database) => void jobs.look(database),
    });
    const revocation = new Revocation(fleet, sessions, log);
    const jobs = new JobRunner({ fleet, after, log });
    undo.push(() => fleet.close());
    undo.push(() => jobs.close());

    // The first connection should not have to wait for the default cluster, and a start not for one PostgreSQL after
    // the other: which cluster it is the control database will say, but where there is one at most, it must be that one.
    const left = await namesIn(clusters);
    const [onlyCluster = newClusterId(randomBytes), ...others] = left.filter(isClusterId);
    const isFirstStart = (await namesIn(join(dataDir, 'control'))).length === 0;
    if (others.length === 0 && (isFirstStart || left.includes(onlyCluster))) {
      fleet.wake(onlyCluster).catch(() => undefined);
    }
    const recovered = fleet.recover(left);
    undo.push(() => recovered);

    const parts = [
      loadSealer({ folder: dataDir, env }),
      openCertificate(options, join(dataDir, 'tls'), now, furtherNames),
      startControl(host, { dataDir, durable, log, undo }),
    ] as const;
    // None may still be building when what was built is taken down.
    await Promise.allSettled(parts);
    const [oldSealer, certificate, { engine, store }] = await Promise.all(parts);
    const cutOff = await unfinishedKeyChange({ folder: dataDir, env });
    if (cutOff) {
      await finishKeyChange(dataDir, store, oldSealer, cutOff);
      log.warn('a change of the sealing key that had been cut off is finished');
    }
    const sealer = cutOff?.next ?? oldSealer;

    const logAudit = createLogAudit(log);
    const trail =
      options.auditLog === 'off'
        ? undefined
        : await openTrail(
            { dataDir, sealer, site: { account, region, now } },
            {
              required: options.auditRequired === 'on',
              sync: options.auditSync === 'on',
              maxSize: options.auditMaxSize * 1024 * 1024,
              keep: options.auditKeep,
            },
            { log, now, after },
          );
    if (trail) undo.push(() => trail.close());
    const audit = countedAudit(trail ? both(logAudit, trail) : logAudit, metrics);

    const bootstrap = { account, region, clusterId: onlyCluster, now: now(), random: randomBytes };
    const { defaultClusterId } = await bootstrapAccount(store, sealer, bootstrap);
    const defaultCluster = store.get('clusters', defaultClusterId);
    const awake = defaultCluster?.status === 'ACTIVE' ? fleet.wake(defaultCluster.database) : undefined;
    awake?.catch(() => undefined);

    const lifecycle = new Lifecycle({
      store,
      fleet,
      endSessions: (clusterId) => sessions.endOf(clusterId),
      account,
      regions,
      quotas: DEFAULT_QUOTAS,
      log,
      now,
      random: randomBytes,
    });
    undo.push(() => lifecycle.close());
    lifecycle.recover();

    const sessionTokens = createSessionMaker({ sealer, random: randomBytes });
    const keys = createKeyRing({ store, sealer, sessions: sessionTokens });
    const authority = createAuthority({ store, account });
    const keyUses = createKeyUses();

    const iam = { store, sealer, account, now, random: randomBytes, keyUses };
    const declared = options.declare && {
      source: options.declare,
      iam,
      places: { operations: controlPlane(lifecycle, iam), defaultClusterId, regions },
      async inDatabase(database: string, work: (engine: Engine) => Promise<void>) {
        const use = fleet.use(database);
        try {
          await work((await fleet.wake(database)).engine);
        } finally {
          use.release();
        }
      },
      env,
      log,
      audit,
    };
    const declaredNames = declared ? await applyDeclaration(declared) : [];
    const services = createServices({
      iam,
      authority,
      sessions: sessionTokens,
      oidcKeys: createOidcKeys({ now }),
      lifecycle,
      regions,
    });
    const dispatch = createDispatch({
      keys,
      authority: countedAuthority(authority, 'api', metrics),
      answered: (call) => metrics.call(call),
      keyUses,
      ...services,
      region,
      log,
      audit,
      now,
      newRequestId: randomUUID,
    });
    /** Why no client should be sent here. */
    const reasons = new Set(['the listeners are not open yet']);
    const unready = () => {
      const found = [...reasons];
      if (options.auditRequired === 'on' && trail?.state.failing) found.push('the audit log cannot be written');
      const cluster = store.get('clusters', defaultClusterId);
      if (cluster?.status === 'ACTIVE' && fleet.state(cluster.database) === 'failed') {
        found.push('the PostgreSQL of the default cluster does not start');
        // Nobody else may ask for it as long as this is said.
        fleet.wake(cluster.database).catch(() => undefined);
      }
      return found;
    };
    engine.failed.then((why) => reasons.add(`the control database cannot be started: ${why}`));
    const probes: Probes = {
      metrics: () => ({ status: 200, contentType: CONTENT_TYPE, body: registry.text() }),
      unready,
      from: answeredNetworks(options.metricsFrom),
    };
    const api = createApiServer({ dispatch, log, probes });

    await awake;
    const aliases = new Map<string, string | undefined>([
      ...declaredNames,
      [options.host, undefined],
      ...options.clusterAlias.map(({ name, clusterId }) => [name, clusterId] as const),
    ]);
    for (const text of deadEnds({ store, regions, aliases })) log.warn(text);
    const attempts = new Attempts();
    const traffic = noTraffic();
    const reader = options.dialect === 'dsql' ? await Reader.create() : undefined;
    undo.push(async () => reader?.close());
    const gateway: Gateway = {
      keys,
      authority: countedAuthority(authority, 'login', metrics),
      now,
      clusters: createClusterDirectory({ store, fleet, account, regions, defaultClusterId, aliases }),
      fleet,
      quotas: new Quotas(
        {
          maxConnections: options.maxConnections,
          rate: options.connectionRate,
          burst: options.connectionBurst,
        },
        () => performance.now(),
      ),
      addressQuotas: limited(options.connectionsPerAddress, options.connectionRatePerAddress, {
        open: 'address-connections-exceeded',
        rate: 'address-rate-exceeded',
      }),
      principalQuotas: limited(options.connectionsPerPrincipal, options.connectionRatePerPrincipal, {
        open: 'principal-connections-exceeded',
        rate: 'principal-rate-exceeded',
      }),
      failedLogins: new FailedLogins({ rate: options.failedLoginRate, burst: options.failedLoginBurst }, () =>
        performance.now(),
      ),
      sessions,
      audit,
      traffic,
      stepTimes: (step, ms) => metrics.step(step, ms),
      attempts,
      dialect: options.dialect,
      fidelity: options.fidelity,
      maxConnectionTime: options.maxConnectionTime * 1000,
      reader,
      tls: () => certificate.tls,
      loginTime: LOGIN_TIME,
      newConnectionId: randomUUID,
      // Jobs are submitted by calls of ours as mappings are changed by them.
      refreshMappings: (database) =>
        Promise.all([revocation.refresh(database), jobs.look(database)]).then(() => undefined),
    };
    const { host: address } = options;
    // The API is there before the door and after it, so that monitoring sees both open and close.
    const { port: apiPort } = await bind('--api-port', address, options.apiPort, (at) => api.listen(at));
    undo.push(() => api.close());
    const listener = await bind('--pg-port', address, options.pgPort, (at) => listen(at, gateway));
    let grace = 0;
    undo.push(() => listener.close(grace));
    readWatched(registry, {
      sessions,
      connections: () => listener.count,
      dropped: () => listener.dropped,
      traffic,
      *engineStates(): Iterable<EngineState> {
        for (const database of new Set(store.all('clusters').map((cluster) => cluster.database))) {
          yield fleet.state(database);
        }
      },
      store: () => store.health(),
      auditLog: () => trail?.state,
      ready: () => unready().length === 0,
    });
    let backingUp = false;
    const backupSource: BackupSource = {
      dataDir,
      account,
      region,
      control: () => ({ ...engine.current(), folder: join(dataDir, 'control') }),
      databases: () => [
        ...new Set(
          store
            .all('clusters')
            .filter(({ status }) => status !== 'DELETING')
            .map(({ database }) => database),
        ),
      ],
      async whileAwake(database, work) {
        // Woken after its end it would be made anew, empty.
        if (!backupSource.databases().includes(database)) throw new Error(`database ${database} was deleted meanwhile`);
        const use = fleet.use(database);
        try {
          await work({ ...(await fleet.wake(database)).engine, folder: join(clusters, database) });
        } finally {
          use.release();
        }
      },
      now,
    };
    readProcess(registry, now());
    const stopMeasuring = measureLag(registry);
    undo.push(async () => stopMeasuring());
    reasons.clear();

    const { clusters: directory } = gateway;
    const known = { store, account, clusters: directory, fleet, keyUses, attempts, since };
    const access = (question: AccessQuestion) => reviewAccess(question, { ...known, readDatabase, now });

    return {
      pgPort: listener.port,
      apiPort,
      clusterId: defaultClusterId,
      caFile: certificate.caFile,
      runFolder,
      endpoints: () =>
        store
          .all('clusters')
          .filter((cluster) => regions.includes(cluster.region))
          .map((cluster) => clusterEndpoint(cluster.id, cluster.region)),
      rootCredentials: () => rootCredentials(store, sealer),
      why(connectionId) {
        const attempt = connectionId === undefined ? attempts.newest : attempts.find(connectionId);
        if (!attempt) return undefined;
        return report(attempt, attempt.end?.outcome === 'refused' ? refusalFields(attempt.end.why) : undefined);
      },
      wouldAdmit: (question) =>
        wouldAdmit(question, { ...gateway, authority }, (arn, at) => namedIdentity(store, account, arn, at)),
      access,
      accessText: async (question) => inPieces(await access(question)),
      reloadCertificate: () => certificate.reload(),
      async backUp(target, withKey) {
        if (backingUp) throw new Error('a backup is being made already');
        if (withKey && env['POSTERN_SEAL_KEY']) {
          throw new Error('the sealing key comes from POSTERN_SEAL_KEY: there is no file of it to include');
        }
        backingUp = true;
        try {
          return await backUp(backupSource, target, withKey);
        } finally {
          backingUp = false;
        }
      },
      failed: engine.failed.then((why) => `the control database cannot be started: ${why}`),
      async stop(time) {
        reasons.add('the server is shutting down');
        grace = time;
        await takeDown();
      },
    };
  } catch (error) {
    await takeDown();
    throw error;
  }
}

type Undo = (() => Promise<unknown>)[];

async function undoAll(undo: Undo, log: Log): Promise<void> {
  for (const step of undo.splice(0).reverse()) {
    await step().catch((error) => log.error({ err: error }, 'a step of the shutdown failed'));
  }
}

/** The control database's PostgreSQL and the store over it; how to take both down is in `undo` as soon as they run. */
async function startControl(
  host: EngineHost,
  { dataDir, durable, log, undo }: { dataDir: string; durable: boolean; log: Log; undo: Undo },
) {
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

async function finishKeyChange(
  dataDir: string,
  store: Store,
  old: Sealer,
  { next, finish }: KeyChange,
): Promise<number> {
  const count = await resealSecrets(store, old, next);
  await resealChainKey(join(dataDir, TRAIL_FOLDER), old, next);
  await finish();
  return count;
}

/**
 * Gives the data directory a new sealing key, with no server on it. Cut off at any moment, it is finished by the next start
 * or by doing it again. Throws DataFolderError when a server runs, and Errors of the parts; nothing has changed then.
 */
export async function rotateSealKey({ options, env, log }: Omit<ServerSetup, 'durable'>): Promise<{
  count: number;
  kept: KeyChange['kept'];
}> {
  const { dataDir } = options;
  if ((await namesIn(join(dataDir, 'control'))).length === 0) throw new Error(`there is no account in ${dataDir}`);
  const undo: Undo = [];
  try {
    const folder = await openDataFolder(dataDir, unsafeWayOf(options, log));
    undo.push(() => folder.release());
    const runFolder = await makeRunFolder(dataDir);
    undo.push(() => rm(runFolder, { recursive: true, force: true }));
    const { postgresUser } = options;
    const host = createEmbeddedHost({ cacheFolder: cacheFolder(dataDir, env), runFolder, log, postgresUser });
    const old = await loadSealer({ folder: dataDir, env });
    const { store } = await startControl(host, { dataDir, durable: true, log, undo });
    const change = await prepareKeyChange({ folder: dataDir, env });
    // Asked before there is a second key: a change that has begun must be able to end.
    assertSecretsOpen(store, [old, change.next]);
    await change.begin();
    return { count: await finishKeyChange(dataDir, store, old, change), kept: change.kept };
  } finally {
    await undoAll(undo, log);
  }
}
