/**
 * Who loses when transactions want the same rows. No statement waits for another transaction: one that PostgreSQL makes
 * wait has the idle transaction in its way rewound, which does its work again when it next has something to say. The first
 * to commit wins, and whoever was in its way has lost.
 *
 * PostgreSQL's row locks conflict exactly where the service's changes do (AWS user guide, "Concurrency control"), so that
 * two transactions of which one waited for the other are rivals.
 */
import type { Places } from '../sql/locked-rows.ts';
import type { Relation } from '../sql/statement-findings.ts';

/** One session, to the others of its cluster. */
export interface Party {
  /** Of its process in the engine. */
  readonly processId: number;
  /** `idle`: its transaction can be rewound now; `fixed`: it is idle, and cannot, or has been already. */
  readonly standing: 'idle' | 'busy' | 'fixed';
  /** Undoes what its transaction has done, so that its locks go; it does it again before it goes on. */
  rewind(): Promise<void>;
  /** Ends the statement that waits, as one that conflicts. */
  giveUp(): void;
  /**
   * Cuts off what it is at work on, which is done again, without what holds others up. Says whether that is under way, has to
   * be asked for again in a while, or cannot be.
   */
  interrupt(): 'done' | 'later' | 'never';
}

/** In ms: how long a statement waits for one that runs; no statement is to wait for another transaction. */
export const PATIENCE = 100;

/** What DDL has changed for those who began before it. */
export interface SchemaChange {
  relations: readonly Relation[];
  /** Roles, memberships or privileges, or more than can be named: it concerns every statement. */
  everything: boolean;
}

/** How strongly rows are locked: `update` against everybody, `key share` against those who change keys or delete. */
export type Strength = 'update' | 'key share';

/** Of one table. `places`: all of them, where they are known. */
export interface TableLocks {
  strength: Strength;
  places: readonly Places[] | undefined;
}

/** What PostgreSQL forgets when a transaction has been committed: that it had locked rows. */
export interface RowLocks {
  /** By names of tables. */
  tables: ReadonlyMap<string, TableLocks>;
  /** The engine's numbers of the transaction. */
  transactionIds: readonly string[];
}

/** Of a transaction that is over. */
export interface PastLocks extends TableLocks {
  commit: number;
  table: string;
  transactionIds: readonly string[];
}

export interface OpenTransaction {
  readonly party: Party;
  /** The number of commits before its snapshot. */
  readonly since: number;
  /** Whether its client knows of it; one that is implied may become so. */
  explicit: boolean;
  /** A rival has committed. */
  lost: boolean;
  /** Committed by others since it began. */
  readonly changes: SchemaChange[];
}

interface Known extends OpenTransaction {
  since: number;
  readonly rivals: Set<Known>;
}

interface Waiting {
  party: Party;
  transaction: Known | undefined;
  /** Whether it waits for a row, not for a whole table. */
  forRow: boolean;
  /** The processes in its way, from PostgreSQL. */
  blockers: () => Promise<readonly number[]>;
  looking: boolean;
  again: boolean;
  /** Its patience does not come to an end any more. */
  calm: () => void;
}

/** Has work done in so many ms, unless the function that it returns is called before. */
export type Later = (work: () => void, ms: number) => () => void;

const MAX_CHANGES = 1_000;
/** Tables of which is known when they last were written. */
const MAX_TABLES = 10_000;
const MAX_PAST_LOCKS = 10_000;
/** In bytes: of where their rows stand; beyond they have to be looked for. */
const MAX_PLACES = 32 * 1024 * 1024;

/** The transactions of one database. */
export class Conflicts {
  readonly #open = new Set<Known>();
  readonly #parties = new Map<number, Party>();
  readonly #current = new Map<Party, Known>();
  readonly #waiting = new Map<Party, Waiting>();
  #commits = 0;
  /** By name: the commit that wrote it last. */
  readonly #written = new Map<string, number>();
  /** The last commit of which nobody knows what it wrote. */
  #wroteUnknown = 0;
  /** Of commits that those who are open may not have seen; in order. */
  readonly #pastLocks: PastLocks[] = [];
  /** In bytes: of places. */
  #placesHeld = 0;
  /** The last commit whose locks had no room there. */
  #locksForgotten = 0;
  /** Commits of transactions that have locked rows, and of which nobody has kept which. */
  readonly #closing = new Set<Promise<void>>();
  readonly #later: Later;

