import type { Client } from 'pg';

/**
 * The control database's schema, step by step. A step that was released is never edited; a change is a new step. The
 * number of steps is the schema's version.
 */
export const MIGRATIONS: readonly string[] = [
  `
  create table postern.account     (key text collate "C" primary key, body jsonb not null);
  create table postern.users       (key text collate "C" primary key, body jsonb not null);
  create table postern.access_keys (key text collate "C" primary key, body jsonb not null);
  create table postern.roles       (key text collate "C" primary key, body jsonb not null);
  create table postern.clusters    (key text collate "C" primary key, body jsonb not null);

  -- One row: the number of the last change. Whoever makes a change holds its lock.
  create table postern.revision (single boolean primary key default true check (single), number bigint not null);
  insert into postern.revision (number) values (0);

  -- The last changes, so that one whose COMMIT went unanswered can be looked up.
  create table postern.change (number bigint primary key, id uuid not null);
  `,
  `
  create table postern.groups           (key text collate "C" primary key, body jsonb not null);
  create table postern.managed_policies (key text collate "C" primary key, body jsonb not null);
  create table postern.oidc_providers   (key text collate "C" primary key, body jsonb not null);

  update postern.users    set body = '{"attached": [], "boundary": null, "groups": []}' || body;
  update postern.roles    set body = '{"attached": [], "boundary": null}' || body;
  update postern.clusters set body = jsonb_build_object('policy', null, 'status', 'ACTIVE', 'kmsKey', null, 'multiRegion', null,
    'database', key, 'madeBy', null, 'region', (select body -> 'region' from postern.account)) || body;
  `,
];

/** Any two numbers, the same for ever: https://www.postgresql.org/docs/16/explicit-locking.html#ADVISORY-LOCKS */
const LOCK = [0x706f7374, 0x65726e00];

/** Brings the schema to this version. Throws an Error, and changes nothing, when it is newer. */
export async function migrate(client: Client, migrations: readonly string[] = MIGRATIONS): Promise<void> {
  await client.query('begin isolation level read committed');
  try {
    await client.query('select pg_advisory_xact_lock($1, $2)', LOCK);
    await client.query(`
      create schema if not exists postern;
      create table if not exists postern.migration (version integer primary key, applied_at timestamptz not null default now());
    `);
    const version = await schemaVersion(client);
    refuseNewer(version, migrations.length);
    for (const [index, step] of migrations.entries()) {
      if (index < version) continue;
      await client.query(step);
      await client.query('insert into postern.migration (version) values ($1)', [index + 1]);
    }
    await client.query('commit');
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}

/** Throws an Error when the schema is not of this version: another Postern migrated it meanwhile, or it was replaced. */
export async function checkVersion(client: Client): Promise<void> {
  const version = await schemaVersion(client);
  refuseNewer(version, MIGRATIONS.length);
  if (version < MIGRATIONS.length) throw new Error(`the control database has schema version ${version} only`);
}

async function schemaVersion(client: Client): Promise<number> {
  const { rows } = await client.query<{ version: number }>(
    'select coalesce(max(version), 0) as version from postern.migration',
  );
  return rows[0]!.version;
}

function refuseNewer(version: number, known: number): void {
  if (version > known) {
    throw new Error(
      `the control database has schema version ${version}; this Postern knows up to ${known}: start a newer one`,
    );
  }
}
