import type { SyncMethod } from './sync-method.ts';

/** The three configuration files of an instance. They are ours: written anew at every start. */
export interface Settings {
  name: string;
  socketFolder: string;
  maxConnections: number;
  durable: boolean;
  syncMethod: SyncMethod;
  /** The OS user that may log in; undefined when the system has no name for it. */
  loginName: string | undefined;
}

/** The one session that Postern has all the time, and what is kept free for more of its own; they are the superuser's. */
const STANDING_CONNECTIONS = 1;
const RESERVED_CONNECTIONS = 5;
/** PostgreSQL's own limit is 262143; each one costs 11 KB of shared memory whether used or not. */
const MAX_CONNECTIONS = 10_000;
/** For all sessions together, in tables and the like; PostgreSQL has 6,400 where nobody sets anything. */
const LOCKS = 10_000;

export const PORT = 5432;

/** The severity follows this prefix; `%b` is the kind of process, so that what clients cause can be told apart. */
const LOG_LINE_PREFIX = '[%b] ';

export function postgresqlConf(settings: Settings): string {
  const { name, socketFolder, maxConnections, durable, syncMethod } = settings;
  if (!/^[a-z0-9-]{1,63}$/.test(name)) throw new Error(`an engine's name is 1 to 63 of [a-z0-9-], not ${name}`);
  if (!Number.isInteger(maxConnections) || maxConnections < 1 || maxConnections > MAX_CONNECTIONS) {
    throw new Error(`an engine takes 1 to ${MAX_CONNECTIONS} connections`);
  }
  const values: Record<string, string> = {
    cluster_name: name,
    // No TCP listener: the only way in is the socket, and only for the OS user that runs Postern.
    listen_addresses: '',
    port: String(PORT),
    unix_socket_directories: `"${socketFolder.replaceAll('"', '""')}"`,
    unix_socket_permissions: '0700',
    max_connections: String(maxConnections + STANDING_CONNECTIONS + RESERVED_CONNECTIONS),
    superuser_reserved_connections: String(RESERVED_CONNECTIONS),
    password_encryption: 'scram-sha-256',
    ssl: 'off',
    // Small machines, several instances on each.
    shared_buffers: '32MB',
    huge_pages: 'off',
    max_wal_size: '256MB',
    min_wal_size: '8MB',
    random_page_cost: '1.1',
    jit: 'off',
    // Parallel workers need shared memory that containers often do not have ("could not resize shared memory segment").
    max_parallel_workers_per_gather: '0',
    max_parallel_maintenance_workers: '0',
    // PostgreSQL makes room for so many a session, and touches all of it at its start.
    max_locks_per_transaction: locksPerSession(maxConnections),
    max_pred_locks_per_transaction: locksPerSession(maxConnections),
    autovacuum_max_workers: '2',
    // No standby is ever fed; a backup is made of a server that works, and holds the log with one slot.
    wal_level: 'replica',
    max_wal_senders: '0',
    max_replication_slots: '1',
    max_logical_replication_workers: '0',
    timezone: 'UTC',
    log_timezone: 'UTC',
    datestyle: 'iso, mdy',
    lc_messages: 'C',
    lc_monetary: 'C',
    lc_numeric: 'C',
    lc_time: 'C',
    default_text_search_config: 'pg_catalog.simple',
    log_destination: 'stderr',
    logging_collector: 'off',
    log_line_prefix: LOG_LINE_PREFIX,
    log_min_messages: 'warning',
    // A statement may hold a secret.
    log_min_error_statement: 'panic',
    log_checkpoints: 'off',
    fsync: durable ? 'on' : 'off',
    full_page_writes: durable ? 'on' : 'off',
    // Without fsync this is a copy in the system's memory: a process that is killed loses nothing, only the machine does.
    synchronous_commit: 'on',
    recovery_init_sync_method: syncMethod,
  };
  return Object.entries(values)
    .map(([key, value]) => `${key} = ${quoted(value)}\n`)
    .join('');
}

/**
 * `all` as a connection's database does not match replication, so this one line is the whole way in
 * (https://www.postgresql.org/docs/16/auth-pg-hba-conf.html).
 */
export function pgHbaConf(settings: Settings): string {
  return settings.loginName === undefined ? 'local all all trust\n' : 'local all all peer map=postern\n';
}

/** `all` as the database user: that OS user may be any role (https://www.postgresql.org/docs/16/auth-username-maps.html). */
export function pgIdentConf(settings: Settings): string {
  const { loginName } = settings;
  if (loginName === undefined) return '';
  // A leading slash would make it a regular expression; in quotes nothing else is special.
  if (!/^[^/"\x00-\x1f][^"\x00-\x1f]{0,255}$/.test(loginName)) {
    throw new Error('the name of the operating system user that runs Postern has characters pg_ident.conf cannot hold');
  }
  return `postern "${loginName}" all\n`;
}

/** Ten is the least that PostgreSQL takes, 64 its default. */
function locksPerSession(maxConnections: number): string {
  return String(Math.min(64, Math.max(10, Math.ceil(LOCKS / maxConnections))));
}

function quoted(value: string): string {
  if (/[\x00-\x1f]/.test(value)) throw new Error('a setting of PostgreSQL has a control character');
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}
