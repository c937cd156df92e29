/** What the gateway asks of the engine to hold transactions to the service's rules. What stands in sys anybody may call, about himself. */

/** The largest table, in bytes, of which a transaction that has lost gets a copy. */
const MAX_SHADOW = 8 * 1024 * 1024;
/** The largest table, in bytes, in which rows are looked for that were locked and are not any more. */
const MAX_SCANNED = 16 * 1024 * 1024;
/** In ms: what everybody is to look for comes over one session, which must not wait for whoever changes a table. */
const PATIENCE = 20;

/**
 * For routines of the superuser's that read a table of the clients', by its name: one of them may put a view in its place
 * meanwhile (a whole schema, while the lock of a table is waited for), whose functions would be run as the superuser.
 */
export const NO_VIEWS = "SET restrict_nonsystem_relation_kind = 'view, foreign-table'";

/**
 * Whether one of the transactions $1 has locked or changed a row, from its xmax. That may be a list of several, which
 * PostgreSQL numbers by themselves; which numbers there are is asked for the first that could be one.
 */
const IS_OF = `CASE WHEN xmax = ''0''::xid THEN false
        WHEN xmax::text::bigint = ANY ($1) THEN true
        WHEN (SELECT postern.lists()) @> xmax::text::bigint THEN EXISTS (
          SELECT FROM pg_get_multixact_members(xmax) member WHERE member.xid::text::bigint = ANY ($1))
        ELSE false END`;

/** The numbers of the transaction that a session is in, and of its savepoints, if it has written or locked anything. */
export const TRANSACTION_IDS = `SELECT pg_catalog.string_agg(l.transactionid::pg_catalog.text, ' ') FROM pg_catalog.pg_locks l
  WHERE l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() AND l.locktype OPERATOR(pg_catalog.=) 'transactionid'
    AND l.mode OPERATOR(pg_catalog.=) 'ExclusiveLock'`;

/** SQLSTATE of the message by which the gateway learns which conflicts to feign, and who says it. */
export const INJECTION_NOTICE = 'INJ00';
export const INJECTION_PROCEDURE = 'sys.inject_conflicts';

