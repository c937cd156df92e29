import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HAS_PSQL, psql, run } from '../harness/programs.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { openTagged, PROTOCOLS, type TaggedSession } from './session.ts';

let postern: TestServer;
let session: TaggedSession;
beforeAll(async () => {
  postern = await startTestServer();
  session = await openTagged(postern);
  for (const sql of [
    `CREATE TABLE parent (id bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY, name varchar(50) NOT NULL DEFAULT 'x',
      n numeric(10, 2) CHECK (n > 0))`,
    'CREATE TABLE child (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), p bigint REFERENCES parent ON DELETE CASCADE, t text UNIQUE)',
    'CREATE VIEW seen AS SELECT * FROM parent',
    "CREATE FUNCTION made() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    'CREATE DOMAIN positive AS int CHECK (VALUE > 0)',
    'CREATE SEQUENCE counting CACHE 1',
  ]) {
    await session.run(sql, 'simple');
  }
});
afterAll(() => postern?.stop());

/** As drivers, ORMs and database browsers ask, shortened to what each asks of the catalogs. */
const queries: [what: string, sql: string][] = [
  ['the version', "SELECT version(), current_setting('server_version_num')::integer, current_schema(), session_user"],
  ['databases', 'SELECT oid, * FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate'],
  ['a setting', "SELECT * FROM pg_catalog.pg_settings WHERE name = 'standard_conforming_strings'"],
  ['key words', 'SELECT string_agg(word, $$,$$) FROM pg_catalog.pg_get_keywords()'],
  [
    'schemas',
    `SELECT n.oid, n.*, d.description FROM pg_catalog.pg_namespace n
      LEFT JOIN pg_catalog.pg_description d ON d.objoid = n.oid AND d.classoid = 'pg_namespace'::regclass`,
  ],
  [
    'types',
    `SELECT t.oid, t.*, format_type(nullif(t.typbasetype, 0), t.typtypmod) FROM pg_catalog.pg_type t
      LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem WHERE t.typname = 'positive'`,
  ],
  [
    'tables',
    `SELECT c.oid, c.*, pg_get_expr(c.relpartbound, c.oid), pg_get_partkeydef(c.oid), obj_description(c.oid, 'pg_class')
      FROM pg_catalog.pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind NOT IN ('i', 'I', 'c')`,
  ],
  [
    'columns',
    `SELECT a.*, pg_get_expr(d.adbin, d.adrelid, true), col_description(a.attrelid, a.attnum) FROM pg_catalog.pg_attribute a
      LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
      WHERE a.attrelid = 'parent'::regclass AND a.attnum > 0 AND NOT a.attisdropped`,
  ],
  ['constraints', 'SELECT conname, pg_get_constraintdef(oid, true) FROM pg_constraint'],
  [
    'indexes',
    `SELECT i.*, pg_get_indexdef(i.indexrelid), pg_get_expr(i.indpred, i.indrelid), pg_relation_size(i.indexrelid),
      pg_stat_get_numscans(i.indexrelid), unnest(i.indkey), generate_subscripts(i.indkey, 1), unnest(i.indclass)
      FROM pg_index i WHERE i.indrelid = 'child'::regclass`,
  ],
  ['sequences', "SELECT pg_get_serial_sequence('parent', 'id'), * FROM pg_sequences"],
  ['routines', "SELECT p.*, pg_get_functiondef(p.oid) FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace"],
  ['views', "SELECT pg_get_viewdef('seen'::regclass, true)"],
  ['roles', 'SELECT a.oid, a.* FROM pg_catalog.pg_roles a'],
  ['extensions', 'SELECT extname FROM pg_extension JOIN pg_namespace n ON extnamespace = n.oid'],
  ['sessions', 'SELECT * FROM pg_catalog.pg_stat_activity'],
  ['locks', 'SELECT * FROM pg_catalog.pg_locks'],
  ['dependencies', "SELECT DISTINCT deptype, classid, objid FROM pg_depend WHERE refobjid = 'parent'::regclass"],
  ...(
    [
      'tables',
      'columns',
      'table_constraints',
      'key_column_usage',
      'referential_constraints',
      'constraint_column_usage',
      'check_constraints',
      'views',
      'sequences',
      'routines',
      'domains',
      'role_table_grants',
      'schemata',
    ] as const
  ).map((view): [string, string] => [`information_schema.${view}`, `SELECT * FROM information_schema.${view}`]),
];

/** There is none of these, and nothing of ours is taken for one. */
const empty: [what: string, sql: string][] = [
  ['triggers', 'SELECT * FROM pg_catalog.pg_trigger WHERE NOT tgisinternal'],
  ['information_schema.triggers', 'SELECT * FROM information_schema.triggers'],
  ['policies', 'SELECT * FROM pg_policies'],
  ['materialized views', 'SELECT * FROM pg_matviews'],
  ['enums', 'SELECT * FROM pg_enum'],
  ['rules', "SELECT * FROM pg_rules WHERE schemaname = 'public'"],
];

describe.each(PROTOCOLS)('what tools ask of the catalogs, %s protocol', (protocol) => {
  it.each(queries)('%s', async (_, sql) => {
    expect((await session.run(sql, protocol)).rows).not.toEqual([]);
  });

  it.each(empty)('no %s', async (_, sql) => {
    expect((await session.run(sql, protocol)).rows).toEqual([]);
  });
});

describe.runIf(HAS_PSQL)('psql', () => {
  const COMMANDS =
    '\\d \\dt+ \\du+ \\l+ \\df+ \\dn+ \\di+ \\ds \\dv+ \\dm \\dT+ \\dD+ \\dp \\ddp \\dx \\dy \\des \\deu \\db \\drds \\dRp \\dX \\dC \\dO';
  it('describes all that there is', async () => {
    const described = await psql(postern.environment, ...COMMANDS.split(' '), '\\d+ parent', '\\d+ child', '\\d+ seen');
    expect(described).toMatchObject({ status: 0, stderr: '' });
  });

  it('shows a table as it was made', async () => {
    const { stdout } = await run('psql', ['-X', '-c', '\\d child'], postern.environment);
    expect(stdout.slice(stdout.indexOf('Indexes:')).trim().split('\n')).toEqual([
      'Indexes:',
      '    "child_pkey" PRIMARY KEY, btree (id)',
      '    "child_t_key" UNIQUE CONSTRAINT, btree (t)',
      'Foreign-key constraints:',
      '    "child_p_fkey" FOREIGN KEY (p) REFERENCES parent(id) ON DELETE CASCADE',
    ]);
  });
});
