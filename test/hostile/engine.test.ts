/** Known wounds of proxies that believe the server behind them, each by its name: an engine that says what none should. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/engine/port.ts';
import { openEngineSession } from '../../src/gateway/engine-session.ts';
import { StreamRelay } from '../../src/gateway/stream-relay.ts';
import { noTraffic } from '../../src/gateway/traffic.ts';
import {
  authenticationOk,
  backendKeyData,
  cstring,
  int32,
  message,
  parameterStatus,
  readyForQuery,
} from '../../src/pgwire/messages.ts';

let folder: string;
let server: Server;
let greeting: Buffer;
let engine: Engine;
const sockets = new Set<Socket>();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-hostile-'));
  const socketPath = join(folder, '.s.PGSQL.5432');
  engine = { socketPath } as Engine;
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    socket.once('data', () => socket.end(greeting));
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

/** A message whose length word says what it likes. */
function lying(type: string, length: number, body = ''): Buffer {
  return Buffer.concat([Buffer.from(type), int32(length), Buffer.from(body)]);
}

const KEY = backendKeyData(1, Buffer.alloc(4, 1));
const READY = readyForQuery('I');
const as = (role: string) => parameterStatus('session_authorization', role);

describe('an engine that greets', () => {
  it('as it should is one to open a session in', async () => {
    greeting = Buffer.concat([authenticationOk, as('app'), KEY, READY]);
    const session = await openEngineSession(engine, 'app', new Map());
    session.socket.destroy();
    expect(session.processId).toBe(1);
  });

  it.each<[string, Buffer]>([
    [
      'CVE-2026-6666: with an error without SQLSTATE',
      message('E', cstring('SFATAL'), cstring('Mno'), Buffer.from([0])),
    ],
    ['with an error without any field', message('E', Buffer.from([0]))],
    ['with an error without an end', message('E', Buffer.from('SFATAL'))],
    ['with an empty error', message('E')],
    ['CVE-2026-6664: with a length of zero', lying('S', 0)],
    ['with a length that leads back to itself', lying('S', -1)],
    ['with a length that leads far back', lying('S', -2147483648)],
    ['with a length that is never reached', lying('S', 2147483647, 'x'.repeat(100_000))],
    ['with a parameter for ever', Buffer.concat(Array(20_000).fill(parameterStatus('a', 'b')))],
    ['with a question for a password', message('R', int32(3))],
    ['with an authentication of no kind', message('R')],
    ['without a key', Buffer.concat([authenticationOk, as('app'), READY])],
    ['as another role', Buffer.concat([authenticationOk, as('admin'), KEY, READY])],
    ['as a superuser', Buffer.concat([authenticationOk, as('app'), parameterStatus('is_superuser', 'on'), KEY, READY])],
    ['with nothing', Buffer.alloc(0)],
  ])('%s is refused as unavailable, and nothing hangs', async (_, said) => {
    greeting = said;
    await expect(openEngineSession(engine, 'app', new Map())).rejects.toMatchObject({
      name: 'Refused',
      kind: 'engine-unavailable',
    });
  });
});

describe('an engine that answers', () => {
  function startRelay() {
    const [client, clientSide] = duplexPair();
    const [other, engineSide] = duplexPair();
    const relay = new StreamRelay({
      traffic: noTraffic(),
      client: clientSide as Socket,
      engine: engineSide as Socket,
      role: 'admin',
      connectionId: 'the-connection',
      rolesChanged: () => undefined,
      mappingsCommitted: async () => undefined,
    });
    let said = '';
    client.on('data', (chunk: Buffer) => {
      said += chunk.toString('latin1');
    });
    other.resume();
    relay.start(READY);
    const settle = async () => {
      for (let i = 0; i < 10; i++) await turn();
    };
    return { relay, client, engine: other, said: () => said, settle };
  }

  it.each<[string, Buffer]>([
    ['CVE-2026-6666: an error without SQLSTATE', message('E', cstring('SERROR'), cstring('Mno'), Buffer.from([0]))],
    ['an error without any field', message('E', Buffer.from([0]))],
    ['a notice without any field', message('N', Buffer.from([0]))],
    ['a tag without an end', message('C', Buffer.from('SELECT'))],
    ['a parameter without a value', message('S', Buffer.from('client_encoding'))],
    ['a parameter of nothing', message('S')],
  ])('%s is passed on, and the session goes on', async (_, answer) => {
    const { client, engine, said, settle } = startRelay();
    client.write(message('Q', cstring('SELECT 1')));
    await settle();
    engine.write(Buffer.concat([answer, READY]));
    await settle();
    expect(said()).toBe(Buffer.concat([READY, answer, READY]).toString('latin1'));
  });

  it.each<[string, Buffer]>([
    ['an error without an end', message('E', Buffer.from('SERROR'))],
    ['an empty error', message('E')],
    ['an empty tag', message('C')],
    ['a length of zero', lying('D', 0)],
    ['a length that leads back', lying('C', -1)],
    ['a type that there is none of', message('!')],
    ['a message that only clients send', message('Q', cstring('x'))],
  ])('%s ends that session with its id, and throws at nobody', async (_, answer) => {
    const { relay, client, engine, said, settle } = startRelay();
    client.write(message('Q', cstring('SELECT 1')));
    await settle();
    engine.write(answer);
    expect(await relay.ended).toMatchObject({ reason: 'failed' });
    await settle();
    expect(said()).toContain('internal error (connection the-connection)');
    expect(said()).toContain('CXX000');
  });
});
