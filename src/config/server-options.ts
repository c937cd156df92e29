import { isIP } from 'node:net';
import { aliasComplaint, isClusterId } from '../clusters/names.ts';
import { type InjectionOptions, parseInjection } from '../transactions/injection.ts';
import { matching, type OptionRow, oneOf, path, port, region, WEEK, whole, wholeSchema } from './option-row.ts';

/** What is served, and where. Paths are absolute. */
export interface ServerOptions {
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
  injectConflicts: InjectionOptions;
  /** What one PostgreSQL has room for. */
  postgresConnections: number;
  readyFile: string | undefined;
  tlsCert: string | undefined;
  tlsKey: string | undefined;
  tlsCa: string | undefined;
  clusterAlias: readonly ClusterAlias[];
  postgresUser: string | undefined;
}

/** A further name of a cluster. */
export interface ClusterAlias {
  /** A host name or an address, in lower case. */
  name: string;
  /** Undefined: the default cluster. */
  clusterId: string | undefined;
}

function readAlias(text: string): ClusterAlias {
  const [name = '', ...rest] = text.split('=');
  const complaint = aliasComplaint(name, rest.length === 0 ? 'default' : 'another');
  if (complaint !== undefined) throw new Error(complaint);
  if (rest.length === 0) return { name: name.toLowerCase(), clusterId: undefined };
  const clusterId = rest.join('=');
  if (!isClusterId(clusterId)) throw new Error(`${JSON.stringify(clusterId)} is no cluster id (26 of a-z and 0-9)`);
  return { name: name.toLowerCase(), clusterId };
}

function readInjection(text: string): InjectionOptions {
  if (text === 'off') return { allowed: false, rule: undefined };
  return { allowed: true, rule: text === 'sql' ? undefined : parseInjection(text) };
}

const portSchema = wholeSchema(0, 65_535);

export const SERVER_ROWS: Record<keyof ServerOptions, OptionRow> = {
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
    reload: true,
    value: 'SECONDS',
    default: '3600',
    help: 'after so long without sessions the PostgreSQL of a cluster stops until the next connection; 0 = never',
    schema: wholeSchema(0, WEEK),
    read: whole(0, WEEK),
  },
  fidelity: {
    reload: true,
    value: 'local|strict',
    default: 'local',
    help: 'a connection to a cluster that sleeps: local: waits until it is awake; strict: is refused, as by the service',
    schema: { enum: ['local', 'strict'] },
    read: oneOf(['local', 'strict']),
  },
  injectConflicts: {
    value: 'off|sql|RULE',
    default: 'off',
    help: 'fails commits as if another transaction had been first, to try retries: RULE is table=NAME,every=N,probability=P,seed=N; sql: only as CALL sys.inject_conflicts(…) says, which RULE allows too',
    read: readInjection,
  },
  postgresConnections: {
    value: 'N',
    default: '1000',
    help: 'sessions that the PostgreSQL of a cluster has room for, at most 10000; each costs 11 KB while it is awake',
    schema: wholeSchema(10, 10_000),
    read: whole(10, 10_000),
  },
  readyFile: {
    value: 'FILE',
    help: 'written (JSON: the environment of `postern env`) when connections are accepted',
    read: path,
  },
  tlsCert: {
    reload: true,
    value: 'FILE',
    help: "the operator's certificate chain (PEM) instead of the local CA's; needs --tls-key",
    read: path,
  },
  tlsKey: { reload: true, value: 'FILE', help: 'its private key (PEM)', read: path },
  tlsCa: {
    reload: true,
    value: 'FILE',
    help: 'the CA certificate that clients check it with, for the environment',
    read: path,
  },
  clusterAlias: {
    value: 'NAME[=CLUSTER_ID]',
    repeatable: true,
    help: 'a further host name or address of the default cluster, or of this one',
    read: readAlias,
  },
  postgresUser: {
    value: 'NAME',
    help: 'as root: the user that runs PostgreSQL (else postgres, else nobody)',
    read: matching(/^[a-z_][a-z0-9_-]{0,31}$/i, 'user name'),
  },
};
