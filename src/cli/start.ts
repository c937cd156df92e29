import { ConfigurationError } from '../config/configuration-error.ts';
import { readOptions } from '../config/options.ts';
import type { Environment } from './environment.ts';
import { openLog, serve } from './serve.ts';

/** `postern start`: runs until it is asked to stop. Resolves to the exit status. */
export async function runStart(argv: readonly string[]): Promise<number> {
  const began = performance.now();
  const cwd = process.cwd();
  const { options, file } = readOptions('start', argv, process.env, cwd);
  const dataDir = options.dataDir as string;
  const { log, reopen } = openLog(options);
  let stop: (status: number) => void = () => undefined;
  const stopped = new Promise<number>((resolve) => {
    stop = resolve;
  });
  // Asked to stop while it starts, it finishes the start and stops then: nothing is left half made.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      // Asked a second time, it does not wait for anybody.
      process.once(signal, () => process.exit(1));
      stop(0);
    });
  }
  // Asked to reload while it starts, it does so then; unheard, the signal would end it.
  let reload: (() => void) | undefined;
  let early = false;
  process.on('SIGHUP', () => {
    if (reload) reload();
    else early = true;
  });
  const served = await serve({ ...options, dataDir }, { durable: true, env: process.env, log });
  reload = () => {
    reopen();
    const reread = () => {
      const again = readOptions('start', argv, process.env, cwd);
      // Limits do not vanish with a file that somebody is just replacing.
      if (file !== undefined && again.file === undefined)
        throw new ConfigurationError(`${file}: is not there any more`);
      return { ...again.options, dataDir: again.options.dataDir as string };
    };
    served.server.reload(reread).then(
      () => {
        log.level = served.server.options.logLevel;
      },
      // The server has told why.
      () => undefined,
    );
  };
  if (early) reload();
  served.server.failed.then((how) => {
    log.error({ how }, 'the server cannot go on');
    stop(1);
  });
  log.info(
    { ms: Math.round(performance.now() - began), pgPort: served.server.pgPort, apiPort: served.server.apiPort },
    'ready',
  );
  process.stderr.write(banner(served.environment, dataDir));
  const status = await stopped;
  await served.stop(served.server.options.shutdownTimeout * 1000);
  return status;
}

function banner(environment: Environment, dataDir: string): string {
  const { POSTERN_CLUSTER_ID, PGHOST, PGPORT, AWS_ENDPOINT_URL } = environment;
  return `
Postern is ready.

  cluster     ${POSTERN_CLUSTER_ID}
  PostgreSQL  ${PGHOST}:${PGPORT}  (TLS, database postgres, role admin, a token as password)
  AWS API     ${AWS_ENDPOINT_URL}  (IAM, STS, DSQL)
  data        ${dataDir}

In another shell, from this folder:

  eval "$(node dist/cli/main.js env)"     # or: eval "$(postern env)"
  psql                                    # you are admin
  aws sts get-caller-identity             # you are the account root

`;
}
