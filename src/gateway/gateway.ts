import type { Attempts } from '../attempts/attempts.ts';
import type { Audit } from '../audit/events.ts';
import type { ClusterDirectory } from '../clusters/cluster.ts';
import type { ServerTls } from './client.ts';
import type { LoginDependencies } from './login.ts';
import type { Reader } from './reader.ts';
import type { Sessions } from './sessions.ts';
import type { Dialect } from './settings.ts';

/** What every connection of this listener shares. */
export interface Gateway extends LoginDependencies {
  clusters: ClusterDirectory;
  sessions: Sessions;
  audit: Audit;
  /** For the operator who asks why. */
  attempts: Attempts;
  dialect: Dialect;
  /** Reads the statements of all sessions; in the dialect dsql only. */
  reader: Reader | undefined;
  /** The certificate in use now: asked anew for every connection, since it can be reloaded. */
  tls: () => ServerTls;
  /** From the first byte to ReadyForQuery, in ms. */
  loginTime: number;
  /** Random and unique, for the log and for the operator. */
  newConnectionId: () => string;
  /** Brings the sessions of a cluster in line with the mappings that are committed now. */
  refreshMappings: (clusterId: string) => Promise<void>;
}
