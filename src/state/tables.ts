import { Refused } from '../refused.ts';
import { type Records, TABLES, type TableName } from './records.ts';
import type { Draft } from './store.ts';

/** In UTF-8 bytes; PostgreSQL's B-tree takes about 2700. */
const MAX_KEY_BYTES = 1024;
/** In UTF-8 bytes of JSON. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;

/** What a change writes: a row as canonical JSON value, or undefined where the row is deleted. */
export type Writes = ReadonlyMap<TableName, ReadonlyMap<string, Readonly<Records[TableName]> | undefined>>;

interface Table {
  rows: Map<string, Readonly<Records[TableName]>>;
  /** The rows by key, made when somebody asks; undefined after a write. */
  ordered: readonly Readonly<Records[TableName]>[] | undefined;
}

/** All rows in memory. Rows are frozen to the bottom, so that nobody can change what others read. */
export class Tables {
  readonly #tables: ReadonlyMap<TableName, Table>;

  /** Each row is `[table, key, body]`. */
  constructor(rows: Iterable<readonly [TableName, string, unknown]> = []) {
    this.#tables = new Map(TABLES.map((name) => [name, { rows: new Map(), ordered: undefined }]));
    for (const [table, key, body] of rows) {
      this.#table(table).rows.set(key, frozen(body) as Readonly<Records[TableName]>);
    }
  }

  get<T extends TableName>(table: T, key: string): Readonly<Records[T]> | undefined {
    return this.#table(table).rows.get(key) as Readonly<Records[T]> | undefined;
  }

  all<T extends TableName>(name: T): readonly Readonly<Records[T]>[] {
    const table = this.#table(name);
    table.ordered ??= Object.freeze(ordered(table.rows));
    return table.ordered as readonly Readonly<Records[T]>[];
  }

  entries<T extends TableName>(table: T): IterableIterator<[string, Readonly<Records[T]>]> {
    return this.#table(table).rows.entries() as IterableIterator<[string, Readonly<Records[T]>]>;
  }

  apply(writes: Writes): void {
    for (const [name, changes] of writes) {
      const table = this.#table(name);
      table.ordered = undefined;
      for (const [key, record] of changes) {
        if (record === undefined) table.rows.delete(key);
        else table.rows.set(key, record);
      }
    }
  }

  #table(name: TableName): Table {
    const table = this.#tables.get(name);
    if (!table) throw new TypeError(`no table is called ${JSON.stringify(name)}`);
    return table;
  }
}

/**
 * Runs `work` on a draft over the tables and returns what it wrote. The tables stay as they are. A draft is dead when
 * `work` has returned: what it was asked later would not be in the change any more.
 */
export function drafted<R>(tables: Tables, work: (draft: Draft) => R): { result: R; writes: Writes } {
  const writes = new Map<TableName, Map<string, Readonly<Records[TableName]> | undefined>>();
  let open = true;
  const live = () => {
    if (!open) throw new Error('a draft was used after its change had ended');
  };
  const note = (table: TableName, key: string, record: Readonly<Records[TableName]> | undefined) => {
    const changes = writes.get(table) ?? new Map();
    writes.set(table, changes.set(key, record));
  };
  const draft: Draft = {
    get(table, key) {
      live();
      const changes = writes.get(table);
      if (changes?.has(key)) return changes.get(key) as ReturnType<typeof tables.get<typeof table>>;
      return tables.get(table, key);
    },
    all(table) {
      live();
      const changes = writes.get(table);
      if (!changes) return tables.all(table);
      const rows = new Map<string, Readonly<Records[typeof table]>>(tables.entries(table));
      for (const [key, record] of changes) {
        if (record === undefined) rows.delete(key);
        else rows.set(key, record as Readonly<Records[typeof table]>);
      }
      return ordered(rows);
    },
    put(table, key, record) {
      live();
      tables.get(table, key);
      checkText(key);
      if (key === '' || Buffer.byteLength(key) > MAX_KEY_BYTES) {
        throw new RangeError(`a key of ${table} has 1 to ${MAX_KEY_BYTES} bytes`);
      }
      const text = JSON.stringify(record);
      if (text === undefined || Buffer.byteLength(text) > MAX_BODY_BYTES) {
        // Quotas do not count the white space of policies, so that this can be reached below all of them.
        const say = `An entity's description takes at most ${MAX_BODY_BYTES} bytes, white space of its policies included.`;
        throw new Refused('limit-exceeded', { say, detail: `${table}: ${say}` });
      }
      note(table, key, frozen(JSON.parse(text)) as Readonly<Records[TableName]>);
    },
    delete(table, key) {
      live();
      if (draft.get(table, key) === undefined) return;
      if (tables.get(table, key) === undefined) writes.get(table)?.delete(key);
      else note(table, key, undefined);
    },
  };
  try {
    const result = work(draft);
    if (typeof (result as { then?: unknown } | null | undefined)?.then === 'function') {
      throw new TypeError('the work of a change must not be asynchronous');
    }
    for (const [table, changes] of writes) if (changes.size === 0) writes.delete(table);
    return { result, writes };
  } finally {
    open = false;
  }
}

function ordered<V>(rows: ReadonlyMap<string, V>): V[] {
  // Not localeCompare: the order is by code unit, the same on every machine.
  return [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}

/** jsonb knows neither NUL nor half a surrogate pair; a row with one would be refused only at its commit. */
function checkText(text: string): void {
  if (/[\0\p{Surrogate}]/u.test(text)) throw new TypeError('a text to store has NUL or a lone surrogate');
}

/**
 * A deeply frozen copy with the members of each object by name: jsonb keeps no order, and memory must not look
 * different after a reload.
 */
function frozen(value: unknown): unknown {
  if (typeof value === 'string') checkText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return Object.freeze(value.map(frozen));
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  // fromEntries defines members, so that one called __proto__ is a member like any other.
  return Object.freeze(
    Object.fromEntries(
      members.map(([name, member]) => {
        checkText(name);
        return [name, frozen(member)];
      }),
    ),
  );
}
