import type { Socket } from 'node:net';
import { type Attempt, type AttemptEnd, cut, factsOf } from '../attempts/attempt.ts';
import type { ChangedRoles } from '../audit/role-changes.ts';
import type { AwakeCluster, Cluster } from '../clusters/cluster.ts';
import { Refused } from '../refused.ts';
import { ADMIN_ROLE } from '../roles/catalog-sql.ts';
import { SESSION_FACTS } from '../roles/session-sql.ts';
import { type Admitted, admit, type CancelAsked } from './admit.ts';
import { ConnectionEnded } from './byte-reader.ts';
import { Client } from './client.ts';
import { cancelInEngine, openEngineSession } from './engine-session.ts';
import { SPARE_FILES } from './entry.ts';
import type { Gateway } from './gateway.ts';
import { cancelKeyLength, greeting, versionAnswer } from './greet.ts';
import { limitTime } from './lifetime.ts';
import { checkRole, login, type Permitted } from './login.ts';
import { internalErrorFields, refusalFields, sayAndEnd } from './refuse.ts';
import type { Relay, SessionEnd } from './relay.ts';
import type { Session } from './sessions.ts';
import { readSessionRequest, type SessionRequest } from './settings.ts';
import { StreamRelay } from './stream-relay.ts';
import { startWatch } from './traffic.ts';
import { TurnRelay } from './turn-relay.ts';
import { wakeUp } from './wake-up.ts';

/** One client connection from its first byte to its last. `ended` never rejects. */
export interface Connection {
  /** Before the login is through: refuses. After: ends the session as soon as it is idle. */
  end(why: Refused): void;
  /** Ends the session whatever it is doing. */
  endNow(why: Refused): void;
  ended: Promise<void>;
}

/** `refused`: what the client is told as soon as it can be, and nothing else is done for it but to cancel a query. */
export function openConnection(socket: Socket, gateway: Gateway, refused: Refused | undefined): Connection {
  const client = new Client(socket);
  const attempt: Attempt = {
    connectionId: gateway.newConnectionId(),
    at: gateway.now(),
    sourceAddress: client.remoteAddress,
  };
  let relay: Relay | undefined;
  const ended = run(client, gateway, attempt, refused, (opened) => {
    relay = opened;
  });
  return {
    ended,
    end(why) {
      if (relay) relay.endWhenIdle(why);
      else client.fail(why);
    },
    endNow(why) {
      if (relay) relay.end(why);
      else client.fail(why);
    },
  };
}

/** In ms, for a client that is to be told a refusal to come so far. */
const TELLING_TIME = 5_000;

