import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { Binaries } from './binaries.ts';
import { canReach, type Owner, WORKING_FOLDER } from './owner.ts';

const MEANINGS: Record<string, string> = {
  ENOENT: 'the system lacks the GNU C library it is built for (musl, as in Alpine, will not do), or the file is gone',
  EACCES: 'it may not be run there (a file system mounted noexec, or a folder that may not be entered)',
  EPERM: 'root may not become another user here; start as an ordinary user',
};

/** In milliseconds. */
const LAST_WORDS_LIMIT = 2000;

/** A program of PostgreSQL at work on a data folder. */
export interface Running {
  child: ChildProcessByStdio<Writable | null, null, Readable>;
  /** How it ended. Rejects with an Error when it could not be started at all. */
  exited: Promise<string>;
  /** Resolves when it has ended and all it wrote is read. */
  done: Promise<void>;
}

/**
 * Runs a program of PostgreSQL as the owner, with the data folder as its working folder. Its environment is empty, since ours may hold
 * AWS keys and PG… settings; and it is not in our terminal's process group: a Ctrl-C is for us, who drain before we stop it.
 */
export async function runProgram(
  binaries: Binaries,
  name: 'initdb' | 'postgres',
  args: readonly string[],
  owner: Owner,
  folder: string,
  { operands = [], input }: { operands?: readonly string[]; input?: string } = {},
): Promise<Running> {
  const program = join(binaries.folder, 'bin', name);
  const pgdata = await namedFor(owner, folder);
  let child: Running['child'];
  try {
    child = spawn(program, [...args, '-D', pgdata, ...operands], {
      cwd: folder,
      env: { LC_ALL: 'C', TZ: 'UTC' },
      stdio: [input === undefined ? 'ignore' : 'pipe', 'ignore', 'pipe'],
      detached: true,
      ...(owner.switched ? { uid: owner.uid, gid: owner.gid } : {}),
    }) as Running['child'];
  } catch (error) {
    throw failureToRun(error as NodeJS.ErrnoException, program);
  }
  // What it does not read it does not need; how it ends says more.
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(input);
  const exited = new Promise<string>((resolve, reject) => {
    child.once('error', (error) => reject(failureToRun(error, program)));
    child.once('exit', (code, signal) => resolve(signal === null ? `exit status ${code}` : `killed by ${signal}`));
  });
  const closed = new Promise<void>((resolve) => child.stderr.once('close', resolve));
  // A process that it started may still hold the other end; its words are not worth waiting long for.
  const done = exited.then(() => Promise.race([closed, pause(LAST_WORDS_LIMIT, undefined, { ref: false })]));
  for (const promise of [exited, done]) promise.catch(() => undefined);
  return { child, exited, done };
}

export function failureToRun(error: NodeJS.ErrnoException, program: string): Error {
  return new Error(`${program} could not be started: ${MEANINGS[error.code ?? ''] ?? error.message}`);
}

/**
 * How a program names its data folder. Where root's parents bar the owner from the folder, it gets the folder as its
 * working folder, which is entered before root is given up, and finds it there.
 */
async function namedFor(owner: Owner, folder: string): Promise<string> {
  if (await canReach(owner, dirname(folder))) return folder;
  if (WORKING_FOLDER !== undefined) return WORKING_FOLDER;
  throw new Error(`PostgreSQL's user may not enter a folder above ${folder}: choose another, or do not start as root`);
}
