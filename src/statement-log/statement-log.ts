/** A statement that has come to its end in the database. */
export interface StatementEntry {
  connectionId: string;
  /** ARN of who is connected. */
  principal: string;
  /** The database role. */
  role: string;
  /** The cluster's id. */
  cluster: string;
  /** Without its constants. Undefined where it is not known. */
  text: string | undefined;
  durationMs: number;
  /** Command tags, in order, of what has ended well. */
  tags: readonly string[];
  /** SQLSTATE of what has not. */
  error: string | undefined;
}

/** Takes what it is told without making anybody wait, and never throws. */
export interface StatementLog {
  statement(entry: StatementEntry): void;
}
