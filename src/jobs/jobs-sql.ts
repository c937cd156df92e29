/**
 * What a cluster's database holds for jobs: the table, the view `sys.jobs`, the routines by which statements with ASYNC
 * submit them, and `sys.wait_for_job`.
 *
 * Observed of the service: the columns of sys.jobs, the form of a job's id, the types of jobs, the procedure and its
 * errors; that a failed build leaves an invalid index. Guessed (docs/differences.md): a validation's object, a DROP job's
 * status, what IF NOT EXISTS answers when there is such an index.
 *
 * How it is made safe: the routine that a client calls runs as the client, in his search path. It makes the index on an
 * empty copy of the table, so that PostgreSQL itself judges every part of the statement and no lock is taken on the table
 * that a writer would notice. A routine of the superuser's then notes the definition as PostgreSQL gives it back, not as
 * the client wrote it; whoever calls that one by hand can have nothing noted but an index that he made.
 */

/** Where the submitting of a job is announced when it is committed. */
export const JOBS_CHANNEL = 'postern_job';

/** Those that a client's statement becomes; they ask for another command tag. */
export const ASYNC_ROUTINES = { index: 'sys.create_index_async', validation: 'sys.validate_constraint_async' } as const;

export const WAIT_PROCEDURE = 'sys.wait_for_job';

/** By it the session of a running job is found. */
export const JOB_APPLICATION = 'postern job ';

/** The text of the service (user guide, "Asynchronous indexes"). */
export const DUPLICATE_KEY = 'Found duplicate key while validating index for UCVs';

const PATH = 'SET search_path = pg_catalog, pg_temp';
const UNFINISHED = "('submitted', 'processing')";
/** With those that are still to be made. */
const MAX_INDEXES = 24;

