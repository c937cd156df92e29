import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigurationError } from '../config/configuration-error.ts';
import { readOptions } from '../config/options.ts';
import type { Environment } from './environment.ts';
import { openLog, serve } from './serve.ts';

/** Signals that are meant for the command; what the terminal sends reaches it by itself, too. */
const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;
/** What a shell says of a command that it cannot find, and of one that it cannot run. */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;

/** `postern exec -- COMMAND`: a private server for the time of one command. Resolves to the command's exit status. */
export async function runExec(argv: readonly string[]): Promise<number> {
  const { options, rest } = readOptions('exec', argv, process.env, process.cwd());
  const dataDir = await makeFolder(options.dataDir);
  const signals: NodeJS.Signals[] = [];
  let deliver = (signal: NodeJS.Signals): void => void signals.push(signal);
  for (const signal of FORWARDED) process.on(signal, () => deliver(signal));
  try {
    const { log } = openLog(options, join(dataDir, 'postern.log'));
    const served = await serve({ ...options, dataDir }, { durable: false, env: process.env, log });
    try {
      // A signal that came before the command could: there is nothing to run any more.
      const early = signals[0];
      if (early) return 128 + constants.signals[early];
      return await run(rest as [string, ...string[]], served.environment, (send) => {
        deliver = send;
      });
    } finally {
      await served.stop(0);
    }
  } finally {
    await rm(dataDir, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function makeFolder(asked: string | undefined): Promise<string> {
  if (asked === undefined) return await mkdtemp(join(tmpdir(), 'postern-exec-'));
  await mkdir(asked, { recursive: true, mode: 0o700 });
  if ((await readdir(asked)).length > 0) {
    throw new ConfigurationError(`--data-dir: ${asked} is not empty; exec removes what it uses`);
  }
  return asked;
}

function run(
  [command, ...args]: [string, ...string[]],
  environment: Environment,
  onSpawn: (send: (signal: NodeJS.Signals) => void) => void,
): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: 'inherit', env: { ...withoutOthers(process.env), ...environment } });
    onSpawn((signal) => void child.kill(signal));
    child.on('error', (error: NodeJS.ErrnoException) => {
      process.stderr.write(`postern: ${command}: ${error.code === 'ENOENT' ? 'command not found' : error.message}\n`);
      resolve(error.code === 'ENOENT' ? NOT_FOUND : NOT_EXECUTABLE);
    });
    child.on('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? 'SIGKILL']));
  });
}

/** Variables that would lead a client past the private server, or change what the environment's own ones mean. */
const OTHERS =
  /^(AWS_SESSION_TOKEN|AWS_SECURITY_TOKEN|AWS_PROFILE|AWS_DEFAULT_PROFILE|AWS_ENDPOINT_URL_.*|PGSERVICE|PGPASSFILE|PGOPTIONS|PGHOSTADDR|PGSSLNEGOTIATION|PGREQUIRESSL)$/;

function withoutOthers(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !OTHERS.test(name)));
}
