import type { Identity } from '../iam/identity.ts';
import type { RefusalKind } from '../refused.ts';
import type { ChangedRoles } from './role-changes.ts';

/** Where an event happened. */
export interface ConnectionFacts {
  connectionId: string;
  sourceAddress: string;
  cluster?: string | undefined;
  clusterArn?: string | undefined;
  /** The database role that was asked for. */
  role?: string | undefined;
  /** The token's. */
  action?: 'DbConnect' | 'DbConnectAdmin' | undefined;
  accessKeyId?: string | undefined;
  /** The ARN that the signature proved. */
  principal?: string | undefined;
  /** Whose signature it was. */
  identity?: Identity | undefined;
  tls?: { protocol: string; serverName: string | undefined } | undefined;
}

/** A call of the HTTP API, whatever became of it. Parameters and answer hold what is allow-listed, and no more. */
export interface ApiCall {
  requestId: string;
  sourceAddress: string | undefined;
  userAgent: string | undefined;
  region: string;
  service: 'iam' | 'sts' | 'dsql' | undefined;
  operation: string | undefined;
  accessKeyId: string | undefined;
  identity: Identity | undefined;
  parameters: object | undefined;
  response: object | undefined;
  /** ARNs that the caller had to be allowed. */
  resources: readonly string[];
  error: { code: string; message: string } | undefined;
  /** For the operator, where it was refused: the kind and the whole reason. */
  refusal: { kind: RefusalKind; reason: string } | undefined;
  status: number;
  durationMs: number;
}

/** The closed list of what is reported. No event has room for a secret, a token or a password. */
export type AuditEvent =
  | ({ event: 'login.accepted'; policy: string; durationMs: number } & ConnectionFacts)
  | ({ event: 'login.refused'; kind: RefusalKind; reason: string; hint?: string | undefined } & ConnectionFacts)
  /** `silent`: not a byte came, as from who looks whether the port is open. */
  | ({ event: 'login.abandoned'; reason: string; silent: boolean } & ConnectionFacts)
  | ({ event: 'session.ended'; reason: string; detail?: string | undefined; durationMs: number } & ConnectionFacts)
  | ({ event: 'session.cancel'; found: boolean } & ConnectionFacts)
  | ({ event: 'roles.changed'; changes: ChangedRoles } & ConnectionFacts)
  | ({ event: 'connection.failed'; error: Error } & ConnectionFacts)
  | ({ event: 'api.call' } & ApiCall)
  /** Refusals of one kind and source that came too fast to be told one by one: how many, from when to when. */
  | {
      event: 'refusals.counted';
      front: 'login' | 'api';
      kind: string;
      sourceAddress: string;
      count: number;
      since: Date;
      until: Date;
    }
  /** The operator's file has made or changed something at the start: where in the file, and what. */
  | { event: 'declaration.changed'; file: string; path: string; change: string }
  /** A running server has read its configuration again: what it takes from now on, and what only the next start does. */
  | { event: 'configuration.reloaded'; changed: readonly OptionChange[]; needRestart: readonly string[] }
  | { event: 'configuration.refused'; reason: string };

/** Values of options are no secrets. */
export interface OptionChange {
  option: string;
  from: unknown;
  to: unknown;
}

export interface Audit {
  record(event: AuditEvent): void;
  /**
   * The same for what may not happen unseen. Where the audit log is required it resolves when the line is written, and
   * throws Refused `audit-unavailable` when it cannot be; `happened`: then the line stands there later, since it is true.
   */
  require(event: AuditEvent, facts: { happened: boolean }): Promise<void>;
  /** Throws Refused `audit-unavailable` when the audit log is required and cannot be written. */
  assertWritable(): Promise<void>;
}
