/**
 * The functions of the schema `sys` that tell of the session and of the cluster. Their names are those of the service; what
 * types they have there is not known (docs/differences.md).
 */

/** Settings that the gateway gives to a session, and that no client may give it. */
export const SESSION_FACTS = { sessionId: 'postern.session_id', iamSessionUser: 'postern.iam_session_user' } as const;

/** All of Postern's own settings begin so. */
export const OWN_SETTING = 'postern.';

/** The service's default quota, in bytes: 10 TiB. Nothing here enforces it. */
const SIZE_LIMIT = 10 * 1024 ** 4;

const setting = (name: string) => `nullif(pg_catalog.current_setting('${name}', true), '')`;

export const SESSION_SQL = `
CREATE OR REPLACE FUNCTION sys.current_session_id() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE RETURN ${setting(SESSION_FACTS.sessionId)};

CREATE OR REPLACE FUNCTION sys.iam_session_user() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE RETURN ${setting(SESSION_FACTS.iamSessionUser)};

CREATE OR REPLACE FUNCTION sys.current_transaction_id() RETURNS text
LANGUAGE sql STABLE RETURN pg_catalog.pg_current_xact_id()::text;

CREATE OR REPLACE FUNCTION sys.dsql_major_version() RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 1;

CREATE OR REPLACE FUNCTION sys.cluster_size() RETURNS bigint
LANGUAGE sql VOLATILE RETURN pg_catalog.pg_database_size(pg_catalog.current_database());

CREATE OR REPLACE FUNCTION sys.cluster_size_limit() RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN ${SIZE_LIMIT}::bigint;
`;
