import type { Registry } from './registry.ts';
import { sessionsByCluster } from './server-metrics.ts';

/** What the metrics look up when somebody asks for them. */
export interface Watched {
  sessions: Iterable<{ clusterId: string }>;
  /** Open connections, those that are logging in included. */
  connections: () => number;
  /** Connections that were closed without an answer, since there were too many. */
  dropped: () => number;
  traffic: {
    readonly fromClients: number;
    readonly toClients: number;
    readonly statements: number;
    readonly transactions: number;
    readonly conflicts: number;
  };
  /** Sources of failed logins and failed API calls that are remembered, by front. */
  throttled: () => Readonly<Record<'login' | 'api', number>>;
  /** In bytes: requests to the API that are in memory. */
  heldBodies: () => number;
  /** Of the PostgreSQL of each cluster's database. */
  engineStates: () => Iterable<EngineState>;
  store: () => { connected: boolean; revision: number; age: number };
  /** Undefined where there is no audit log. */
  auditLog: () => { lost: number; failing: boolean } | undefined;
  statementLinesLost: () => number;
  /** Undefined where nothing is traced. */
  spans: () => { exported: number; dropped: number } | undefined;
  /** Whether clients should be sent here. */
  ready: () => boolean;
}

const ENGINE_STATES = ['awake', 'starting', 'failed', 'asleep'] as const;
export type EngineState = (typeof ENGINE_STATES)[number];

export function readWatched(registry: Registry, watched: Watched): void {
  const { traffic, store } = watched;
  const gauge = (name: string, help: string, samples: Parameters<Registry['read']>[3]) =>
    registry.read('gauge', name, help, samples);
  const counter = (name: string, help: string, samples: Parameters<Registry['read']>[3]) =>
    registry.read('counter', name, help, samples);

  gauge('postern_ready', 'Whether /readyz says so.', () => Number(watched.ready()));
  gauge('postern_connections', 'Open connections, those that are logging in included.', watched.connections);
  counter(
    'postern_connections_dropped_total',
    'Connections closed without a word: too many, in all or of their address.',
    watched.dropped,
  );
  gauge('postern_sessions', 'Open sessions by cluster; the 50 with the most, the rest as other.', () =>
    sessionsByCluster(watched.sessions),
  );
  counter('postern_relayed_bytes_total', 'Bytes passed on between clients and PostgreSQL, without TLS.', () => [
    [{ direction: 'from_clients' }, traffic.fromClients],
    [{ direction: 'to_clients' }, traffic.toClients],
  ]);
  counter('postern_statements_total', 'Statements that PostgreSQL has completed.', () => traffic.statements);
  counter('postern_transactions_total', 'Transactions that have ended.', () => traffic.transactions);
  counter('postern_conflicts_total', 'Errors with SQLSTATE 40001.', () => traffic.conflicts);
  gauge('postern_failing_sources', 'Addresses and keys whose failures are remembered, by front.', () =>
    Object.entries(watched.throttled()).map(([front, count]) => [{ front }, count] as const),
  );
  gauge('postern_api_held_bytes', 'Bodies of API requests in memory.', watched.heldBodies);
  gauge('postern_engines', 'PostgreSQL instances of clusters by state.', () => {
    const counts = new Map<EngineState, number>(ENGINE_STATES.map((state) => [state, 0]));
    for (const state of watched.engineStates()) counts.set(state, (counts.get(state) ?? 0) + 1);
    return Array.from(counts, ([state, count]) => [{ state }, count] as const);
  });
  const ofAuditLog = (read: (state: { lost: number; failing: boolean }) => number) => () => {
    const state = watched.auditLog();
    return state ? ([[{}, read(state)]] as const) : [];
  };
  gauge(
    'postern_audit_log_writable',
    'Whether the last lines of the audit log could be written.',
    ofAuditLog(({ failing }) => Number(!failing)),
  );
  counter(
    'postern_audit_lines_lost_total',
    'Lines of the audit log that will never be written.',
    ofAuditLog(({ lost }) => lost),
  );
  counter(
    'postern_statement_lines_lost_total',
    'Lines of the statement log that will never be written.',
    watched.statementLinesLost,
  );
  counter('postern_spans_total', 'Spans of traces by what became of them.', () =>
    Object.entries(watched.spans() ?? {}).map(([outcome, count]) => [{ outcome }, count] as const),
  );
  gauge('postern_control_connected', 'Whether the control database is reached; 0: reads go on from memory.', () =>
    Number(store().connected),
  );
  gauge('postern_control_revision', 'Number of the newest change in memory.', () => store().revision);
  gauge(
    'postern_control_age_seconds',
    'Since memory last was brought up to date: by a load, a change, or a notice of another process.',
    () => store().age / 1000,
  );
}