export const TRANSACTIONS_SQL = `
-- Rows and bytes that this session has written since PostgreSQL last took note of them, which it does between
-- transactions only: what counts is the difference. A piece of a large value takes about 2,000 bytes.
CREATE OR REPLACE FUNCTION sys.written() RETURNS text
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
  WITH written AS (
    SELECT
      pg_stat_get_xact_tuples_inserted(c.oid) + pg_stat_get_xact_tuples_updated(c.oid)
        + pg_stat_get_xact_tuples_deleted(c.oid) AS rows,
      CASE WHEN c.reltoastrelid = 0 THEN 0 ELSE pg_stat_get_xact_tuples_inserted(c.reltoastrelid) END AS pieces,
      CASE WHEN c.reltuples > 0 THEN c.relpages * 8192.0 / c.reltuples ELSE 100 END AS width
    FROM pg_class c WHERE c.relkind = 'r' AND c.oid >= 16384 AND c.relpersistence <> 't'
  )
  SELECT coalesce(sum(rows), 0)::bigint || ' ' || coalesce(sum(pieces * 2000 + rows * least(width, 2000)), 0)::bigint
  FROM written
$$;

-- From now on transactions fail as if another one had been first; without a parameter none does. For the operator, who has
-- allowed it when the server was started; the gateway refuses it otherwise.
CREATE OR REPLACE PROCEDURE ${INJECTION_PROCEDURE}(
  "table" text DEFAULT NULL, every integer DEFAULT NULL, probability double precision DEFAULT NULL, seed bigint DEFAULT NULL)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF session_user <> 'admin' THEN
    RAISE insufficient_privilege USING MESSAGE = 'permission denied to inject conflicts';
  END IF;
  IF every < 1 THEN
    RAISE invalid_parameter_value USING MESSAGE = 'every must be 1 or more';
  END IF;
  IF NOT probability BETWEEN 0 AND 1 THEN
    RAISE invalid_parameter_value USING MESSAGE = 'the probability must be from 0 to 1';
  END IF;
  RAISE INFO USING ERRCODE = '${INJECTION_NOTICE}', MESSAGE = 'CALL', DETAIL = json_strip_nulls(json_build_object(
    'table', inject_conflicts."table", 'every', every, 'probability', probability, 'seed', seed))::text;
END $$;

-- Makes a copy of a table as this transaction sees it, which only this session has, and which is found before the table.
CREATE OR REPLACE FUNCTION sys.shadow(schema text, name text) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  source pg_catalog.regclass := pg_catalog.to_regclass(
    CASE WHEN schema IS NULL THEN '' ELSE pg_catalog.quote_ident(schema) OPERATOR(pg_catalog.||) '.' END
      OPERATOR(pg_catalog.||) pg_catalog.quote_ident(name));
  source_name text;
  shadow text := 'pg_temp.' OPERATOR(pg_catalog.||) pg_catalog.quote_ident(name);
  columns text;
  identity record;
BEGIN
  SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) INTO source_name
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.oid OPERATOR(pg_catalog.=) source AND c.relkind OPERATOR(pg_catalog.=) 'r';
  -- A view, or nothing at all.
  IF source_name IS NULL THEN RETURN; END IF;
  IF pg_catalog.pg_relation_size(source) OPERATOR(pg_catalog.>) ${MAX_SHADOW} THEN
    RAISE program_limit_exceeded USING MESSAGE = 'too large';
  END IF;
  EXECUTE 'CREATE TEMPORARY TABLE ' OPERATOR(pg_catalog.||) pg_catalog.quote_ident(name) OPERATOR(pg_catalog.||)
    ' (LIKE ' OPERATOR(pg_catalog.||) source_name OPERATOR(pg_catalog.||) ' INCLUDING ALL EXCLUDING IDENTITY) ON COMMIT DROP';
  SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ') INTO columns FROM pg_catalog.pg_attribute a
    WHERE a.attrelid OPERATOR(pg_catalog.=) source AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped
      AND a.attgenerated OPERATOR(pg_catalog.=) '';
  EXECUTE pg_catalog.format('INSERT INTO %s (%s) SELECT %s FROM %s', shadow, columns, columns, source_name);
  FOR identity IN
    SELECT a.attname FROM pg_catalog.pg_attribute a
    WHERE a.attrelid OPERATOR(pg_catalog.=) source AND a.attidentity OPERATOR(pg_catalog.<>) '' AND NOT a.attisdropped
  LOOP
    EXECUTE pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT pg_catalog.nextval(%L)', shadow, identity.attname,
      pg_catalog.pg_get_serial_sequence(source_name, identity.attname));
  END LOOP;
END $$;

-- The numbers of lists of transactions that there are.
CREATE OR REPLACE FUNCTION postern.lists() RETURNS int8range
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT int8range(datminmxid::text::bigint, datminmxid::text::bigint + mxid_age(datminmxid))
  FROM pg_database WHERE datname = current_database()
$$;

-- Rows of the tables of this name that transactions, which are over, have locked, as long as nobody else has since.
-- \`changed\`: those that they have changed, too.
CREATE OR REPLACE FUNCTION postern.locked_rows(name text, ids bigint[], changed boolean)
  RETURNS TABLE (relation oid, places text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET lock_timeout = ${PATIENCE} ${NO_VIEWS} AS $$
BEGIN
  FOR relation IN
    SELECT c.oid FROM pg_class c
    WHERE c.relname = locked_rows.name AND c.relkind = 'r' AND c.relpersistence = 'p' AND c.oid >= 16384
      AND pg_relation_size(c.oid) <= ${MAX_SCANNED}
  LOOP
    EXECUTE format('SELECT array_agg(ctid)::text FROM %s WHERE ${IS_OF} OR $2 AND xmin::text::bigint = ANY ($1)',
      relation::regclass) INTO places USING ids, changed;
    IF places IS NOT NULL THEN RETURN NEXT; END IF;
  END LOOP;
END $$;

DROP FUNCTION IF EXISTS postern.has_rows(integer, oid, tid[], boolean);
-- Whether a transaction has any of these rows; \`strongly\`: so that nobody may so much as refer to them.
CREATE OR REPLACE FUNCTION postern.has_rows(ids bigint[], relation oid, places tid[], strongly boolean) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = ${PATIENCE} ${NO_VIEWS} AS $$
DECLARE
  its tid[];
  free integer;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = relation) THEN RETURN false; END IF;
  EXECUTE format('SELECT array_agg(ctid) FROM %s WHERE ctid = ANY ($2) AND ${IS_OF}', relation::regclass)
    INTO its USING ids, places;
  IF its IS NULL OR NOT strongly THEN RETURN its IS NOT NULL; END IF;
  EXECUTE format('SELECT count(*) FROM (SELECT FROM %s WHERE ctid = ANY ($1) FOR KEY SHARE SKIP LOCKED) free',
    relation::regclass) INTO free USING its;
  RETURN free < cardinality(its);
END $$;
`;
