import type { Socket } from 'node:net';
import { type SecureContext, TLSSocket } from 'node:tls';
import { ByteReader, ConnectionEnded } from './byte-reader.ts';

/** The server's side of TLS. */
export interface ServerTls {
  secureContext: SecureContext;
  /** What a client may name; it must, where it begins TLS without asking. */
  ALPNProtocols: string[];
}

/** One client's stream, in the clear first and encrypted later, and the reader that takes exact bytes from it. */
export class Client {
  readonly remoteAddress: string;
  /** The address of ours that the client connected to. */
  readonly localAddress: string;
  readonly #socket: Socket;
  #stream: Socket;
  #reader: ByteReader;
  #failure: Error | undefined;
  #shakesHands = false;

  constructor(socket: Socket) {
    this.remoteAddress = plainAddress(socket.remoteAddress);
    this.localAddress = plainAddress(socket.localAddress);
    this.#socket = socket;
    this.#stream = socket;
    this.#reader = new ByteReader(socket);
    socket.on('error', () => undefined);
  }

  /** Where to write: the encrypted stream as soon as there is one. */
  get stream(): Socket {
    return this.#stream;
  }

  /** Whether the client has not sent a byte: port scanners and health checks. */
  get silent(): boolean {
    return this.#socket.bytesRead === 0;
  }

  get reader(): ByteReader {
    return this.#reader;
  }

  /** The encrypted stream. Throws when there is none: nobody may ask for a password in the clear. */
  get encrypted(): TLSSocket {
    if (!(this.#stream instanceof TLSSocket)) throw new Error('the stream is not encrypted');
    return this.#stream;
  }

  /** Does the server's side of the TLS handshake. Throws ConnectionEnded when it fails, or what `fail` was given. */
  async secure(tls: ServerTls): Promise<TLSSocket> {
    if (this.#failure) throw this.#failure;
    this.#reader.release();
    const stream = new TLSSocket(this.#stream, { isServer: true, ...tls });
    stream.on('error', () => undefined);
    this.#stream = stream;
    this.#reader = new ByteReader(stream);
    this.#shakesHands = true;
    await new Promise<void>((resolve, reject) => {
      const failed = (error?: Error) =>
        reject(this.#failure ?? new ConnectionEnded(`TLS handshake failed: ${error?.message ?? 'connection closed'}`));
      stream.once('secure', resolve);
      stream.once('_tlsError', failed);
      stream.once('error', failed);
      stream.once('close', () => failed());
    });
    this.#shakesHands = false;
    return stream;
  }

  /** Makes whatever is waiting for this client's bytes throw `error`: for deadlines and shutdown. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#reader.fail(error);
    // Nothing reads then but TLS itself, which waits for as long as the client likes.
    if (this.#shakesHands) this.#stream.destroy();
  }
}

/** An IPv4 client of a listener for both families has an IPv4-mapped address (RFC 4291 §2.5.5.2). */
export function plainAddress(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:/, '');
}