export const jobsSql = (tagNotice: string) => `
CREATE TABLE IF NOT EXISTS postern.job (
  job_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  status text NOT NULL,
  details text,
  job_type text NOT NULL,
  class_id oid NOT NULL DEFAULT 'pg_class'::regclass,
  object_id oid,
  -- Of the table.
  relation_id oid,
  constraint_id oid,
  -- Of the index; for a DROP what there was.
  object_schema name,
  object_name name,
  is_unique boolean,
  -- From USING on.
  definition text,
  search_path text,
  login_role oid,
  acting_role oid,
  attempts int NOT NULL DEFAULT 0,
  start_time timestamptz NOT NULL DEFAULT clock_timestamp(),
  update_time timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- A name is taken from the moment at which its job is submitted.
CREATE UNIQUE INDEX IF NOT EXISTS job_name ON postern.job (relation_id, object_name)
  WHERE job_type = 'INDEX_BUILD' AND status IN ${UNFINISHED};

-- RFC 4648 in lower case, without padding: 26 characters for 16 bytes.
CREATE OR REPLACE FUNCTION sys.uuid_to_base32_str(uuid) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE ${PATH} AS $$
  SELECT string_agg(substr('abcdefghijklmnopqrstuvwxyz234567', substring(b.bits FROM n * 5 + 1 FOR 5)::int + 1, 1), '' ORDER BY n)
  FROM (SELECT ('x' || replace($1::text, '-', ''))::bit(128) || B'00' AS bits) b, generate_series(0, 25) n
$$;

CREATE OR REPLACE FUNCTION sys.base32_str_to_uuid(text) RETURNS uuid
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE ${PATH} AS $$
DECLARE
  hex text;
BEGIN
  IF lower($1) !~ '^[a-z2-7]{25}[aeimquy4]$' THEN
    RAISE invalid_text_representation USING MESSAGE = 'Unable to convert text to UUID';
  END IF;
  -- Four digits at a time; the last two bits are none of the id's.
  SELECT string_agg(to_hex(substring(b.bits FROM n * 4 + 1 FOR 4)::bit(4)::int), '' ORDER BY n) INTO hex
  FROM (
    SELECT string_agg((strpos('abcdefghijklmnopqrstuvwxyz234567', substr(lower($1), n, 1)) - 1)::bit(5)::text, '' ORDER BY n) AS bits
    FROM generate_series(1, 26) n
  ) b, generate_series(0, 31) n;
  RETURN hex::uuid;
END $$;

-- A job is looked up by its text, as often as somebody waits for it.
CREATE INDEX IF NOT EXISTS job_text ON postern.job (sys.uuid_to_base32_str(job_id));

-- A message of PostgreSQL's may quote what stands in the table, so it is for those who may be the job's role.
CREATE OR REPLACE VIEW sys.jobs AS
  SELECT sys.uuid_to_base32_str(j.job_id) AS job_id, j.status,
    CASE WHEN j.details = '${DUPLICATE_KEY}' OR pg_has_role(j.acting_role, 'USAGE') THEN j.details END AS details, j.job_type, j.class_id,
    coalesce(j.object_id, (
      SELECT i.oid FROM pg_class i JOIN pg_class t ON t.relnamespace = i.relnamespace
      WHERE t.oid = j.relation_id AND i.relname = j.object_name
    )) AS object_id,
    CASE WHEN j.job_type <> 'DROP' THEN j.object_schema || '.' || j.object_name END AS object_name,
    j.start_time, j.update_time
  FROM postern.job j;
GRANT SELECT ON sys.jobs TO PUBLIC;

-- Without a search path of its own: it could not COMMIT then. It runs as whoever calls it.
CREATE OR REPLACE PROCEDURE ${WAIT_PROCEDURE}(job_id text, INOUT succeeded boolean DEFAULT NULL) LANGUAGE plpgsql AS $$
DECLARE
  found_status text;
BEGIN
  IF $1 IS NULL THEN
    RAISE invalid_text_representation USING MESSAGE = 'Unable to convert text to UUID';
  END IF;
  PERFORM sys.base32_str_to_uuid($1);
  LOOP
    SELECT j.status INTO found_status FROM sys.jobs j WHERE j.job_id = pg_catalog.lower($1);
    IF NOT FOUND THEN
      RAISE undefined_object USING MESSAGE = pg_catalog.format('job %s does not exist', $1);
    END IF;
    IF found_status NOT IN ${UNFINISHED} THEN
      succeeded := found_status = 'completed';
      RETURN;
    END IF;
    PERFORM pg_catalog.pg_sleep(0.02);
    -- The build waits for every snapshot that is older than itself: for this one too, if it were kept.
    COMMIT;
  END LOOP;
END $$;

-- The table of a statement, as PostgreSQL would find it and refuse it to others than its owner. NULL: there is none.
CREATE OR REPLACE FUNCTION sys.async_table(command text, schema_name text, table_name text, OUT oid, OUT "char")
LANGUAGE plpgsql AS $$
DECLARE
  relation pg_catalog.pg_class;
BEGIN
  IF pg_catalog.current_setting('transaction_read_only') = 'on' THEN
    RAISE read_only_sql_transaction
      USING MESSAGE = pg_catalog.format('cannot execute %s in a read-only transaction', command);
  END IF;
  IF schema_name IS NOT NULL AND pg_catalog.to_regnamespace(pg_catalog.quote_ident(schema_name)) IS NULL THEN
    RAISE invalid_schema_name USING MESSAGE = pg_catalog.format('schema "%s" does not exist', schema_name);
  END IF;
  $4 := pg_catalog.to_regclass(
    coalesce(pg_catalog.quote_ident(schema_name) || '.', '') || pg_catalog.quote_ident(table_name));
  IF $4 IS NULL THEN RETURN; END IF;
  SELECT * INTO relation FROM pg_catalog.pg_class c WHERE c.oid = $4;
  $5 := relation.relkind;
  IF NOT pg_catalog.pg_has_role(relation.relowner, 'USAGE') THEN
    RAISE insufficient_privilege USING MESSAGE = pg_catalog.format('must be owner of %s %s',
      CASE $5 WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence' WHEN 'i' THEN 'index' ELSE 'table' END, relation.relname);
  END IF;
END $$;

CREATE OR REPLACE FUNCTION ${ASYNC_ROUTINES.index}(
  head text, schema_name text, table_name text, tail text, named boolean, if_not_exists boolean
) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  target oid;
  kind "char";
  place name;
  copy text;
  made oid[] := '{}';
  index_id oid;
  index_name name;
  id text;
BEGIN
  SELECT * INTO target, kind FROM sys.async_table('CREATE INDEX', schema_name, table_name);
  IF target IS NULL THEN
    RAISE undefined_table USING MESSAGE = pg_catalog.format('relation "%s" does not exist',
      pg_catalog.concat_ws('.', schema_name, table_name));
  END IF;
  IF kind <> 'r' THEN
    RAISE wrong_object_type USING MESSAGE = pg_catalog.format('cannot create index on relation "%s"', table_name),
      DETAIL = CASE kind WHEN 'v' THEN 'This operation is not supported for views.'
        WHEN 'S' THEN 'This operation is not supported for sequences.'
        WHEN 'i' THEN 'This operation is not supported for indexes.'
        ELSE 'This operation is supported for plain tables only.' END;
  END IF;
  SELECT n.nspname INTO place FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = target;
  IF NOT pg_catalog.has_schema_privilege(place, 'CREATE') THEN
    RAISE insufficient_privilege USING MESSAGE = pg_catalog.format('permission denied for schema %s', place);
  END IF;
  copy := pg_catalog.format('pg_temp.%I', table_name);
  EXECUTE pg_catalog.format('CREATE TEMPORARY TABLE %s (LIKE %I.%I)', copy, place, table_name);
  LOOP
    EXECUTE pg_catalog.concat(head, ' ', copy, ' ', tail);
    SELECT c.oid, c.relname INTO index_id, index_name
      FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
      WHERE i.indrelid = copy::pg_catalog.regclass AND c.oid <> ALL (made);
    id := sys.submit_index_build(target, index_id, pg_catalog.current_setting('search_path'));
    -- Made once more on the copy, it gets the next name that PostgreSQL has for an index without one.
    EXIT WHEN id IS NOT NULL OR named OR pg_catalog.cardinality(made) > 100;
    made := made || index_id;
  END LOOP;
  EXECUTE pg_catalog.concat('DROP TABLE ', copy);
  IF id IS NULL THEN
    IF NOT if_not_exists THEN
      RAISE duplicate_table USING MESSAGE = pg_catalog.format('relation "%s" already exists', index_name);
    END IF;
    RAISE NOTICE USING ERRCODE = 'duplicate_table',
      MESSAGE = pg_catalog.format('relation "%s" already exists, skipping', index_name);
  ELSE
    RETURN NEXT id;
  END IF;
  RAISE INFO USING ERRCODE = '${tagNotice}', MESSAGE = 'CREATE INDEX';
END $$;

-- Notes what index_id is, for a table of the caller's. NULL: the name is taken.
CREATE OR REPLACE FUNCTION sys.submit_index_build(table_id oid, index_id oid, path text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER ${PATH} AS $$
DECLARE
  acting name := postern.acting_role();
  target record;
  made record;
  head text;
  id uuid;
BEGIN
  PERFORM postern.check_submitter();
  SELECT c.oid, c.relname, c.relnamespace, n.nspname, c.relowner INTO target
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = table_id AND c.relkind = 'r';
  SELECT c.relname, i.indisunique, t.relname AS table_name INTO made
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
    WHERE i.indexrelid = index_id AND t.relnamespace = pg_my_temp_schema();
  IF target IS NULL OR made IS NULL OR NOT pg_has_role(acting, target.relowner, 'USAGE') THEN
    RAISE insufficient_privilege USING MESSAGE = 'must be owner of table';
  END IF;
  IF EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = target.relnamespace AND c.relname = made.relname)
      OR EXISTS (SELECT FROM postern.job j JOIN pg_class c ON c.oid = j.relation_id
        WHERE j.job_type = 'INDEX_BUILD' AND j.status IN ${UNFINISHED}
          AND c.relnamespace = target.relnamespace AND j.object_name = made.relname) THEN
    RETURN NULL;
  END IF;
  IF (SELECT count(*) FROM pg_index i WHERE i.indrelid = table_id) + (
    SELECT count(*) FROM postern.job j
    WHERE j.relation_id = table_id AND j.job_type = 'INDEX_BUILD' AND j.status IN ${UNFINISHED} AND NOT EXISTS (
      SELECT FROM pg_class c WHERE c.relnamespace = target.relnamespace AND c.relname = j.object_name)
  ) >= ${MAX_INDEXES} THEN
    RAISE program_limit_exceeded USING MESSAGE = 'more than ${MAX_INDEXES} indexes per table are not allowed';
  END IF;
  head := format('CREATE %sINDEX %I ON pg_temp.%I ', CASE WHEN made.indisunique THEN 'UNIQUE ' END, made.relname, made.table_name);
  IF NOT starts_with(pg_get_indexdef(index_id), head) THEN
    RAISE EXCEPTION 'an index of unknown form: %', pg_get_indexdef(index_id);
  END IF;
  BEGIN
    INSERT INTO postern.job (status, job_type, relation_id, object_schema, object_name, is_unique, definition, search_path,
      login_role, acting_role)
    VALUES ('submitted', 'INDEX_BUILD', table_id, target.nspname, made.relname, made.indisunique,
      substr(pg_get_indexdef(index_id), length(head) + 1), path, postern.role_oid(session_user), postern.role_oid(acting))
    RETURNING job_id INTO id;
  EXCEPTION WHEN unique_violation THEN
    RETURN NULL;
  END;
  PERFORM pg_notify('${JOBS_CHANNEL}', '');
  RETURN sys.uuid_to_base32_str(id);
END $$;

CREATE OR REPLACE FUNCTION ${ASYNC_ROUTINES.validation}(
  statement text, schema_name text, table_name text, constraint_name text, if_exists boolean
) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  target oid;
  kind "char";
  wanted record;
BEGIN
  SELECT * INTO target, kind FROM sys.async_table('ALTER TABLE', schema_name, table_name);
  IF target IS NULL THEN
    IF NOT if_exists THEN
      RAISE undefined_table USING MESSAGE = pg_catalog.format('relation "%s" does not exist',
        pg_catalog.concat_ws('.', schema_name, table_name));
    END IF;
    RAISE NOTICE USING MESSAGE = pg_catalog.format('relation "%s" does not exist, skipping', table_name);
  ELSE
    IF kind <> 'r' THEN
      RAISE wrong_object_type USING
        MESSAGE = pg_catalog.format('ALTER action VALIDATE CONSTRAINT cannot be performed on relation "%s"', table_name);
    END IF;
    SELECT c.oid, c.contype INTO wanted FROM pg_catalog.pg_constraint c
      WHERE c.conrelid = target AND c.conname = constraint_name;
    IF NOT FOUND THEN
      RAISE undefined_object USING
        MESSAGE = pg_catalog.format('constraint "%s" of relation "%s" does not exist', constraint_name, table_name);
    END IF;
    IF wanted.contype NOT IN ('c', 'f') THEN
      RAISE wrong_object_type USING MESSAGE = pg_catalog.format(
        'constraint "%s" of relation "%s" is not a foreign key or check constraint', constraint_name, table_name);
    END IF;
    RETURN NEXT sys.submit_validation(wanted.oid, pg_catalog.current_setting('search_path'));
  END IF;
  RAISE INFO USING ERRCODE = '${tagNotice}', MESSAGE = 'ALTER TABLE';
END $$;

CREATE OR REPLACE FUNCTION postern.role_oid(name) RETURNS oid LANGUAGE sql STABLE ${PATH} AS $$
  SELECT oid FROM pg_roles WHERE rolname = $1
$$;

CREATE OR REPLACE FUNCTION sys.submit_validation(constraint_id oid, path text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER ${PATH} AS $$
DECLARE
  acting name := postern.acting_role();
  target record;
  id uuid;
BEGIN
  PERFORM postern.check_submitter();
  SELECT c.oid, c.relname, n.nspname, c.relowner INTO target
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE k.oid = constraint_id AND k.contype IN ('c', 'f');
  IF target IS NULL OR NOT pg_has_role(acting, target.relowner, 'USAGE') THEN
    RAISE insufficient_privilege USING MESSAGE = 'must be owner of table';
  END IF;
  INSERT INTO postern.job (status, job_type, object_id, relation_id, constraint_id, object_schema, object_name, search_path,
    login_role, acting_role)
  VALUES ('submitted', 'VALIDATE_CONSTRAINT', target.oid, target.oid, constraint_id, target.nspname, target.relname, path,
    postern.role_oid(session_user), postern.role_oid(acting))
  RETURNING job_id INTO id;
  PERFORM pg_notify('${JOBS_CHANNEL}', '');
  RETURN sys.uuid_to_base32_str(id);
END $$;

-- A job runs in a session of its submitter's. There is none that may be a superuser's.
CREATE OR REPLACE FUNCTION postern.check_submitter() RETURNS void LANGUAGE plpgsql ${PATH} AS $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles r WHERE r.rolname IN (session_user, postern.acting_role()) AND r.rolsuper) THEN
    RAISE insufficient_privilege USING MESSAGE = 'a superuser has no jobs';
  END IF;
END $$;

-- No statement waits for a job: one that names the job's table cuts it off, and it begins again when that is over.
CREATE OR REPLACE FUNCTION postern.cut_off_jobs(tag text, statement text) RETURNS void LANGUAGE sql ${PATH} AS $$
  SELECT pg_cancel_backend(a.pid)
  FROM postern.job j JOIN pg_class t ON t.oid = j.relation_id JOIN pg_namespace n ON n.oid = t.relnamespace
  JOIN pg_stat_activity a ON a.application_name = '${JOB_APPLICATION}' || j.job_id AND a.usesysid = j.login_role
  WHERE j.status IN ${UNFINISHED} AND pg_has_role(postern.acting_role(), t.relowner, 'USAGE') AND (
    strpos(lower(statement), lower(t.relname)) > 0 OR strpos(lower(statement), lower(j.object_name)) > 0
    OR tag = 'DROP SCHEMA' AND strpos(lower(statement), lower(n.nspname)) > 0)
$$;

CREATE OR REPLACE FUNCTION postern.after_drop_job() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER ${PATH} AS $$
BEGIN
  IF NOT postern.is_dsql() THEN RETURN; END IF;
  INSERT INTO postern.job (status, job_type, object_id, object_schema, object_name)
    SELECT 'completed', 'DROP', d.objid, d.schema_name, d.object_name FROM pg_event_trigger_dropped_objects() d
    WHERE d.classid = 'pg_class'::regclass AND NOT d.is_temporary
      AND (d.object_type = 'table' OR d.object_type = 'index' AND d.original);
  IF FOUND THEN
    PERFORM pg_notify('${JOBS_CHANNEL}', '');
  END IF;
END $$;

DROP EVENT TRIGGER IF EXISTS postern_after_drop_job;
CREATE EVENT TRIGGER postern_after_drop_job ON sql_drop WHEN TAG IN ('DROP TABLE', 'DROP INDEX', 'DROP SCHEMA')
  EXECUTE FUNCTION postern.after_drop_job();
`;
