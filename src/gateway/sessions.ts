import { randomBytes, timingSafeEqual } from 'node:crypto';
import { Refused } from '../refused.ts';
import type { Mapping } from '../roles/role-catalog.ts';
import type { LeavingSession } from './last-transactions.ts';

/** A client's session as others see it: those who cancel, revoke and shut down. */
export interface Session extends LeavingSession {
  readonly connectionId: string;
  readonly clusterId: string;
  readonly database: string;
  readonly roleOid: number;
  readonly principalArn: string;
  /** Only a session that needs a mapping can lose it. */
  readonly needsMapping: boolean;
  /** Ends the session when its transaction ends, at the latest when it begins another. */
  endAtNextTransaction(why: Refused): void;
  cancel(): Promise<void>;
}

/** What a client must show to cancel: both numbers are random, so a guess has to hit 64 bits or more. */
export interface CancelKey {
  processId: number;
  secretKey: Buffer;
}

/** All open sessions of this gateway. */
export class Sessions {
  readonly #sessions = new Map<string, Session>();
  readonly #cancelKeys = new Map<number, { secretKey: Buffer; session: Session }>();

  get count(): number {
    return this.#sessions.size;
  }

  /** `keyLength` in bytes: 4 for protocol 3.0, up to 256 for 3.2. */
  add(session: Session, keyLength: number): CancelKey {
    this.#sessions.set(session.connectionId, session);
    let processId: number;
    do processId = randomBytes(4).readInt32BE() & 0x7fffffff;
    while (processId === 0 || this.#cancelKeys.has(processId));
    const secretKey = randomBytes(keyLength);
    this.#cancelKeys.set(processId, { secretKey, session });
    return { processId, secretKey };
  }

  remove(session: Session, key: CancelKey): void {
    this.#sessions.delete(session.connectionId);
    this.#cancelKeys.delete(key.processId);
  }

  /** The session that this key was given to. */
  findByCancelKey({ processId, secretKey }: CancelKey): Session | undefined {
    const entry = this.#cancelKeys.get(processId);
    if (entry?.secretKey.length !== secretKey.length || !timingSafeEqual(entry.secretKey, secretKey)) return undefined;
    return entry.session;
  }

  /** Ends all sessions of a cluster that is deleted; those of its peers go on. */
  endOf(clusterId: string): void {
    const why = new Refused('cluster-deleted', { detail: `cluster ${clusterId} is deleted` });
    for (const session of [...this.#sessions.values()]) if (session.clusterId === clusterId) session.end(why);
  }

  has({ connectionId }: Session): boolean {
    return this.#sessions.has(connectionId);
  }

  /** Ends the sessions of a database whose mapping is not among those that stand, and returns them. */
  endUnmapped(database: string, standing: readonly Mapping[], why: (session: Session) => Refused): readonly Session[] {
    const leaving: Session[] = [];
    const mapped = new Set(standing.map(({ roleOid, arn }) => `${roleOid} ${arn}`));
    for (const session of this.#sessions.values()) {
      if (session.database !== database || !session.needsMapping) continue;
      if (mapped.has(`${session.roleOid} ${session.principalArn}`)) continue;
      session.endAtNextTransaction(why(session));
      leaving.push(session);
    }
    return leaving;
  }

  [Symbol.iterator](): IterableIterator<Session> {
    return this.#sessions.values();
  }
}