async function run(
  client: Client,
  gateway: Gateway,
  attempt: Attempt,
  refused: Refused | undefined,
  serving: (relay: Relay) => void,
): Promise<void> {
  const { audit, attempts } = gateway;
  const began = performance.now();
  const trace = gateway.traceLogin(attempt);
  const passed = startWatch((step, ms) => {
    gateway.stepTimes(step, ms);
    trace?.passed(step, ms);
  });
  /** What this connection takes of its cluster's, given back at its end. */
  const held: { release(): void }[] = [];
  const wake = (cluster: Cluster): Promise<AwakeCluster> => {
    const woken = wakeUp(cluster, gateway);
    held.push(woken.use);
    return woken.awake;
  };
  const door = {
    wake,
    passed,
    checkFailures: (accessKeyId?: string) => gateway.failedLogins.check(client.remoteAddress, accessKeyId),
    admitPrincipal: (arn: string) => void held.push(gateway.principalQuotas.admit(arn)),
  };
  const ends = (end: AttemptEnd): void => {
    attempt.end ??= end;
    attempts.add(attempt);
  };
  const time = refused ? Math.min(TELLING_TIME, gateway.loginTime) : gateway.loginTime;
  const deadline = setTimeout(() => {
    client.fail(refused ?? new Refused('login-timeout', { detail: `not logged in after ${time} ms` }));
  }, time);
  try {
    const admitted = await admit(client, gateway.tls());
    if (admitted.kind === 'cancel') {
      await cancel(admitted, gateway, attempt);
      sayAndEnd(client.stream, undefined);
      return;
    }
    passed('encryption');
    attempt.encryption = { protocol: admitted.tlsProtocol, serverName: admitted.serverName };
    attempts.add(attempt);
    const request = readSessionRequest(admitted.parameters, gateway.dialect);
    attempt.request = { user: cut(request.user), database: cut(request.database) };
    if (refused) throw refused;
    const cluster = resolve(admitted, request, client, gateway);
    attempt.cluster = { id: cluster.id, arn: cluster.arn };
    held.push(gateway.quotas.admit(cluster.id));
    const answer = versionAnswer(admitted.minor, request.unknownProtocolOptions);
    if (answer) client.stream.write(answer);
    const permitted = await login(client, request, cluster, { ...gateway, ...door }, attempt);
    held.push(sessionFile(gateway));
    const opened = { client, permitted, minor: admitted.minor, request, cluster };
    const facts = factsOf(attempt);
    const report: SessionReport = {
      async accepted() {
        const policy = permitted.decision.because;
        const event = { event: 'login.accepted', ...facts, policy, durationMs: performance.now() - began } as const;
        // What is refused for want of a line must not stand there later as accepted.
        await audit.require(event, { happened: false });
      },
      rolesChanged: (changes) => audit.record({ event: 'roles.changed', ...facts, changes }),
    };
    const end = await serve(opened, gateway, attempt.connectionId, report, (relay) => {
      clearTimeout(deadline);
      serving(relay);
      passed('session');
      gateway.stepTimes('login', performance.now() - began);
      attempt.end = { outcome: 'accepted' };
      trace?.end();
    });
    if (end.reason === 'failed') audit.record({ event: 'connection.failed', ...facts, error: end.error });
    audit.record({ event: 'session.ended', ...facts, ...describeEnd(end), durationMs: performance.now() - began });
  } catch (error) {
    const facts = factsOf(attempt);
    if (error instanceof Refused) {
      ends({ outcome: 'refused', why: error });
      gateway.failedLogins.note(client.remoteAddress, attempt.token?.accessKeyId, error.kind);
      audit.record({ event: 'login.refused', ...facts, kind: error.kind, reason: error.detail, hint: error.hint });
      sayAndEnd(client.stream, refusalFields(error));
    } else if (error instanceof ConnectionEnded) {
      if (!client.silent) ends({ outcome: 'abandoned', reason: error.message });
      audit.record({ event: 'login.abandoned', ...facts, reason: error.message, silent: client.silent });
      client.stream.destroy();
    } else {
      ends({ outcome: 'failed', reason: (error as Error).message });
      audit.record({ event: 'connection.failed', ...facts, error: error as Error });
      sayAndEnd(client.stream, internalErrorFields(attempt.connectionId));
    }
  } finally {
    clearTimeout(deadline);
    trace?.end();
    client.reader.release();
    for (const { release } of held) release();
  }
}

async function cancel(asked: CancelAsked, { sessions, audit }: Gateway, attempt: Attempt): Promise<void> {
  const session = sessions.findByCancelKey(asked);
  audit.record({ event: 'session.cancel', ...factsOf(attempt), found: session !== undefined });
  await session?.cancel();
}

function resolve(admitted: Admitted, request: SessionRequest, client: Client, { clusters }: Gateway): Cluster {
  return clusters.resolve({
    serverName: admitted.serverName,
    clusterId: request.clusterId,
    localAddress: client.localAddress,
  });
}

/** For the session in the engine. Throws Refused when there is none left. */
function sessionFile({ openFiles }: Gateway): { release(): void } {
  const file = openFiles.take(SPARE_FILES);
  if (!file) throw new Refused('open-files-exceeded', { detail: 'no file descriptor is left for the session' });
  return file;
}

