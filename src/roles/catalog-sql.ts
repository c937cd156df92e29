/**
 * What a cluster's own database holds for Postern: the predefined role `admin`, the schema `sys`, and the mappings
 * between IAM identities and database roles. The rules stand here, in the database, so that they hold whichever way a
 * statement reaches it; the gateway only translates `AWS IAM …` into a call.
 *
 * Observed of the service: the texts of the refusals, the columns of sys.iam_pg_role_mappings, that admin is no
 * superuser and has no mapping. Guessed (docs/differences.md): most SQLSTATEs, the texts for a mapping that is there
 * already or is not there. A mapping's own oid comes from the server-wide counter, as on the service.
 */
import { jobsSql } from '../jobs/jobs-sql.ts';
import { environmentSql } from './environment-sql.ts';
import { GUARDS_SQL } from './guards-sql.ts';
import { LIMITS_SQL } from './limits-sql.ts';
import { SESSION_SQL } from './session-sql.ts';
import { TRANSACTIONS_SQL } from './transactions-sql.ts';

/** Version of the catalog below. Raise it with every change: `CATALOG_SQL` is run again on databases of an older one. */
export const CATALOG_VERSION = 12;

/** The predefined role. */
export const ADMIN_ROLE = 'admin';

/**
 * SQLSTATE of the message by which a call tells the gateway its command tag, and in DETAIL what it has changed; see
 * gateway/statements.ts.
 */
export const TAG_NOTICE = 'IAM00';

/** Where a committed change is announced. */
export const MAPPING_CHANNEL = 'postern_iam_mapping';

/** Both run inside the client's transaction and are rolled back with it. */
export const MAPPING_PROCEDURES = { grant: 'sys.aws_iam_grant', revoke: 'sys.aws_iam_revoke' } as const;

/**
 * Where the routines look for names. Temporary objects come first unless pg_temp is named (PostgreSQL manual, "Writing
 * SECURITY DEFINER Functions Safely"): a caller's own pg_temp.pg_authid would be read, and its code run, as the superuser.
 */
const ROUTINE_PATH = 'pg_catalog, pg_temp';

