import type { RefusalKind } from '../refused.ts';
import type { Log } from './log.ts';

/** Where an event happened. */
export interface ConnectionFacts {
  connectionId: string;
  sourceAddress: string;
  cluster?: string | undefined;
  /** The database role that was asked for. */
  role?: string | undefined;
  accessKeyId?: string | undefined;
  /** The ARN that the signature proved. */
  principal?: string | undefined;
}

/** The closed list of what the gateway reports. No event has room for a secret, a token or a password. */
export type AuditEvent =
  | ({ event: 'login.accepted'; policy: string; durationMs: number } & ConnectionFacts)
  | ({ event: 'login.refused'; kind: RefusalKind; reason: string; hint?: string | undefined } & ConnectionFacts)
  | ({ event: 'login.abandoned'; reason: string } & ConnectionFacts)
  | ({ event: 'session.ended'; reason: string; detail?: string | undefined; durationMs: number } & ConnectionFacts)
  | ({ event: 'session.cancel'; found: boolean } & ConnectionFacts)
  | ({ event: 'connection.failed'; error: Error } & ConnectionFacts);

export interface Audit {
  record(event: AuditEvent): void;
}

const LEVELS = {
  'login.accepted': 'info',
  'login.refused': 'warn',
  'login.abandoned': 'debug',
  'session.ended': 'info',
  'session.cancel': 'info',
  'connection.failed': 'error',
} as const satisfies Record<AuditEvent['event'], keyof Log>;

/** Writes every event as one line of the server's log. */
export function createLogAudit(log: Log): Audit {
  return {
    record({ event, ...facts }) {
      const { error, ...rest } = facts as { error?: Error };
      log[LEVELS[event]]({ event, ...rest, ...(error ? { err: error } : {}) }, event);
    },
  };
}
