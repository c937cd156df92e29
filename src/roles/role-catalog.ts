import pg from 'pg';
import type { Engine } from '../engine/port.ts';
import { LOOK_FOR_JOBS } from '../jobs/job-store.ts';
import { JOBS_CHANNEL } from '../jobs/jobs-sql.ts';
import { Refused } from '../refused.ts';
import type { Places } from '../sql/locked-rows.ts';
import { socketClientConfig } from '../state/socket-client.ts';
import { ADMIN_INVARIANTS_SQL, CATALOG_SQL, CATALOG_VERSION, MAPPING_CHANNEL } from './catalog-sql.ts';

/** What a login needs to know about a database role. */
export interface RoleFacts {
  oid: number;
  canLogin: boolean;
  /** Whether AWS IAM GRANT has associated the role with the ARN that was asked about. */
  mapped: boolean;
}

export interface Mapping {
  roleOid: number;
  arn: string;
}

/** What the rules of transactions need to know of the clients' schemas; names only, wherever they stand. */
export interface SchemaFacts {
  functions: ReadonlySet<string>;
  /** Views, tables and domains that call them: in what they select, in defaults and in checks. */
  calling: ReadonlySet<string>;
  /** Tables from which foreign keys pass changes on to others. */
  cascading: ReadonlySet<string>;
  /** By the table that has a foreign key: the tables that it refers to. */
  parents: ReadonlyMap<string, readonly string[]>;
  /** By table: the columns of keys by which others may refer to its rows. */
  keys: ReadonlyMap<string, ReadonlySet<string>>;
  /** Whatever is no table and can be read like one. */
  views: ReadonlySet<string>;
}

/** `strongly`: they count only for a transaction that has them so that nobody may refer to them. */
export interface LockedPlaces extends Places {
  strongly: boolean;
}

/** A cluster's roles and mappings, read from its own database over a session of the superuser, and one for rows. */
export interface RoleCatalog {
  /** Undefined for a role that does not exist, and for those that are not for clients: superusers and `pg_…`. */
  facts(role: string, principalArn: string): Promise<RoleFacts | undefined>;
  mappings(): Promise<Mapping[]>;
  /** The processes that hold what this one waits for, or wait for it before it. */
  blockers(processId: number): Promise<number[]>;
  schemaFacts(): Promise<SchemaFacts>;
  /**
   * Rows of tables of a name that transactions have locked which are over; `changed`: or have changed. Those that others have
   * locked since are not known any more, nor those of large tables.
   */
  lockedRows(table: string, transactionIds: readonly string[], changed: boolean): Promise<Places[]>;
  /** Whether a transaction that is open has any of these rows. */
  hasRows(transactionIds: readonly string[], rows: readonly LockedPlaces[]): Promise<boolean>;
  /** When the transactions of these processes have begun, by process; nothing of those that have none. */
  transactions(processIds: readonly number[]): Promise<ReadonlyMap<number, string>>;
  /** Whether there are jobs to do. Those that have been finished for long go. */
  hasJobs(): Promise<boolean>;
  close(): Promise<void>;
}

// Superuser sessions name every object with its schema and look nowhere else: clients can create functions and operators.
const ROLE_FACTS = `
  SELECT r.oid, r.rolcanlogin AS can_login, EXISTS (
    SELECT FROM postern.iam_mapping m WHERE m.pg_role_oid = r.oid AND m.arn = $2
  ) AS mapped
  FROM pg_catalog.pg_authid r
  WHERE r.rolname = $1 AND NOT r.rolsuper AND NOT r.rolreplication AND NOT pg_catalog.starts_with(r.rolname, 'pg_')`;

const BLOCKERS = 'SELECT pid FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids($1::int4)) pid';

const TRANSACTIONS = `
  SELECT a.pid, a.xact_start::pg_catalog.text AS began FROM pg_catalog.pg_stat_activity a
  WHERE a.pid = ANY ($1::pg_catalog.int4[]) AND a.xact_start IS NOT NULL`;

/** Objects below this number come with PostgreSQL. */
const FUNCTIONS = `
  SELECT DISTINCT p.proname AS name FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  WHERE p.oid >= 16384 AND n.nspname NOT IN ('sys', 'postern')`;
