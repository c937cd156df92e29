import { ConfigurationError } from './configuration-error.ts';
import { type ConfigurationFile, type Declared, readFile } from './file.ts';
import { readFlags } from './flags.ts';
import { type GivenOptions, KEYS, kebab, type OptionKey, ROWS, variable } from './option-rows.ts';
import type { ClusterAlias } from './server-options.ts';

/** What `start` and `exec` are told. */
export interface Options extends GivenOptions {
  /** The value of `declare` in the configuration file, unread; undefined where there is none. */
  declare: Declared | undefined;
}

export type Command = 'start' | 'exec' | 'env';

export interface ReadOptions {
  options: Options;
  /** What stands behind the options: for `exec` the command and its arguments. */
  rest: string[];
  /** How messages name the configuration file; undefined where there was none. */
  file: string | undefined;
}

/**
 * Flags win over the environment, which wins over the file (`postern.json` in the working directory, or `--config`).
 * `allowed` limits the flags of a command. Throws ConfigurationError.
 */
export function readOptions(
  command: Command,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  cwd: string,
): ReadOptions {
  const [own, rest] = splitCommand(command, argv);
  const flags = readFlags(own);
  const file = readFile(flags.get('config')?.at(-1), cwd);
  const values: Partial<Record<keyof Options, unknown>> = {};
  for (const key of KEYS) {
    const row = ROWS[key];
    const [source, texts] = given(key, flags, env, file, command);
    try {
      const read = texts.map((text) => row.read(text, cwd));
      values[key] = row.repeatable ? read : read.at(-1);
    } catch (error) {
      throw new ConfigurationError(`${source}: ${(error as Error).message}`);
    }
  }
  values.declare = file.declared;
  const options = values as unknown as Options;
  options.additionalRegion = [...new Set(options.additionalRegion)].filter((name) => name !== options.region);
  assertConsistent(options);
  return { options, rest, file: file.found ? file.name : undefined };
}

/** What no row can say by itself. Throws ConfigurationError. */
export function assertConsistent(options: Options): void {
  refuseAmbiguousAlias([{ name: options.host, clusterId: undefined }, ...options.clusterAlias]);
  if ((options.tlsCert === undefined) !== (options.tlsKey === undefined)) {
    const missing = options.tlsCert === undefined ? '--tls-cert' : '--tls-key';
    throw new ConfigurationError(`${missing}: --tls-cert and --tls-key must be given together`);
  }
  if (options.auditRequired === 'on' && options.auditLog === 'off') {
    throw new ConfigurationError('--audit-required: there is no audit log (--audit-log off)');
  }
}

function refuseAmbiguousAlias(aliases: readonly ClusterAlias[]): void {
  const known = new Map<string, string | undefined>();
  for (const { name, clusterId } of aliases) {
    if (known.has(name) && known.get(name) !== clusterId) {
      throw new ConfigurationError(`--cluster-alias: ${name} cannot mean two clusters`);
    }
    known.set(name, clusterId);
  }
}

/** `exec [OPTION…] -- COMMAND [ARG…]`. */
function splitCommand(command: Command, argv: readonly string[]): [own: readonly string[], rest: string[]] {
  if (command !== 'exec') return [argv, []];
  const dashes = argv.indexOf('--');
  if (dashes < 0)
    throw new ConfigurationError('exec: -- and a COMMAND are missing (postern exec [OPTION…] -- COMMAND [ARG…])');
  const rest = argv.slice(dashes + 1);
  if (rest.length === 0) throw new ConfigurationError('exec: the COMMAND after -- is missing');
  return [argv.slice(0, dashes), rest];
}

/** The text of an option and the words by which a message names its source. */
function given(
  key: OptionKey,
  flags: ReadonlyMap<string, string[]>,
  env: NodeJS.ProcessEnv,
  file: ConfigurationFile,
  command: Command,
): [source: string, texts: readonly string[]] {
  const name = kebab(key);
  const flag = flags.get(name);
  if (flag) return [`--${name}`, flag];
  // A throw-away server has its own folder: one that is configured for another command is none of its business.
  if (command === 'exec' && key === 'dataDir') return [`--${name}`, []];
  const text = env[variable(key)];
  if (text !== undefined && text !== '') return [variable(key), ROWS[key].repeatable ? text.split(',') : [text]];
  const stored = file.values.get(key);
  if (stored) return [`${file.name}: ${name}`, stored];
  const fallback = command === 'exec' ? (ROWS[key].execDefault ?? ROWS[key].default) : ROWS[key].default;
  return [`--${name}`, fallback === undefined ? [] : [fallback]];
}