/** Idempotent; run as the superuser in one transaction. */
export const CATALOG_SQL = `
SET LOCAL search_path = pg_catalog;
SET LOCAL client_min_messages = warning;

DO $$
BEGIN
  IF to_regrole('${ADMIN_ROLE}') IS NULL THEN
    CREATE ROLE ${ADMIN_ROLE};
  END IF;
END $$;

CREATE SCHEMA IF NOT EXISTS sys;
-- Nobody but the superuser has USAGE: what stands here is reached through sys only.
CREATE SCHEMA IF NOT EXISTS postern;

CREATE TABLE IF NOT EXISTS postern.catalog (version int NOT NULL);

CREATE TABLE IF NOT EXISTS postern.iam_mapping (
  iam_oid oid PRIMARY KEY,
  arn text NOT NULL,
  pg_role_oid oid NOT NULL,
  grantor_pg_role_oid oid NOT NULL,
  UNIQUE (pg_role_oid, arn)
);

-- A role with a mapping has a user mapping on this server, so that PostgreSQL's own dependency tracking keeps the role
-- from being dropped (2BP01). The server leads nowhere.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_foreign_server WHERE srvname = 'aws_iam') THEN
    CREATE FOREIGN DATA WRAPPER aws_iam;
    CREATE SERVER aws_iam FOREIGN DATA WRAPPER aws_iam;
  END IF;
END $$;

CREATE OR REPLACE VIEW sys.iam_pg_role_mappings AS
  SELECT m.iam_oid, m.arn, m.pg_role_oid, r.rolname AS pg_role_name,
         m.grantor_pg_role_oid, g.rolname AS grantor_pg_role_name
  FROM postern.iam_mapping m
  JOIN pg_authid r ON r.oid = m.pg_role_oid
  LEFT JOIN pg_authid g ON g.oid = m.grantor_pg_role_oid;

-- The role that a statement acts as. Inside a SECURITY DEFINER routine current_user is its owner, so the login role and
-- SET ROLE are asked instead; a caller can change neither to a role that it may not be.
CREATE OR REPLACE FUNCTION postern.acting_role() RETURNS name LANGUAGE sql STABLE SET search_path = ${ROUTINE_PATH} AS $$
  SELECT CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role')::name END
$$;

-- The checks that GRANT and REVOKE share. Permission comes first: who may not do it learns nothing about roles.
CREATE OR REPLACE FUNCTION postern.mappable_role(pg_role text, verb text) RETURNS oid
LANGUAGE plpgsql SET search_path = ${ROUTINE_PATH} AS $$
DECLARE
  found_role pg_authid%ROWTYPE;
BEGIN
  IF session_user <> '${ADMIN_ROLE}' OR postern.acting_role() <> '${ADMIN_ROLE}' THEN
    RAISE insufficient_privilege USING MESSAGE = format('permission denied to %s IAM trust with role %s', verb, pg_role);
  END IF;
  SELECT * INTO found_role FROM pg_authid WHERE rolname = pg_role;
  IF NOT FOUND OR found_role.rolsuper THEN
    RAISE undefined_object USING MESSAGE = format('Role %s does not exist', pg_role);
  END IF;
  IF pg_role = '${ADMIN_ROLE}' THEN
    RAISE reserved_name USING MESSAGE = format('Cannot establish trust with role %s', pg_role);
  END IF;
  IF starts_with(pg_role, 'pg_') THEN
    RAISE reserved_name USING MESSAGE = format('Role %s not supported', pg_role);
  END IF;
  IF verb = 'grant' AND NOT found_role.rolcanlogin THEN
    RAISE invalid_grant_operation USING MESSAGE = format('role %s must have the LOGIN attribute', pg_role);
  END IF;
  RETURN found_role.oid;
END $$;

CREATE OR REPLACE PROCEDURE ${MAPPING_PROCEDURES.grant}(pg_role text, arn text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ${ROUTINE_PATH} AS $$
DECLARE
  role_oid oid := postern.mappable_role(pg_role, 'grant');
BEGIN
  IF length(arn) > 2048 OR arn !~ '^arn:aws(-[a-z]+)*:iam::[0-9]{12}:(user|role)/([!-.0-~]+/)*[A-Za-z0-9_+=,.@-]{1,64}$' THEN
    RAISE invalid_parameter_value USING MESSAGE = 'IAM role must look like an IAM ARN';
  END IF;
  -- A role dropped by way of DROP OWNED may have left rows behind.
  DELETE FROM postern.iam_mapping m WHERE NOT EXISTS (SELECT FROM pg_authid a WHERE a.oid = m.pg_role_oid);
  -- No handler of exceptions: what is done below one is held until the whole transaction ends, ROLLBACK TO or not.
  INSERT INTO postern.iam_mapping (iam_oid, arn, pg_role_oid, grantor_pg_role_oid)
  VALUES (pg_nextoid('pg_user_mapping', 'oid', 'pg_user_mapping_oid_index'), arn, role_oid, '${ADMIN_ROLE}'::regrole)
  ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    RAISE duplicate_object USING MESSAGE = format('IAM role %s is already associated with role %s', arn, pg_role);
  END IF;
  EXECUTE format('CREATE USER MAPPING IF NOT EXISTS FOR %I SERVER aws_iam', pg_role);
  PERFORM pg_notify('${MAPPING_CHANNEL}', '');
  RAISE INFO USING ERRCODE = '${TAG_NOTICE}', MESSAGE = 'AWS IAM GRANT',
    DETAIL = json_build_object('role', pg_role, 'arn', arn)::text;
END $$;

CREATE OR REPLACE PROCEDURE ${MAPPING_PROCEDURES.revoke}(pg_role text, arn text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ${ROUTINE_PATH} AS $$
#variable_conflict use_column
DECLARE
  role_oid oid := postern.mappable_role(pg_role, 'revoke');
BEGIN
  DELETE FROM postern.iam_mapping m WHERE m.pg_role_oid = role_oid AND m.arn = aws_iam_revoke.arn;
  IF NOT FOUND THEN
    RAISE undefined_object USING MESSAGE = format('IAM role %s does not exist', aws_iam_revoke.arn);
  END IF;
  IF NOT EXISTS (SELECT FROM postern.iam_mapping m WHERE m.pg_role_oid = role_oid) THEN
    EXECUTE format('DROP USER MAPPING IF EXISTS FOR %I SERVER aws_iam', pg_role);
  END IF;
  PERFORM pg_notify('${MAPPING_CHANNEL}', '');
  RAISE INFO USING ERRCODE = '${TAG_NOTICE}', MESSAGE = 'AWS IAM REVOKE',
    DETAIL = json_build_object('role', pg_role, 'arn', aws_iam_revoke.arn)::text;
END $$;

${environmentSql(TAG_NOTICE)}
${SESSION_SQL}
${jobsSql(TAG_NOTICE)}
${LIMITS_SQL}
${GUARDS_SQL}
${TRANSACTIONS_SQL}

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA postern FROM PUBLIC;
GRANT USAGE ON SCHEMA sys TO PUBLIC;
GRANT SELECT ON sys.iam_pg_role_mappings TO ${ADMIN_ROLE};

DELETE FROM postern.catalog;
INSERT INTO postern.catalog VALUES (${CATALOG_VERSION});
`;

/**
 * What is put right at every start, since a session of admin could have lost it by means that PostgreSQL allows to
 * everybody on himself: its attributes, its settings, its rights on the database.
 */
export const ADMIN_INVARIANTS_SQL = `
SET LOCAL search_path = pg_catalog;
ALTER ROLE ${ADMIN_ROLE} LOGIN CREATEROLE NOSUPERUSER NOCREATEDB NOREPLICATION NOBYPASSRLS INHERIT CONNECTION LIMIT -1 PASSWORD NULL VALID UNTIL 'infinity';
ALTER ROLE ${ADMIN_ROLE} RESET ALL;
ALTER ROLE ${ADMIN_ROLE} IN DATABASE postgres RESET ALL;
GRANT CONNECT, CREATE, TEMPORARY ON DATABASE postgres TO ${ADMIN_ROLE};
GRANT USAGE, CREATE ON SCHEMA public TO ${ADMIN_ROLE};
`;
