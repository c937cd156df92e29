import type { Client } from 'pg';
import { TABLES, type TableName } from './records.ts';
import { Tables, type Writes } from './tables.ts';

const SQL_NAMES: Record<TableName, string> = {
  account: 'postern.account',
  users: 'postern.users',
  groups: 'postern.groups',
  accessKeys: 'postern.access_keys',
  roles: 'postern.roles',
  managedPolicies: 'postern.managed_policies',
  oidcProviders: 'postern.oidc_providers',
  clusters: 'postern.clusters',
};

/** Changes kept in `postern.change`: more than others can make while one waits to learn what became of its own. */
const KEPT_CHANGES = 10_000;

export const CHANNEL = 'postern_state';

/** Everything, as of one change. One statement, so that it is one snapshot. */
const LOAD = [
  `select '' as name, number::text as key, null::jsonb as body from postern.revision`,
  ...TABLES.map((table) => `select '${table}', key, body from ${SQL_NAMES[table]}`),
].join('\nunion all\n');

export interface Loaded {
  revision: number;
  tables: Tables;
}

export async function load(client: Client): Promise<Loaded> {
  const { rows } = await client.query<{ name: TableName | ''; key: string; body: unknown }>(LOAD);
  let revision: number | undefined;
  const records: [TableName, string, unknown][] = [];
  for (const { name, key, body } of rows) {
    if (name === '') revision = Number(key);
    else records.push([name, key, body]);
  }
  if (revision === undefined) throw new Error('the control database has lost its revision');
  return { revision, tables: new Tables(records) };
}

/** Begins a change: after it nobody else can, until this transaction ends. Returns the number of the last change. */
export async function begin(client: Client): Promise<number> {
  await client.query('begin isolation level read committed');
  const { rows } = await client.query<{ number: string }>('select number from postern.revision for update');
  if (!rows[0]) throw new Error('the control database has lost its revision');
  return Number(rows[0].number);
}

/** Writes a change's rows and its number, and tells the other processes, who hear of it when it is committed. */
export async function write(client: Client, writes: Writes, number: number, id: string): Promise<void> {
  for (const [table, changes] of writes) {
    const name = SQL_NAMES[table];
    const puts = [...changes].filter(([, record]) => record !== undefined);
    const deletes = [...changes].filter(([, record]) => record === undefined).map(([key]) => key);
    if (deletes.length > 0) await client.query(`delete from ${name} where key = any ($1::text[])`, [deletes]);
    if (puts.length === 0) continue;
    await client.query(
      `insert into ${name} (key, body) select key, body::jsonb from unnest($1::text[], $2::text[]) as new (key, body)
       on conflict (key) do update set body = excluded.body`,
      [puts.map(([key]) => key), puts.map(([, record]) => JSON.stringify(record))],
    );
  }
  await client.query(
    `with forgotten as (delete from postern.change where number <= $1::bigint - $3::bigint),
          noted as (insert into postern.change (number, id) values ($1::bigint, $2::uuid)),
          counted as (update postern.revision set number = $1::bigint)
     select pg_notify('${CHANNEL}', ($1::bigint)::text)`,
    [number, id, KEPT_CHANGES],
  );
}

/** Was this change committed? Waits for a transaction that is still about to be. */
export async function wasCommitted(client: Client, number: number, id: string): Promise<boolean> {
  await begin(client);
  const { rows } = await client.query('select from postern.change where number = $1 and id = $2', [number, id]);
  await client.query('rollback');
  return rows.length === 1;
}
