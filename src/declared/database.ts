import pg from 'pg';
import { ConfigurationError } from '../config/configuration-error.ts';
import { type Engine, SUPERUSER } from '../engine/port.ts';
import { ADMIN_ROLE, MAPPING_PROCEDURES } from '../roles/catalog-sql.ts';
import { socketClientConfig } from '../state/socket-client.ts';
import type { Applying } from './applying.ts';
import type { DeclaredCluster } from './declaration.ts';
import { below } from './shape.ts';
import { runSqlFile } from './sql-file.ts';

type Contents = Pick<DeclaredCluster, 'databaseRoles' | 'sql'>;

/**
 * Sets right what a cluster's database contains: roles and who may be them, then the SQL files, which may grant them
 * something. Everything but the notes on files is done as admin, as it would be by the operator.
 */
export async function applyDatabase(applying: Applying, path: string, declared: Contents, engine: Engine) {
  const { databaseRoles = [], sql = [] } = declared;
  const admin = await connect(engine, ADMIN_ROLE);
  try {
    for (const [index, role] of databaseRoles.entries()) {
      await applyDatabaseRole(applying, below(below(path, 'databaseRoles'), index), role, admin);
    }
    if (sql.length === 0) return;
    const superuser = await connect(engine, engine.superuser);
    try {
      for (const [index, file] of sql.entries()) {
        const at = below(below(path, 'sql'), index);
        const ran = await atPath(at, () => runSqlFile(applying.file(file), file, { admin, superuser }));
        if (ran) applying.changed(at, `${file} has run`);
      }
    } finally {
      await superuser.end();
    }
  } finally {
    await admin.end();
  }
}

async function connect(engine: Engine, user: string): Promise<pg.Client> {
  const client = new pg.Client({
    ...socketClientConfig({ socketPath: engine.socketPath, user, database: 'postgres' }),
    application_name: 'postern',
    // The superuser names every object with its schema and looks nowhere else; admin is as a client of its own would be.
    options: user === engine.superuser ? '-c search_path=pg_catalog' : '',
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

type DeclaredDatabaseRole = NonNullable<DeclaredCluster['databaseRoles']>[number];

async function applyDatabaseRole(
  applying: Applying,
  path: string,
  { name, iamPrincipals = [] }: DeclaredDatabaseRole,
  admin: pg.Client,
): Promise<void> {
  if (name === ADMIN_ROLE || name === SUPERUSER || name.startsWith('pg_') || Buffer.byteLength(name) > 63) {
    throw new ConfigurationError(`${below(path, 'name')}: ${JSON.stringify(name)} can be no role of yours`);
  }
  const { rows } = await admin.query<{ login: boolean }>(
    'SELECT rolcanlogin AS login FROM pg_catalog.pg_roles WHERE rolname = $1',
    [name],
  );
  if (!rows[0]?.login) {
    const verb = rows[0] ? 'ALTER' : 'CREATE';
    await asAdmin(path, () => admin.query(`${verb} ROLE ${admin.escapeIdentifier(name)} WITH LOGIN`));
    applying.changed(path, `database role ${name} ${rows[0] ? 'may log in' : 'made'}`);
  }
  for (const [index, principal] of iamPrincipals.entries()) {
    const at = below(below(path, 'iamPrincipals'), index);
    const arn = applying.fill(principal, at);
    const mapped = await admin.query('SELECT FROM sys.iam_pg_role_mappings WHERE pg_role_name = $1 AND arn = $2', [
      name,
      arn,
    ]);
    if (mapped.rowCount) continue;
    await asAdmin(at, () => admin.query(`CALL ${MAPPING_PROCEDURES.grant}($1, $2)`, [name, arn]));
    applying.changed(at, `${arn} may be database role ${name}`);
  }
}

/** What PostgreSQL refuses is a mistake in the file. */
async function asAdmin(path: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error;
    throw new ConfigurationError(`${path}: ${error.message}`);
  }
}

async function atPath<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw new ConfigurationError(`${path}: ${error.message}`);
  }
}
