import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { aliasComplaint, isClusterId } from '../clusters/names.ts';
import { ConfigurationError } from './configuration-error.ts';

/** What `start` and `exec` are told. Paths are absolute. */
export interface Options {
  /** Undefined for `exec`, which makes one of its own and removes it. */
  dataDir: string | undefined;
  /** What to do where another user could put something else in the data directory's place. */
  dataDirWay: 'refuse' | 'warn';
  host: string;
  /** 0: any free port. */
  pgPort: number;
  apiPort: number;
  region: string;
  /** Beside `region`; neither repeated nor `region` itself. */
  additionalRegion: readonly string[];
  account: string;
  dialect: 'dsql' | 'postgres';
  /** In s; 0: never. */
  idleTime: number;
  fidelity: 'local' | 'strict';
  /** The quotas of one cluster; 0: none. Rate and burst in connections (a second), the time in s. */
  maxConnections: number;
  connectionRate: number;
  connectionBurst: number;
  maxConnectionTime: number;
  /** Of one source address and of one principal: open connections, and new ones a second; 0: unlimited. */
  connectionsPerAddress: number;
  connectionRatePerAddress: number;
  connectionsPerPrincipal: number;
  connectionRatePerPrincipal: number;
  /** Logins of one source address that may fail: a second (0: any number), and at once. */
  failedLoginRate: number;
  failedLoginBurst: number;
  /** What one PostgreSQL has room for. */
  postgresConnections: number;
  /** In s: what open transactions get when the server is asked to stop. */
  shutdownTimeout: number;
  /** Beside this machine: who may ask for metrics and health without a signature. */
  metricsFrom: readonly Network[];
  readyFile: string | undefined;
  tlsCert: string | undefined;
  tlsKey: string | undefined;
  tlsCa: string | undefined;
  clusterAlias: readonly ClusterAlias[];
  logLevel: LogLevel;
  logFile: string | undefined;
  auditLog: 'on' | 'off';
  /** Whether logins and API calls are refused while the audit log cannot be written. */
  auditRequired: 'on' | 'off';
  /** Whether a line counts as written when it is on the disk, not when the system has it. */
  auditSync: 'on' | 'off';
  /** In MiB. */
  auditMaxSize: number;
  /** In files; 0: all. */
  auditKeep: number;
  postgresUser: string | undefined;
  /** The value of `declare` in the configuration file, unread; undefined where there is none. */
  declare: Declared | undefined;
}

/** What the file says that the account contains. */
export interface Declared {
  /** How messages name the file. */
  file: string;
  /** What paths in it are relative to. */
  folder: string;
  content: unknown;
}

/** Addresses with the same beginning: the first `prefix` bits of `address`. */
export interface Network {
  address: string;
  prefix: number;
}

/** What can be said in three places; the contents of the account only in the file. */
type OptionKey = Exclude<keyof Options, 'declare'>;

/** A further name of a cluster. */
export interface ClusterAlias {
  /** A host name or an address, in lower case. */
  name: string;
  /** Undefined: the default cluster. */
  clusterId: string | undefined;
}

export type LogLevel = (typeof LOG_LEVELS)[number];
const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;

interface OptionRow {
  /** Placeholder in the help. */
  value: string;
  /** As text, as it would be given; undefined: none. */
  default?: string;
  execDefault?: string;
  help: string;
  repeatable?: true;
  /** For editors: what JSON Schema says of a value in the file, where it is more than text. */
  schema?: object;
  /** Reads one given value. Throws an Error that says what is wrong with it. */
  read: (text: string, cwd: string) => unknown;
}

