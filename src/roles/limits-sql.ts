/**
 * Limits of keys, values and rows (user guide, "Cluster quotas and database limits", "Supported data types"). They hold
 * whichever way a row is written, since a trigger looks at it: one on each table whose rows could be too large, and on no
 * other. It is an internal one, as those of foreign keys are, so that clients neither see it in their tools nor drop it.
 *
 * Observed of the service: the budget of a key and what a column beside costs, that a secondary index counts the columns of
 * the primary key too, that only what is compressible may be longer, and bytea not even then; the texts. Guessed
 * (docs/differences.md): how many bytes each type takes in a key.
 *
 * The routine of a trigger is made for its table: PL/pgSQL keeps it compiled, which costs a row less than a condition of the
 * trigger would cost a statement. It can be made anew when an index comes, for which the table is not to be locked.
 */

import { TEXTS } from '../sql/dialect/texts.ts';
import { NO_VIEWS } from './transactions-sql.ts';

const VALUE = 1_048_576;
const ROW = 2 * VALUE;
const KEY = 1_981;
/** What each column of a key but the first takes beside its value. */
const KEY_COLUMN = 7;
/** Of the declared lengths of a key's columns. */
const DECLARED_KEY = 2_000;
const VARCHAR = 65_535;
const CHAR = 4_096;
/** What stands before a value in a row. */
const HEADER = 4;
/** Of a type that has no length. PostgreSQL's values are shorter. */
const UNBOUNDED = 1 << 30;
/** Clients can make operators too. */
const PLUS = 'OPERATOR(pg_catalog.+)';
const MORE = 'OPERATOR(pg_catalog.>)';

const LIMITS_ROUTINE = 'postern.limits_';
/** Whose work an error may have in its context: each has the number of its table behind. */
export const LIMITS_CONTEXT = `PL/pgSQL function ${LIMITS_ROUTINE}`;

const PATH = 'SET search_path = pg_catalog, pg_temp';
const TRIGGER = 'postern_limits';
const EVENT_TRIGGERS = ['postern_keep_limits', 'postern_keep_limits_after_drop'];

/** To be a part of the guard's loop over the commands of a DDL statement. */
export const DECLARED_KEY_CHECK = `
      IF EXISTS (
        SELECT FROM pg_index i
        JOIN pg_attribute a ON a.attrelid = i.indexrelid AND a.attnum <= i.indnkeyatts
        CROSS JOIN LATERAL postern.base_column(a.atttypid, a.atttypmod) b JOIN pg_type t ON t.oid = b.type
        WHERE command.objid IN (i.indrelid, i.indexrelid)
        GROUP BY i.indexrelid
        HAVING sum(CASE
          WHEN t.typlen > 0 THEN t.typlen
          WHEN t.typname IN ('varchar', 'bpchar') AND b.modifier > 4 THEN b.modifier - 4
          ELSE 0 END) > ${DECLARED_KEY}
      ) THEN
        RAISE program_limit_exceeded USING MESSAGE = '${TEXTS.declaredKey(DECLARED_KEY).message}';
      END IF;`;

