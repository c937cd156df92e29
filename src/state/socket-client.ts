import { basename, dirname } from 'node:path';
import type pg from 'pg';

/**
 * How `pg` reaches a PostgreSQL by its socket. Everything is named that the PG… environment could say otherwise: that
 * environment is for the clusters' clients. Throws an Error when the path is not that of a socket.
 */
export function socketClientConfig(to: { socketPath: string; user: string; database: string }): pg.ClientConfig {
  const port = /^\.s\.PGSQL\.(\d{1,5})$/.exec(basename(to.socketPath))?.[1];
  if (port === undefined) throw new Error(`${to.socketPath} is not the path of a PostgreSQL socket`);
  return {
    host: dirname(to.socketPath),
    port: Number(port),
    user: to.user,
    database: to.database,
    ssl: false,
    sslnegotiation: 'postgres' as const,
    client_encoding: 'UTF8',
    password: (): string => {
      throw new Error('the PostgreSQL behind the socket asked for a password');
    },
  };
}