const path = (text: string, cwd: string) => {
  if (text === '') throw new Error('is empty');
  return resolve(cwd, text);
};
const port = (text: string) => {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535)
    throw new Error(`${JSON.stringify(text)} is no port (0 to 65535)`);
  return Number(text);
};
const whole = (least: number, most: number) => (text: string) => {
  if (!/^\d{1,9}$/.test(text) || Number(text) < least || Number(text) > most)
    throw new Error(`${JSON.stringify(text)} is no whole number from ${least} to ${most}`);
  return Number(text);
};
const wholeSchema = (minimum: number, maximum: number) => ({ type: 'integer', minimum, maximum });
const matching = (pattern: RegExp, what: string) => (text: string) => {
  if (!pattern.test(text)) throw new Error(`${JSON.stringify(text)} is no ${what}`);
  return text;
};
const oneOf = (values: readonly string[]) => (text: string) => {
  if (!values.includes(text)) throw new Error(`${JSON.stringify(text)} is none of ${values.join(', ')}`);
  return text;
};
const region = matching(/^(?=.{1,20}$)[a-z]{2,4}(-[a-z]+)+-\d{1,2}$/, 'region');

/** In s; longer than anybody waits, and short enough for a timer. */
const WEEK = 604_800;

function readAlias(text: string): ClusterAlias {
  const [name = '', ...rest] = text.split('=');
  const complaint = aliasComplaint(name, rest.length === 0 ? 'default' : 'another');
  if (complaint !== undefined) throw new Error(complaint);
  if (rest.length === 0) return { name: name.toLowerCase(), clusterId: undefined };
  const clusterId = rest.join('=');
  if (!isClusterId(clusterId)) throw new Error(`${JSON.stringify(clusterId)} is no cluster id (26 of a-z and 0-9)`);
  return { name: name.toLowerCase(), clusterId };
}

function readNetwork(text: string): Network {
  const [, address = '', bits] = /^([0-9a-f.:]+)(?:\/(\d{1,3}))?$/i.exec(text) ?? [];
  const most = isIP(address) === 4 ? 32 : isIP(address) === 6 ? 128 : 0;
  const prefix = bits === undefined ? most : Number(bits);
  if (most === 0 || prefix > most) throw new Error(`${JSON.stringify(text)} is no address and no network (10.0.0.0/8)`);
  return { address, prefix };
}

const portSchema = wholeSchema(0, 65_535);

