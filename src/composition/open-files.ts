import type { Log } from '../audit/log.ts';
import type { Options } from '../config/options.ts';
import { SPARE_FILES } from '../gateway/entry.ts';
import { OpenFiles, openFileLimit } from '../machine/open-files.ts';

/** Descriptors of a session: the client's socket and the one to its PostgreSQL. */
const OF_A_SESSION = 2;

/** What this process may open for connections. Warns where that is less than one cluster is configured to take. */
export async function limitOpenFiles({ postgresConnections, maxConnections }: Options, log: Log): Promise<OpenFiles> {
  const limit = await openFileLimit();
  const openFiles = new OpenFiles(limit);
  const sessions = openFiles.connections(OF_A_SESSION, SPARE_FILES);
  const configured = maxConnections === 0 ? postgresConnections : Math.min(postgresConnections, maxConnections);
  if (sessions < configured) {
    log.warn(
      { limit, sessions, configured },
      'the limit of open files (ulimit -n) allows fewer sessions than are configured for one cluster',
    );
  }
  return openFiles;
}
