import pg from 'pg';
import type { Engine } from '../engine/port.ts';
import { socketClientConfig } from '../state/socket-client.ts';
import type { MappedRole } from './logins.ts';
import type { ObjectKind } from './report.ts';

/** What a cluster's database says about roles and rights, as rows of its catalog. Oid 0 is PUBLIC. */
export interface CatalogRows {
  roles: readonly RoleRow[];
  memberships: readonly MembershipRow[];
  mappings: readonly { arn: string; role: number }[];
  grants: readonly GrantRow[];
  owned: readonly OwnedRow[];
  /** There was more than is read. */
  cut: boolean;
}

export interface RoleRow {
  oid: number;
  name: string;
  /** A superuser is for no client, nor is what PostgreSQL itself provides. */
  kind: 'client' | 'predefined' | 'superuser';
  canLogin: boolean;
  attributes: readonly string[];
}

export interface MembershipRow {
  role: number;
  member: number;
  admin: boolean;
  inherit: boolean;
  set: boolean;
}

export interface OwnedRow {
  owner: number;
  kind: ObjectKind;
  schema: string | null;
  name: string;
}

export interface GrantRow {
  grantee: number;
  kind: ObjectKind;
  schema: string | null;
  name: string;
  privileges: readonly string[];
  grantable: readonly string[];
}

/** The rows, and what is asked of them again and again. */
export class DatabaseFacts {
  readonly rows: CatalogRows;
  readonly #byOid: ReadonlyMap<number, RoleRow>;

  constructor(rows: CatalogRows) {
    this.rows = rows;
    this.#byOid = new Map(rows.roles.map((role) => [role.oid, role]));
  }

  role(oid: number): RoleRow | undefined {
    return this.#byOid.get(oid);
  }

  /** By ARN. */
  mappedRoles(): ReadonlyMap<string, readonly MappedRole[]> {
    const mapped = new Map<string, MappedRole[]>();
    for (const { arn, role } of this.rows.mappings) {
      const found = this.#byOid.get(role);
      if (found?.kind === 'client') mapped.set(arn, [...(mapped.get(arn) ?? []), found]);
    }
    return mapped;
  }
}

/** Of grants and of owned objects each: beyond that the review is cut, and says so. */
const MAX_ROWS = 100_000;
/** In ms, for each query. */
const STATEMENT_TIME = 30_000;

// Every object is named with its schema, as in roles/role-catalog.ts: clients can create functions and operators.
const ROLES = `
  SELECT r.oid, r.rolname AS name,
    CASE WHEN r.rolsuper THEN 'superuser' WHEN pg_catalog.starts_with(r.rolname, 'pg_') THEN 'predefined'
      ELSE 'client' END AS kind,
    r.rolcanlogin AND NOT r.rolreplication AND NOT r.rolsuper AS "canLogin",
    pg_catalog.array_remove(ARRAY[
      CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END, CASE WHEN r.rolcreatedb THEN 'CREATEDB' END,
      CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END, CASE WHEN r.rolreplication THEN 'REPLICATION' END
    ], NULL) AS attributes
  FROM pg_catalog.pg_authid r ORDER BY r.rolname`;

const MEMBERSHIPS = `
  SELECT m.roleid AS role, m.member, pg_catalog.bool_or(m.admin_option) AS admin,
    pg_catalog.bool_or(m.inherit_option) AS inherit, pg_catalog.bool_or(m.set_option) AS set
  FROM pg_catalog.pg_auth_members m GROUP BY m.roleid, m.member ORDER BY m.roleid, m.member`;

const MAPPINGS = `
  SELECT m.arn, m.pg_role_oid AS role FROM postern.iam_mapping m ORDER BY m.arn, m.pg_role_oid`;

/** What is Postern's or PostgreSQL's own is the same in every cluster. */
const NAMESPACES = `
  SELECT n.oid, n.nspname, n.nspowner, n.nspacl FROM pg_catalog.pg_namespace n
  WHERE NOT pg_catalog.starts_with(n.nspname, 'pg_') AND n.nspname NOT IN ('information_schema', 'sys', 'postern')`;

