import type { LockedPlaces } from '../roles/role-catalog.ts';
import { TRANSACTION_IDS } from '../roles/transactions-sql.ts';
import { type Places, placesIn } from '../sql/locked-rows.ts';
import type { PastLocks, RowLocks, Strength } from '../transactions/conflicts.ts';
import type { Answer } from './answers.ts';
import type { Block } from './block.ts';
import type { ClusterTransactions } from './cluster-transactions.ts';
import type { RunnerPort } from './runner-port.ts';
import type { Step } from './steps.ts';

/** In bytes of text: what is kept of where rows stand. */
const MAX_PLACES = 1024 * 1024;

/**
 * Rows that others had only locked. PostgreSQL forgets a lock with the transaction that had it; on the service it conflicts,
 * like a change, with everybody whose snapshot is older. So the rows are looked up before a statement of an older
 * snapshot may come to them, and at its COMMIT PostgreSQL is asked whether it did.
 */
export class LockedRows {
  readonly #port: Pick<RunnerPort, 'request' | 'requestBytes'>;
  readonly #cluster: ClusterTransactions;
  readonly #found = new WeakMap<Block, Found>();
  readonly #ids = new WeakMap<Block, readonly string[]>();

  constructor(port: Pick<RunnerPort, 'request' | 'requestBytes'>, cluster: ClusterTransactions) {
    this.#port = port;
    this.#cluster = cluster;
  }

  /** Before a transaction does something, or does it again. What cannot be found out makes it lose. */
  async look(block: Block, steps: Iterable<Step>): Promise<void> {
    const { conflicts } = this.#cluster;
    const { transaction } = block;
    if (!conflicts.hasPastLocks || transaction.lost) return;
    const locks = conflicts.locksSince(transaction);
    if (locks?.length === 0) return;
    const now = conflicts.commits;
    const found = this.#found.get(block) ?? new Found();
    this.#found.set(block, found);
    for (const step of steps) {
      const wanted = locks && this.#wanted(locks, step, found);
      if (!wanted || !(await this.#find(wanted, found)) || found.size > MAX_PLACES) transaction.lost = true;
      if (transaction.lost) return;
      for (const { key } of wanted ?? []) found.lookedUpTo.set(key, now);
    }
  }

  /** By table and strength: what has not been looked for, and what a step may come to. */
  #wanted(locks: readonly PastLocks[], { statements }: Step, found: Found): Wanted[] {
    const wanted = new Map<string, Wanted>();
    for (const statement of statements) {
      const reach = this.#cluster.reach(statement);
      for (const { commit, table, strength, transactionIds, places } of locks) {
        const its = reach ? reach.get(table) : 'update';
        // Those who refer to a row mind only who takes it away.
        if (its === undefined || (its !== 'update' && strength === 'key share')) continue;
        const key = `${strength} ${table}`;
        if (commit <= (found.lookedUpTo.get(key) ?? 0)) continue;
        if (places) {
          found.add(commit, places, strength);
          continue;
        }
        const one = wanted.get(key) ?? { key, table, strength, transactionIds: new Set() };
        for (const id of transactionIds) one.transactionIds.add(id);
        wanted.set(key, one);
      }
    }
    return [...wanted.values()];
  }

  async #find(wanted: readonly Wanted[], found: Found): Promise<boolean> {
    for (const { table, strength, transactionIds } of wanted) {
      const rows = await this.#cluster
        .lockedRows(table, [...transactionIds], strength === 'update')
        .catch(() => undefined);
      if (!rows) return false;
      found.add(undefined, rows, strength);
    }
    return true;
  }

  /** Whether a transaction that is about to be committed has come to such a row. */
  async taken(block: Block): Promise<boolean> {
    const rows = this.#found.get(block)?.rows ?? [];
    if (rows.length === 0) return false;
    const ids = await this.#idsOf(block);
    if ('error' in ids) return true;
    return ids.length > 0 && (await this.#cluster.hasRows(ids, together(rows)).catch(() => true));
  }

  /** What a transaction that is about to be committed has locked, as far as it concerns others; or why nobody knows. */
  async held(block: Block): Promise<RowLocks | Answer | undefined> {
    const { locked, transaction } = block;
    if (locked.size === 0 || !this.#cluster.conflicts.othersAreOpen(transaction)) return undefined;
    const ids = await this.#idsOf(block);
    if ('error' in ids) return ids;
    return ids.length === 0 ? undefined : { tables: new Map(locked), transactionIds: ids };
  }

  /** The engine's numbers of a transaction that does nothing any more but commit. */
  async #idsOf(block: Block): Promise<readonly string[] | Answer> {
    const known = this.#ids.get(block);
    if (known) return known;
    const answer = await this.#port.request(TRANSACTION_IDS);
    if (answer.error) return answer;
    const [text = ''] = answer.values;
    const ids = text === '' ? [] : text.split(' ');
    this.#ids.set(block, ids);
    return ids;
  }

  /**
   * Which rows a step has locked that has just run, where it is easily asked and others are open for whom it counts: they need
   * not look for them in the whole table. Undefined where nobody knows.
   */
  async places(block: Block, step: Step, { tags }: Answer): Promise<readonly Places[] | undefined> {
    const [statement, ...more] = step.statements;
    const request = more.length === 0 && statement?.lockedRows ? step.places?.() : undefined;
    if (!statement || !request || block.shadowed.size > 0 || !block.canRewind) return undefined;
    const isTable = !statement.targets.some(({ name }) => this.#cluster.mayBeView(name));
    if (!isTable || this.#cluster.callsOwn(statement)) return undefined;
    if (!this.#cluster.conflicts.othersAreOpen(block.transaction)) return undefined;
    const answer = await this.#port.requestBytes(request);
    const places = answer.error ? undefined : placesIn(answer.values);
    // What the client got is what counts.
    return tags[0] === `SELECT ${answer.values.length}` ? places : undefined;
  }
}

interface Wanted {
  key: string;
  table: string;
  strength: Strength;
  transactionIds: Set<string>;
}

/** Of one transaction. */
class Found {
  readonly rows: LockedPlaces[] = [];
  /** By strength and table: the number of the last commit whose locks have been looked for. */
  readonly lookedUpTo = new Map<string, number>();
  /** In bytes of text. */
  size = 0;
  readonly #known = new Set<string>();

  /** `commit`: of which all of a table is added, and only once. */
  add(commit: number | undefined, rows: readonly Places[], strength: Strength): void {
    for (const { relation, places } of rows) {
      const key = `${commit} ${strength} ${relation} ${places}`;
      if (commit !== undefined && this.#known.has(key)) continue;
      if (commit !== undefined) this.#known.add(key);
      this.rows.push({ relation, places, strongly: strength === 'key share' });
      this.size += places.length;
    }
  }
}

/** As few as there can be. */
function together(rows: readonly LockedPlaces[]): LockedPlaces[] {
  const all = new Map<string, { row: LockedPlaces; places: string[] }>();
  for (const row of rows) {
    const key = `${row.relation} ${row.strongly}`;
    const one = all.get(key) ?? { row, places: [] };
    one.places.push(row.places.slice(1, -1));
    all.set(key, one);
  }
  return [...all.values()].map(({ row, places }) => ({ ...row, places: `{${places.join(',')}}` }));
}
