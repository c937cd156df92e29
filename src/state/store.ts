import type { Records, TableName } from './records.ts';

/**
 * Everything IAM, STS and the clusters remember. All rows are in memory, so no decision waits for a database; a change
 * is durable in the control database before memory shows it.
 */
export interface Store {
  get<T extends TableName>(table: T, key: string): Readonly<Records[T]> | undefined;
  /** Every row of a table, ordered by key (by code unit). */
  all<T extends TableName>(table: T): readonly Readonly<Records[T]>[];
  /**
   * Runs `work` alone: no other change runs between its reads and the commit of its writes. `work` is synchronous; what
   * it throws is thrown here, and then nothing has changed. Resolves when the change is committed and visible in memory.
   * Throws Refused `service-unavailable` when the control database cannot be reached; memory is then unchanged.
   */
  change<R>(work: (draft: Draft) => R): Promise<R>;
}

/** What a change sees: its own writes on top of the store. */
export interface Draft {
  get<T extends TableName>(table: T, key: string): Readonly<Records[T]> | undefined;
  all<T extends TableName>(table: T): readonly Readonly<Records[T]>[];
  /** Throws Refused `limit-exceeded` for a record that is too large. */
  put<T extends TableName>(table: T, key: string, record: Records[T]): void;
  delete(table: TableName, key: string): void;
}
