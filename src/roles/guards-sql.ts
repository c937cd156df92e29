/**
 * Event triggers for what only the catalog can tell of a statement of the dialect dsql: quotas of schema objects, types
 * behind names, keys that are there already. They act in sessions that carry the dialect's mark and in no others.
 */

import { ASYNC_MARK } from '../sql/async.ts';
import { TEXTS } from '../sql/dialect/texts.ts';
import { DECLARED_KEY_CHECK } from './limits-sql.ts';
import { NO_VIEWS } from './transactions-sql.ts';

/** Whose work an error may have in its context. */
export const GUARD_FUNCTIONS = ['postern.before_ddl', 'postern.after_ddl', 'postern.after_drop'];

/** Quotas (user guide, "Cluster quotas and database limits"), and the errors that they have. */
const COUNTS = [
  { relkinds: "'r'", tags: "'CREATE TABLE'", limit: 1_000, message: 'creating more than 1000 tables not allowed' },
  { relkinds: "'v'", tags: "'CREATE VIEW'", limit: 5_000, message: 'creating more than 5000 views not allowed' },
  {
    relkinds: "'S'",
    tags: "'CREATE SEQUENCE', 'CREATE TABLE', 'ALTER TABLE'",
    limit: 5_000,
    message: 'creating more than 5000 sequences is not allowed',
  },
];
const OTHERS_SCHEMAS = "n.nspname NOT IN ('sys', 'postern', 'information_schema') AND n.nspname !~ '^pg_'";

const COLUMN_TYPES = `'bool', 'bpchar', 'bytea', 'date', 'float4', 'float8', 'int2', 'int4', 'int8', 'interval', 'json',
  'jsonb', 'numeric', 'text', 'time', 'timestamp', 'timestamptz', 'timetz', 'uuid', 'varchar'`;
const NO_KEY = "'timetz', 'interval', 'bytea', 'json', 'jsonb'";

const counts = COUNTS.map(
  ({ relkinds, tags, limit, message }) => `
    IF command.command_tag IN (${tags}) AND (
      SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN (${relkinds}) AND ${OTHERS_SCHEMAS}
    ) > ${limit} THEN
      RAISE program_limit_exceeded USING MESSAGE = '${message}';
    END IF;`,
).join('');