  constructor(later: Later) {
    this.#later = later;
  }

  join(party: Party): void {
    this.#parties.set(party.processId, party);
  }

  leave(party: Party): void {
    this.#parties.delete(party.processId);
    this.waitsNoMore(party);
    const current = this.#current.get(party);
    if (current) this.end(current);
  }

  begin(party: Party, explicit: boolean): OpenTransaction {
    const transaction: Known = {
      party,
      since: this.#commits,
      explicit,
      lost: false,
      changes: [],
      rivals: new Set(),
    };
    this.#open.add(transaction);
    this.#current.set(party, transaction);
    return transaction;
  }

  /** The commit of one that has locked rows while nobody was open for whom that counts. */
  closes(commit: Promise<unknown>): void {
    const over: Promise<void> = commit
      .then(
        () => undefined,
        () => undefined,
      )
      .finally(() => this.#closing.delete(over));
    this.#closing.add(over);
  }

  /** Resolves when those are over: who makes his snapshot in their course would come to these rows as if nobody had. */
  async closed(): Promise<void> {
    await Promise.all(this.#closing);
  }

  /** Its next statement is the first one, which makes its snapshot. */
  seesFrom(transaction: OpenTransaction): void {
    (transaction as Known).since = this.#commits;
  }

  /** It was rolled back, or is over otherwise. */
  end(transaction: OpenTransaction): void {
    const known = transaction as Known;
    this.#open.delete(known);
    if (this.#pastLocks.length > 0) this.#forgetLocks();
    if (this.#current.get(known.party) === known) this.#current.delete(known.party);
    for (const rival of known.rivals) rival.rivals.delete(known);
    known.rivals.clear();
  }

  /** `wrote`: the tables, undefined where they are not known. */
  commit(
    transaction: OpenTransaction,
    wrote: readonly Relation[] | undefined,
    changes: readonly SchemaChange[] = [],
    locks?: RowLocks,
  ): void {
    const known = transaction as Known;
    for (const rival of known.rivals) rival.lost = true;
    if (!wrote || wrote.length > 0 || locks) this.#commits++;
    if (locks) this.#remember(locks);
    if (!wrote || wrote.length > 0) {
      if (!wrote || this.#written.size > MAX_TABLES) {
        this.#wroteUnknown = this.#commits;
        this.#written.clear();
      } else {
        for (const { name } of wrote) this.#written.set(name, this.#commits);
      }
    }
    this.end(known);
    if (changes.length === 0) return;
    for (const other of this.#open) {
      if (!other.explicit) continue;
      if (other.changes.length + changes.length > MAX_CHANGES) {
        other.changes.splice(0, other.changes.length, { relations: [], everything: true });
      } else {
        other.changes.push(...changes);
      }
    }
  }

  #remember({ tables, transactionIds }: RowLocks): void {
    for (const [table, { strength, places }] of tables) {
      const fits = this.#placesHeld + sizeOf(places) <= MAX_PLACES;
      const kept = fits ? places : undefined;
      this.#placesHeld += sizeOf(kept);
      this.#pastLocks.push({ commit: this.#commits, table, strength, places: kept, transactionIds });
    }
    const tooMany = this.#pastLocks.length - MAX_PAST_LOCKS;
    if (tooMany <= 0) return;
    this.#locksForgotten = this.#pastLocks[tooMany - 1]?.commit ?? 0;
    this.#dropLocks(tooMany);
  }

  #dropLocks(count: number): void {
    for (const { places } of this.#pastLocks.splice(0, count)) this.#placesHeld -= sizeOf(places);
  }

  /** Nobody who is open needs to know of what was committed before he began. */
  #forgetLocks(): void {
    let oldest = Number.POSITIVE_INFINITY;
    for (const { explicit, since } of this.#open) if (explicit) oldest = Math.min(oldest, since);
    const kept = this.#pastLocks.findIndex(({ commit }) => commit > oldest);
    if (kept !== 0) this.#dropLocks(kept < 0 ? this.#pastLocks.length : kept);
  }

  /** Whether others are in a transaction for whom it counts what this one has locked. */
  othersAreOpen(transaction: OpenTransaction): boolean {
    for (const other of this.#open) if (other.explicit && other !== transaction) return true;
    return false;
  }

  /** What others had locked who have committed since it began. Undefined where nobody knows. */
  locksSince({ since }: OpenTransaction): readonly PastLocks[] | undefined {
    if (this.#locksForgotten > since) return undefined;
    return this.#pastLocks.filter(({ commit }) => commit > since);
  }

  /** Whether there may be any of those. */
  get hasPastLocks(): boolean {
    return this.#pastLocks.length > 0;
  }

  /** The number of commits so far. */
  get commits(): number {
    return this.#commits;
  }

  /** Whether others have committed rows of these tables since it began. */
  wereWritten({ since }: OpenTransaction, tables: readonly Relation[]): boolean {
    if (this.#wroteUnknown > since) return true;
    return tables.some(({ name }) => (this.#written.get(name) ?? 0) > since);
  }

  /** PostgreSQL makes a statement of this session wait. */
  waits(party: Party, forRow: boolean, blockers: Waiting['blockers']): void {
    const transaction = this.#current.get(party);
    const waiting: Waiting = {
      party,
      transaction,
      forRow,
      blockers,
      looking: false,
      again: false,
      calm: () => undefined,
    };
    this.waitsNoMore(party);
    this.#waiting.set(party, waiting);
    this.#losePatience(waiting);
    void this.#look(waiting);
  }

  /** It has what it waited for, or its statement is over. */
  waitsNoMore(party: Party): void {
    this.#waiting.get(party)?.calm();
    this.#waiting.delete(party);
  }

  /** A session has nothing to do: somebody may wait for what it holds. */
  rests(): void {
    for (const waiting of this.#waiting.values()) void this.#look(waiting);
  }

  async #look(waiting: Waiting): Promise<void> {
    if (waiting.looking) {
      waiting.again = true;
      return;
    }
    waiting.looking = true;
    do {
      waiting.again = false;
      const blockers = await waiting.blockers().catch(() => []);
      if (this.#waiting.get(waiting.party) !== waiting) return;
      const cleared = await Promise.all(blockers.map((processId) => this.#clear(waiting, processId)));
      // PostgreSQL lets go at once, or it does not do so before the transaction ends.
      waiting.again ||= cleared.includes(true);
    } while (waiting.again && this.#waiting.get(waiting.party) === waiting);
    waiting.looking = false;
  }

  #losePatience(waiting: Waiting): void {
    waiting.calm = this.#later(() => void this.#press(waiting), PATIENCE);
  }

  /** Those who run are in the way for too long. */
  async #press(waiting: Waiting): Promise<void> {
    const blockers = await waiting.blockers().catch(() => []);
    if (this.#waiting.get(waiting.party) !== waiting) return;
    for (const processId of blockers) {
      const blocker = this.#parties.get(processId);
      // Who waits himself has somebody else in his way.
      if (!blocker || blocker === waiting.party || this.#waiting.has(blocker)) continue;
      if (blocker.standing !== 'idle' && blocker.interrupt() === 'never') waiting.party.giveUp();
    }
    this.#losePatience(waiting);
  }

  /** Says whether something was rewound. */
  async #clear(waiting: Waiting, processId: number): Promise<boolean> {
    const blocker = this.#parties.get(processId);
    // Not a client's session: it does not hold its locks while it rests.
    if (!blocker || blocker === waiting.party) return false;
    const mine = waiting.transaction;
    const its = this.#current.get(blocker);
    if (waiting.forRow && mine && its) {
      mine.rivals.add(its);
      its.rivals.add(mine);
    }
    if (blocker.standing === 'idle') {
      await blocker.rewind();
      return true;
    }
    if (blocker.standing === 'fixed') waiting.party.giveUp();
    return false;
  }
}

const sizeOf = (places: TableLocks['places']): number =>
  places ? places.reduce((sum, one) => sum + one.places.length, 0) : 0;

/** Whether what was changed is named by a statement. */
export function concerns(change: SchemaChange, relations: readonly Relation[]): boolean {
  return (
    change.everything ||
    change.relations.some((changed) =>
      relations.some(
        ({ schema, name }) =>
          name === changed.name && (schema === undefined || changed.schema === undefined || schema === changed.schema),
      ),
    )
  );
}