/**
 * What calls a function that may write, and what names that in turn. A function that says that it does not write may call
 * one that does: which ones it calls only its text tells.
 */
const CALLING = `
  WITH RECURSIVE own AS (
    SELECT p.oid, p.proname, p.provolatile, p.prosrc FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    WHERE p.oid >= 16384 AND n.nspname NOT IN ('sys', 'postern')
  ), named (classid, objid, refclassid, refobjid, by) AS (
    SELECT
      CASE
        WHEN coalesce(w.ev_class, a.adrelid, nullif(k.conrelid, 0), i.indrelid) IS NOT NULL
          THEN 'pg_catalog.pg_class'::pg_catalog.regclass
        WHEN k.contypid <> 0 THEN 'pg_catalog.pg_type'::pg_catalog.regclass
        ELSE d.classid
      END,
      coalesce(w.ev_class, a.adrelid, nullif(k.conrelid, 0), nullif(k.contypid, 0), i.indrelid, d.objid),
      d.refclassid, d.refobjid, d.classid
    FROM pg_catalog.pg_depend d
    LEFT JOIN pg_catalog.pg_rewrite w ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND w.oid = d.objid
    LEFT JOIN pg_catalog.pg_attrdef a ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND a.oid = d.objid
    LEFT JOIN pg_catalog.pg_constraint k ON d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND k.oid = d.objid
    LEFT JOIN pg_catalog.pg_index i ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND i.indexrelid = d.objid
    WHERE d.refobjid >= 16384
    UNION ALL
    SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, f.oid, 'pg_catalog.pg_proc'::pg_catalog.regclass, g.oid,
      'pg_catalog.pg_proc'::pg_catalog.regclass
    FROM own f JOIN own g ON f.oid <> g.oid
      AND pg_catalog.strpos(pg_catalog.lower(f.prosrc), pg_catalog.lower(g.proname)) > 0
    WHERE f.provolatile <> 'v'
  ), calling (classid, objid) AS (
    SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass::pg_catalog.oid, own.oid FROM own WHERE own.provolatile = 'v'
    UNION
    SELECT named.classid, named.objid FROM named JOIN calling
      ON named.refclassid = calling.classid AND named.refobjid = calling.objid
    -- Of tables only what selects from them: no index, no foreign key, no row type.
    WHERE named.refclassid <> 'pg_catalog.pg_class'::pg_catalog.regclass
      OR named.by IN ('pg_catalog.pg_rewrite'::pg_catalog.regclass, 'pg_catalog.pg_proc'::pg_catalog.regclass)
  )
  SELECT c.relname AS name FROM calling JOIN pg_catalog.pg_class c
    ON calling.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = calling.objid
  UNION
  SELECT t.typname FROM calling JOIN pg_catalog.pg_type t
    ON calling.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND t.oid = calling.objid`;
const REFERENCES = `
  SELECT DISTINCT child.relname AS child, parent.relname AS parent,
    c.confdeltype IN ('c', 'n', 'd') OR c.confupdtype IN ('c', 'n', 'd') AS cascades
  FROM pg_catalog.pg_constraint c
  JOIN pg_catalog.pg_class child ON child.oid = c.conrelid JOIN pg_catalog.pg_class parent ON parent.oid = c.confrelid
  WHERE c.contype = 'f'`;

const KEYS = `
  SELECT DISTINCT c.relname AS name, a.attname AS column FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
  JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::pg_catalog.int2[])
  WHERE i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL AND c.oid >= 16384`;
const VIEWS = "SELECT DISTINCT relname AS name FROM pg_catalog.pg_class WHERE oid >= 16384 AND relkind <> 'r'";

const LOCKED_ROWS = 'SELECT relation, places FROM postern.locked_rows($1, $2, $3)';
const HAS_ROWS = `
  SELECT EXISTS (
    SELECT FROM ROWS FROM (
      pg_catalog.unnest($2::oid[]), pg_catalog.unnest($3::text[]), pg_catalog.unnest($4::boolean[])
    ) AS these (relation, places, strongly)
    WHERE postern.has_rows($1, these.relation, these.places::tid[], these.strongly)) AS has`;