/** Throws Refused when the cluster is not there any more. */
function assertPresent({ id: clusterId }: Cluster, { clusters }: Gateway): void {
  clusters.resolve({ serverName: undefined, clusterId, localAddress: '' });
}

/** What is reported of a session while it is served. */
interface SessionReport {
  /** Throws Refused when it cannot be reported and must be. */
  accepted(): Promise<void>;
  rolesChanged(changes: ChangedRoles): void;
}

interface Login {
  client: Client;
  permitted: Permitted;
  minor: number;
  request: SessionRequest;
  cluster: Cluster;
}

/** The session in the engine, from its opening to its end. */
async function serve(
  { client, permitted, minor, request, cluster }: Login,
  gateway: Gateway,
  connectionId: string,
  report: SessionReport,
  serving: (relay: Relay) => void,
): Promise<SessionEnd> {
  if (request.database !== 'postgres') {
    const say = `database "${request.database.slice(0, 64)}" does not exist`;
    throw new Refused('unknown-database', { say, detail: say });
  }
  const { engine, catalog } = permitted.cluster;
  const { reader } = gateway;
  const transactions = reader && (await gateway.transactions.of(catalog));
  const settings = new Map([
    ...request.settings,
    [SESSION_FACTS.sessionId, connectionId],
    [SESSION_FACTS.iamSessionUser, permitted.identity.arn],
  ]);
  const engineSession = await openEngineSession(engine, permitted.role, settings);
  const options = {
    client: client.encrypted,
    engine: engineSession.socket,
    role: permitted.role,
    connectionId,
    traffic: gateway.traffic,
    mappingsCommitted: () => gateway.refreshMappings(cluster.database),
    rolesChanged: report.rolesChanged,
    onlooker: gateway.followStatements({
      connectionId,
      principal: permitted.identity.arn,
      role: permitted.role,
      cluster: cluster.id,
    }),
  };
  const relay: Relay =
    reader && transactions
      ? new TurnRelay({
          ...options,
          reader,
          processId: engineSession.processId,
          cluster: transactions,
          cancel: () => cancelInEngine(engine, engineSession),
          now: () => performance.now(),
        })
      : new StreamRelay(options);
  const session: Session = {
    connectionId,
    clusterId: cluster.id,
    database: cluster.database,
    roleOid: permitted.roleOid,
    principalArn: permitted.identity.principalArn,
    needsMapping: permitted.role !== ADMIN_ROLE,
    processId: engineSession.processId,
    get idle() {
      return relay.idle;
    },
    endAtNextTransaction: (why) => relay.endAtNextTransaction(why),
    end(why) {
      // What the engine is at work on would otherwise go on until it has something to say.
      if (!relay.idle) void cancelInEngine(engine, engineSession);
      relay.end(why);
    },
    cancel() {
      relay.clientCancels();
      return cancelInEngine(engine, engineSession);
    },
  };
  const key = gateway.sessions.add(session, cancelKeyLength(minor));
  const unlimit = limitTime(relay, gateway.maxConnectionTime);
  try {
    // From here on what happens to the cluster or the mapping reaches this session; what has happened since they were
    // looked at is found by looking again.
    assertPresent(cluster, gateway);
    if (session.needsMapping) await checkRole(permitted.identity, permitted.role, permitted.cluster);
    await report.accepted();
    client.reader.release();
    relay.start(greeting(engineSession, key, gateway.dialect));
    serving(relay);
    return await relay.ended;
  } finally {
    unlimit();
    engineSession.socket.destroy();
    gateway.sessions.remove(session, key);
  }
}

function describeEnd(end: SessionEnd): { reason: string; detail?: string } {
  if (end.reason === 'ended') return { reason: end.why.kind, detail: end.why.detail };
  if (end.reason === 'protocol-violation') return { reason: end.reason, detail: end.detail };
  return { reason: end.reason };
}
