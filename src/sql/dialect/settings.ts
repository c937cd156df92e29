/** Which configuration parameters a session may set: at startup, with SET and with set_config(). */

/** Parameters that the service lets a session set (AWS user guide, "Accessing Aurora DSQL"). */
const SETTINGS = new Set([
  'application_name',
  'client_encoding',
  'datestyle',
  'extra_float_digits',
  'intervalstyle',
  'timezone',
  'search_path',
  'enable_bitmapscan',
  'enable_hashjoin',
  'enable_indexonlyscan',
  'enable_indexscan',
  'enable_material',
  'enable_mergejoin',
  'enable_nestloop',
  'enable_seqscan',
]);

/** The service's own, by what PostgreSQL is told instead: names with a dot it keeps without knowing them. */
const SERVICE_SETTINGS = new Map([
  ['dsql.enable_batched_nestloop', 'dsql.enable_batched_nestloop'],
  ['disable_sync_create_index', 'dsql.disable_sync_create_index'],
]);

/** The engine's name of a parameter that a session may set; undefined for every other. `name` in lower case. */
export function engineSetting(name: string): string | undefined {
  return SETTINGS.has(name) ? name : SERVICE_SETTINGS.get(name);
}

/**
 * Whether a text in this encoding can be read without knowing the encoding: UTF-8, and what is passed on as it comes.
 * In others a byte that looks like a backslash may be the half of a letter, and what PostgreSQL reads is not what we read.
 */
export function isReadableEncoding(name: string): boolean {
  return ['utf8', 'unicode', 'sqlascii'].includes(name.toLowerCase().replace(/[^a-z0-9]/g, ''));
}

/** What every session has: the one isolation level, and a mark for the guards in the database. */
export const SESSION_SETTINGS: ReadonlyMap<string, string> = new Map([
  ['default_transaction_isolation', 'repeatable read'],
  ['postern.dialect', 'dsql'],
  // So that the gateway learns when a statement waits for a lock; clients get none of these messages.
  ['client_min_messages', 'log'],
  // In kB: the memory that a query may take (user guide, "Database limits"); here what it puts on disk beside.
  ['temp_file_limit', '131072'],
]);

/** The release that the service claims to be, whatever PostgreSQL 16 there is. */
export const SERVER_VERSION = '16.15';
export const SERVER_VERSION_NUM = '160015';
export const VERSION = 'PostgreSQL 16';