export const LIMITS_SQL = `
-- What a column's type comes to when domains are looked through.
CREATE OR REPLACE FUNCTION postern.base_column(of oid, of_modifier int, OUT type oid, OUT modifier int)
LANGUAGE sql STABLE ${PATH} AS $$
  WITH RECURSIVE base (oid, modifier, typtype, typbasetype, typtypmod) AS (
    SELECT t.oid, of_modifier, t.typtype, t.typbasetype, t.typtypmod FROM pg_type t WHERE t.oid = of
    UNION ALL
    SELECT t.oid, b.typtypmod, t.typtype, t.typbasetype, t.typtypmod
      FROM base b JOIN pg_type t ON b.typtype = 'd' AND t.oid = b.typbasetype
  )
  SELECT b.oid, b.modifier FROM base b WHERE b.typtype <> 'd'
$$;

-- The columns of a table: how long a value may get, how long the service lets it be, and what tells its size.
CREATE OR REPLACE FUNCTION postern.column_sizes(relation oid) RETURNS TABLE (
  number smallint, name text, type text, longest bigint, allowed bigint, stored text, in_key text, is_fixed boolean)
LANGUAGE sql STABLE ${PATH} AS $$
  SELECT c.attnum, 'NEW.' || quote_ident(c.attname), c.type, coalesce(c.longest, ${UNBOUNDED}), c.allowed,
    -- None of them reads a value that is stored elsewhere.
    format('pg_catalog.%s(NEW.%I)',
      CASE WHEN c.type IN ('bytea', 'bpchar') THEN 'octet_length' ELSE 'pg_column_size' END, c.attname),
    format('coalesce(pg_catalog.%s(NEW.%I), 0)',
      CASE WHEN c.type IN ('text', 'varchar', 'bpchar') THEN 'octet_length' ELSE 'pg_column_size' END, c.attname),
    c.typlen > 0
  FROM (
    SELECT a.attnum, a.attname, t.typname::text AS type, t.typlen,
      CASE
        WHEN t.typlen > 0 THEN t.typlen
        -- A character has up to four bytes, and four digits two.
        WHEN t.typname IN ('varchar', 'bpchar') AND b.modifier > 4 THEN (b.modifier - 4) * 4 + 4
        WHEN t.typname = 'numeric' AND b.modifier > 4 THEN (((b.modifier - 4) >> 16) & 65535) / 2 + 16
        WHEN t.typname = 'numeric' THEN 73760
      END AS longest,
      CASE t.typname WHEN 'varchar' THEN ${VARCHAR} WHEN 'bpchar' THEN ${CHAR} ELSE ${VALUE} END AS allowed
    FROM pg_attribute a
    CROSS JOIN LATERAL postern.base_column(a.atttypid, a.atttypmod) b JOIN pg_type t ON t.oid = b.type
    WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
  ) c
$$;

-- Conditions for the keys of a table's indexes (or of one) that can be too large, and the columns in them. What is an
-- expression's, or is in the index only under a condition, is left to PostgreSQL's own limit.
CREATE OR REPLACE FUNCTION postern.key_limits(
  relation oid, one oid DEFAULT NULL, OUT condition text, OUT columns smallint[])
LANGUAGE sql STABLE ${PATH} AS $$
  WITH key AS (
    SELECT i.indexrelid, k.number, i.indisprimary FROM pg_index i
    CROSS JOIN LATERAL unnest(i.indkey::smallint[]) WITH ORDINALITY k (number, position)
    WHERE i.indrelid = relation AND i.indpred IS NULL AND i.indexprs IS NULL AND k.position <= i.indnkeyatts
  ), counted AS (
    SELECT indexrelid, number FROM key
    UNION
    SELECT i.indexrelid, p.number FROM key i JOIN key p ON p.indisprimary
  ), index AS (
    SELECT k.indexrelid,
      ${KEY_COLUMN} * (count(*) - 1) + coalesce(sum(c.longest) FILTER (WHERE c.is_fixed), 0) AS always,
      coalesce(sum(c.longest) FILTER (WHERE NOT c.is_fixed), 0) AS at_most,
      string_agg(c.in_key, ' ${PLUS} ' ORDER BY c.number) FILTER (WHERE NOT c.is_fixed) AS size,
      array_agg(c.number) FILTER (WHERE NOT c.is_fixed) AS columns
    FROM counted k JOIN postern.column_sizes(relation) c ON c.number = k.number
    WHERE one IS NULL OR k.indexrelid = one
    GROUP BY k.indexrelid
  )
  SELECT string_agg(DISTINCT format('%s ${MORE} %s', size, ${KEY} - always), ' OR '),
    (SELECT array_agg(DISTINCT n) FROM index i, unnest(i.columns) n WHERE i.always + i.at_most > ${KEY})
  FROM index WHERE always + at_most > ${KEY}
$$;

-- A statement of a trigger's routine.
CREATE OR REPLACE FUNCTION postern.limit_check(condition text, message text, error text DEFAULT 'program_limit_exceeded')
RETURNS text LANGUAGE sql STABLE ${PATH} AS $$
  SELECT format('IF %s THEN RAISE %s USING MESSAGE = %L; END IF;', condition, error, message)
$$;

-- What a row of a table is held to: suspicions, one of which gives cause to make the checks, and the columns in them.
CREATE OR REPLACE FUNCTION postern.row_limits(relation oid, OUT suspicions text[], OUT checks text[], OUT columns smallint[])
LANGUAGE plpgsql STABLE ${PATH} AS $$
DECLARE
  key record;
  large record;
  -- Larger columns are looked at one by one, the others are taken for as long as they can be.
  small bigint := 16384;
  small_ones bigint;
  row_can_be bigint;
  row_size text;
  -- If no large column has more, the row has not too much.
  share bigint;
BEGIN
  SELECT * INTO key FROM postern.key_limits(relation);
  suspicions := array_remove(ARRAY[key.condition], NULL);
  columns := coalesce(key.columns, '{}');
  checks := '{}';
  IF key.condition IS NOT NULL THEN
    checks := checks || postern.limit_check(key.condition, '${TEXTS.keySize.message}');
  END IF;

  IF (SELECT sum(c.longest) FROM postern.column_sizes(relation) c WHERE c.longest <= small) > ${ROW} / 2 THEN
    small := 1024;
  END IF;
  SELECT coalesce(sum(c.longest) FILTER (WHERE c.longest <= small), 0),
      sum(least(c.longest, c.allowed + ${HEADER})),
      string_agg(format('coalesce(%s, 0)', c.stored), ' ${PLUS} ' ORDER BY c.number),
      count(*) FILTER (WHERE c.longest > small)
    INTO small_ones, row_can_be, row_size, share FROM postern.column_sizes(relation) c;
  share := (${ROW} - small_ones) / greatest(share, 1);

  FOR large IN
    SELECT c.*, c.longest > c.allowed + ${HEADER} AS can_be_too_long FROM postern.column_sizes(relation) c
    WHERE c.longest > small ORDER BY c.number
  LOOP
    CONTINUE WHEN NOT large.can_be_too_long AND row_can_be <= ${ROW};
    columns := columns || large.number;
    suspicions := suspicions || format('%s ${MORE} %s', large.stored,
      CASE WHEN row_can_be > ${ROW} THEN least(large.allowed, share) ELSE large.allowed END);
    IF large.type <> 'bpchar' THEN
      checks := checks || postern.limit_check(format('%s ${MORE} %s', large.stored, large.allowed),
        format('${TEXTS.valueLimit('%2$s', '%1$s').message}', large.allowed, large.type));
    ELSIF large.longest = ${UNBOUNDED} THEN
      -- In characters, without the blanks at its end.
      checks := checks || postern.limit_check(format('pg_catalog.length(%s) ${MORE} %s', large.name, large.allowed),
        format('value too long for type character(%s)', large.allowed), 'string_data_right_truncation');
    END IF;
  END LOOP;
  IF row_can_be > ${ROW} THEN
    checks := checks || postern.limit_check(format('%s ${MORE} ${ROW}', row_size), '${TEXTS.rowSize.message}');
  END IF;
END $$;

-- Those that there are, whatever they are called.
CREATE OR REPLACE FUNCTION postern.limit_triggers() RETURNS SETOF pg_trigger LANGUAGE sql STABLE ${PATH} AS $$
  SELECT t.* FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
  WHERE t.tgisinternal AND p.pronamespace = 'postern'::regnamespace AND starts_with(p.proname, 'limits_')
$$;

-- Gives a table the trigger that its columns and indexes ask for. may_lock: whether the table is locked, or may be: else what
-- the trigger does is changed, and never whether there is one.
CREATE OR REPLACE FUNCTION postern.limit_table(relation oid, may_lock boolean) RETURNS void
LANGUAGE plpgsql ${PATH} AS $$
DECLARE
  target text;
  routine text := format('${LIMITS_ROUTINE}%s', relation);
  trigger_name text := '${TRIGGER}';
  present record;
  wanted record;
  watched text;
BEGIN
  SELECT format('%I.%I', n.nspname, c.relname) INTO target FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = relation AND c.relkind = 'r' AND c.relpersistence = 'p'
      AND n.nspname NOT IN ('sys', 'postern', 'information_schema') AND n.nspname !~ '^pg_';
  IF target IS NULL THEN RETURN; END IF;
  PERFORM pg_advisory_xact_lock(hashtext('postern.limits'), relation::int);

  -- A value that is compressed would pass in PostgreSQL's index. Nothing but the storage tells it not to.
  UPDATE pg_attribute a SET attstorage = 'e' FROM pg_index i
    WHERE i.indrelid = relation AND a.attrelid = i.indexrelid AND a.attnum <= i.indnkeyatts AND a.attstorage IN ('x', 'm');

  SELECT t.oid, t.tgattr::smallint[] AS columns INTO present FROM postern.limit_triggers() t WHERE t.tgrelid = relation;
  SELECT * INTO wanted FROM postern.row_limits(relation);
  IF wanted.suspicions = '{}' AND may_lock AND present.oid IS NOT NULL THEN
    PERFORM postern.unlimit_table(relation);
    RETURN;
  END IF;
  IF present.oid IS NULL AND (NOT may_lock OR wanted.suspicions = '{}') THEN RETURN; END IF;

  EXECUTE format('CREATE OR REPLACE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql AS %L', routine, format(
    E'-- indexes %s\\nBEGIN\\n IF %s THEN\\n  %s\\n END IF;\\n RETURN NULL;\\nEND',
    (SELECT string_agg(i.indexrelid::text, ' ') FROM pg_index i WHERE i.indrelid = relation),
    coalesce(nullif(array_to_string(wanted.suspicions, E'\\n  OR '), ''), 'false'),
    array_to_string(wanted.checks, E'\\n  ')));
  -- It goes with the table. PostgreSQL has forgotten it with the routine that was there before.
  INSERT INTO pg_depend (classid, objid, objsubid, refclassid, refobjid, refobjsubid, deptype)
    VALUES ('pg_proc'::regclass, routine::regproc, 0, 'pg_class'::regclass, relation, 0, 'a');
  IF NOT may_lock OR present.columns @> wanted.columns AND wanted.columns @> present.columns THEN RETURN; END IF;

  IF present.oid IS NOT NULL THEN PERFORM postern.drop_limits(relation); END IF;
  SELECT string_agg(quote_ident(a.attname), ', ') INTO watched FROM pg_attribute a
    WHERE a.attrelid = relation AND a.attnum = ANY (wanted.columns);
  -- A client of the dialect postgres can have made one of this name, of a kind that cannot be replaced.
  WHILE EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = relation AND t.tgname = trigger_name) LOOP
    trigger_name := trigger_name || '_';
  END LOOP;
  EXECUTE format('CREATE TRIGGER %I AFTER INSERT OR UPDATE OF %s ON %s FOR EACH ROW EXECUTE FUNCTION %s()',
    trigger_name, watched, target, routine);
  UPDATE pg_trigger SET tgisinternal = true WHERE tgrelid = relation AND tgname = trigger_name RETURNING oid INTO present;
  -- It is in nobody's way who drops a column.
  DELETE FROM pg_depend WHERE classid = 'pg_trigger'::regclass AND objid = present.oid AND refobjsubid > 0;
END $$;

-- Drops the trigger; by itself it would come back.
CREATE OR REPLACE FUNCTION postern.drop_limits(relation oid) RETURNS void LANGUAGE plpgsql ${PATH} AS $$
BEGIN
  PERFORM set_config('postern.keeps_limits', 'off', true);
  EXECUTE (SELECT format('DROP TRIGGER %I ON %s', t.tgname, relation::regclass)
    FROM postern.limit_triggers() t WHERE t.tgrelid = relation);
  PERFORM set_config('postern.keeps_limits', '', true);
END $$;

CREATE OR REPLACE FUNCTION postern.unlimit_table(relation oid) RETURNS void LANGUAGE plpgsql ${PATH} AS $$
BEGIN
  PERFORM postern.drop_limits(relation);
  EXECUTE format('DROP FUNCTION ${LIMITS_ROUTINE}%s()', relation);
END $$;

-- Raises an error for an index of rows that were there before, one of which has too large a key for it.
CREATE OR REPLACE FUNCTION postern.check_keys(relation oid, index_id oid) RETURNS void LANGUAGE plpgsql ${PATH} ${NO_VIEWS} AS $$
DECLARE
  too_large text := (SELECT k.condition FROM postern.key_limits(relation, index_id) k);
  found_one boolean := false;
BEGIN
  IF too_large IS NOT NULL THEN
    EXECUTE format('SELECT EXISTS (SELECT FROM ONLY %s AS new WHERE %s)', relation::regclass, too_large) INTO found_one;
  END IF;
  IF found_one THEN
    RAISE program_limit_exceeded USING MESSAGE = '${TEXTS.keySize.message}';
  END IF;
END $$;

CREATE OR REPLACE FUNCTION postern.keep_limits() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER ${PATH} AS $$
DECLARE
  command record;
BEGIN
  FOR command IN SELECT DISTINCT classid, objid, command_tag FROM pg_event_trigger_ddl_commands() LOOP
    IF command.classid <> 'pg_class'::regclass THEN CONTINUE; END IF;
    IF command.command_tag = 'CREATE INDEX' THEN
      PERFORM postern.limit_table(i.indrelid, false), postern.check_keys(i.indrelid, i.indexrelid)
        FROM pg_index i WHERE i.indexrelid = command.objid;
    ELSE
      PERFORM postern.limit_table(command.objid, true);
    END IF;
  END LOOP;
END $$;

-- Whatever else takes a column or an index along.
CREATE OR REPLACE FUNCTION postern.keep_limits_after_drop() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER ${PATH} AS $$
DECLARE
  dropped record;
BEGIN
  IF current_setting('postern.keeps_limits', true) = 'off' THEN RETURN; END IF;
  FOR dropped IN
    SELECT DISTINCT d.object_type, CASE d.object_type
      WHEN 'table column' THEN d.objid
      WHEN 'trigger' THEN to_regclass(format('%I.%I', d.address_names[1], d.address_names[2]))
      ELSE (
        SELECT t.tgrelid FROM postern.limit_triggers() t JOIN pg_proc p ON p.oid = t.tgfoid
        WHERE p.prosrc ~ format('^-- indexes[0-9 ]* %s\\M', d.objid)
      ) END AS relation
    FROM pg_event_trigger_dropped_objects() d
    WHERE d.object_type IN ('table column', 'index') OR d.object_type = 'trigger' AND starts_with(d.address_names[3], '${TRIGGER}')
  LOOP
    IF dropped.relation IS NOT NULL THEN
      PERFORM postern.limit_table(dropped.relation, dropped.object_type <> 'index');
    END IF;
  END LOOP;
END $$;

-- Whether rows are limited in this database: all tables or none.
CREATE OR REPLACE FUNCTION postern.limit_all(wanted boolean) RETURNS void LANGUAGE plpgsql ${PATH} AS $$
BEGIN
  IF wanted = (
    SELECT bool_and(evtenabled <> 'D') FROM pg_event_trigger WHERE evtname = ANY ('{${EVENT_TRIGGERS}}')
  ) THEN
    RETURN;
  END IF;
  IF wanted THEN
    ${EVENT_TRIGGERS.map((name) => `ALTER EVENT TRIGGER ${name} ENABLE;`).join(' ')}
    PERFORM postern.limit_table(c.oid, true) FROM pg_class c WHERE c.relkind = 'r';
  ELSE
    ${EVENT_TRIGGERS.map((name) => `ALTER EVENT TRIGGER ${name} DISABLE;`).join(' ')}
    PERFORM postern.unlimit_table(t.tgrelid) FROM postern.limit_triggers() t;
  END IF;
END $$;

DROP EVENT TRIGGER IF EXISTS postern_keep_limits;
DROP EVENT TRIGGER IF EXISTS postern_keep_limits_after_drop;
CREATE EVENT TRIGGER postern_keep_limits ON ddl_command_end
  -- A column of a table has another name after ALTER VIEW and ALTER TYPE, too.
  WHEN TAG IN ('CREATE SCHEMA', 'CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE', 'CREATE INDEX', 'ALTER VIEW',
    'ALTER MATERIALIZED VIEW', 'ALTER FOREIGN TABLE', 'ALTER TYPE')
  EXECUTE FUNCTION postern.keep_limits();
CREATE EVENT TRIGGER postern_keep_limits_after_drop ON sql_drop EXECUTE FUNCTION postern.keep_limits_after_drop();
-- Until somebody asks for them.
${EVENT_TRIGGERS.map((name) => `ALTER EVENT TRIGGER ${name} DISABLE;`).join('\n')}
`;
