/**
 * Every text with which a statement is refused in the dialect of Aurora DSQL, and its SQLSTATE. Clients match on them.
 *
 * Observed of clusters from July to October 2026, unless the line says `guessed`: those follow the pattern of their
 * neighbours, since the service is known to refuse the statement and its words are not. docs/differences.md lists them.
 */

export interface Refusal {
  sqlstate: string;
  message: string;
  detail?: string;
  /** Where in the text, as a byte offset. */
  at?: number | undefined;
}

const refusal = (message: string, sqlstate = '0A000'): Refusal => ({ sqlstate, message });

/** Thrown by the checks of a statement, caught by `classify`. */
export class Unsupported extends Error {
  readonly refusal: Refusal;
  constructor(refused: Refusal) {
    super(refused.message);
    this.refusal = refused;
  }
}

const CACHE = 'please define CACHE greater than or equal to 65536 or equal to 1';

const MEBIBYTE = 1024 * 1024;

export const TEXTS = {
  /** `tag` is the parse node's name. */
  statement: (tag: string) => refusal(`unsupported statement: ${tag.replace(/Stmt$/, '')}`),
  setting: (name: string) => refusal(`setting configuration parameter "${name}" not supported`),
  /** guessed */
  computedSetting: refusal('set_config with a parameter name that is not a constant is not supported'),
  /** PostgreSQL's own text for an encoding that it cannot convert. */
  encoding: (name: string): Refusal => ({
    sqlstate: '0A000',
    message: `invalid value for parameter "client_encoding": "${name}"`,
    detail: `Conversion between ${name} and UTF8 is not supported.`,
  }),
  isolation: (level: string) => refusal(`Unsupported isolation level: ${level}`),
  transaction: (verb: string) => refusal(`unsupported transaction statement: ${verb}`),
  vacuum: refusal('unsupported VACUUM statement'),
  /** Its words are PostgreSQL's, for a session that has no memory left. */
  requestMemory: (bytes: number): Refusal => ({
    sqlstate: '53200',
    message: 'out of memory',
    detail: `What is sent before its Sync holds more than ${bytes / MEBIBYTE} MiB, or that of all sessions more than they may.`,
  }),
  preparedMemory: (bytes: number): Refusal => ({
    sqlstate: '53200',
    message: 'out of memory',
    detail: `Prepared statements and portals hold more than ${bytes / MEBIBYTE} MiB, or those of all sessions more than they may.`,
  }),
  /** PostgreSQL's own. */
  noStatement: (name: string): Refusal => ({
    sqlstate: '26000',
    message: name === '' ? 'unnamed prepared statement does not exist' : `prepared statement "${name}" does not exist`,
  }),
  /** guessed */
  copy: refusal('unsupported COPY statement'),
  merge: refusal('unsupported statement type: MERGE'),
  locking: refusal('locking clauses other than FOR UPDATE/FOR KEY SHARE are not supported'),
  tablesample: refusal('TABLESAMPLE clause not supported'),
  function: (name: string) => refusal(`function ${name} not supported`),
  textSearch: (name: string) => refusal(`text search configuration "${name}" does not exist`, '42704'),
  systemEntity: refusal('feature not supported on system entity'),

  dropObject: refusal('unsupported object in DROP statement'),
  renameObject: refusal('unsupported object in RENAME statement'),
  /** guessed */
  ownerObject: refusal('unsupported object in OWNER TO statement'),
  /** guessed */
  schemaObject: refusal('unsupported object in SET SCHEMA statement'),
  /** guessed */
  commentObject: refusal('unsupported object in COMMENT statement'),
  /** REVOKE and ALTER DEFAULT PRIVILEGES: guessed. */
  grantObject: (verb: 'GRANT' | 'REVOKE' | 'ALTER DEFAULT PRIVILEGES') => refusal(`unsupported object type in ${verb}`),

  type: (name: string) => refusal(`datatype ${name} not supported`),
  keyType: (name: string) => refusal(`datatype ${name} is not supported in a key`),
  /** Of a declaration. `name` is the one in SQL, such as varchar. */
  declaredLimit: (name: string, bytes: number) =>
    refusal(`Datatype limit greater than ${bytes} bytes not supported for ${name}`, '54000'),
  /** Of a value; in lower case, as observed. */
  valueLimit: (name: string, bytes: number | string) =>
    refusal(`datatype limit greater than ${bytes} bytes not supported for ${name}`, '54000'),
  /** PostgreSQL's own: serial is no type of the service. */
  unknownType: (name: string, at: number | undefined): Refusal => ({
    ...refusal(`type "${name}" does not exist`, '42704'),
    at,
  }),
  createType: refusal('CREATE TYPE not supported'),
  alterType: refusal('ALTER TYPE not supported'),
  /** guessed */
  alterDomain: (what: string) => refusal(`unsupported ALTER DOMAIN ${what} statement`),

  temporary: (statement: string) =>
    refusal(
      `TEMPORARY or TEMP ${statement === 'TABLE' ? 'table' : statement.toLowerCase()} not supported for CREATE ${statement}`,
    ),
  unlogged: (statement: string) => refusal(`UNLOGGED ${statement.toLowerCase()} not supported for CREATE ${statement}`),
  /** PARTITION BY and PARTITION OF of CREATE TABLE: taken from others; the rest guessed. */
  clause: (clause: string, statement: string) => refusal(`${clause} clause not supported for ${statement}`),
  collate: refusal('COLLATE clause not supported'),
  /** guessed */
  exclusion: refusal('EXCLUDE constraint not supported'),
  /** guessed */
  deferrable: refusal('DEFERRABLE not supported for constraints other than foreign keys'),
  /** It says 255, and the 256th was seen to be accepted. */
  columns: refusal('tables can have at most 255 columns', '54011'),
  /** The index of a primary key holds all columns of its table. */
  indexColumns: refusal('cannot use more than 256 columns in an index', '54011'),
  keyColumns: refusal('more than 8 column keys in an index are not supported', '54011'),
  viewSize: refusal('view definition too large', '54000'),
  declaredKey: (bytes: number) => refusal(`key size greater than ${bytes} bytes not supported`, '54000'),
  keySize: refusal('key size too large', '54000'),
  rowSize: refusal('maximum row size exceeded', '54000'),
  tempSpace: refusal('query requires more than allowed temp space of 131072 KB to execute', '54000'),
  sequenceCache: refusal(`CREATE SEQUENCE is not supported without an explicit cache size. ${CACHE}`),
  identityCache: refusal(`identity column is not supported without an explicit cache size. ${CACHE}`),
  identityType: (name: string) => refusal(`datatype ${name} not supported, identity column type must be bigint`),
  statisticsTarget: (target: number) =>
    refusal(`statistics target ${target} exceeds maximum allowed value of 100`, '22023'),

  addColumn: refusal('ALTER TABLE ADD COLUMN with constraint not supported'),
  alterTable: (what: string) => refusal(`unsupported ALTER TABLE ${what} statement`),

  indexMode: refusal('unsupported mode. please use CREATE INDEX ASYNC.'),
  /** CREATE INDEX: CONCURRENTLY is observed, USING taken from others; DROP INDEX guessed. */
  indexWord: (word: string, statement: string) => refusal(`${word} not supported for ${statement}`),
  indexOrder: refusal('specifying sort order not supported for index keys'),
  indexOpclass: refusal('opclass not supported for index keys'),
  /** guessed */
  indexCollation: refusal('collation not supported for index keys'),

  functionLanguage: (name: string) => refusal(`CREATE FUNCTION with language ${name} not supported`),
  procedure: refusal('PROCEDURE is not supported'),
  createTrigger: refusal('CREATE TRIGGER not supported'),
  /** guessed */
  roleOption: (statement: string) => refusal(`unsupported option in ${statement} statement`),

  /** guessed */
  lateBegin: refusal('BEGIN after other statements of the same request is not supported'),
  multipleDdl: refusal('multiple ddl statements not supported in a transaction'),
  ddlAndDml: refusal('ddl and dml are not supported in the same transaction'),
  /** PostgreSQL's own for what runs outside of blocks only; guessed. */
  outsideBlocks: (statement: string) => refusal(`${statement} cannot run inside a transaction block`, '25001'),
  rowLimit: refusal('transaction row limit exceeded', '54000'),
  /** `size` in MiB. */
  sizeLimit: (size: number): Refusal => ({
    ...refusal('transaction size limit 10mb exceeded', '54000'),
    detail: `Current transaction size ${size}mb > 10mb`,
  }),
  /** `age` in seconds. */
  ageLimit: (age: number): Refusal => ({
    ...refusal('transaction age limit of 300s exceeded', '54000'),
    detail: `Current transaction age ${age}s exceeds 300s`,
  }),
  conflict: refusal('change conflicts with another transaction (OC000)', '40001'),
  schemaChanged: refusal('schema has been updated by another transaction (OC001)', '40001'),
  /** Of Postern. */
  injectionOff: refusal('conflict injection is not allowed by this server'),
  /** guessed */
  functionCall: refusal('function call messages are not supported'),

  /** PostgreSQL's own. */
  tooDeep: { ...refusal('stack depth limit exceeded', '54001'), detail: 'The statement nests too deeply.' },
  /** Of Postern: what cannot be read in time is not run. */
  tooComplex: refusal('statement too complex', '54001'),
} as const;

export const unsupported = (refused: Refusal): never => {
  throw new Unsupported(refused);
};
