import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Log } from '../audit/log.ts';
import type { Dispatch } from './dispatch.ts';
import { answerProbe, type Probes } from './probes.ts';
import { isTooLarge } from './read.ts';

/**
 * The HTTP listener for all services. It is plain HTTP: every request proves itself by its signature, or by an ID token,
 * but for the three that monitoring asks.
 */
export interface ApiServer {
  /** Resolves to the port that is bound: the one asked for, or any free one for 0. Rejects when it is taken. */
  listen(address: { host: string; port: number }): Promise<{ port: number }>;
  /** Refuses new connections, lets calls that run end within `grace` ms, then ends all connections. Idempotent. */
  close(grace?: number): Promise<void>;
}

/** In bytes, line and headers together: a session token has two thousand. */
const MAX_HEADERS_SIZE = 32 * 1024;
const MAX_CONNECTIONS = 1024;
/** In milliseconds. */
const HEADERS_TIMEOUT = 10_000;
const REQUEST_TIMEOUT = 30_000;
const KEEP_ALIVE_TIMEOUT = 15_000;
const CHECK_INTERVAL = 5_000;
const DEFAULT_GRACE = 2_000;

export function createApiServer({
  dispatch,
  log,
  probes,
  openFiles,
}: {
  dispatch: Dispatch;
  log: Log;
  probes: Probes;
  /** File descriptors for connections; undefined where there is none left. */
  openFiles: { take(): { release(): void } | undefined };
}): ApiServer {
  const server = createServer({
    maxHeaderSize: MAX_HEADERS_SIZE,
    headersTimeout: HEADERS_TIMEOUT,
    requestTimeout: REQUEST_TIMEOUT,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT,
    connectionsCheckingInterval: CHECK_INTERVAL,
    requireHostHeader: true,
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.on('connection', (socket) => {
    const file = openFiles.take();
    if (file) socket.once('close', file.release);
    else socket.destroy();
  });
  let closing: Promise<void> | undefined;

  const answer = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    try {
      const { method, url, headers: asked, socket } = incoming;
      const probed = answerProbe(probes, { method, url, headers: asked, source: socket.remoteAddress });
      if (probed) {
        const headers = { 'Content-Type': probed.contentType, 'Cache-Control': 'no-store' };
        response.writeHead(probed.status, { ...headers, 'Content-Length': Buffer.byteLength(probed.body) });
        response.end(probed.body);
        return;
      }
      const { status, contentType, headers, body, requestId } = await dispatch(incoming);
      // What is left of a request that was refused unread must not be taken for the next one.
      if (!incoming.complete || closing) response.setHeader('Connection', 'close');
      response.writeHead(status, {
        ...headers,
        'x-amzn-RequestId': requestId,
        'Content-Type': contentType,
        'Content-Length': Buffer.byteLength(body),
        // Answers carry credentials.
        'Cache-Control': 'no-store',
      });
      response.end(body, () => {
        if (!incoming.complete) incoming.destroy();
      });
    } catch (error) {
      log.debug({ source: incoming.socket.remoteAddress, err: error }, 'api client went away');
      incoming.destroy();
    }
  };
  server.on('request', (incoming, response) => void answer(incoming, response));
  // Who asks first is told to go on only with what would be read.
  server.on('checkContinue', (incoming: IncomingMessage, response: ServerResponse) => {
    if (!isTooLarge(incoming)) response.writeContinue();
    void answer(incoming, response);
  });

  return {
    listen: ({ host, port }) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, () => {
          server.off('error', reject);
          server.on('error', (error) => log.error({ err: error }, 'api listener failed'));
          resolve({ port: (server.address() as AddressInfo).port });
        });
      }),
    close(grace = DEFAULT_GRACE) {
      closing ??= new Promise((resolve) => {
        const deadline = setTimeout(() => server.closeAllConnections(), grace);
        server.close(() => {
          clearTimeout(deadline);
          resolve();
        });
        server.closeIdleConnections();
      });
      return closing;
    },
  };
}
