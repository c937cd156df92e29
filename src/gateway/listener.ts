import { createServer, type Server, type Socket } from 'node:net';
import { Refused } from '../refused.ts';
import { plainAddress } from './client.ts';
import { type Connection, openConnection } from './connection.ts';
import { enter } from './entry.ts';
import type { Gateway } from './gateway.ts';

/** Accepts clients on one port for all clusters. */
export interface Listener {
  port: number;
  /** Open connections, those that are logging in included. */
  readonly count: number;
  /** Connections that were closed at once, without a word, since there were too many, in all or of their address. */
  readonly dropped: number;
  /**
   * Takes no more clients; ends those that are idle, and the others when their transaction ends or `grace` ms are over.
   * Resolves when all are gone.
   */
  close(grace: number): Promise<void>;
}

/** More clients than that at once are not even answered: each holds a socket and a little memory. */
const MAX_CONNECTIONS = 12_000;

/** Throws the system's error when the address cannot be bound. */
export async function listen(address: { host: string; port: number }, gateway: Gateway): Promise<Listener> {
  const connections = new Set<Connection>();
  let dropped = 0;
  const server = createServer({ pauseOnConnect: false, noDelay: true }, (socket: Socket) => {
    const entry = connections.size < MAX_CONNECTIONS ? enter(plainAddress(socket.remoteAddress), gateway) : undefined;
    if (!entry) {
      dropped++;
      socket.destroy();
      return;
    }
    socket.setKeepAlive(true, 60_000);
    socket.once('close', entry.release);
    const connection = openConnection(socket, gateway, entry.refused);
    connections.add(connection);
    connection.ended.then(() => connections.delete(connection));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: address.host, port: address.port, backlog: 1024 }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return {
    port: boundPort(server),
    get count() {
      return connections.size;
    },
    get dropped() {
      return dropped;
    },
    close: (grace) => close(server, connections, grace),
  };
}

function boundPort(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the listener has no port');
  return address.port;
}

async function close(server: Server, connections: ReadonlySet<Connection>, grace: number): Promise<void> {
  server.close();
  const why = new Refused('shutting-down', { detail: 'the server is shutting down' });
  for (const connection of connections) connection.end(why);
  const timer = setTimeout(() => {
    for (const connection of connections) connection.endNow(why);
  }, grace);
  await Promise.all([...connections].map((connection) => connection.ended));
  clearTimeout(timer);
}
