import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, watch } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Environment } from '../../src/cli/environment.ts';
import { assertNoSecrets, assertNoSecretsInAuditLog, keepSecret } from './no-secrets.ts';
import { type Finished, run } from './programs.ts';

/** The built program; `npm test` builds it first. */
export const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** A folder that is removed by `cleanUp`. */
const folders: string[] = [];
export async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'postern-cli-'));
  folders.push(folder);
  return folder;
}

const started = new Set<StartedServer>();
/** For `afterAll`. */
export async function cleanUp(): Promise<void> {
  await Promise.all([...started].map((server) => server.stop()));
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })));
}

export function postern(args: readonly string[], env: NodeJS.ProcessEnv = {}, cwd?: string): Promise<Finished> {
  return run(process.execPath, [MAIN, ...args], env, cwd === undefined ? {} : { cwd });
}

export interface StartedServer {
  child: ChildProcess;
  environment: Environment;
  /** Everything on standard error so far. */
  stderr: () => string;
  /** Resolves with the exit status, or the signal that ended it. */
  stop(signal?: NodeJS.Signals): Promise<number | NodeJS.Signals | null>;
}

/**
 * `postern start` on free ports; resolves when it is ready. Throws with its standard error when it ends instead. `openFiles`:
 * how many it may have, both limits.
 */
export async function startServerProcess(
  cwd: string,
  args: readonly string[] = [],
  { openFiles }: { openFiles?: number } = {},
): Promise<StartedServer> {
  const readyFile = join(cwd, 'ready.json');
  // A server that was killed has left its own.
  rmSync(readyFile, { force: true });
  const command = [MAIN, 'start', '--pg-port', '0', '--api-port', '0', '--ready-file', readyFile, ...args];
  const [program, words] =
    openFiles === undefined
      ? [process.execPath, command]
      : ['/bin/sh', ['-c', `ulimit -n ${openFiles} && exec "$@"`, 'sh', process.execPath, ...command]];
  const child = spawn(program, words, { cwd, stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr?.on('data', (text: Buffer) => {
    stderr += text;
  });
  const exited = new Promise<number | NodeJS.Signals | null>((resolve) =>
    child.once('exit', (code, signal) => resolve(code ?? signal)),
  );
  const watcher = watch(cwd);
  try {
    const ready = new Promise<void>((resolve) => {
      const look = () => existsSync(readyFile) && resolve();
      watcher.on('change', look);
      look();
    });
    const first = await Promise.race([ready, exited.then((status) => status ?? 'ended')]);
    if (first !== undefined) throw new Error(`the server ended with ${first}: ${stderr}`);
  } finally {
    watcher.close();
  }
  const environment = JSON.parse(readFileSync(readyFile, 'utf8')) as Environment;
  keepSecret(environment['AWS_SECRET_ACCESS_KEY']);
  keepSecret(environment['PGPASSWORD']?.slice(-64));
  const checked = exited.then((status) => {
    assertNoSecrets(stderr, 'standard error');
    assertNoSecretsInAuditLog(join(cwd, '.postern'));
    return status;
  });
  // Who waits for it gets it.
  checked.catch(() => undefined);
  const server: StartedServer = {
    child,
    environment,
    stderr: () => stderr,
    stop(signal = 'SIGINT') {
      started.delete(server);
      child.kill(signal);
      return checked;
    },
  };
  started.add(server);
  return server;
}
