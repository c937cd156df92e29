/** Which types columns may have (user guide, "Supported data types"), and statements about types and domains. */
import type { ColumnDef, TypeName } from '@pgsql/types';
import type { Rules } from './rule.ts';
import { type Refusal, TEXTS, unsupported } from './texts.ts';

/** What format_type() of PostgreSQL says for each type of a column, by its name in pg_type. */
const COLUMN_TYPES = new Map([
  ['bool', 'boolean'],
  ['bpchar', 'character'],
  ['bytea', 'bytea'],
  ['date', 'date'],
  ['float4', 'real'],
  ['float8', 'double precision'],
  ['int2', 'smallint'],
  ['int4', 'integer'],
  ['int8', 'bigint'],
  ['interval', 'interval'],
  ['json', 'json'],
  ['jsonb', 'jsonb'],
  ['numeric', 'numeric'],
  ['text', 'text'],
  ['time', 'time without time zone'],
  ['timestamp', 'timestamp without time zone'],
  ['timestamptz', 'timestamp with time zone'],
  ['timetz', 'time with time zone'],
  ['uuid', 'uuid'],
  ['varchar', 'character varying'],
]);

/** The other types of PostgreSQL 16; `=` where format_type() has another name. Those of the catalogs and wild cards too. */
const OTHER_TYPES = new Map(
  `aclitem any="any" anyarray anycompatible anycompatiblearray anycompatiblemultirange anycompatiblenonarray
  anycompatiblerange anyelement anyenum anymultirange anynonarray anyrange bit box char="char" cid cidr circle cstring
  datemultirange daterange event_trigger fdw_handler gtsvector index_am_handler inet int2vector int4multirange int4range
  int8multirange int8range internal jsonpath language_handler line lseg macaddr macaddr8 money name nummultirange numrange
  oid oidvector path pg_brin_bloom_summary pg_brin_minmax_multi_summary pg_ddl_command pg_dependencies pg_lsn pg_mcv_list
  pg_ndistinct pg_node_tree pg_snapshot point polygon record refcursor regclass regcollation regconfig regdictionary
  regnamespace regoper regoperator regproc regprocedure regrole regtype table_am_handler tid trigger tsm_handler
  tsmultirange tsquery tsrange tstzmultirange tstzrange tsvector txid_snapshot unknown varbit=bit_varying void xid xid8 xml`
    .split(/\s+/)
    .map((entry) => entry.split('='))
    .map(([name, formatted]) => [name as string, (formatted ?? (name as string)).replaceAll('_varying', ' varying')]),
);

/** Names that CREATE TABLE of PostgreSQL turns into sequences, and the service does not know. */
const SERIAL = new Set(['serial', 'serial2', 'serial4', 'serial8', 'bigserial', 'smallserial']);

const NO_KEY = new Set(['timetz', 'interval', 'bytea', 'json', 'jsonb']);

/** Characters that a column may be declared for. */
const LENGTHS = new Map([
  ['bpchar', { name: 'char', length: 4_096 }],
  ['varchar', { name: 'varchar', length: 65_535 }],
]);

/** In expressions nearly everything works; these do not. */
export const REFUSED_EVERYWHERE = new Set(['line', 'circle']);

/** The name in pg_type of a type of PostgreSQL's own; undefined for every other, which the engine must find. */
export function builtinType({ names = [] }: TypeName): string | undefined {
  const parts = names.map((name) => ('String' in name ? (name.String.sval ?? '') : ''));
  const name = parts.at(-1) ?? '';
  if (parts.length > 2 || (parts.length === 2 && parts[0] !== 'pg_catalog')) return undefined;
  const element = name.startsWith('_') ? name.slice(1) : name;
  return COLUMN_TYPES.has(element) || OTHER_TYPES.has(element) ? name : undefined;
}

export function formatType(name: string): string {
  if (name.startsWith('_')) return `${formatType(name.slice(1))}[]`;
  return COLUMN_TYPES.get(name) ?? OTHER_TYPES.get(name) ?? name;
}

function firstModifier({ typmods }: TypeName): number | undefined {
  const [first] = typmods ?? [];
  return first && 'A_Const' in first ? first.A_Const.ival?.ival : undefined;
}

/** What a column of this type is refused with. */
function columnRefusal(type: TypeName): Refusal | undefined {
  const parts = type.names ?? [];
  const [only] = parts;
  if (parts.length === 1 && only && 'String' in only && SERIAL.has(only.String.sval ?? '')) {
    return TEXTS.unknownType(only.String.sval ?? '', type.location);
  }
  const name = builtinType(type);
  if (name === undefined) return undefined;
  if ((type.arrayBounds ?? []).length > 0) return TEXTS.type(`${formatType(name.replace(/^_/, ''))}[]`);
  const most = LENGTHS.get(name);
  if (most && (firstModifier(type) ?? 0) > most.length) return TEXTS.declaredLimit(most.name, most.length);
  return COLUMN_TYPES.has(name) ? undefined : TEXTS.type(formatType(name));
}

export function checkColumnType(type: TypeName): void {
  const refusal = columnRefusal(type);
  if (refusal) unsupported(refusal);
}

/** Of a column that stands in a key. Domains are looked into by the guards in the database. */
export function checkKeyType({ typeName }: ColumnDef): void {
  const name = typeName && builtinType(typeName);
  if (name !== undefined && NO_KEY.has(name)) unsupported(TEXTS.keyType(formatType(name)));
}

/** ALTER DOMAIN by its subtype in the parse tree. */
const ALTER_DOMAIN: Record<string, string | undefined> = {
  T: undefined,
  N: undefined,
  X: undefined,
  O: 'SET NOT NULL',
  C: 'ADD CONSTRAINT',
  V: 'VALIDATE CONSTRAINT',
};

export const TYPE_RULES: Rules<
  | 'CreateDomainStmt'
  | 'AlterDomainStmt'
  | 'CreateEnumStmt'
  | 'AlterEnumStmt'
  | 'AlterTypeStmt'
  | 'CompositeTypeStmt'
  | 'CreateRangeStmt'
> = {
  CreateDomainStmt: {
    kind: 'ddl',
    check({ typeName, collClause }) {
      if (typeName) checkColumnType(typeName);
      if (collClause) unsupported(TEXTS.collate);
    },
  },
  AlterDomainStmt: {
    kind: 'ddl',
    check({ subtype = '' }) {
      const what = Object.hasOwn(ALTER_DOMAIN, subtype) ? ALTER_DOMAIN[subtype] : subtype;
      if (what !== undefined) unsupported(TEXTS.alterDomain(what));
    },
  },
  CreateEnumStmt: { kind: 'ddl', check: () => unsupported(TEXTS.createType) },
  AlterEnumStmt: { kind: 'ddl', check: () => unsupported(TEXTS.alterType) },
  AlterTypeStmt: { kind: 'ddl', check: () => unsupported(TEXTS.alterType) },
  CompositeTypeStmt: { kind: 'ddl', check: () => unsupported(TEXTS.statement('CompositeTypeStmt')) },
  CreateRangeStmt: { kind: 'ddl', check: () => unsupported(TEXTS.statement('CreateRangeStmt')) },
};
