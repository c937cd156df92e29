import type { Statement } from '../sql/classify.ts';
import { type Refusal, TEXTS } from '../sql/dialect/texts.ts';
import type { Places } from '../sql/locked-rows.ts';
import type { Relation } from '../sql/statement-findings.ts';
import type { OpenTransaction, SchemaChange, Strength, TableLocks } from '../transactions/conflicts.ts';
import { Journal } from '../transactions/journal.ts';
import { MAX_SIZE, TransactionRules } from '../transactions/rules.ts';
import type { Space } from '../transactions/space.ts';
import type { Step } from './steps.ts';

/** What is known of a statement that has run. */
export interface Done {
  unknown: boolean;
  parents: readonly string[];
  places: readonly Places[] | undefined;
}

/** The transaction that a session is in, from BEGIN on; one that is implied lasts as long as its request. */
export class Block {
  readonly transaction: OpenTransaction;
  readonly rules: TransactionRules;
  readonly journal: Journal<Step>;
  /** Whether the engine has been told to begin it, where it is implied. */
  wrapped = false;
  /** Whether the engine has a savepoint before all that it did. */
  savepoint = false;
  /** What it did is undone in the engine, and not yet done again. */
  rewound = false;
  /** Names of tables of which it has a copy of its own: it has lost and goes on as if it had not. */
  readonly shadowed = new Set<string>();
  readonly #wrote = new Map<string, Relation>();
  #wroteUnknown = false;
  readonly touched: Relation[] = [];
  readonly changes: SchemaChange[] = [];
  /** Whether it writes or locks, as far as can be seen. */
  active = false;
  /** Whether it has run anything, which has made its snapshot. */
  hasSnapshot = false;
  /** Tables of which it has locked rows, by name. */
  readonly locked = new Map<string, TableLocks>();
  /** In bytes: what it writes, by what the client has sent for it; what the engine makes of its own is measured. */
  sent = 0;

  /** It is too old, and has been ended in the engine; the client does not know yet. */
  isOverdue = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(transaction: OpenTransaction, now: number, space: Space) {
    this.journal = new Journal(space);
    this.transaction = transaction;
    this.rules = new TransactionRules(now);
  }

  /** Whether the client knows of it. */
  get explicit(): boolean {
    return this.transaction.explicit;
  }

  /** What stood before BEGIN in the same text is a part of it, and has made its snapshot. */
  becomeExplicit(): void {
    this.transaction.explicit = true;
    this.hasSnapshot = true;
    this.journal.tear();
  }

  /** Has this done `rest` ms from now, unless it is over by then. */
  endsAt(rest: number, work: () => void): void {
    this.#timer ??= setTimeout(work, Math.max(rest, 0)).unref();
  }

  /** It is over. */
  end(): void {
    clearTimeout(this.#timer);
    this.journal.end();
  }

  get canRewind(): boolean {
    return this.explicit && this.savepoint && this.journal.whole;
  }

  tooLarge(): Refusal | undefined {
    return this.sent > MAX_SIZE ? TEXTS.sizeLimit(Math.ceil(this.sent / MEBIBYTE)) : undefined;
  }

  /**
   * A statement has run. `unknown`: it may have written what it does not name; `parents`: tables that what it wrote refers to;
   * `places`: all rows that it has locked, where they are known.
   */
  did(statement: Statement, { unknown, parents, places }: Done): void {
    if (statement.writesRows) {
      for (const target of statement.targets) this.#wrote.set(target.name, target);
      for (const name of parents) this.#lock(name, 'key share', undefined);
    }
    if (statement.locks) {
      for (const { name } of statement.targets) this.#lock(name, statement.locks, places);
    }
    this.#wroteUnknown ||= unknown;
    if (statement.writesRows || statement.locks || unknown || statement.kind === 'ddl') this.active = true;
    if (this.touched.length < MAX_TOUCHED) this.touched.push(...statement.relations);
    if (statement.kind === 'ddl') {
      const everything = statement.changesPrivileges || statement.cascades;
      this.changes.push({ relations: statement.relations, everything });
    }
  }

  #lock(name: string, strength: Strength, places: readonly Places[] | undefined): void {
    const before = this.locked.get(name);
    const known = before ? before.places : [];
    const all = places && known && [...known, ...places];
    this.locked.set(name, {
      strength: before?.strength === 'update' ? 'update' : strength,
      places: all && all.reduce((sum, one) => sum + one.places.length, 0) <= MAX_PLACES ? all : undefined,
    });
  }

  /** The tables it wrote; undefined where they are not known. */
  get wrote(): readonly Relation[] | undefined {
    return this.#wroteUnknown ? undefined : [...this.#wrote.values()];
  }
}

const MEBIBYTE = 1024 * 1024;
const MAX_TOUCHED = 10_000;
/** In bytes: of the places of the rows of a table that it has locked. */
const MAX_PLACES = 64 * 1024;
