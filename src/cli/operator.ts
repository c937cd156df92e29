import { chmod, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { writeAtomically } from '../machine/atomic-file.ts';

/**
 * How the operator of a data directory talks to the server that runs on it: HTTP over a unix socket that only the owner
 * of the directory can open. The file `server.json` says where the socket is.
 */
const POINTER = 'server.json';
const SOCKET = 'operator.sock';
/** In ms, for an answer. */
const TIMEOUT = 10_000;
/** For `askOperator`: what is asked for takes as long as it takes. */
export const NO_LIMIT = 0;

export interface OperatorSocket {
  close(): Promise<void>;
}

/** What can be asked, by path: what is answered as JSON, its text in pieces, or undefined where there is no answer. */
export type Questions = Readonly<
  Record<string, (parameters: URLSearchParams) => object | undefined | Promise<object | AsyncIterable<string>>>
>;

/** Longer than any question; what comes beside it, as headers, Node limits. */
const MAX_URL = 8192;

export async function openOperatorSocket(
  dataDir: string,
  runFolder: string,
  questions: Questions,
): Promise<OperatorSocket> {
  const path = join(runFolder, SOCKET);
  await rm(path, { force: true });
  const server = createServer((incoming, response) => {
    answer(questions, incoming).then(
      (found) => {
        if (found === undefined) return void response.writeHead(404).end();
        if (isInPieces(found)) {
          response.writeHead(200, { 'Content-Type': 'application/json' });
          // Who has gone away is no trouble of ours.
          pipeline(Readable.from(found), response).catch(() => response.destroy());
        } else response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(found));
      },
      (error: Error) => response.writeHead(500).end(error.message),
    );
  });
  const mask = process.umask(0o077);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
  } finally {
    process.umask(mask);
  }
  await chmod(path, 0o600);
  const pointer = join(dataDir, POINTER);
  await writeAtomically(pointer, `${JSON.stringify({ pid: process.pid, socket: path, runFolder })}\n`, 0o600);
  return { close: () => close(server, pointer) };
}

async function answer(questions: Questions, { method, url = '' }: IncomingMessage): Promise<object | undefined> {
  if (method !== 'GET' || url.length > MAX_URL) return undefined;
  const { pathname, searchParams } = new URL(url, 'http://operator');
  const ask = Object.hasOwn(questions, pathname) ? questions[pathname] : undefined;
  return ask?.(searchParams);
}

function isInPieces(found: object): found is AsyncIterable<string> {
  return Symbol.asyncIterator in found;
}

async function close(server: Server, pointer: string): Promise<void> {
  await rm(pointer, { force: true });
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

/** What a killed server has left: the folder of its sockets. Undefined when there is nothing. */
export async function leftRunFolder(dataDir: string): Promise<string | undefined> {
  return (await readPointer(dataDir))?.runFolder;
}

/**
 * Asks the server that runs on the directory. Undefined where it has no answer. Throws an Error that says that none runs,
 * or what the server says.
 */
export async function askOperator<T>(
  dataDir: string,
  path: string,
  parameters: Readonly<Record<string, string>> = {},
  timeout = TIMEOUT,
): Promise<T | undefined> {
  const pointer = await readPointer(dataDir);
  if (!pointer) throw new Error(`no server runs on ${dataDir}`);
  const query = new URLSearchParams(parameters).toString();
  return await new Promise((resolve, reject) => {
    const target = query === '' ? path : `${path}?${query}`;
    const call = request({ socketPath: pointer.socket, path: target, timeout }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => {
        if (response.statusCode === 200) resolve(JSON.parse(body) as T);
        else if (response.statusCode === 404) resolve(undefined);
        else reject(new Error(body));
      });
    });
    call.on('timeout', () => call.destroy(new Error(`the server on ${dataDir} does not answer`)));
    call.on('error', (error: NodeJS.ErrnoException) => {
      const gone = error.code === 'ECONNREFUSED' || error.code === 'ENOENT';
      reject(gone ? new Error(`no server runs on ${dataDir}`) : error);
    });
    call.end();
  });
}

async function readPointer(dataDir: string): Promise<{ socket: string; runFolder: string } | undefined> {
  try {
    return JSON.parse(await readFile(join(dataDir, POINTER), 'utf8'));
  } catch {
    return undefined;
  }
}
