import { connect, type Socket } from 'node:net';
import type { Engine } from '../engine/port.ts';
import { decodeFields } from '../pgwire/fields.ts';
import { cancelRequest, startupMessage } from '../pgwire/messages.ts';
import { Refused } from '../refused.ts';

/** A session in the engine, logged in as the client's own role and ready for its first query. */
export interface EngineSession {
  socket: Socket;
  /** The ParameterStatus messages as the engine sent them. */
  parameters: Buffer;
  processId: number;
  secretKey: Buffer;
}

/** The engine is on this machine: what takes longer than this, in ms, has gone wrong. */
const OPEN_TIME = 30_000;
/** Far more than PostgreSQL says before its first ReadyForQuery. */
const MAX_GREETING = 64 * 1024;

/**
 * Opens a session as `role`: never as a superuser who then switches, since a client could undo that. Throws Refused:
 * with the engine's own text where it refused a setting of the client's or has no place left, else `engine-unavailable`.
 */
export async function openEngineSession(
  engine: Engine,
  role: string,
  settings: ReadonlyMap<string, string>,
): Promise<EngineSession> {
  const socket = connectToEngine(engine);
  const timer = setTimeout(() => socket.destroy(new Error('no greeting in time')), OPEN_TIME);
  try {
    const greeted = greeting(socket);
    // PostgreSQL takes the last of two equal names, so ours stand last.
    socket.write(startupMessage([...settings, ['user', role], ['database', 'postgres']]));
    const session = await greeted;
    refuseOther(role, session.parameters);
    return session;
  } catch (error) {
    socket.destroy();
    if (error instanceof Refused) throw error;
    throw new Refused('engine-unavailable', { detail: `opening a session in the engine: ${(error as Error).message}` });
  } finally {
    clearTimeout(timer);
  }
}

/** Whoever the engine says that the session is, it must be who was let in, and no superuser. */
function refuseOther(role: string, parameters: Buffer): void {
  const told = new Map<string, string>();
  for (let at = 0; at < parameters.length; at += 1 + parameters.readInt32BE(at + 1)) {
    const [name = '', value = ''] = parameters.toString('utf8', at + 5).split('\0', 2);
    told.set(name, value);
  }
  const who = told.get('session_authorization');
  // In an encoding of the client's choice, only names in ASCII are sure to be spelt as they are.
  const isReadable = told.get('client_encoding') === 'UTF8' || /^[ -~]*$/.test(role);
  if ((isReadable && who !== undefined && who !== role) || told.get('is_superuser') === 'on') {
    throw new Error(`the session is one of ${who}, not of ${role}`);
  }
}

/** What one read of an engine's socket may bring; all sessions read into the same memory, one after the other. */
const READ_BUFFER = Buffer.allocUnsafeSlow(64 * 1024);

/**
 * Node gives every read of a socket new memory of 64 KiB and shrinks it afterwards, which for small answers costs more
 * than the rest of the read. So reads go into one buffer, and its bytes come as `data` events with a copy of their own.
 */
function connectToEngine(engine: Engine): Socket {
  const callback = (length: number, bytes: Uint8Array) => {
    socket.emit('data', Buffer.from(bytes.subarray(0, length)));
    return true;
  };
  const socket: Socket = connect({ path: engine.socketPath, onread: { buffer: READ_BUFFER, callback } });
  return socket;
}

function greeting(socket: Socket): Promise<EngineSession> {
  return new Promise((resolve, reject) => {
    let bytes: Buffer = Buffer.alloc(0);
    const done = (act: () => void) => {
      socket.off('data', onData);
      socket.off('close', onClose);
      act();
    };
    const onClose = () => done(() => reject(new Error('the engine closed the connection')));
    const onData = (chunk: Buffer) => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      try {
        const facts = readGreeting(bytes);
        if (facts) {
          socket.pause();
          done(() => resolve({ socket, ...facts }));
        } else if (bytes.length > MAX_GREETING) throw new Error('the engine greets without end');
      } catch (error) {
        done(() => reject(error));
      }
    };
    socket.on('error', (error) => done(() => reject(error)));
    socket.on('data', onData);
    socket.on('close', onClose);
  });
}

/** Undefined as long as ReadyForQuery has not come. Throws Refused and Error. */
function readGreeting(bytes: Buffer): Omit<EngineSession, 'socket'> | undefined {
  const parameters: Buffer[] = [];
  let processId = 0;
  let secretKey: Buffer | undefined;
  for (let at = 0; bytes.length - at >= 5; ) {
    const length = bytes.readInt32BE(at + 1);
    // It would lead back to where it stands, for ever.
    if (length < 4) throw new Error(`the engine greets with a message of ${length} bytes`);
    const next = at + 1 + length;
    if (next > bytes.length) return undefined;
    const body = bytes.subarray(at + 5, next);
    switch (String.fromCharCode(bytes[at] as number)) {
      case 'R':
        if (body.readInt32BE(0) !== 0)
          throw new Error(`the engine asks for authentication method ${body.readInt32BE(0)}`);
        break;
      case 'S':
        parameters.push(bytes.subarray(at, next));
        break;
      case 'K':
        processId = body.readInt32BE(0);
        secretKey = body.subarray(4);
        break;
      case 'E':
        throw engineRefusal(body);
      case 'Z':
        if (!secretKey) throw new Error('the engine gave no cancel key');
        return { parameters: Buffer.concat(parameters), processId, secretKey: Buffer.from(secretKey) };
    }
    at = next;
  }
  return undefined;
}

/** Classes of errors that are about what the client asked for: 22 data, 42 syntax and access, 53 resources, 0A feature. */
const CLIENTS_OWN = /^(22|42|53|0A)/;

function engineRefusal(body: Buffer): Refused {
  const fields = decodeFields(body);
  const text = (field: string) => Buffer.from(fields.get(field) ?? '', 'latin1').toString('utf8');
  const code = text('C');
  const detail = `the engine refused the session: ${code} ${text('M')}`;
  // PostgreSQL's own room is used up before the cluster's quota is.
  if (code === '53300') return new Refused('too-many-connections', { detail });
  return CLIENTS_OWN.test(code)
    ? new Refused('engine-refused', { say: text('M'), detail, fields: { code } })
    : new Refused('engine-unavailable', { detail });
}

/** Passes a cancel request on; resolves when the engine has taken it. Never throws: nobody waits for an answer. */
export function cancelInEngine(engine: Engine, session: Pick<EngineSession, 'processId' | 'secretKey'>): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ path: engine.socketPath });
    socket.setTimeout(OPEN_TIME, () => socket.destroy());
    socket.on('error', () => undefined);
    socket.on('close', () => resolve());
    socket.end(cancelRequest(session.processId, session.secretKey));
    socket.resume();
  });
}
