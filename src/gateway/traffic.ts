/** What the relays of this gateway have passed on, all together: plain numbers, so that counting costs next to nothing. */
export interface Traffic {
  /** In bytes, without TLS's own. */
  fromClients: number;
  toClients: number;
  /** Statements that PostgreSQL has completed. */
  statements: number;
  /** ReadyForQuery outside a transaction: transactions that have ended, those of a single statement included. */
  transactions: number;
  /** Errors of serialization (SQLSTATE 40001), which a client answers by trying again. */
  conflicts: number;
}

export function noTraffic(): Traffic {
  return { fromClients: 0, toClients: 0, statements: 0, transactions: 0, conflicts: 0 };
}

/** The steps of a login that take time. What waits for the client stands apart from what is ours. */
export type LoginStep =
  /** From the connection to a startup packet on an encrypted stream; the client's part included. */
  | 'encryption'
  /** Until the token has come; the client's time. */
  | 'token'
  /** Signature and policies. */
  | 'proof'
  /** Until the cluster's PostgreSQL is awake. */
  | 'wake'
  /** The database role and its mapping. */
  | 'role'
  /** The session in PostgreSQL. */
  | 'session'
  /** From the connection to ReadyForQuery. */
  | 'login';

/** Told of each step of a login that was passed, with the time it took in ms. */
export type StepTimes = (step: LoginStep, ms: number) => void;

/** A watch that is read at the end of each step. */
export function startWatch(tell: StepTimes): (step: LoginStep) => void {
  let last = performance.now();
  return (step) => {
    const now = performance.now();
    tell(step, now - last);
    last = now;
  };
}
