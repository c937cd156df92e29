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

const VALUE = 1_048_576;
const ROW = 2 * VALUE;
const KEY = 1_981;
/** What each column of a key but the first takes beside its value. */
const KEY_COLUMN = 7;
/** Of the declared lengths of a key's columns. */
const DECLARED_KEY = 2_000;
const VARCHAR = 65_535;
const CHAR = 4_096;

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
CREATE OR REPLACE FUNCTION postern.column_sizes(relation oid)
RETURNS TABLE (number smallint, type text, longest bigint, allowed bigint, stored text, in_key text, is_fixed boolean)
LANGUAGE sql STABLE ${PATH} AS $$
  SELECT c.attnum, c.type, coalesce(c.longest, 1 << 30), c.allowed,
    -- None of them reads a value that is stored elsewhere.
    format('pg_catalog.%s(NEW.%I)', CASE WHEN c.type IN ('bytea', 'bpchar') THEN 'octet_length' ELSE 'pg_column_size' END, c.attname),
    format('pg_catalog.%s(NEW.%I)', CASE WHEN c.type IN ('text', 'varchar', 'bpchar') THEN 'octet_length' ELSE 'pg_column_size' END, c.attname),
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

-- Conditions for the keys of a table's indexes that can be too large, and the columns in them. What is an expression's, or
-- is in the index only under a condition, is left to PostgreSQL's own limit.
CREATE OR REPLACE FUNCTION postern.key_limits(relation oid, OUT condition text, OUT columns smallint[])
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
      string_agg(format('coalesce(%s, 0)', c.in_key), ' OPERATOR(pg_catalog.+) ' ORDER BY c.number) FILTER (WHERE NOT c.is_fixed) AS size,
      array_agg(c.number) FILTER (WHERE NOT c.is_fixed) AS columns
    FROM counted k JOIN postern.column_sizes(relation) c ON c.number = k.number
    GROUP BY k.indexrelid
  )
  SELECT string_agg(DISTINCT format('%s OPERATOR(pg_catalog.>) %s', size, ${KEY} - always), ' OR '),
    (SELECT array_agg(DISTINCT n) FROM index i, unnest(i.columns) n WHERE i.always + i.at_most > ${KEY})
  FROM index WHERE always + at_most > ${KEY}
$$;

-- Gives a table the trigger that its columns and indexes ask for. may_lock: whether the table is locked, or may be: else what
-- the trigger does is changed, and never whether there is one.
CREATE OR REPLACE FUNCTION postern.limit_table(relation oid, may_lock boolean) RETURNS void
LANGUAGE plpgsql ${PATH} AS $$
DECLARE
  target text;
  routine text := format('${LIMITS_ROUTINE}%s', relation);
  trigger_id oid := (SELECT oid FROM pg_trigger WHERE tgrelid = relation AND tgname = '${TRIGGER}');
  keys record;
  small bigint := 16384;
  rest bigint;
  -- All that is small, at its largest.
  others bigint;
  row_size text;
  of_each bigint;
  suspicions text[] := '{}';
  checks text[] := '{}';
  watched smallint[] := '{}';
  wide record;
  trigger_columns text;
