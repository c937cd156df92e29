import { ConfigurationError } from '../config/configuration-error.ts';
import { presignToken } from '../sigv4/presign.ts';
import { readFlags, TEXT } from './flags.ts';

const DEFAULT_LIFETIME = 900;
const MAX_LIFETIME = 604_800;
/** As the connectors of the service find the region in an endpoint. */
const REGION_IN_HOST = /\.dsql[^.]*\.([^.]+)\.on\.aws$/;

/** `postern token`: a local calculation, no server is asked. */
export function runTokenCommand(argv: readonly string[]): number {
  process.stdout.write(`${makeToken(argv, process.env, new Date())}\n`);
  return 0;
}

/** The token that the arguments and the environment ask for. Throws ConfigurationError. */
export function makeToken(argv: readonly string[], env: NodeJS.ProcessEnv, now: Date): string {
  const { user, hostname, region, expiresIn } = readArguments(argv, env);
  const accessKeyId = required(env['AWS_ACCESS_KEY_ID'], 'AWS_ACCESS_KEY_ID');
  const secretAccessKey = required(env['AWS_SECRET_ACCESS_KEY'], 'AWS_SECRET_ACCESS_KEY');
  const sessionToken = env['AWS_SESSION_TOKEN'] || undefined;
  return presignToken({
    host: hostname,
    region,
    // IAM knows two actions: one for admin, one for all other roles.
    action: user === 'admin' ? 'DbConnectAdmin' : 'DbConnect',
    credentials: { accessKeyId, secretAccessKey, sessionToken },
    expiresIn,
    now,
  });
}

function readArguments(argv: readonly string[], env: NodeJS.ProcessEnv) {
  const values = readFlags('token', argv, { user: TEXT, hostname: TEXT, region: TEXT, 'expires-in': TEXT }).values;
  const user = values.user;
  if (!user) throw new ConfigurationError('--user: is missing (a database role, such as admin)');
  const hostname = values.hostname ?? env['CLUSTER_ENDPOINT'] ?? env['POSTERN_CLUSTER_HOSTNAME'] ?? env['PGHOST'];
  if (!hostname || !/^[A-Za-z0-9.:[\]-]{1,255}$/.test(hostname)) {
    throw new ConfigurationError(
      `--hostname: ${hostname ? `${JSON.stringify(hostname)} is no host name` : 'is missing, and so is CLUSTER_ENDPOINT'}`,
    );
  }
  // A host that is asked for says where it is, whatever region the environment is for.
  const asked = values.hostname === undefined ? undefined : REGION_IN_HOST.exec(values.hostname)?.[1];
  const region =
    values.region ?? asked ?? env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'] ?? REGION_IN_HOST.exec(hostname)?.[1];
  if (!region) throw new ConfigurationError('--region: is missing, and so is AWS_REGION');
  const text = values['expires-in'] ?? String(DEFAULT_LIFETIME);
  const expiresIn = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (expiresIn < 1 || expiresIn > MAX_LIFETIME) {
    throw new ConfigurationError(
      `--expires-in: ${JSON.stringify(text)} is no number of seconds from 1 to ${MAX_LIFETIME}`,
    );
  }
  return { user, hostname, region, expiresIn };
}

function required(value: string | undefined, name: string): string {
  if (!value) throw new ConfigurationError(`${name}: is not set`);
  return value;
}
