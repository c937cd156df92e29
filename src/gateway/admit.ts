import type { TLSSocket } from 'node:tls';
import { Malformed } from '../pgwire/malformed.ts';
import { decodeInitialPacket, type InitialPacket, initialPacketLength } from '../pgwire/startup.ts';
import { Refused } from '../refused.ts';
import type { ByteReader } from './byte-reader.ts';
import type { Client, ServerTls } from './client.ts';

/** A client on an encrypted stream that has said what it wants. */
export interface Admitted {
  kind: 'startup';
  /** `TLSv1.2` or `TLSv1.3`. */
  tlsProtocol: string;
  /** The name the client asked for in the TLS handshake (SNI), in lower case. */
  serverName: string | undefined;
  /** Of protocol 3. */
  minor: number;
  parameters: ReadonlyMap<string, string>;
}

export interface CancelAsked {
  kind: 'cancel';
  processId: number;
  secretKey: Buffer;
}

/** First byte of a TLS handshake record (RFC 8446 §5.1): the client begins TLS without asking (PostgreSQL 17). */
const TLS_HANDSHAKE = 0x16;
/** A client asks for GSSAPI and then for TLS; more questions than that is nobody we know. */
const MAX_ENCRYPTION_REQUESTS = 2;

/**
 * From the first byte to a startup packet on an encrypted stream. A cancel request is taken in the clear too, as
 * PostgreSQL does: libpq before 17 sends it so, and it proves itself by its key. Throws Refused and ConnectionEnded.
 */
export async function admit(client: Client, tls: ServerTls): Promise<Admitted | CancelAsked> {
  for (let asked = 1; ; asked++) {
    const { reader } = client;
    const first = await reader.read(1);
    if (first[0] === TLS_HANDSHAKE && asked === 1) {
      reader.unread(first);
      const stream = await client.secure(tls);
      if (!tls.ALPNProtocols.includes(stream.alpnProtocol || '')) {
        throw protocolViolation('received direct SSL connection request without ALPN protocol negotiation extension');
      }
      return await readStartup(client, stream);
    }
    const packet = await readPacket(reader, first);
    if (packet.kind === 'cancel') return packet;
    if (packet.kind === 'startup') throw new Refused('tls-required', { detail: 'startup packet without TLS' });
    if (asked > MAX_ENCRYPTION_REQUESTS) throw protocolViolation('too many encryption requests');
    // What came in the clear must not be taken for something that came encrypted (CVE-2021-23214).
    if (reader.buffered > 0) throw protocolViolation(`received unencrypted data after ${NAMES[packet.kind]}`);
    if (packet.kind === 'ssl-request') {
      client.stream.write('S');
      return await readStartup(client, await client.secure(tls));
    }
    client.stream.write('N');
  }
}

const NAMES = { 'ssl-request': 'SSL request', 'gssenc-request': 'GSSAPI encryption request' } as const;

async function readStartup(client: Client, stream: TLSSocket): Promise<Admitted | CancelAsked> {
  const { reader } = client;
  const packet = await readPacket(reader, await reader.read(1));
  if (packet.kind === 'cancel') return packet;
  if (packet.kind !== 'startup') throw protocolViolation(`received ${NAMES[packet.kind]} on an encrypted connection`);
  if (packet.major !== 3) {
    const say = `unsupported frontend protocol ${packet.major}.${packet.minor}: server supports 3.0 to 3.2`;
    throw new Refused('unsupported-protocol', { say, detail: say });
  }
  const { servername } = stream as { servername?: string | false };
  return {
    kind: 'startup',
    tlsProtocol: stream.getProtocol() ?? 'TLS',
    serverName: servername ? servername.toLowerCase() : undefined,
    minor: packet.minor,
    parameters: packet.parameters,
  };
}

async function readPacket(reader: ByteReader, first: Buffer): Promise<InitialPacket> {
  try {
    const head = Buffer.concat([first, await reader.read(3)]);
    const length = initialPacketLength(head);
    return decodeInitialPacket(Buffer.concat([head, await reader.read(length - head.length)]));
  } catch (error) {
    if (error instanceof Malformed) throw protocolViolation(error.message);
    throw error;
  }
}

function protocolViolation(say: string): Refused {
  return new Refused('protocol-violation', { say, detail: say });
}
