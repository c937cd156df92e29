/** Encoders for the messages that Postern itself says (PostgreSQL manual, "Message Formats"). */

export type TransactionStatus = 'I' | 'T' | 'E';

/** Fields of ErrorResponse and NoticeResponse that Postern sets, by their names in the manual. */
export interface ErrorFields {
  severity: 'ERROR' | 'FATAL';
  /** SQLSTATE, five characters. */
  code: string;
  message: string;
  detail?: string | undefined;
  hint?: string | undefined;
  /** In characters of the query's text, from 1. */
  position?: number | undefined;
}

/** A typed message: type byte, length word, body. */
export function message(type: string, ...parts: readonly Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 4);
  const head = Buffer.allocUnsafe(5);
  head.write(type, 0, 'latin1');
  head.writeInt32BE(length, 1);
  return Buffer.concat([head, ...parts], length + 1);
}

/** A string cannot hold its own terminator: what follows a zero byte would be read as the next field. */
export function cstring(text: string): Buffer {
  return Buffer.from(`${text.replaceAll('\0', '')}\0`, 'utf8');
}

export function int32(value: number): Buffer {
  const buffer = Buffer.allocUnsafe(4);
  buffer.writeInt32BE(value | 0);
  return buffer;
}

/** ErrorResponse. `S` and `V` are the same: our texts are not translated. */
export function errorResponse(fields: ErrorFields): Buffer {
  const parts: Buffer[] = [];
  const add = (type: string, text: string | undefined) => {
    if (text !== undefined) parts.push(Buffer.from(type, 'latin1'), cstring(text));
  };
  add('S', fields.severity);
  add('V', fields.severity);
  add('C', fields.code);
  add('M', fields.message);
  add('D', fields.detail);
  add('H', fields.hint);
  add('P', fields.position?.toString());
  return message('E', ...parts, Buffer.from([0]));
}

export const authenticationOk = message('R', int32(0));
export const authenticationCleartextPassword = message('R', int32(3));

export function parameterStatus(name: string, value: string): Buffer {
  return message('S', cstring(name), cstring(value));
}

export function backendKeyData(processId: number, secretKey: Buffer): Buffer {
  return message('K', int32(processId), secretKey);
}

export function readyForQuery(status: TransactionStatus): Buffer {
  return message('Z', Buffer.from(status, 'latin1'));
}

/** `minor` is the newest minor version of protocol 3 that we speak; `unknown` are the `_pq_.` options we do not know. */
export function negotiateProtocolVersion(minor: number, unknown: readonly string[]): Buffer {
  return message('v', int32((3 << 16) | minor), int32(unknown.length), ...unknown.map(cstring));
}

export function commandComplete(tag: string): Buffer {
  return message('C', cstring(tag));
}

/** StartupMessage of protocol 3.0, for a session in the engine. */
export function startupMessage(parameters: Iterable<readonly [string, string]>): Buffer {
  const pairs = [...parameters].flatMap(([name, value]) => [cstring(name), cstring(value)]);
  const body = Buffer.concat([int32(3 << 16), ...pairs, Buffer.from([0])]);
  return Buffer.concat([int32(body.length + 4), body]);
}

export function cancelRequest(processId: number, secretKey: Buffer): Buffer {
  return Buffer.concat([int32(12 + secretKey.length), int32(80877102), int32(processId), secretKey]);
}
