import type { Log } from '../audit/log.ts';
import type { Fleet } from '../clusters/fleet.ts';
import { Refused } from '../refused.ts';
import { LastTransactions } from './last-transactions.ts';
import type { Session, Sessions } from './sessions.ts';

interface Reading {
  current: Promise<void>;
  /** The one that begins when the current one is over; all who ask meanwhile wait for it. */
  next: Promise<void> | undefined;
}

/**
 * Keeps open sessions in line with the mappings: after AWS IAM REVOKE a session of that mapping may end its transaction
 * and begin no other. Notices that come while the mappings are being read lead to one more reading, not to many.
 */
export class Revocation {
  readonly #fleet: Fleet;
  readonly #sessions: Sessions;
  readonly #log: Log;
  readonly #after: (ms: number, work: () => void) => () => void;
  readonly #running = new Map<string, Reading>();
  /** By database; as many as have ever had a mapping revoked under an open session. */
  readonly #leaving = new Map<string, LastTransactions<Session>>();

  constructor(fleet: Fleet, sessions: Sessions, log: Log, after: (ms: number, work: () => void) => () => void) {
    this.#after = after;
    this.#fleet = fleet;
    this.#sessions = sessions;
    this.#log = log;
  }

  /**
   * Resolves when every session has been compared with mappings read after this call. Never rejects: when the mappings
   * cannot be read, every session that needs one ends at its next transaction.
   */
  refresh(database: string): Promise<void> {
    const running = this.#running.get(database);
    if (!running) return this.#begin(database);
    // The reading in progress may have begun before the change that this call is about.
    running.next ??= running.current.then(() => this.#begin(database));
    return running.next;
  }

  #begin(database: string): Promise<void> {
    const reading: Reading = { current: this.#read(database), next: undefined };
    this.#running.set(database, reading);
    reading.current.then(() => {
      if (!reading.next) this.#running.delete(database);
    });
    return reading.current;
  }

  async #read(database: string): Promise<void> {
    try {
      const cluster = await this.#fleet.awake(database);
      if (!cluster) return;
      this.#leave(database, this.#sessions.endUnmapped(database, await cluster.catalog.mappings(), revoked));
    } catch (error) {
      this.#log.warn({ err: error, database }, 'the mappings could not be read; sessions that need one end');
      this.#leave(database, this.#sessions.endUnmapped(database, [], revoked));
    }
  }

  #leave(database: string, sessions: readonly Session[]): void {
    if (sessions.length === 0) return;
    let leaving = this.#leaving.get(database);
    if (!leaving) {
      leaving = new LastTransactions({
        transactions: async (processIds) => {
          const cluster = await this.#fleet.awake(database);
          return cluster ? await cluster.catalog.transactions(processIds) : new Map();
        },
        isOpen: (session) => this.#sessions.has(session),
        after: this.#after,
      });
      this.#leaving.set(database, leaving);
    }
    for (const session of sessions) leaving.watch(session, revoked(session));
  }
}

function revoked(session: Session): Refused {
  return new Refused('mapping-revoked', {
    detail: `${session.principalArn} is no longer associated with the role of connection ${session.connectionId}`,
  });
}
