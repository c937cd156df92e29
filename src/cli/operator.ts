import { chmod, readFile, rm } from 'node:fs/promises';
import { createServer, request, type Server } from 'node:http';
import { join } from 'node:path';
import { writeAtomically } from '../state/atomic-file.ts';
import type { Environment } from './environment.ts';

/**
 * How the operator of a data directory talks to the server that runs on it: HTTP over a unix socket that only the owner
 * of the directory can open. The file `server.json` says where the socket is.
 */
const POINTER = 'server.json';
const SOCKET = 'operator.sock';
const TIMEOUT = 10_000;

export interface OperatorSocket {
  close(): Promise<void>;
}

export async function openOperatorSocket(
  dataDir: string,
  runFolder: string,
  environment: () => Promise<Environment>,
): Promise<OperatorSocket> {
  const path = join(runFolder, SOCKET);
  await rm(path, { force: true });
  const server = createServer((incoming, response) => {
    if (incoming.method !== 'GET' || incoming.url !== '/env') {
      response.writeHead(404).end();
      return;
    }
    environment().then(
      (variables) => response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(variables)),
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

async function close(server: Server, pointer: string): Promise<void> {
  await rm(pointer, { force: true });
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

/** What a killed server has left: the folder of its sockets. Undefined when there is nothing. */
export async function leftRunFolder(dataDir: string): Promise<string | undefined> {
  return (await readPointer(dataDir))?.runFolder;
}

/** The environment of the server that runs on the directory. Throws an Error that says that none runs. */
export async function askEnvironment(dataDir: string): Promise<Environment> {
  const pointer = await readPointer(dataDir);
  if (!pointer) throw new Error(`no server runs on ${dataDir}`);
  return await new Promise((resolve, reject) => {
    const call = request({ socketPath: pointer.socket, path: '/env', timeout: TIMEOUT }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => {
        if (response.statusCode === 200) resolve(JSON.parse(body) as Environment);
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