BEGIN
  SELECT format('%I.%I', n.nspname, c.relname) INTO target FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = relation AND c.relkind = 'r' AND c.relpersistence = 'p'
      AND n.nspname NOT IN ('sys', 'postern', 'information_schema') AND n.nspname !~ '^pg_';
  IF target IS NULL THEN RETURN; END IF;
  PERFORM pg_advisory_xact_lock(hashtext('postern.limits'), relation::int);

  -- A value that is compressed would pass in PostgreSQL's index. Nothing but the storage tells it not to.
  UPDATE pg_attribute a SET attstorage = 'e' FROM pg_index i
    WHERE i.indrelid = relation AND a.attrelid = i.indexrelid AND a.attnum <= i.indnkeyatts AND a.attstorage IN ('x', 'm');

  IF (SELECT sum(longest) FROM postern.column_sizes(relation) WHERE longest <= small) > ${ROW} / 2 THEN small := 1024; END IF;
  SELECT coalesce(sum(longest) FILTER (WHERE longest <= small), 0),
      coalesce(sum(least(longest, allowed + 4)) FILTER (WHERE longest > small), 0),
      string_agg(format('coalesce(%s, 0)', stored), ' OPERATOR(pg_catalog.+) ' ORDER BY number),
      (${ROW} - coalesce(sum(longest) FILTER (WHERE longest <= small), 0)) / greatest(count(*) FILTER (WHERE longest > small), 1)
    INTO others, rest, row_size, of_each FROM postern.column_sizes(relation);
  IF others + rest <= ${ROW} THEN row_size := NULL; END IF;

  SELECT * INTO keys FROM postern.key_limits(relation);
  IF keys.condition IS NOT NULL THEN
    watched := keys.columns;
    suspicions := suspicions || keys.condition;
    checks := checks || format('IF %s THEN RAISE program_limit_exceeded USING MESSAGE = %L; END IF;', keys.condition, '${TEXTS.keySize.message}');
  END IF;
  FOR wide IN SELECT * FROM postern.column_sizes(relation) WHERE longest > small OR (type = 'bpchar' AND longest > allowed) ORDER BY number LOOP
    IF wide.longest <= wide.allowed + 4 AND row_size IS NULL THEN CONTINUE; END IF;
    watched := watched || wide.number;
    suspicions := suspicions || format('%s OPERATOR(pg_catalog.>) %s', wide.stored,
      CASE WHEN row_size IS NULL THEN wide.allowed ELSE least(wide.allowed, of_each) END);
    IF wide.type = 'bpchar' THEN
      IF wide.longest >= 1 << 30 THEN
        checks := checks || format('IF pg_catalog.length(NEW.%I) OPERATOR(pg_catalog.>) ${CHAR} THEN RAISE string_data_right_truncation USING MESSAGE = %L; END IF;',
          (SELECT attname FROM pg_attribute WHERE attrelid = relation AND attnum = wide.number), 'value too long for type character(${CHAR})');
      END IF;
    ELSE
      checks := checks || format('IF %s OPERATOR(pg_catalog.>) %s THEN RAISE program_limit_exceeded USING MESSAGE = %L; END IF;', wide.stored, wide.allowed,
        format('${TEXTS.valueLimit('%2$s', '%1$s').message}', wide.allowed, wide.type));
    END IF;
  END LOOP;
  IF row_size IS NOT NULL THEN
    checks := checks || format('IF %s OPERATOR(pg_catalog.>) ${ROW} THEN RAISE program_limit_exceeded USING MESSAGE = %L; END IF;', row_size, '${TEXTS.rowSize.message}');
  END IF;

  IF trigger_id IS NULL AND (NOT may_lock OR suspicions = '{}') THEN RETURN; END IF;
  IF suspicions = '{}' AND may_lock THEN
    PERFORM postern.unlimit_table(relation);
    RETURN;
  END IF;
  EXECUTE format(
    'CREATE OR REPLACE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql AS %L', routine, format(
    E'-- indexes %s\\nBEGIN\\n IF %s THEN\\n  %s\\n END IF;\\n RETURN NULL;\\nEND',
    (SELECT string_agg(indexrelid::text, ' ') FROM pg_index WHERE indrelid = relation),
    coalesce(nullif(array_to_string(suspicions, E'\\n  OR '), ''), 'false'), array_to_string(checks, E'\\n  ')));
  -- It goes with the table. PostgreSQL has forgotten it with the routine that was there before.
  INSERT INTO pg_depend (classid, objid, objsubid, refclassid, refobjid, refobjsubid, deptype)
    VALUES ('pg_proc'::regclass, routine::regproc, 0, 'pg_class'::regclass, relation, 0, 'a');
  IF NOT may_lock THEN RETURN; END IF;
  IF trigger_id IS NOT NULL THEN
    IF (SELECT tgattr::smallint[] @> watched AND watched @> tgattr::smallint[] FROM pg_trigger WHERE oid = trigger_id) THEN RETURN; END IF;
    PERFORM set_config('postern.keeps_limits', 'on', true);
    EXECUTE format('DROP TRIGGER ${TRIGGER} ON %s', target);
    PERFORM set_config('postern.keeps_limits', 'off', true);
  END IF;
  SELECT string_agg(quote_ident(attname), ', ') INTO trigger_columns FROM pg_attribute WHERE attrelid = relation AND attnum = ANY (watched);
  EXECUTE format('CREATE TRIGGER ${TRIGGER} AFTER INSERT OR UPDATE OF %s ON %s FOR EACH ROW EXECUTE FUNCTION %s()',
    trigger_columns, target, routine);
  UPDATE pg_trigger SET tgisinternal = true WHERE tgrelid = relation AND tgname = '${TRIGGER}' RETURNING oid INTO trigger_id;
  -- It is in nobody's way who drops a column.
  DELETE FROM pg_depend WHERE classid = 'pg_trigger'::regclass AND objid = trigger_id AND refobjsubid > 0;
