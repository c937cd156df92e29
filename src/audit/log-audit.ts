import type { Audit, AuditEvent, ConnectionFacts } from './events.ts';
import type { Log } from './log.ts';

type LoggedEvent = Extract<AuditEvent, ConnectionFacts>;

/** Null: who handles it logs it. */
const LEVELS = {
  'login.accepted': 'info',
  'login.refused': 'warn',
  'login.abandoned': 'debug',
  'session.ended': 'info',
  'session.cancel': 'info',
  'roles.changed': 'info',
  'connection.failed': 'error',
  'api.call': null,
  'refusals.counted': 'warn',
  'declaration.changed': null,
  'configuration.reloaded': null,
  'configuration.refused': null,
} as const satisfies Record<AuditEvent['event'], keyof Log | null>;

/** Writes every event as one line of the server's log. */
export function createLogAudit(log: Log): Audit {
  const record = (event: AuditEvent): void => {
    const level = LEVELS[event.event];
    if (level === null) return;
    const { event: name, identity: _, clusterArn: __, action: ___, tls: ____, ...facts } = event as LoggedEvent;
    const { error, ...rest } = facts as { error?: Error };
    log[level]({ event: name, ...rest, ...(error ? { err: error } : {}) }, name);
  };
  return {
    record,
    async require(event) {
      record(event);
    },
    async assertWritable() {},
  };
}

/** Tells two; what the second requires is told to the first only when the second has it. */
export function both(first: Audit, second: Audit): Audit {
  return {
    record(event) {
      first.record(event);
      second.record(event);
    },
    async require(event, facts) {
      await second.require(event, facts);
      first.record(event);
    },
    assertWritable: () => second.assertWritable(),
  };
}
