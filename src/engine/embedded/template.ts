import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, chown, cp, mkdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { SUPERUSER } from '../port.ts';
import type { Binaries } from './binaries.ts';
import { exists, makeWhole, syncTree } from './folders.ts';
import type { Owner } from './owner.ts';
import { type Running, runProgram } from './programs.ts';

/** In milliseconds. */
const PROGRAM_LIMIT = 120_000;
const COPY_LIMIT = 120_000;

/** `--auth reject`: a template never started; an instance has its own pg_hba.conf. */
const INITDB_OPTIONS = [
  `--username=${SUPERUSER}`,
  '--auth=reject',
  '--locale=C',
  '--encoding=UTF8',
  '--wal-segsize=1',
  '--no-instructions',
  // What is made is synced once, at its end, by us.
  '--no-sync',
];

/**
 * For a server of its own without sockets. A cluster has one database, and nobody can make another: the two that
 * PostgreSQL would copy for that are two thirds of an instance's files, and of the time that it takes to make one.
 */
const SINGLE_OPTIONS = ['--single', '-F', '-c', 'exit_on_error=on'];
const ONE_DATABASE = `UPDATE pg_database SET datistemplate = false
DROP DATABASE template0
DROP DATABASE template1
`;

/**
 * A data folder fresh from initdb, from which instances are copied: ten times faster than initdb. All instances from one
 * template have one system identifier, which matters only to physical replication.
 */
export async function provideTemplate(binaries: Binaries, owner: Owner, cacheFolder: string): Promise<string> {
  const identity = [
    binaries.version,
    process.platform,
    process.arch,
    owner.uid,
    owner.gid,
    ...INITDB_OPTIONS,
    ONE_DATABASE,
  ].join(' ');
  const digest = createHash('sha256').update(identity).digest('hex').slice(0, 12);
  const folder = join(cacheFolder, `template-${binaries.version}-${digest}`);
  if (!(await exists(folder))) {
    await makeWhole(folder, async (draft) => {
      await mkdir(draft, { mode: 0o700 });
      if (owner.switched) await chown(draft, owner.uid, owner.gid);
      await make(binaries, owner, draft);
      await syncTree(draft);
    });
  }
  await refuseForeign(folder, owner);
  return folder;
}

/** Copies the template to a new folder, with owners and modes. */
export async function copyTemplate(template: string, folder: string): Promise<void> {
  try {
    // Twice as fast as copying from here, it leaves the event loop alone, and shares blocks where the file system can.
    await promisify(execFile)('cp', ['-a', template, folder], {
      timeout: COPY_LIMIT,
      env: { ...pathOnly(), LC_ALL: 'C' },
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    await cp(template, folder, { recursive: true, preserveTimestamps: true });
    await chmod(folder, 0o700);
    const { uid, gid } = await stat(template);
    if (process.geteuid!() === 0) await promisify(execFile)('chown', ['-R', `${uid}:${gid}`, folder]);
  }
}

async function make(binaries: Binaries, owner: Owner, folder: string): Promise<void> {
  const initdb = await ended(await runProgram(binaries, 'initdb', INITDB_OPTIONS, owner, folder));
  if (initdb.how !== 'exit status 0') throw initdbFailure(initdb.said, initdb.how, owner);
  const rest = { operands: ['postgres'], input: ONE_DATABASE };
  const single = await ended(await runProgram(binaries, 'postgres', SINGLE_OPTIONS, owner, folder, rest));
  if (single.how !== 'exit status 0') {
    throw new Error(`the template could not be made ready (${single.how}): ${single.said.trim()}`);
  }
}

/** How it ended, and the end of what it said. */
async function ended({ child, exited, done }: Running): Promise<{ how: string; said: string }> {
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4000);
  });
  const late = setTimeout(() => child.kill('SIGKILL'), PROGRAM_LIMIT);
  const how = await exited.finally(() => clearTimeout(late));
  await done;
  return { how, said };
}

export function initdbFailure(said: string, ending: string, owner: Owner): Error {
  if (said.includes('could not look up effective user ID')) {
    return new Error(
      `initdb needs a name for the user it runs as, and the system has none for uid ${owner.uid}: ` +
        'add the user to /etc/passwd, or start as a user who is there',
    );
  }
  return new Error(`initdb failed (${ending}): ${said.trim()}`);
}

async function refuseForeign(folder: string, owner: Owner): Promise<void> {
  const { uid, mode } = await stat(folder);
  if (uid !== owner.uid || (mode & 0o077) !== 0) throw new Error(`${folder} is not the private folder it was made as`);
  const version = (await readFile(join(folder, 'PG_VERSION'), 'utf8')).trim();
  if (version !== '16') throw new Error(`${basename(folder)} is of PostgreSQL ${version}`);
}

const pathOnly = () => (process.env.PATH === undefined ? {} : { PATH: process.env.PATH });