END $$;

CREATE OR REPLACE FUNCTION postern.unlimit_table(relation oid) RETURNS void LANGUAGE plpgsql ${PATH} AS $$
BEGIN
  PERFORM set_config('postern.keeps_limits', 'on', true);
  EXECUTE format('DROP TRIGGER ${TRIGGER} ON %s', relation::regclass);
  EXECUTE format('DROP FUNCTION ${LIMITS_ROUTINE}%s()', relation);
  PERFORM set_config('postern.keeps_limits', 'off', true);
END $$;

CREATE OR REPLACE FUNCTION postern.keep_limits() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER ${PATH} AS $$
DECLARE
  command record;
BEGIN
  FOR command IN SELECT DISTINCT classid, objid, command_tag FROM pg_event_trigger_ddl_commands() LOOP
    IF command.classid <> 'pg_class'::regclass THEN CONTINUE; END IF;
    IF command.command_tag = 'CREATE INDEX' THEN
      PERFORM postern.limit_table(i.indrelid, false) FROM pg_index i WHERE i.indexrelid = command.objid;
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
  IF current_setting('postern.keeps_limits', true) = 'on' THEN RETURN; END IF;
  FOR dropped IN
    SELECT DISTINCT d.object_type, CASE d.object_type
      WHEN 'table column' THEN d.objid
      WHEN 'trigger' THEN to_regclass(format('%I.%I', d.address_names[1], d.address_names[2]))
      ELSE (
        SELECT t.tgrelid FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
        WHERE t.tgname = '${TRIGGER}' AND p.prosrc ~ format('^-- indexes[0-9 ]* %s\\M', d.objid)
      ) END AS relation
    FROM pg_event_trigger_dropped_objects() d
    WHERE d.object_type IN ('table column', 'index') OR d.object_type = 'trigger' AND d.address_names[3] = '${TRIGGER}'
  LOOP
    IF dropped.relation IS NOT NULL THEN
      PERFORM postern.limit_table(dropped.relation, dropped.object_type <> 'index');
    END IF;
  END LOOP;
END $$;

-- Whether rows are limited in this database: all tables or none.
CREATE OR REPLACE FUNCTION postern.limit_all(wanted boolean) RETURNS void LANGUAGE plpgsql ${PATH} AS $$
BEGIN
  IF wanted = (SELECT bool_and(evtenabled <> 'D') FROM pg_event_trigger WHERE evtname = ANY ('{${EVENT_TRIGGERS}}')) THEN RETURN; END IF;
  IF wanted THEN
    ${EVENT_TRIGGERS.map((name) => `ALTER EVENT TRIGGER ${name} ENABLE;`).join(' ')}
    PERFORM postern.limit_table(c.oid, true) FROM pg_class c WHERE c.relkind = 'r';
  ELSE
    ${EVENT_TRIGGERS.map((name) => `ALTER EVENT TRIGGER ${name} DISABLE;`).join(' ')}
    PERFORM postern.unlimit_table(t.tgrelid) FROM pg_trigger t WHERE t.tgname = '${TRIGGER}';
  END IF;
END $$;

DROP EVENT TRIGGER IF EXISTS postern_keep_limits;
DROP EVENT TRIGGER IF EXISTS postern_keep_limits_after_drop;
CREATE EVENT TRIGGER postern_keep_limits ON ddl_command_end
  WHEN TAG IN ('CREATE SCHEMA', 'CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE', 'CREATE INDEX')
  EXECUTE FUNCTION postern.keep_limits();
CREATE EVENT TRIGGER postern_keep_limits_after_drop ON sql_drop EXECUTE FUNCTION postern.keep_limits_after_drop();
-- Until somebody asks for them.
${EVENT_TRIGGERS.map((name) => `ALTER EVENT TRIGGER ${name} DISABLE;`).join('\n')}
`;
