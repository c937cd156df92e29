/**
 * What the service says of itself where PostgreSQL would tell the engine's release. The gateway puts the schema `sys` in
 * front of these names in statements of the dialect dsql; PostgreSQL's own functions and views stay as they are.
 */
import { SERVER_VERSION, SERVER_VERSION_NUM, VERSION } from '../sql/dialect/settings.ts';

/** The command tag that sys.show asks for. */
export const SHOW_TAG = 'SHOW';

const VALUES: Record<string, string> = {
  server_version: `'${SERVER_VERSION}'`,
  server_version_num: `'${SERVER_VERSION_NUM}'`,
  client_min_messages: "'notice'",
  disable_sync_create_index:
    "coalesce(nullif(pg_catalog.current_setting('dsql.disable_sync_create_index', true), ''), 'on')",
};
const CASES = Object.entries(VALUES)
  .map(([name, value]) => `WHEN '${name}' THEN ${value}`)
  .join(' ');

/** Of these, what PostgreSQL has a row for in pg_settings. */
const LISTED = ['server_version', 'server_version_num', 'client_min_messages']
  .map((name) => `WHEN '${name}' THEN ${VALUES[name]}`)
  .join(' ');

/** `tagNotice` is the SQLSTATE of the message by which a statement asks for another command tag. */
// The functions are bound when they are made: a search path of their own would be what they answer with.
export const environmentSql = (tagNotice: string) => `
CREATE OR REPLACE FUNCTION sys.version() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE RETURN '${VERSION}'::text;

CREATE OR REPLACE FUNCTION sys.current_setting(text) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN CASE lower($1) ${CASES} ELSE pg_catalog.current_setting($1) END;

CREATE OR REPLACE FUNCTION sys.current_setting(text, boolean) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN CASE lower($1) ${CASES} ELSE pg_catalog.current_setting($1, $2) END;

CREATE OR REPLACE FUNCTION sys.show(text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE INFO USING ERRCODE = '${tagNotice}', MESSAGE = '${SHOW_TAG}';
  RETURN sys.current_setting($1);
END $$;

CREATE OR REPLACE VIEW sys.pg_settings AS
  SELECT name, CASE name ${LISTED} ELSE setting END AS setting,
    unit, category, short_desc, extra_desc, context, vartype, source, min_val, max_val, enumvals,
    CASE name ${LISTED} ELSE boot_val END AS boot_val,
    CASE name ${LISTED} ELSE reset_val END AS reset_val,
    sourcefile, sourceline, pending_restart
  FROM pg_catalog.pg_settings;
GRANT SELECT ON sys.pg_settings TO PUBLIC;
`;
