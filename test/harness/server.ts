import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IAMClient, type IAMClientConfig } from '@aws-sdk/client-iam';
import { STSClient, type STSClientConfig } from '@aws-sdk/client-sts';
import pg from 'pg';
import { pino } from 'pino';
import { type Environment, makeEnvironment } from '../../src/cli/environment.ts';
import { type Options, readOptions } from '../../src/config/options.ts';
import { type RunningServer, startServer } from '../../src/main.ts';
import { presignToken, type SigningCredentials } from '../../src/sigv4/presign.ts';
import { assertNoSecrets, assertNoSecretsInAuditLog, keepSecret } from './no-secrets.ts';

/** One line of the server's log. */
export type LogLine = Record<string, unknown> & { event?: string };

export interface TestServer {
  server: RunningServer;
  environment: Environment;
  options: Options & { dataDir: string };
  /** PEM of the local CA. */
  ca: string;
  log: LogLine[];
  iam: IAMClient;
  sts: STSClient;
  root: SigningCredentials;
  /** A token for the default cluster by its full endpoint. */
  token(user: string, credentials?: SigningCredentials, changes?: Partial<Parameters<typeof presignToken>[0]>): string;
  /** Settings for `pg`, for a login as this role. */
  login(user: string, credentials?: SigningCredentials): pg.ClientConfig;
  /** A connected `pg` client; closed with the server if nobody does it before. */
  connect(user?: string, credentials?: SigningCredentials, changes?: pg.ClientConfig): Promise<pg.Client>;
  awsClient(credentials: SigningCredentials): STSClientConfig & IAMClientConfig;
  stop(): Promise<void>;
}

/** A server in this process, on free ports and a folder that is removed with it. */
export async function startTestServer(changes: Partial<Options> = {}, durable = false): Promise<TestServer> {
  const dataDir = changes.dataDir ?? (await mkdtemp(join(tmpdir(), 'postern-test-')));
  const { options: defaults } = readOptions('exec', ['--', 'x'], {}, dataDir);
  const options = { ...defaults, ...changes, dataDir };
  const log: LogLine[] = [];
  const logger = pino({ level: 'debug', base: null }, { write: (line: string) => void log.push(JSON.parse(line)) });
  const server = await startServer({ options, durable, env: {}, log: logger });
  const environment = await makeEnvironment(server, options, new Date());
  const ca = readFileSync(environment['PGSSLROOTCERT'] as string, 'utf8');
  const root = server.rootCredentials();
  keepSecret(root.secretAccessKey);
  keepSecret(environment['PGPASSWORD']?.slice(-64));
  const opened = new Set<pg.Client>();

  const awsClient = ({ accessKeyId, secretAccessKey, sessionToken }: SigningCredentials) => {
    keepSecret(secretAccessKey);
    keepSecret(sessionToken);
    return clientConfig({ accessKeyId, secretAccessKey, sessionToken });
  };
  const clientConfig = ({ accessKeyId, secretAccessKey, sessionToken }: SigningCredentials) => ({
    region: options.region,
    endpoint: environment['AWS_ENDPOINT_URL'] as string,
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) },
  });
  const token: TestServer['token'] = (user, credentials = root, tokenChanges = {}) => {
    const made = presignToken({
      host: environment['POSTERN_CLUSTER_HOSTNAME'] as string,
      region: options.region,
      action: user === 'admin' ? 'DbConnectAdmin' : 'DbConnect',
      credentials,
      expiresIn: 900,
      now: new Date(),
      ...tokenChanges,
    });
    // The signature: with what else stands in the log it would be a token again.
    keepSecret(made.slice(-64));
    return made;
  };
  const login: TestServer['login'] = (user, credentials = root) => ({
    host: 'localhost',
    port: server.pgPort,
    database: 'postgres',
    user,
    password: token(user, credentials),
    ssl: { ca },
  });
  return {
    server,
    environment,
    options,
    ca,
    log,
    iam: new IAMClient(awsClient(root)),
    sts: new STSClient(awsClient(root)),
    root,
    token,
    login,
    async connect(user = 'admin', credentials = root, clientChanges = {}) {
      const client = new pg.Client({ ...login(user, credentials), ...clientChanges });
      client.on('error', () => undefined);
      await client.connect();
      opened.add(client);
      client.once('end', () => opened.delete(client));
      return client;
    },
    awsClient,
    async stop() {
      await Promise.all([...opened].map((client) => client.end().catch(() => undefined)));
      await server.stop(0);
      assertNoSecrets(log.map((line) => JSON.stringify(line)).join('\n'), 'the server’s log');
      assertNoSecretsInAuditLog(dataDir);
      if (changes.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
    },
  };
}