const OBJECTS = `
  SELECT 'database' AS kind, NULL::pg_catalog.text AS schema, d.datname::pg_catalog.text AS name, d.datdba AS owner,
    COALESCE(d.datacl, pg_catalog.acldefault('d', d.datdba)) AS acl, false AS part
  FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()
  UNION ALL
  SELECT 'schema', NULL, n.nspname, n.nspowner, COALESCE(n.nspacl, pg_catalog.acldefault('n', n.nspowner)), false FROM n
  UNION ALL
  SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'
      WHEN 'S' THEN 'sequence' ELSE 'table' END, n.nspname, c.relname, c.relowner,
    COALESCE(c.relacl, pg_catalog.acldefault(CASE WHEN c.relkind = 'S' THEN 's' ELSE 'r' END::pg_catalog."char", c.relowner)), false
  FROM pg_catalog.pg_class c JOIN n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  UNION ALL
  SELECT 'column', n.nspname, c.relname || '.' || a.attname, c.relowner, a.attacl, true
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN n ON n.oid = c.relnamespace
  WHERE a.attacl IS NOT NULL AND NOT a.attisdropped
  UNION ALL
  SELECT CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END, n.nspname,
    p.proname || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')', p.proowner,
    COALESCE(p.proacl, pg_catalog.acldefault('f', p.proowner)), false
  FROM pg_catalog.pg_proc p JOIN n ON n.oid = p.pronamespace
  UNION ALL
  SELECT CASE d.defaclobjtype WHEN 'r' THEN 'future tables' WHEN 'S' THEN 'future sequences'
      WHEN 'f' THEN 'future functions' ELSE 'future schemas' END, n.nspname, o.rolname, d.defaclrole, d.defaclacl, true
  FROM pg_catalog.pg_default_acl d JOIN pg_catalog.pg_authid o ON o.oid = d.defaclrole
  LEFT JOIN n ON n.oid = d.defaclnamespace
  WHERE d.defaclobjtype IN ('r', 'S', 'f', 'n') AND (d.defaclnamespace = 0 OR n.oid IS NOT NULL)`;

const GRANTS = `
  WITH n AS (${NAMESPACES}), o AS (${OBJECTS})
  SELECT g.grantee, o.kind, o.schema, o.name,
    pg_catalog.array_agg(DISTINCT g.privilege_type ORDER BY g.privilege_type) AS privileges,
    COALESCE(pg_catalog.array_agg(DISTINCT g.privilege_type ORDER BY g.privilege_type) FILTER (WHERE g.is_grantable),
      ARRAY[]::pg_catalog.text[]) AS grantable
  FROM o CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) g
  WHERE g.grantee <> o.owner
  GROUP BY g.grantee, o.kind, o.schema, o.name
  ORDER BY o.kind, o.schema, o.name, g.grantee LIMIT ${MAX_ROWS + 1}`;

const OWNED = `
  WITH n AS (${NAMESPACES}), o AS (${OBJECTS})
  SELECT o.owner, o.kind, o.schema, o.name FROM o JOIN pg_catalog.pg_authid r ON r.oid = o.owner
  WHERE NOT o.part AND NOT r.rolsuper
  ORDER BY o.kind, o.schema, o.name LIMIT ${MAX_ROWS + 1}`;

/** Over one session of the superuser, in one snapshot. Throws Errors of `pg`. */
export async function readDatabase(engine: Engine): Promise<DatabaseFacts> {
  const client = new pg.Client({
    ...socketClientConfig({ socketPath: engine.socketPath, user: engine.superuser, database: 'postgres' }),
    application_name: 'postern',
    options: `-c search_path=pg_catalog -c statement_timeout=${STATEMENT_TIME}`,
  });
  // Its queries fail then, too.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const rows = async <Row extends pg.QueryResultRow>(sql: string) => (await client.query<Row>(sql)).rows;
    const roles = await rows<RoleRow & pg.QueryResultRow>(ROLES);
    const memberships = await rows<MembershipRow & pg.QueryResultRow>(MEMBERSHIPS);
    const mappings = await rows<{ arn: string; role: number }>(MAPPINGS);
    const grants = await rows<GrantRow & pg.QueryResultRow>(GRANTS);
    const owned = await rows<OwnedRow & pg.QueryResultRow>(OWNED);
    return new DatabaseFacts({
      roles,
      memberships,
      mappings,
      grants: grants.slice(0, MAX_ROWS),
      owned: owned.slice(0, MAX_ROWS),
      cut: grants.length > MAX_ROWS || owned.length > MAX_ROWS,
    });
  } finally {
    await client.end().catch(() => undefined);
  }
}
