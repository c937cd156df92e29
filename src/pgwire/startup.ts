import { Malformed } from './malformed.ts';

/**
 * The packets a connection may begin with (PostgreSQL manual, "Message Formats": StartupMessage, SSLRequest,
 * GSSENCRequest, CancelRequest). They have no type byte, so they are framed apart from everything that follows.
 */
export type InitialPacket =
  | { kind: 'ssl-request' }
  | { kind: 'gssenc-request' }
  | { kind: 'cancel'; processId: number; secretKey: Buffer }
  | { kind: 'startup'; major: number; minor: number; parameters: ReadonlyMap<string, string> };

/** MAX_STARTUP_PACKET_LENGTH of PostgreSQL's postmaster: an unauthenticated peer may not make us hold more. */
export const MAX_INITIAL_PACKET = 10_000;
/** The length word and the code. */
export const MIN_INITIAL_PACKET = 8;

const SSL_REQUEST = 80877103;
const GSSENC_REQUEST = 80877104;
const CANCEL_REQUEST = 80877102;
/** Protocol 3.2: secret keys are 4 to 256 bytes. */
const MAX_SECRET_KEY = 256;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The whole packet's length, from its first four bytes. Throws Malformed when it is out of bounds. */
export function initialPacketLength(head: Buffer): number {
  const length = head.readUInt32BE(0);
  if (length < MIN_INITIAL_PACKET || length > MAX_INITIAL_PACKET)
    throw new Malformed('invalid length of startup packet');
  return length;
}

/** Decodes one whole packet, length word included. Throws Malformed. */
export function decodeInitialPacket(packet: Buffer): InitialPacket {
  if (packet.length < MIN_INITIAL_PACKET || initialPacketLength(packet) !== packet.length) {
    throw new Malformed('invalid length of startup packet');
  }
  const code = packet.readUInt32BE(4);
  if (code === SSL_REQUEST || code === GSSENC_REQUEST) {
    if (packet.length !== MIN_INITIAL_PACKET) throw new Malformed('encryption request has a body');
    return { kind: code === SSL_REQUEST ? 'ssl-request' : 'gssenc-request' };
  }
  if (code === CANCEL_REQUEST) {
    const keyLength = packet.length - 12;
    if (keyLength < 4 || keyLength > MAX_SECRET_KEY) throw new Malformed('invalid length of cancel request');
    return { kind: 'cancel', processId: packet.readInt32BE(8), secretKey: packet.subarray(12) };
  }
  return {
    kind: 'startup',
    major: code >>> 16,
    minor: code & 0xffff,
    parameters: decodeParameters(packet.subarray(8)),
  };
}

/** Name and value pairs, each ended by a zero byte, and one more zero byte at the end. */
function decodeParameters(body: Buffer): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  let offset = 0;
  for (;;) {
    const name = readString(body, offset);
    if (name.text === '') {
      // PostgreSQL refuses bytes after the terminator too: a parser that stops early is how packets get smuggled.
      if (name.next !== body.length)
        throw new Malformed('invalid startup packet layout: expected terminator as last byte');
      return parameters;
    }
    const value = readString(body, name.next);
    if (parameters.has(name.text)) throw new Malformed(`startup parameter given twice: ${name.text.slice(0, 64)}`);
    parameters.set(name.text, value.text);
    offset = value.next;
  }
}

function readString(body: Buffer, offset: number): { text: string; next: number } {
  const end = body.indexOf(0, offset);
  if (end < 0) throw new Malformed('invalid startup packet layout: expected terminator as last byte');
  try {
    return { text: utf8.decode(body.subarray(offset, end)), next: end + 1 };
  } catch {
    throw new Malformed('startup packet is not valid UTF-8');
  }
}

/**
 * Splits the startup parameter `options` into settings, as PostgreSQL's `pg_split_opts` and `process_postgres_switches`
 * do: words parted by white space, backslash escapes, `-c name=value` and `--name=value`. Throws Malformed, with
 * PostgreSQL's text, for any other argument.
 */
export function splitOptions(options: string): [name: string, value: string][] {
  const words = splitWords(options);
  const settings: [string, string][] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    let setting: string | undefined;
    if (word === '-c') setting = words[++i];
    else if (word.startsWith('-c') || word.startsWith('--')) setting = word.slice(2);
    const equals = setting?.indexOf('=') ?? -1;
    if (setting === undefined || equals < 1) {
      throw new Malformed(`invalid command-line argument for server process: ${word.slice(0, 64)}`);
    }
    settings.push([setting.slice(0, equals).replaceAll('-', '_'), setting.slice(equals + 1)]);
  }
  return settings;
}

function splitWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (let i = 0; i < text.length; i++) {
    const char = text[i] as string;
    if (/[ \t\n\r\f\v]/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (char === '\\') {
      word = (word ?? '') + (text[++i] ?? '');
    } else {
      word = (word ?? '') + char;
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}