/** One row an option: flag, variable, file key, validation and help all come from here. Keyed by Options. */
const ROWS: Record<OptionKey, OptionRow> = {
  dataDir: { value: 'DIR', default: '.postern', help: 'everything that must survive; mode 0700', read: path },
  dataDirWay: {
    value: 'refuse|warn',
    default: 'refuse',
    help: 'a data directory that another user of this machine could replace: warn only where there are no other users',
    schema: { enum: ['refuse', 'warn'] },
    read: oneOf(['refuse', 'warn']),
  },
  host: {
    value: 'ADDR',
    default: '127.0.0.1',
    help: 'address that both listeners bind',
    read: (text) => {
      if (text === 'localhost') return '127.0.0.1';
      if (isIP(text) === 0) throw new Error(`${JSON.stringify(text)} is no IP address`);
      return text;
    },
  },
  pgPort: {
    value: 'N',
    default: '5432',
    execDefault: '0',
    help: 'PostgreSQL wire; 0 = any free port',
    schema: portSchema,
    read: port,
  },
  apiPort: {
    value: 'N',
    default: '4510',
    execDefault: '0',
    help: 'HTTP API for IAM, STS and DSQL; 0 = any free port',
    schema: portSchema,
    read: port,
  },
  region: {
    value: 'R',
    default: 'us-east-1',
    help: 'home region: the one of the default cluster',
    read: region,
  },
  additionalRegion: {
    value: 'R',
    repeatable: true,
    help: 'a further region that clusters can be in',
    read: region,
  },
  account: {
    value: 'ID',
    default: '123456789012',
    help: 'the AWS account that this server plays',
    schema: { type: 'string', pattern: '^[0-9]{12}$' },
    read: matching(/^\d{12}$/, 'account id (12 digits)'),
  },
  dialect: {
    value: 'dsql|postgres',
    default: 'dsql',
    help: 'dsql: what Aurora DSQL refuses is refused; postgres: stock PostgreSQL behind the same login',
    schema: { enum: ['dsql', 'postgres'] },
    read: oneOf(['dsql', 'postgres']),
  },
  idleTime: {
    value: 'SECONDS',
    default: '3600',
    help: 'after so long without sessions the PostgreSQL of a cluster stops until the next connection; 0 = never',
    schema: wholeSchema(0, WEEK),
    read: whole(0, WEEK),
  },
  fidelity: {
    value: 'local|strict',
    default: 'local',
    help: 'a connection to a cluster that sleeps: local: waits until it is awake; strict: is refused, as by the service',
    schema: { enum: ['local', 'strict'] },
    read: oneOf(['local', 'strict']),
  },
  maxConnections: {
    value: 'N',
    default: '10000',
    help: 'connections to one cluster, at most 10000; 0 = as many as its PostgreSQL takes (--postgres-connections)',
    schema: wholeSchema(0, 10_000),
    read: whole(0, 10_000),
  },
  connectionRate: {
    value: 'N',
    default: '100',
    help: 'new connections a second to one cluster; 0 = unlimited',
    schema: wholeSchema(0, 1_000_000),
    read: whole(0, 1_000_000),
  },
  connectionBurst: {
    value: 'N',
    default: '1000',
    help: 'of these, how many may come at once after a quiet time',
    schema: wholeSchema(1, 1_000_000),
    read: whole(1, 1_000_000),
  },
  maxConnectionTime: {
    value: 'SECONDS',
    default: '3600',
    help: 'how long a connection may last; a transaction in progress gets 300 more; 0 = for ever',
    schema: wholeSchema(0, WEEK),
    read: whole(0, WEEK),
  },
  connectionsPerAddress: {
    value: 'N',
    default: '0',
    help: 'connections of one source address (of one /64 network for IPv6); 0 = unlimited',
    schema: wholeSchema(0, 10_000),
    read: whole(0, 10_000),
  },
  connectionRatePerAddress: {
    value: 'N',
    default: '0',
    help: 'its new connections a second, ten times as many at once after a quiet time; 0 = unlimited',
    schema: wholeSchema(0, 1_000_000),
    read: whole(0, 1_000_000),
  },
  connectionsPerPrincipal: {
    value: 'N',
    default: '0',
    help: 'connections of one IAM user or role; 0 = unlimited',
    schema: wholeSchema(0, 10_000),
    read: whole(0, 10_000),
  },
  connectionRatePerPrincipal: {
    value: 'N',
    default: '0',
    help: 'its new connections a second, ten times as many at once after a quiet time; 0 = unlimited',
    schema: wholeSchema(0, 1_000_000),
    read: whole(0, 1_000_000),
  },
  failedLoginRate: {
    value: 'N',
    default: '10',
    help: 'failed logins a second of one source address, half as many with one access key; this machine’s are not counted; 0 = unlimited',
    schema: wholeSchema(0, 1_000_000),
    read: whole(0, 1_000_000),
  },
  failedLoginBurst: {
    value: 'N',
    default: '100',
    help: 'of these, how many may fail at once after a quiet time',
    schema: wholeSchema(1, 1_000_000),
    read: whole(1, 1_000_000),
  },
  postgresConnections: {
    value: 'N',
    default: '1000',
    help: 'sessions that the PostgreSQL of a cluster has room for, at most 10000; each costs 11 KB while it is awake',
    schema: wholeSchema(10, 10_000),
    read: whole(10, 10_000),
  },
  shutdownTimeout: {
    value: 'SECONDS',
    default: '5',
    help: 'what open transactions get to end when the server is asked to stop',
    schema: wholeSchema(0, WEEK),
    read: whole(0, WEEK),
  },
  metricsFrom: {
    value: 'ADDR[/BITS]',
    repeatable: true,
    help: 'who, beside this machine, may read /metrics, /healthz and /readyz on the API port, without a signature',
    read: readNetwork,
  },
  readyFile: {
    value: 'FILE',
    help: 'written (JSON: the environment of `postern env`) when connections are accepted',
    read: path,
  },
  tlsCert: {
    value: 'FILE',
    help: "the operator's certificate chain (PEM) instead of the local CA's; needs --tls-key",
    read: path,
  },
  tlsKey: { value: 'FILE', help: 'its private key (PEM)', read: path },
  tlsCa: { value: 'FILE', help: 'the CA certificate that clients check it with, for the environment', read: path },
  clusterAlias: {
    value: 'NAME[=CLUSTER_ID]',
    repeatable: true,
    help: 'a further host name or address of the default cluster, or of this one',
    read: readAlias,
  },
  logLevel: {
    value: LOG_LEVELS.join('|'),
    default: 'info',
    help: 'what is logged',
    schema: { enum: LOG_LEVELS },
    read: oneOf(LOG_LEVELS),
  },
  logFile: { value: 'FILE', help: 'where JSON lines are logged, instead of standard error', read: path },
  auditLog: {
    value: 'on|off',
    default: 'on',
    execDefault: 'off',
    help: 'whether logins, role changes and API calls are written to the data directory, sealed: postern audit verify',
    schema: { enum: ['on', 'off'] },
    read: oneOf(['on', 'off']),
  },
  auditRequired: {
    value: 'on|off',
    default: 'off',
    help: 'on: while the audit log cannot be written, logins and API calls are refused; off: lines are lost, and counted',
    schema: { enum: ['on', 'off'] },
    read: oneOf(['on', 'off']),
  },
  auditSync: {
    value: 'on|off',
    default: 'off',
    help: 'on: a line counts as written when it is on the disk (fdatasync), so that it survives a power failure',
    schema: { enum: ['on', 'off'] },
    read: oneOf(['on', 'off']),
  },
  auditMaxSize: {
    value: 'MIB',
    default: '64',
    help: 'size at which the audit log goes on in a new file, as it does on every new day',
    schema: wholeSchema(1, 1024),
    read: whole(1, 1024),
  },
  auditKeep: {
    value: 'N',
    default: '100',
    help: 'how many files of the audit log are kept; 0 = all',
    schema: wholeSchema(0, 1_000_000),
    read: whole(0, 1_000_000),
  },
  postgresUser: {
    value: 'NAME',
    help: 'as root: the user that runs PostgreSQL (else postgres, else nobody)',
    read: matching(/^[a-z_][a-z0-9_-]{0,31}$/i, 'user name'),
  },
};

