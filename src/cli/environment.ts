import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { clusterArn, clusterEndpoint } from '../clusters/names.ts';
import type { Options } from '../config/options.ts';
import type { RunningServer } from '../main.ts';
import { presignToken } from '../sigv4/presign.ts';

/** The variables with which psql, the AWS CLI, an SDK and a connector work unchanged (the project's contract). */
export type Environment = Record<string, string>;

/**
 * How long the token in PGPASSWORD is good for, in seconds: a working day. Who has it has the root user's key beside it,
 * so a shorter time would protect nothing.
 */
const TOKEN_LIFETIME = 12 * 3600;
/** A resolver that does not answer must not hold up the start: in ms. */
const LOOKUP_TIME = 250;

/** Where a client on this machine reaches a listener that is bound to every address. */
export function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}

/** Whether this machine resolves the name to the address of the listener. */
export async function resolvesTo(name: string, address: string): Promise<boolean> {
  const timeout = new Promise<[]>((resolve) => setTimeout(resolve, LOOKUP_TIME, []).unref());
  const found = await Promise.race([lookup(name, { all: true }), timeout]).catch(() => []);
  return found.some((entry) => entry.address === address);
}

export async function makeEnvironment(server: RunningServer, options: Options, now: Date): Promise<Environment> {
  const { account, region } = options;
  const host = reachable(options.host);
  const endpoint = clusterEndpoint(server.clusterId, region);
  const named = await resolvesTo(endpoint, host);
  const loopback = host === '127.0.0.1' || host === '::1';
  const credentials = server.rootCredentials();
  const token = presignToken({
    host: endpoint,
    region,
    action: 'DbConnectAdmin',
    credentials,
    expiresIn: TOKEN_LIFETIME,
    now,
  });
  return {
    AWS_ENDPOINT_URL: `http://${isIP(host) === 6 ? `[${host}]` : host}:${server.apiPort}`,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    REGION: region,
    POSTERN_ACCOUNT_ID: account,
    POSTERN_CLUSTER_ID: server.clusterId,
    POSTERN_CLUSTER_ARN: clusterArn(server.clusterId, { region, account }),
    POSTERN_CLUSTER_HOSTNAME: endpoint,
    CLUSTER_ENDPOINT: named ? endpoint : host,
    PGHOST: named ? endpoint : loopback ? 'localhost' : host,
    PGPORT: String(server.pgPort),
    PGDATABASE: 'postgres',
    PGUSER: 'admin',
    CLUSTER_USER: 'admin',
    PGPASSWORD: token,
    PGSSLMODE: 'verify-full',
    ...(server.caFile === undefined
      ? { PGSSLROOTCERT: 'system' }
      : { PGSSLROOTCERT: server.caFile, NODE_EXTRA_CA_CERTS: server.caFile }),
  };
}

export const FORMATS = ['shell', 'dotenv', 'json'] as const;
export type Format = (typeof FORMATS)[number];

/** Text that a shell, a dotenv reader or a JSON parser turns back into the same values. Ends with a newline. */
export function formatEnvironment(environment: Environment, format: Format): string {
  if (format === 'json') return `${JSON.stringify(environment, null, 2)}\n`;
  const lines = Object.entries(environment).map(([name, value]) =>
    format === 'shell' ? `export ${name}=${shellWord(value)}` : `${name}=${dotenvValue(value)}`,
  );
  return `${lines.join('\n')}\n`;
}

function shellWord(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Single quotes keep everything but themselves; what has one in it is written in double quotes. */
function dotenvValue(text: string): string {
  if (/^[\w./:@%+,-]*$/.test(text)) return text;
  return text.includes("'") ? JSON.stringify(text) : `'${text}'`;
}
