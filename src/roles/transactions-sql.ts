/** What the gateway asks of the engine to hold transactions to the service's rules. Anybody may call it, about himself. */

/** The largest table, in bytes, of which a transaction that has lost gets a copy. */
const MAX_SHADOW = 8 * 1024 * 1024;

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
`;