/**
 * What holds in one of the dialects. A session that waits longer than deadlock_timeout says so in the log, and to a client
 * that asks for log messages (PostgreSQL manual, "log_lock_waits"). By itself this is nothing that a client may set.
 */
const FOR_DSQL = [
  "ALTER DATABASE postgres SET deadlock_timeout = '5ms'",
  'ALTER DATABASE postgres SET log_lock_waits = on',
  // The gateway has it set when a session begins.
  'GRANT SET ON PARAMETER temp_file_limit TO PUBLIC',
  'SELECT postern.limit_all(true)',
];
const FOR_POSTGRES = [
  'ALTER DATABASE postgres RESET deadlock_timeout',
  'ALTER DATABASE postgres RESET log_lock_waits',
  'REVOKE SET ON PARAMETER temp_file_limit FROM PUBLIC',
  'SELECT postern.limit_all(false)',
];

const MAPPINGS = 'SELECT pg_role_oid AS "roleOid", arn FROM sys.iam_pg_role_mappings';

/** PostgreSQL compares names of at most 63 bytes; a longer one would be cut to another role's name. */
const MAX_NAME_BYTES = 63;

/**
 * Installs or updates the catalog in the cluster's database, then serves it. `onChange` is called after a change of
 * mappings was committed by anybody, `onJobs` when there may be jobs to do; `onLost` when the session has ended and the catalog
 * is of no more use. `dsql`: whether the dialect's rules hold: sessions
 * that begin from now on are told when they wait for a lock, and rows are limited.
 */
export async function openRoleCatalog(
  engine: Engine,
  events: { onChange: () => void; onJobs: () => void; onLost: (reason: string) => void },
  { dsql = false }: { dsql?: boolean } = {},
): Promise<RoleCatalog> {
  const client = newClient(engine);
  let closed = false;
  client.on('error', (error) => {
    if (!closed) events.onLost(error.message);
    closed = true;
  });
  client.on('end', () => {
    if (!closed) events.onLost('the session ended');
    closed = true;
  });
  await client.connect();
  try {
    await install(client);
    await suit(client, dsql ? FOR_DSQL : FOR_POSTGRES);
    client.on('notification', ({ channel }) => {
      if (channel === JOBS_CHANNEL) events.onJobs();
      else events.onChange();
    });
    await client.query(`LISTEN ${MAPPING_CHANNEL}; LISTEN ${JOBS_CHANNEL}`);
    // Those that an earlier process has not finished.
    if ((await client.query(LOOK_FOR_JOBS)).rows.length > 0) events.onJobs();
  } catch (error) {
    closed = true;
    await client.end().catch(() => undefined);
    throw error;
  }

  const ask = asking(async () => client);
  const rows = new RowsSession(engine);
  const askRows = asking(() => rows.client());

  return {
    async facts(role, principalArn) {
      if (role.includes('\0') || Buffer.byteLength(role) > MAX_NAME_BYTES) return undefined;
      const [row] = await ask<{ oid: number; can_login: boolean; mapped: boolean }>('role_facts', ROLE_FACTS, [
        role,
        principalArn,
      ]);
      return row && { oid: row.oid, canLogin: row.can_login, mapped: row.mapped };
    },
    async blockers(processId) {
      const rows = await ask<{ pid: number }>('blockers', BLOCKERS, [String(processId)]);
      return rows.map(({ pid }) => pid);
    },
    async schemaFacts() {
      const names = async (name: string, text: string) =>
        new Set((await ask<{ name: string }>(name, text)).map((row) => row.name));
      const references = await ask<{ child: string; parent: string; cascades: boolean }>('references', REFERENCES);
      const parents = new Map<string, string[]>();
      for (const { child, parent } of references) parents.set(child, [...(parents.get(child) ?? []), parent]);
      const keys = new Map<string, Set<string>>();
      for (const { name, column } of await ask<{ name: string; column: string }>('keys', KEYS)) {
        keys.set(name, (keys.get(name) ?? new Set()).add(column));
      }
      return {
        functions: await names('functions', FUNCTIONS),
        calling: await names('calling', CALLING),
        cascading: new Set(references.flatMap(({ parent, cascades }) => (cascades ? [parent] : []))),
        parents,
        keys,
        views: await names('views', VIEWS),
      };
    },
    lockedRows: (table, transactionIds, changed) =>
      askRows<Places & pg.QueryResultRow>('locked_rows', LOCKED_ROWS, [table, transactionIds, changed]),
    async hasRows(transactionIds, rows) {
      const [row] = await askRows<{ has: boolean }>('has_rows', HAS_ROWS, [
        transactionIds,
        rows.map(({ relation }) => relation),
        rows.map(({ places }) => places),
        rows.map(({ strongly }) => strongly),
      ]);
      return row?.has === true;
    },
    async transactions(processIds) {
      const rows = await ask<{ pid: number; began: string }>('transactions', TRANSACTIONS, [processIds]);
      return new Map(rows.map(({ pid, began }) => [pid, began]));
    },
    mappings: () => ask<Mapping & pg.QueryResultRow>('mappings', MAPPINGS),
    hasJobs: async () => (await ask('jobs', LOOK_FOR_JOBS)).length > 0,
    async close() {
      closed = true;
      await Promise.all([rows.close(), client.end()]);
    },
  };
}

