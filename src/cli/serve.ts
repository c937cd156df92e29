import { closeSync, openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { destination, pino } from 'pino';
import type { Log } from '../audit/log.ts';
import type { Options } from '../config/options.ts';
import { writeAtomically } from '../machine/atomic-file.ts';
import { printableJson } from '../machine/printable-json.ts';
import { type RunningServer, startServer } from '../main.ts';
import { type Environment, makeEnvironment, reachable } from './environment.ts';
import type { Hosts } from './hosts.ts';
import { leftRunFolder, openOperatorSocket, type Questions } from './operator.ts';

/** A server with all that its operator uses beside it. */
export interface Served {
  server: RunningServer;
  environment: Environment;
  stop(grace: number): Promise<void>;
}

/** The server's log, and what its operator can change. */
export interface OpenLog {
  log: Log & { level: string };
  /** Goes on in a file of the same name, since somebody may have moved the present one away. */
  reopen(): void;
}

/** JSON lines on standard error, or in the file that the options name. */
export function openLog({ logFile, logLevel }: Options, fallback: number | string = 2): OpenLog {
  const target = destination({ dest: logFile ?? fallback, sync: true, mkdir: false, mode: 0o600 });
  const timestamp = () => `,"time":"${new Date().toISOString()}"`;
  const printable = { write: (line: string) => void target.write(printableJson(line)) };
  const log = pino({ level: logLevel, base: null, timestamp }, printable);
  return {
    log,
    reopen() {
      if (logFile === undefined) return;
      try {
        // What cannot be opened is found before the present file is given up.
        closeSync(openSync(logFile, 'a', 0o600));
        target.reopen();
      } catch (error) {
        log.error({ err: error }, 'the log file cannot be opened again; the one that is open stays in use');
      }
    },
  };
}

export async function serve(
  options: Options & { dataDir: string },
  { durable, env, log }: { durable: boolean; env: NodeJS.ProcessEnv; log: Log },
): Promise<Served> {
  const { dataDir, readyFile } = options;
  // One that is there is of a server before this one.
  if (readyFile) await rm(readyFile, { force: true });
  const left = await leftRunFolder(dataDir);
  const server = await startServer({ options, durable, env, log });
  try {
    if (left !== undefined && left !== server.runFolder) await rm(left, { recursive: true, force: true });
    const fresh = () => makeEnvironment(server, options, new Date());
    const operator = await openOperatorSocket(dataDir, server.runFolder, questions(server, options.host, fresh));
    const environment = await fresh();
    if (readyFile) await writeAtomically(readyFile, `${JSON.stringify(environment, null, 2)}\n`, 0o600);
    return {
      server,
      environment,
      async stop(grace) {
        if (readyFile) await rm(readyFile, { force: true });
        await operator.close();
        await server.stop(grace);
      },
    };
  } catch (error) {
    await server.stop(0);
    throw error;
  }
}

function questions(server: RunningServer, host: string, environment: () => Promise<Environment>): Questions {
  return {
    '/env': () => environment(),
    '/hosts': (): Hosts => ({ address: reachable(host), names: server.endpoints() }),
    '/backup': (parameters) => {
      const to = parameters.get('to') ?? '';
      if (!isAbsolute(to)) throw new Error('a backup needs an absolute path');
      return server.backUp(to, parameters.get('key') === 'yes');
    },
    '/why': (parameters) => server.why(parameters.get('connection') ?? undefined),
    '/would-admit': (parameters) =>
      server.wouldAdmit({
        user: parameters.get('user') ?? '',
        principal: parameters.get('principal') ?? '',
        clusterId: parameters.get('cluster') ?? undefined,
      }),
    '/access': (parameters) =>
      server.accessText({
        cluster: parameters.get('cluster') ?? undefined,
        principal: parameters.get('principal') ?? undefined,
        role: parameters.get('role') ?? undefined,
        wake: parameters.get('wake') !== 'no',
      }),
  };
}
