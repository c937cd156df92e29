import { randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { readDatabase } from './access/database.ts';
import { inPieces } from './access/pieces.ts';
import type { AccessQuestion, AccessReview } from './access/report.ts';
import { reviewAccess } from './access/review.ts';
import { Attempts } from './attempts/attempts.ts';
import { type Report, report } from './attempts/report.ts';
import type { BackupDone } from './backup/backup.ts';
import { createClusterDirectory, deadEnds } from './clusters/directory.ts';
import { Fleet } from './clusters/fleet.ts';
import { DEFAULT_QUOTAS, Lifecycle } from './clusters/lifecycle.ts';
import { clusterEndpoint, isClusterId, newClusterId } from './clusters/names.ts';
import { createBackUp } from './composition/backups.ts';
import { bind } from './composition/binding.ts';
import { namesIn, openDataDirectory, startControl } from './composition/data-directory.ts';
import { limitOpenFiles } from './composition/open-files.ts';
import { OptionsInForce, type ServerOptions } from './composition/options-in-force.ts';
import { createQuotas, createThrottle } from './composition/quotas.ts';
import { createReadiness } from './composition/readiness.ts';
import { createReload, type Reload } from './composition/reload.ts';
import { finishCutOffKeyChange } from './composition/seal-key.ts';
import { after, now, type ServerSetup } from './composition/setup.ts';
import { openStatementLog } from './composition/statements.ts';
import { openTracing } from './composition/tracing.ts';
import { openAudit } from './composition/trail.ts';
import { type Undo, undoAll } from './composition/undo.ts';
import { openCertificate } from './config/certificate.ts';
import { applyDeclaration, declaredAliases } from './declared/apply.ts';
import { controlPlane } from './declared/control-plane.ts';
import type { Engine } from './engine/port.ts';
import { AllTransactions } from './gateway/cluster-transactions.ts';
import type { Gateway } from './gateway/gateway.ts';
import { listen } from './gateway/listener.ts';
import { Reader } from './gateway/reader.ts';
import { refusalFields } from './gateway/refuse.ts';
import { Revocation } from './gateway/revocation.ts';
import { Sessions } from './gateway/sessions.ts';
import { noTraffic } from './gateway/traffic.ts';
import { type LoginQuestion, wouldAdmit } from './gateway/would-admit.ts';
import { createDispatch } from './http/dispatch.ts';
import { HeldBodies } from './http/held-bodies.ts';
import { answeredNetworks, type Probes } from './http/probes.ts';
import { createApiServer } from './http/server.ts';
import { createServices } from './http/services.ts';
import { createAuthority } from './iam/authority.ts';
import { bootstrapAccount, rootCredentials } from './iam/bootstrap.ts';
import { createKeyUses } from './iam/key-uses.ts';
import { createKeyRing } from './iam/keys.ts';
import { namedIdentity } from './iam/named-identity.ts';
import { JobRunner } from './jobs/runner.ts';
import { measureLag, readProcess } from './metrics/process-metrics.ts';
import { CONTENT_TYPE, Registry } from './metrics/registry.ts';
import { countedAuthority, createServerMetrics } from './metrics/server-metrics.ts';
import { type EngineState, readWatched } from './metrics/watched.ts';
import { openRoleCatalog } from './roles/role-catalog.ts';
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
  /** The options in force. */
  readonly options: ServerOptions;
  /** Reads the configuration and the certificates again; connections that are open keep what they have. */
  reload: Reload;
  /** Copies everything into a folder that is not there yet. One backup at a time. Throws an Error that says why not. */
  backUp(target: string, withKey: boolean): Promise<BackupDone>;
  /** Resolves with a text when something has ended without which nothing goes on. */
  failed: Promise<string>;
  /** Sessions in a transaction get `grace` ms to end it. */
  stop(grace: number): Promise<void>;
}

/** In ms, from a client's first byte to the end of its login. */
const LOGIN_TIME = 30_000;
/**
 * Builds everything from the configuration, and takes down what it has built when a part of it fails. Throws
 * DataFolderError, AccountMismatch, ConfigurationError, and Errors of the parts.
 */