function newClient(engine: Engine): pg.Client {
  return new pg.Client({
    ...socketClientConfig({ socketPath: engine.socketPath, user: engine.superuser, database: 'postgres' }),
    application_name: 'postern',
    options: '-c search_path=pg_catalog -c statement_timeout=30000',
  });
}

/** Asks one question after the other. pg is not to queue: it says on standard error that it will not do so for ever. */
function asking(session: () => Promise<pg.Client>) {
  let last: Promise<unknown> = Promise.resolve();
  return async <Row extends pg.QueryResultRow>(name: string, text: string, values: unknown[] = []): Promise<Row[]> => {
    const asked = last.then(async () => (await session()).query<Row>({ name, text, values }));
    last = asked.catch(() => undefined);
    try {
      return (await asked).rows;
    } catch (error) {
      throw new Refused('engine-unavailable', { detail: `role catalog: ${(error as Error).message}` });
    }
  };
}

/**
 * The session in which rows are looked for, opened when it is first needed. A look at all of a table takes its time, and
 * whoever locks rows has others cause as many as he likes: logins are not to wait for them.
 */
class RowsSession {
  readonly #engine: Engine;
  #client: Promise<pg.Client> | undefined;
  #closed = false;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Rejects where it cannot be opened; one that was lost is opened again. */
  client(): Promise<pg.Client> {
    if (this.#closed) return Promise.reject(new Error('the catalog is closed'));
    this.#client ??= this.#open();
    return this.#client;
  }

  #open(): Promise<pg.Client> {
    const client = newClient(this.#engine);
    const lost = () => {
      this.#client = undefined;
    };
    client.on('error', lost);
    client.on('end', lost);
    return client.connect().then(
      () => client,
      (error) => {
        lost();
        throw error;
      },
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    const client = await this.#client?.catch(() => undefined);
    await client?.end();
  }
}

function install(client: pg.Client): Promise<void> {
  return alone(client, async () => {
    const version = await installedVersion(client);
    if (version > CATALOG_VERSION) {
      throw new Error(`the cluster's catalog has version ${version}, newer than this program's ${CATALOG_VERSION}`);
    }
    if (version < CATALOG_VERSION) await client.query(CATALOG_SQL);
    await client.query(ADMIN_INVARIANTS_SQL);
  });
}

function suit(client: pg.Client, statements: readonly string[]): Promise<void> {
  return alone(client, async () => {
    for (const sql of statements) await client.query(sql);
  });
}

/** In a transaction: two gateways on one cluster must not do it at once. */
async function alone(client: pg.Client, work: () => Promise<void>): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query("SELECT pg_advisory_xact_lock(hashtext('postern.catalog'))");
    await work();
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

async function installedVersion(client: pg.Client): Promise<number> {
  const known = await client.query("SELECT to_regclass('postern.catalog') IS NOT NULL AS there");
  if (!known.rows[0].there) return 0;
  const { rows } = await client.query<{ version: number }>('SELECT version FROM postern.catalog');
  return rows[0]?.version ?? 0;
}