export const GUARDS_SQL = `
-- Whether this session speaks the dialect of the service.
CREATE OR REPLACE FUNCTION postern.is_dsql() RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(current_setting('postern.dialect', true) = 'dsql', false)
$$;

-- Whether the client said ASYNC, which the gateway marks.
CREATE OR REPLACE FUNCTION postern.is_async() RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT strpos(coalesce(current_query(), ''), '${ASYNC_MARK}') > 0
$$;

-- The type that a domain stands for in the end.
CREATE OR REPLACE FUNCTION postern.base_type(of oid) RETURNS oid LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  WITH RECURSIVE base (oid, typtype, typbasetype) AS (
    SELECT t.oid, t.typtype, t.typbasetype FROM pg_type t WHERE t.oid = of
    UNION ALL
    SELECT t.oid, t.typtype, t.typbasetype FROM base b JOIN pg_type t ON b.typtype = 'd' AND t.oid = b.typbasetype
  )
  SELECT b.oid FROM base b WHERE b.typtype <> 'd'
$$;

CREATE OR REPLACE FUNCTION postern.before_ddl() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT postern.is_dsql() THEN RETURN; END IF;
  IF tg_tag = 'CREATE INDEX' AND coalesce(current_setting('dsql.disable_sync_create_index', true), '')
      NOT IN ('off', 'false', 'no', '0') AND NOT postern.is_async() THEN
    RAISE feature_not_supported USING MESSAGE = 'unsupported mode. please use CREATE INDEX ASYNC.';
  END IF;
  -- What a statement with ASYNC does is done on a copy.
  IF NOT postern.is_async() THEN
    PERFORM postern.cut_off_jobs(tg_tag, current_query());
  END IF;
  -- What is dropped cannot be looked up afterwards.
  IF tg_tag = 'ALTER TABLE' THEN
    PERFORM set_config('postern.primary_keys',
      (SELECT coalesce(string_agg(oid::text, ','), '') FROM pg_constraint WHERE contype = 'p'), true);
  END IF;
END $$;

CREATE OR REPLACE FUNCTION postern.after_drop() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  key oid;
  columns text;
BEGIN
  IF tg_tag <> 'ALTER TABLE' OR NOT postern.is_dsql() THEN RETURN; END IF;
  FOR key IN
    SELECT d.objid FROM pg_event_trigger_dropped_objects() d
    WHERE d.classid = 'pg_constraint'::regclass
      AND d.objid::text = ANY (string_to_array(current_setting('postern.primary_keys'), ','))
  LOOP
    SELECT d.address_names[3] INTO columns FROM pg_event_trigger_dropped_objects() d
      WHERE d.original AND d.object_type = 'table column' LIMIT 1;
    IF columns IS NOT NULL THEN
      RAISE feature_not_supported USING MESSAGE = format('cannot drop primary key column %s', columns);
    END IF;
    RAISE feature_not_supported USING MESSAGE = 'unsupported ALTER TABLE DROP CONSTRAINT statement';
  END LOOP;
END $$;

CREATE OR REPLACE FUNCTION postern.after_ddl() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp ${NO_VIEWS} AS $$
DECLARE
  command record;
  found_type text;
  empty boolean;
BEGIN
  IF NOT postern.is_dsql() THEN RETURN; END IF;
  FOR command IN SELECT * FROM pg_event_trigger_ddl_commands() LOOP
    IF command.command_tag = 'CREATE SCHEMA' AND (
      SELECT count(*) FROM pg_namespace n WHERE n.nspname <> 'public' AND ${OTHERS_SCHEMAS}
    ) > 10 THEN
      RAISE program_limit_exceeded USING MESSAGE = 'more than 10 schemas not allowed';
    END IF;
    ${counts}
    IF command.command_tag IN ('CREATE TABLE', 'ALTER TABLE') AND command.classid = 'pg_class'::regclass THEN
      IF (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = command.objid AND a.attnum > 0 AND NOT a.attisdropped) > 256
          AND (SELECT c.relkind FROM pg_class c WHERE c.oid = command.objid) = 'r' THEN
        RAISE too_many_columns USING MESSAGE = CASE WHEN EXISTS (
            SELECT FROM pg_index i WHERE i.indrelid = command.objid AND i.indisprimary
          ) THEN '${TEXTS.indexColumns.message}' ELSE '${TEXTS.columns.message}' END;
      END IF;
      SELECT format_type(a.atttypid, NULL) INTO found_type
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type t ON t.oid = postern.base_type(a.atttypid)
        WHERE a.attrelid = command.objid AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
          AND NOT (t.typnamespace = 'pg_catalog'::regnamespace AND t.typname IN (${COLUMN_TYPES}))
        ORDER BY a.attnum LIMIT 1;
      IF found_type IS NOT NULL THEN
        RAISE feature_not_supported USING MESSAGE = format('datatype %s not supported', found_type);
      END IF;
    END IF;
    IF command.command_tag IN ('CREATE TABLE', 'ALTER TABLE', 'CREATE INDEX') AND command.classid = 'pg_class'::regclass THEN
      IF EXISTS (SELECT FROM pg_index i WHERE command.objid IN (i.indrelid, i.indexrelid)
          AND (SELECT count(*) FROM pg_index o WHERE o.indrelid = i.indrelid) > 24) THEN
        RAISE program_limit_exceeded USING MESSAGE = 'more than 24 indexes per table are not allowed';
      END IF;
      IF EXISTS (SELECT FROM pg_index i WHERE command.objid IN (i.indrelid, i.indexrelid) AND i.indnkeyatts > 8) THEN
        RAISE too_many_columns USING MESSAGE = 'more than 8 column keys in an index are not supported';
      END IF;
      ${DECLARED_KEY_CHECK.trim()}
      SELECT format_type(t.oid, NULL) INTO found_type
        FROM pg_index i
        JOIN pg_attribute a ON a.attrelid = i.indexrelid AND a.attnum <= i.indnkeyatts
        JOIN pg_type t ON t.oid = postern.base_type(a.atttypid)
        WHERE command.objid IN (i.indrelid, i.indexrelid) AND t.typname IN (${NO_KEY})
        ORDER BY i.indexrelid, a.attnum LIMIT 1;
      IF found_type IS NOT NULL THEN
        RAISE feature_not_supported USING MESSAGE = format('datatype %s is not supported in a key', found_type);
      END IF;
    END IF;
    IF command.command_tag = 'CREATE INDEX' AND NOT postern.is_async() THEN
      -- Without ASYNC, which disable_sync_create_index = off allows on an empty table.
      EXECUTE (SELECT format('SELECT NOT EXISTS (SELECT FROM ONLY %s)', i.indrelid::regclass)
        FROM pg_index i WHERE i.indexrelid = command.objid) INTO empty;
      IF NOT empty THEN
        RAISE feature_not_supported USING MESSAGE = 'unsupported mode. please use CREATE INDEX ASYNC.';
      END IF;
    END IF;
    IF command.command_tag = 'CREATE STATISTICS' AND (
      SELECT count(*) FROM pg_statistic_ext o
      WHERE o.stxrelid = (SELECT s.stxrelid FROM pg_statistic_ext s WHERE s.oid = command.objid)
    ) > 5 THEN
      RAISE program_limit_exceeded USING MESSAGE = 'more than 5 extended statistics per table are not allowed';
    END IF;
  END LOOP;
END $$;

DROP EVENT TRIGGER IF EXISTS postern_before_ddl;
DROP EVENT TRIGGER IF EXISTS postern_after_drop;
DROP EVENT TRIGGER IF EXISTS postern_after_ddl;
CREATE EVENT TRIGGER postern_before_ddl ON ddl_command_start
  WHEN TAG IN ('CREATE INDEX', 'CREATE TABLE', 'ALTER TABLE', 'DROP TABLE', 'DROP INDEX', 'DROP SCHEMA')
  EXECUTE FUNCTION postern.before_ddl();
CREATE EVENT TRIGGER postern_after_drop ON sql_drop WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION postern.after_drop();
CREATE EVENT TRIGGER postern_after_ddl ON ddl_command_end
  WHEN TAG IN ('CREATE SCHEMA', 'CREATE TABLE', 'ALTER TABLE', 'CREATE VIEW', 'CREATE SEQUENCE', 'CREATE INDEX', 'CREATE STATISTICS')
  EXECUTE FUNCTION postern.after_ddl();
`;
