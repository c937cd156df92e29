import type { Refused } from '../refused.ts';

/** A session that may end the transaction in which it is, and begin no other. */
export interface LeavingSession {
  /** Of its process in the engine. */
  readonly processId: number;
  /** No transaction is open and nothing is asked: its next message ends it. */
  readonly idle: boolean;
  /** Ends it now, whatever it is doing. */
  end(why: Refused): void;
}

export interface LastTransactionsDeps<S extends LeavingSession> {
  /** When the transactions of these processes have begun; nothing of those that have none. */
  transactions(processIds: readonly number[]): Promise<ReadonlyMap<number, string>>;
  isOpen(session: S): boolean;
  /** Calls `work` after `ms`; returns what takes it back. */
  after(ms: number, work: () => void): () => void;
}

/** In ms, from one look to the next. */
const INTERVAL = 50;

/**
 * Looks into the engine for sessions of one database that must not begin another transaction. What passes by tells the
 * gateway when a transaction has ended, but not before what was sent along has begun the next one: COMMIT AND CHAIN, BEGIN
 * behind COMMIT, messages without a Sync, a procedure or a DO that commits. There it shows in when the transaction began.
 */
export class LastTransactions<S extends LeavingSession> {
  readonly #deps: LastTransactionsDeps<S>;
  readonly #watched = new Map<S, { why: Refused; began: string | undefined }>();
  #looking = false;

  constructor(deps: LastTransactionsDeps<S>) {
    this.#deps = deps;
  }

  watch(session: S, why: Refused): void {
    if (!this.#watched.has(session)) this.#watched.set(session, { why, began: undefined });
    if (this.#looking) return;
    this.#looking = true;
    void this.#look();
  }

  async #look(): Promise<void> {
    for (const session of this.#watched.keys()) if (!this.#deps.isOpen(session)) this.#watched.delete(session);
    try {
      const began = await this.#deps.transactions([...this.#watched.keys()].map(({ processId }) => processId));
      for (const [session, entry] of this.#watched) {
        const now = began.get(session.processId);
        if (now === undefined) {
          if (session.idle) this.#watched.delete(session);
        } else if (entry.began === undefined) entry.began = now;
        else if (entry.began !== now) this.#end(session, entry.why);
      }
    } catch {
      // What cannot be seen is not let go on.
      for (const [session, { why }] of this.#watched) this.#end(session, why);
    }
    if (this.#watched.size > 0) this.#deps.after(INTERVAL, () => void this.#look());
    else this.#looking = false;
  }

  #end(session: S, why: Refused): void {
    this.#watched.delete(session);
    if (this.#deps.isOpen(session)) session.end(why);
  }
}
