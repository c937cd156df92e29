import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { socketClientConfig } from '../state/socket-client.ts';
import { copyFile, type FileFacts, forEach } from './copy.ts';

/** A PostgreSQL that runs, and where its data are. */
export interface Instance {
  socketPath: string;
  superuser: string;
  folder: string;
}

/**
 * Made anew at every start, or of no use to another server: "Making a Base Backup Using the Low Level API", PostgreSQL 16
 * manual, 26.3.3. Of the write-ahead log only what the copy needs is copied, afterwards.
 */
const LEFT_OUT_FOLDERS: ReadonlySet<string> = new Set([
  'pg_wal',
  'pg_replslot',
  'pg_dynshmem',
  'pg_notify',
  'pg_serial',
  'pg_snapshots',
  'pg_stat_tmp',
  'pg_subtrans',
]);
const LEFT_OUT_FILES = /^(postmaster\.(pid|opts)|postern\.pid|backup_label(\.old)?|tablespace_map(\.old)?)$/;
const LEFT_OUT_ANYWHERE = /^(pgsql_tmp.*|pg_internal\.init.*)$/;
const SEGMENT = /^[0-9A-F]{24}$/;
const SLOT = 'postern_backup';

/**
 * Copies the data of a server that goes on working into `target`, which must not be there yet: a server that starts on the
 * copy replays the log up to the moment when the copying ended. Throws an Error when the server does not let it.
 * Files are told to `note` by their paths in `target`.
 */
export async function copyInstance(
  { socketPath, superuser: user, folder }: Instance,
  target: string,
  note: (path: string, facts: FileFacts) => void,
): Promise<void> {
  const client = new pg.Client({
    ...socketClientConfig({ socketPath, user, database: 'postgres' }),
    application_name: 'postern backup',
    options: '-c search_path=pg_catalog',
  });
  client.on('error', () => undefined);
  await client.connect();
  try {
    // Gone with this session, however it ends; until then no log is thrown away that the copy needs.
    await client.query('select pg_create_physical_replication_slot($1, true, true)', [SLOT]);
    const started = await client.query<{ lsn: string }>("select pg_backup_start('postern', true) as lsn");
    const first = started.rows[0]?.lsn;
    await mkdir(target, { mode: 0o700 });
    await copyFolder(folder, target, '', note);
    note('global/pg_control', await copyFile(join(folder, 'global/pg_control'), join(target, 'global/pg_control')));
    const stopped = await client.query<{ label: string; map: string; from: string; to: string }>(
      `with ended as (select * from pg_backup_stop(false))
       select labelfile as label, spcmapfile as map, pg_walfile_name($1::pg_lsn) as from, pg_walfile_name(lsn) as to
       from ended`,
      [first],
    );
    const end = stopped.rows[0];
    if (!end) throw new Error('PostgreSQL did not say where the backup ends');
    if (end.map.trim() !== '') throw new Error(`${folder} has tablespaces, which are not backed up`);
    await writeFile(join(target, 'backup_label'), end.label, { mode: 0o600 });
    note('backup_label', await copyFile(join(target, 'backup_label'), join(target, 'backup_label'), 'read'));
    await copyLog(folder, target, end, note);
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function copyFolder(
  from: string,
  to: string,
  below: string,
  note: (path: string, facts: FileFacts) => void,
): Promise<void> {
  const entries = await readdir(join(from, below), { withFileTypes: true });
  await forEach(entries, async (entry) => {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (LEFT_OUT_ANYWHERE.test(entry.name) || (below === '' && LEFT_OUT_FILES.test(entry.name))) return;
    if (entry.isDirectory()) {
      await mkdir(join(to, path), { mode: 0o700 });
      if (below !== '' || !LEFT_OUT_FOLDERS.has(entry.name)) await copyFolder(from, to, path, note);
    } else if (!entry.isFile()) {
      throw new Error(`${join(from, path)} is neither a file nor a folder, and is not backed up`);
    } else if (path !== 'global/pg_control') {
      try {
        note(path, await copyFile(join(from, path), join(to, path)));
      } catch (error) {
        // Tables are dropped meanwhile; the log says so to whoever starts on the copy.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
  });
}

async function copyLog(
  folder: string,
  target: string,
  { from, to }: { from: string; to: string },
  note: (path: string, facts: FileFacts) => void,
): Promise<void> {
  await mkdir(join(target, 'pg_wal/archive_status'), { mode: 0o700, recursive: true });
  const there = await readdir(join(folder, 'pg_wal'));
  const needed = there.filter((name) => SEGMENT.test(name) && name >= from && name <= to).sort();
  if (needed[0] !== from || needed.at(-1) !== to) throw new Error(`the log from ${from} to ${to} is not there whole`);
  for (const name of needed) {
    note(`pg_wal/${name}`, await copyFile(join(folder, 'pg_wal', name), join(target, 'pg_wal', name)));
  }
}
