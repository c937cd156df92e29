import pg from 'pg';
import { socketClientConfig } from './socket-client.ts';

/** How the control database is reached: the socket of an embedded server, or any PostgreSQL by its URL. */
export type ControlConnection = { socketPath: string; user: string; database: string } | { url: string };

/** In milliseconds. */
const CONNECT_LIMIT = 10_000;
const STATEMENT_LIMIT = 30_000;
/** Longer than the server's own limit, so that this one speaks only when the server does not. */
const ANSWER_LIMIT = 40_000;
/** A process that is stopped in the middle of a change must not hold up the others for ever. */
const IDLE_IN_TRANSACTION_LIMIT = 15_000;

/** Connects; throws an Error when the server does not let us in. */
export async function connectControl(connection: ControlConnection): Promise<pg.Client> {
  const shared = {
    application_name: 'postern',
    connectionTimeoutMillis: CONNECT_LIMIT,
    statement_timeout: STATEMENT_LIMIT,
    lock_timeout: STATEMENT_LIMIT,
    query_timeout: ANSWER_LIMIT,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_LIMIT,
    keepAlive: true,
    // Names in our statements have their schema; and PGOPTIONS, meant for other clients, is not looked at.
    options: '-c search_path=pg_catalog',
  };
  const client = new pg.Client(
    'url' in connection
      ? { ...shared, connectionString: connection.url }
      : { ...shared, ...socketClientConfig(connection) },
  );
  // An error outside a query would else end the process; whoever uses the client learns of it by 'end'.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}