const KEYS = Object.keys(ROWS) as OptionKey[];
const kebab = (key: string) => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
const REPEATABLE: ReadonlySet<string> = new Set(KEYS.filter((key) => ROWS[key].repeatable).map(kebab));
const variable = (key: string) => `POSTERN_${kebab(key).replaceAll('-', '_').toUpperCase()}`;

/** Files larger than this, in bytes, are no configuration. */
const MAX_FILE = 1024 * 1024;
const DEFAULT_FILE = 'postern.json';

export type Command = 'start' | 'exec' | 'env';

export interface ReadOptions {
  options: Options;
  /** What stands behind the options: for `exec` the command and its arguments. */
  rest: string[];
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
  refuseAmbiguousAlias([{ name: options.host, clusterId: undefined }, ...options.clusterAlias]);
  if ((options.tlsCert === undefined) !== (options.tlsKey === undefined)) {
    const missing = options.tlsCert === undefined ? '--tls-cert' : '--tls-key';
    throw new ConfigurationError(`${missing}: --tls-cert and --tls-key must be given together`);
  }
  if (options.auditRequired === 'on' && options.auditLog === 'off') {
    throw new ConfigurationError('--audit-required: there is no audit log (--audit-log off)');
  }
  return { options, rest };
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

function readFlags(argv: readonly string[]): Map<string, string[]> {
  const names = ['config', ...KEYS.map(kebab)];
  const { tokens } = parseArgs({
    args: [...argv],
    options: Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
    strict: false,
    tokens: true,
  });
  const flags = new Map<string, string[]>();
  for (const token of tokens) {
    if (token.kind === 'positional') throw new ConfigurationError(`${token.value}: unexpected argument`);
    if (token.kind !== 'option') continue;
    if (!names.includes(token.name)) {
      const near = nearest(token.name, names);
      throw new ConfigurationError(`${token.rawName}: unknown option${near ? ` (did you mean --${near}?)` : ''}`);
    }
    if (token.value === undefined || (!token.inlineValue && token.value.startsWith('--'))) {
      throw new ConfigurationError(`${token.rawName}: a value is missing`);
    }
    const before = flags.get(token.name) ?? [];
    if (before.length > 0 && !REPEATABLE.has(token.name)) throw new ConfigurationError(`${token.rawName}: given twice`);
    flags.set(token.name, [...before, token.value]);
  }
  return flags;
}

/** The text of an option and the words by which a message names its source. */
function given(
  key: OptionKey,
  flags: ReadonlyMap<string, string[]>,
  env: NodeJS.ProcessEnv,
  file: { name: string; values: ReadonlyMap<string, string[]> },
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

interface ConfigurationFile {
  name: string;
  values: Map<string, string[]>;
  declared?: Declared;
}

function readFile(asked: string | undefined, cwd: string): ConfigurationFile {
  const name = asked ?? DEFAULT_FILE;
  const values = new Map<string, string[]>();
  let text: string;
  try {
    text = readFileSync(resolve(cwd, name), 'utf8');
  } catch (error) {
    if (asked === undefined && (error as NodeJS.ErrnoException).code === 'ENOENT') return { name, values };
    throw new ConfigurationError(`${asked === undefined ? name : `--config ${name}`}: ${(error as Error).message}`);
  }
  if (text.length > MAX_FILE) throw new ConfigurationError(`${name}: larger than ${MAX_FILE} bytes`);
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new ConfigurationError(`${name}: ${(error as Error).message}`);
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new ConfigurationError(`${name}: must be a JSON object`);
  }
  let declared: Declared | undefined;
  for (const [field, value] of Object.entries(content)) {
    // For editors.
    if (field === '$schema') continue;
    if (field === 'declare') {
      declared = { file: name, folder: dirname(resolve(cwd, name)), content: value };
      continue;
    }
    const key = KEYS.find((candidate) => candidate === field || kebab(candidate) === field);
    if (!key) {
      const near = nearest(field, KEYS.map(kebab));
      throw new ConfigurationError(`${name}: ${field}: unknown option${near ? ` (did you mean ${near}?)` : ''}`);
    }
    const list = ROWS[key].repeatable && Array.isArray(value) ? value : [value];
    if (!list.every((item) => typeof item === 'string' || typeof item === 'number')) {
      throw new ConfigurationError(`${name}: ${field}: must be text or a number`);
    }
    values.set(key, list.map(String));
  }
  return { name, values, ...(declared && { declared }) };
}

function nearest(word: string, names: readonly string[]): string | undefined {
  const ranked = names.map((name) => ({ name, distance: editDistance(word.slice(0, 40), name) }));
  const best = ranked.sort((a, b) => a.distance - b.distance)[0];
  return best && best.distance <= 3 ? best.name : undefined;
}

/** Levenshtein's, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}

/** The JSON Schema of the configuration file; `declare` is that of its contents of the account. */
export function configurationSchema(declare: object): object {
  const properties = KEYS.map((key) => {
    const { help, repeatable, schema = { type: 'string', minLength: 1 }, default: fallback } = ROWS[key];
    const value = repeatable ? { type: ['array', 'string'], items: schema } : schema;
    const known =
      fallback === undefined
        ? {}
        : { default: 'type' in schema && schema.type === 'integer' ? Number(fallback) : fallback };
    return [kebab(key), { description: help, ...value, ...known }];
  });
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'postern.json',
    type: 'object',
    properties: { $schema: { type: 'string' }, ...Object.fromEntries(properties), declare },
    additionalProperties: false,
  };
}

/** The options of a command as lines of help. */
export function describeOptions(command: Command): string {
  const rows = KEYS.map((key) => {
    const row = ROWS[key];
    const fallback =
      command === 'exec' ? (key === 'dataDir' ? undefined : (row.execDefault ?? row.default)) : row.default;
    return [`  --${kebab(key)} ${row.value}`, `${row.help}${fallback === undefined ? '' : ` (${fallback})`}`] as const;
  });
  rows.push(['  --config FILE', `options as JSON (${DEFAULT_FILE}, where there is one)`]);
  const width = Math.min(34, Math.max(...rows.map(([flag]) => flag.length)));
  return rows
    .map(([flag, help]) =>
      flag.length > width ? `${flag}\n${' '.repeat(width + 2)}${help}` : `${flag.padEnd(width + 2)}${help}`,
    )
    .join('\n');
}
