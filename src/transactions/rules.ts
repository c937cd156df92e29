import type { Statement } from '../sql/classify.ts';
import { type Refusal, TEXTS } from '../sql/dialect/texts.ts';

/** Rows that a transaction may insert, update and delete; those that foreign keys take with them count. */
export const MAX_ROWS = 3_000;
/** In ms. */
export const MAX_AGE = 300_000;
/** In bytes. */
export const MAX_SIZE = 10 * 1024 * 1024;

/** What counts as DML beside DDL: whatever writes rows. A query that only reads or locks does not (guessed). */
const isDml = ({ writesRows }: Statement) => writesRows;

/** What one transaction may contain (AWS user guide, "Concurrency control"; observed of clusters in 2026). */
export class TransactionRules {
  readonly #startedAt: number;
  #ddl = false;
  #dml = false;
  /** Written so far. */
  rows = 0;

  /** `startedAt` in ms, of any clock that only goes forward. */
  constructor(startedAt: number) {
    this.#startedAt = startedAt;
  }

  /** Whether the next statement may run; it counts as run. */
  admit(statement: Statement, now: number, explicit: boolean): Refusal | undefined {
    const tooOld = this.age(now);
    if (tooOld) return tooOld;
    if (explicit && statement.tag === 'VacuumStmt') return TEXTS.outsideBlocks('ANALYZE');
    if (statement.kind === 'ddl') {
      if (this.#ddl) return TEXTS.multipleDdl;
      if (this.#dml) return TEXTS.ddlAndDml;
      this.#ddl = true;
    } else if (isDml(statement)) {
      if (this.#ddl) return TEXTS.ddlAndDml;
      this.#dml = true;
    }
    return undefined;
  }

  /** In ms. */
  ageAt(now: number): number {
    return now - this.#startedAt;
  }

  /** Looked at by every statement and by COMMIT; one that runs is not cut off. */
  age(now: number): Refusal | undefined {
    const age = this.ageAt(now);
    return age > MAX_AGE ? TEXTS.ageLimit(Math.floor(age / 1000)) : undefined;
  }

  /** Rows that a statement has written. */
  count(rows: number): Refusal | undefined {
    this.rows += rows;
    return this.rows > MAX_ROWS ? TEXTS.rowLimit : undefined;
  }
}

/** The number of rows in a command tag: the last word of INSERT, UPDATE, DELETE and COPY. */
export function rowsOf(tag: string): number {
  const rows = Number(tag.slice(tag.lastIndexOf(' ') + 1));
  return Number.isSafeInteger(rows) ? rows : 0;
}
