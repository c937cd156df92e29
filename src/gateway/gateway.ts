import type { Attempt } from '../attempts/attempt.ts';
import type { Attempts } from '../attempts/attempts.ts';
import type { Audit } from '../audit/events.ts';
import type { ClusterDirectory } from '../clusters/cluster.ts';
import type { Fleet } from '../clusters/fleet.ts';
import type { SessionFacts, SessionStatements } from '../statement-log/session-statements.ts';
import type { ServerTls } from './client.ts';
import type { AllTransactions } from './cluster-transactions.ts';
import type { FailedLogins } from './failed-logins.ts';
import type { LoginDependencies } from './login.ts';
import type { Quotas } from './quotas.ts';
import type { Reader } from './reader.ts';
import type { Sessions } from './sessions.ts';
import type { Dialect } from './settings.ts';
import type { StepTimes, Traffic } from './traffic.ts';

/** What every connection of this listener shares. */
export interface Gateway extends Omit<LoginDependencies, 'wake' | 'passed' | 'checkFailures' | 'admitPrincipal'> {
  clusters: ClusterDirectory;
  fleet: Pick<Fleet, 'isAwake' | 'use'>;
  quotas: Quotas;
  /** Of each source address and of each principal. */
  addressQuotas: Quotas;
  /** Those of an address that are still told that it has too many. */
  addressRefusals: Quotas;
  principalQuotas: Quotas;
  failedLogins: FailedLogins;
  /** File descriptors for clients and their sessions; undefined where then fewer than `spare` would be left. */
  openFiles: { take(spare: number): { release(): void } | undefined };
  sessions: Sessions;
  audit: Audit;
  traffic: Traffic;
  stepTimes: StepTimes;
  /** Begins the trace of a login; undefined where there is none. */
  traceLogin: (attempt: Attempt) => { passed: StepTimes; end(): void } | undefined;
  /** For the operator who asks why. */
  attempts: Attempts;
  dialect: Dialect;
  /** `strict`: a connection to a cluster that sleeps is refused while it wakes, as by the service. */
  fidelity: 'local' | 'strict';
  /** Reads the statements of all sessions; in the dialect dsql only. */
  reader: Reader | undefined;
  transactions: AllTransactions;
  /** For the statement log; undefined where there is none. */
  followStatements: (facts: SessionFacts) => SessionStatements | undefined;
  /** The certificate in use now: asked anew for every connection, since it can be reloaded. */
  tls: () => ServerTls;
  /** From the first byte to ReadyForQuery, in ms. */
  loginTime: number;
  /** How long a connection may last, in ms; 0: for ever. */
  maxConnectionTime: number;
  /** Random and unique, for the log and for the operator. */
  newConnectionId: () => string;
  /** Brings the sessions of a database in line with the mappings that are committed now. */
  refreshMappings: (database: string) => Promise<void>;
}
