import type { Audit, AuditEvent } from '../audit/events.ts';
import type { AccessRequest, Authority, Decision } from '../iam/identity.ts';
import type { Registry } from './registry.ts';

/** Upper bounds in seconds: of a login and its steps, from what is ours to what a slow client takes. */
const LOGIN_BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const CALL_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** What is known of an HTTP call when it has been answered. */
export interface AnsweredCall {
  service?: string | undefined;
  /** One that the service has; undefined for any other name. */
  operation?: string | undefined;
  status: number;
  ms: number;
  /** The kind of refusal. */
  refused?: string;
}

/** What is counted where it happens. What can be looked up is read when somebody asks. */
export interface ServerMetrics {
  event(event: AuditEvent): void;
  step(step: string, ms: number): void;
  call(call: AnsweredCall): void;
  decision(front: 'login' | 'api', decision: Decision): void;
}

export function createServerMetrics(registry: Registry): ServerMetrics {
  const logins = registry.counter(
    'postern_logins_total',
    'Login attempts by outcome (accepted, refused, abandoned, failed) and kind of refusal.',
    ['outcome', 'kind'],
  );
  const steps = registry.histogram(
    'postern_login_step_seconds',
    'Time of each step of a login; encryption and token include what the client takes, login is the whole.',
    ['step'],
    LOGIN_BOUNDS,
  );
  const ends = registry.counter('postern_sessions_ended_total', 'Sessions by how they ended.', ['reason']);
  const cancels = registry.counter('postern_cancel_requests_total', 'Cancel requests by whether their key is one.', [
    'found',
  ]);
  const reloads = registry.counter(
    'postern_configuration_reloads_total',
    'Times that the configuration was read again, by outcome (applied, refused).',
    ['outcome'],
  );
  const calls = registry.counter('postern_api_calls_total', 'HTTP calls by service, operation and class of status.', [
    'service',
    'operation',
    'status',
  ]);
  const refusals = registry.counter('postern_api_refusals_total', 'HTTP calls that were refused, by kind.', ['kind']);
  const callTimes = registry.histogram('postern_api_call_seconds', 'Time of HTTP calls.', ['service'], CALL_BOUNDS);
  const decisions = registry.counter('postern_decisions_total', 'Decisions of the policies by front and effect.', [
    'front',
    'effect',
  ]);
  return {
    event(event) {
      switch (event.event) {
        case 'login.accepted':
          logins.add({ outcome: 'accepted', kind: '' });
          break;
        case 'login.refused':
          logins.add({ outcome: 'refused', kind: event.kind });
          break;
        case 'login.abandoned':
          logins.add({ outcome: 'abandoned', kind: '' });
          break;
        case 'connection.failed':
          logins.add({ outcome: 'failed', kind: '' });
          break;
        case 'session.ended':
          ends.add({ reason: event.reason });
          break;
        case 'configuration.reloaded':
          reloads.add({ outcome: 'applied' });
          break;
        case 'configuration.refused':
          reloads.add({ outcome: 'refused' });
          break;
        case 'session.cancel':
          cancels.add({ found: String(event.found) });
          break;
      }
    },
    step: (step, ms) => steps.observe({ step }, ms / 1000),
    call({ service = 'none', operation = 'none', status, ms, refused }) {
      if (refused !== undefined) refusals.add({ kind: refused });
      calls.add({ service, operation, status: `${Math.floor(status / 100)}xx` });
      callTimes.observe({ service }, ms / 1000);
    },
    decision: (front, { allowed }) => decisions.add({ front, effect: allowed ? 'allow' : 'deny' }),
  };
}

/** The same audit, counted. */
export function countedAudit(audit: Audit, metrics: Pick<ServerMetrics, 'event'>): Audit {
  return {
    ...audit,
    record(event) {
      metrics.event(event);
      audit.record(event);
    },
    async require(event, facts) {
      await audit.require(event, facts);
      metrics.event(event);
    },
  };
}

/** The same authority, counted. */
export function countedAuthority(
  authority: Authority,
  front: 'login' | 'api',
  metrics: Pick<ServerMetrics, 'decision'>,
): Authority {
  const counted = (decision: Decision): Decision => {
    metrics.decision(front, decision);
    return decision;
  };
  return {
    decide: (identity, request: AccessRequest) => counted(authority.decide(identity, request)),
    decideTrust: (federated, request: AccessRequest) => counted(authority.decideTrust(federated, request)),
  };
}

/** Clusters that are told apart by their open sessions: those with the most. */
const MAX_CLUSTERS = 50;

/** Open sessions by cluster; all clusters but those with the most sessions together as `other`. */
export function sessionsByCluster(
  sessions: Iterable<{ clusterId: string }>,
  most = MAX_CLUSTERS,
): [labels: { cluster: string }, count: number][] {
  const counts = new Map<string, number>();
  for (const { clusterId } of sessions) counts.set(clusterId, (counts.get(clusterId) ?? 0) + 1);
  const ranked = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  const rest = ranked.slice(most).reduce((sum, [, count]) => sum + count, 0);
  const told = ranked.slice(0, most).map(([cluster, count]) => [{ cluster }, count] as [{ cluster: string }, number]);
  return rest > 0 ? [...told, [{ cluster: 'other' }, rest]] : told;
}
