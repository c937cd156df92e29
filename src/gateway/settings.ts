import { Malformed } from '../pgwire/malformed.ts';
import { splitOptions } from '../pgwire/startup.ts';
import { Refused } from '../refused.ts';
import { OWN_SETTING } from '../roles/session-sql.ts';
import { engineSetting, isReadableEncoding, SESSION_SETTINGS } from '../sql/dialect/settings.ts';
import { TEXTS } from '../sql/dialect/texts.ts';

export type Dialect = 'dsql' | 'postgres';

/** What a startup packet asks for, once everything that may not be asked has been refused. */
export interface SessionRequest {
  user: string;
  database: string;
  /** The startup option by which a client without a server name chooses its cluster. */
  clusterId: string | undefined;
  /** Configuration parameters for the session in the engine, names in lower case. */
  settings: ReadonlyMap<string, string>;
  /** Protocol options that we do not know and must say so (`_pq_.…`). */
  unknownProtocolOptions: readonly string[];
}

/**
 * Refused in every dialect: they change who the session is, or what kind of session it is. PostgreSQL would take them
 * from the startup packet before any statement could be looked at. `user`, `database` and `options` are no settings at
 * all; whoever hides them in `options`, or writes them in another case, must not put them in place of ours.
 */
const NEVER = new Set([
  'user',
  'database',
  'options',
  'role',
  'session_authorization',
  'replication',
  'is_superuser',
  'session_replication_role',
  // For debuggers: the engine's process would sleep for half an hour, long after its client has gone.
  'post_auth_delay',
]);
/** Protocol options, which are no settings either. */
const PROTOCOL_OPTION = '_pq_.';

const CLUSTER_ID = 'amzn_cluster_id';
const MAX_SETTINGS = 64;

/** Reads a startup packet's parameters under the dialect's rules. Throws Refused. */
export function readSessionRequest(parameters: ReadonlyMap<string, string>, dialect: Dialect): SessionRequest {
  const asked: [string, string][] = [];
  const unknownProtocolOptions: string[] = [];
  let user = '';
  let database = '';
  let clusterId: string | undefined;
  for (const [name, value] of parameters) {
    if (name === 'user') user = value;
    else if (name === 'database') database = value;
    else if (name === 'options') asked.push(...readOptions(value));
    else if (name.startsWith(PROTOCOL_OPTION)) unknownProtocolOptions.push(name);
    else asked.push([name, value]);
  }
  if (user === '') {
    const say = 'no PostgreSQL user name specified in startup packet';
    throw new Refused('protocol-violation', { say, detail: say });
  }
  if (asked.length > MAX_SETTINGS)
    throw new Refused('protocol-violation', { detail: `${asked.length} startup parameters` });
  const settings = new Map<string, string>(dialect === 'dsql' ? SESSION_SETTINGS : []);
  for (const [name, value] of asked) {
    const key = name.toLowerCase();
    if (key === CLUSTER_ID || key === 'amzn-cluster-id') {
      clusterId = value;
      continue;
    }
    const isNever = NEVER.has(key) || key.startsWith(PROTOCOL_OPTION) || key.startsWith(OWN_SETTING);
    const engineName = dialect === 'dsql' ? engineSetting(key) : key;
    if (isNever || engineName === undefined) {
      throw new Refused('unsupported-parameter', {
        say: TEXTS.setting(name.slice(0, 64)).message,
        detail: `startup parameter ${JSON.stringify(name.slice(0, 64))}`,
      });
    }
    if (dialect === 'dsql' && key === 'client_encoding' && !isReadableEncoding(value)) {
      const say = TEXTS.encoding(value.slice(0, 64)).message;
      throw new Refused('unsupported-parameter', { say, detail: say });
    }
    settings.set(engineName, value);
  }
  // PostgreSQL's default: the database named like the user. Here there is only one, and everybody means it.
  return { user, database: database || 'postgres', clusterId, settings, unknownProtocolOptions };
}

function readOptions(options: string): [string, string][] {
  try {
    return splitOptions(options);
  } catch (error) {
    if (error instanceof Malformed)
      throw new Refused('unsupported-parameter', { say: error.message, detail: error.message });
    throw error;
  }
}