export async function startServer(setup: ServerSetup): Promise<RunningServer> {
  const { options, durable, env, log } = setup;
  // What can change while the server runs is asked of `inForce` each time.
  const inForce = new OptionsInForce(options);
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
    const { runFolder, host } = await openDataDirectory(setup, undo);
    const sessions = new Sessions();
    const clusters = join(dataDir, 'clusters');
    const fleet = new Fleet({
      host,
      openCatalog: (engine, events) => openRoleCatalog(engine, events, { dsql: options.dialect === 'dsql' }),
      folder: clusters,
      durable,
      maxConnections: options.postgresConnections,
      get idleTime() {
        return inForce.current.idleTime * 1000;
      },
      after,
      log,
      onMappingsChanged: (database) => void revocation.refresh(database),
      onJobs: (database) => void jobs.look(database),
    });
    const revocation = new Revocation(fleet, sessions, log, after);
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
      openCertificate(options, join(dataDir, 'tls'), now, furtherNames, (text) => log.warn({}, text)),
      startControl(host, { dataDir, durable, log, undo }),
    ] as const;
    // None may still be building when what was built is taken down.
    await Promise.allSettled(parts);
    const [oldSealer, certificate, { engine, store }] = await Promise.all(parts);
    const sealer = await finishCutOffKeyChange(setup, store, oldSealer);
    const { audit, trail } = await openAudit(inForce, { log, sealer, metrics, undo });

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
    const openFiles = await limitOpenFiles(options, log);
    const tracing = openTracing(setup, undo);
    const apiFailures = createThrottle(() => inForce.current);
    const bodies = new HeldBodies();
    const dispatch = createDispatch({
      keys,
      authority: countedAuthority(authority, 'api', metrics),
      answered(call) {
        metrics.call(call);
        tracing?.tracer.call(call);
      },
      failures: apiFailures,
      bodies,
      keyUses,
      ...services,
      region,
      log,
      audit,
      now,
      newRequestId: randomUUID,
    });
    const watched = { store, fleet, trail, control: engine, defaultClusterId };
    const { reasons, unready, ailing } = createReadiness(inForce, watched);
    engine.failed.then((why) => reasons.add(`the control database cannot be started: ${why}`));
    const answeredFrom = inForce.derived(({ metricsFrom }) => answeredNetworks(metricsFrom));
    const probes: Probes = {
      metrics: () => ({ status: 200, contentType: CONTENT_TYPE, body: registry.text() }),
      unready,
      ailing,
      get from() {
        return answeredFrom();
      },
    };
    const api = createApiServer({ dispatch, log, probes, openFiles });

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
    const statements = openStatementLog(inForce, { log, undo });
    const gateway: Gateway = {
      keys,
      authority: countedAuthority(authority, 'login', metrics),
      now,
      clusters: createClusterDirectory({ store, fleet, account, regions, defaultClusterId, aliases }),
      fleet,
      ...createQuotas(() => inForce.current),
      openFiles,
      sessions,
      audit,
      traffic,
      stepTimes: (step, ms) => metrics.step(step, ms),
      traceLogin: (attempt) => tracing?.tracer.login(attempt),
      attempts,
      dialect: options.dialect,
      get fidelity() {
        return inForce.current.fidelity;
      },
      get maxConnectionTime() {
        return inForce.current.maxConnectionTime * 1000;
      },
      reader,
      transactions: new AllTransactions(options.injectConflicts),
      followStatements: statements.followStatements,
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
      throttled: () => ({ login: gateway.failedLogins.size, api: apiFailures.size }),
      heldBodies: () => bodies.held,
      *engineStates(): Iterable<EngineState> {
        for (const database of new Set(store.all('clusters').map((cluster) => cluster.database))) {
          yield fleet.state(database);
        }
      },
      store: () => store.health(),
      auditLog: () => trail?.state,
      statementLinesLost: statements.lost,
      spans: () => tracing?.exporter.counts,
      ready: () => unready().length === 0,
    });
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
      get caFile() {
        return certificate.caFile;
      },
      get options() {
        return inForce.current;
      },
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
      reload: createReload(inForce, { certificate, audit, log }),
      backUp: createBackUp(setup, { engine, store, fleet, clusters }),
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
