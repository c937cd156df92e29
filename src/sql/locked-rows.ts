/** Where the rows of a query can be asked for that locks them: the same FROM and WHERE, for the places instead of the columns. */
import type { Nodes } from './dialect/rule.ts';

export interface LockedRows {
  /** The text up to the table, in which nothing may differ. */
  head: string;
  /** What the table is called in it, as it is written there. */
  table: string;
}

/** Rows of one table, by where they stand in it. */
export interface Places {
  /** The engine's number of the table. */
  relation: number;
  /** A text of tid[]. */
  places: string;
}

/** In bytes. */
const MAX_HEAD = 2_000;
/** What columns may consist of: nothing that says of what type a parameter is. */
const PLAIN: ReadonlySet<string> = new Set([
  'A_Const',
  'A_Expr',
  'A_Star',
  'BoolExpr',
  'ColumnRef',
  'Float',
  'Integer',
  'List',
  'NullTest',
  'ResTarget',
  'String',
  'TypeCast',
  'TypeName',
]);
/** And a condition: nothing that has another value another time. */
const PLAIN_CONDITION: ReadonlySet<string> = new Set([...PLAIN, 'ParamRef']);

/**
 * Of SELECT … FROM table WHERE … FOR UPDATE, undefined for everything that has more to it. `sql` has one character a byte, as the
 * parser's positions count.
 */
export function lockedRowsOf(select: Nodes['SelectStmt'], { sql }: { sql: string }): LockedRows | undefined {
  const { fromClause = [], lockingClause = [], targetList = [], whereClause } = select;
  const [from, ...others] = fromClause;
  if (lockingClause.length === 0 || others.length > 0 || !from || !('RangeVar' in from)) return undefined;
  if (select.withClause || select.sortClause || select.limitCount || select.limitOffset) return undefined;
  const { location, relname, alias } = from.RangeVar;
  if (location === undefined || location > MAX_HEAD || relname === undefined) return undefined;
  if (!isPlain(targetList, PLAIN) || (whereClause && !isPlain(whereClause, PLAIN_CONDITION))) return undefined;
  const name = alias?.aliasname ?? relname;
  return {
    head: sql.slice(0, location),
    table: `"${Buffer.from(name, 'utf8').toString('latin1').replaceAll('"', '""')}"`,
  };
}

/** Whether a tree has nodes of these kinds only. */
function isPlain(tree: object, kinds: ReadonlySet<string>): boolean {
  const todo: object[] = [tree];
  for (let node = todo.pop(); node !== undefined; node = todo.pop()) {
    for (const [key, value] of Object.entries(node)) {
      // Kinds of nodes begin with a capital.
      if (/^[A-Z]/.test(key) && !kinds.has(key)) return false;
      if (typeof value === 'object' && value !== null) todo.push(value);
    }
  }
  return true;
}

/** The query for their places, from the same text. Undefined where it is not the text that was read. */
export function placesQuery({ head, table }: LockedRows, text: string, end: number): string | undefined {
  if (!text.startsWith(head)) return undefined;
  const place = `${table}.tableoid::pg_catalog.text OPERATOR(pg_catalog.||) ' ' OPERATOR(pg_catalog.||) ${table}.ctid::pg_catalog.text`;
  return `SELECT ${place} FROM ${text.slice(head.length, end)}`;
}

/** What it was answered, a text a row, by table. Undefined for what is no answer to it. */
export function placesIn(rows: readonly string[]): Places[] | undefined {
  const byTable = new Map<number, string[]>();
  for (const row of rows) {
    const [, relation, place] = /^(\d+) (\(\d+,\d+\))$/.exec(row) ?? [];
    if (place === undefined) return undefined;
    const places = byTable.get(Number(relation)) ?? [];
    byTable.set(Number(relation), places);
    places.push(`"${place}"`);
  }
  return [...byTable].map(([relation, places]) => ({ relation, places: `{${places.join(',')}}` }));
}
