import type { Socket } from 'node:net';

/** The peer closed the connection, or reset it, before it had sent what was asked for. */
export class ConnectionEnded extends Error {
  constructor(message = 'the client closed the connection') {
    super(message);
    this.name = 'ConnectionEnded';
  }
}

/**
 * Reads exact numbers of bytes from a socket and leaves everything behind them in the socket, so that the stream can be
 * handed on (to TLS, to the relay) at a known place.
 */
export class ByteReader {
  readonly #socket: Socket;
  #wake: (() => void) | undefined;
  #failure: Error | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('readable', this.#onReadable);
    socket.on('end', this.#onEnd);
    socket.on('close', this.#onEnd);
    socket.on('error', this.#onError);
  }

  /** Resolves with exactly `length` bytes (at least 1). Throws ConnectionEnded, or the error given to `fail`. */
  async read(length: number): Promise<Buffer> {
    for (;;) {
      if (this.#failure) throw this.#failure;
      const bytes = this.#socket.read(length) as Buffer | null;
      if (bytes?.length === length) return bytes;
      // At the end of the stream read() gives what is left, however little.
      if (bytes) throw new ConnectionEnded();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Puts bytes back in front of what was not read yet. */
  unread(bytes: Buffer): void {
    this.#socket.unshift(bytes);
  }

  /** Bytes that have arrived and that nobody has read. */
  get buffered(): number {
    return this.#socket.readableLength;
  }

  /** Makes the read in progress and all later ones throw `error`. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#wake?.();
  }

  /** Stops listening; the socket belongs to somebody else from now on. */
  release(): void {
    this.#socket.off('readable', this.#onReadable);
    this.#socket.off('end', this.#onEnd);
    this.#socket.off('close', this.#onEnd);
    this.#socket.off('error', this.#onError);
  }

  readonly #onReadable = () => this.#wake?.();
  readonly #onEnd = () => this.fail(new ConnectionEnded());
  readonly #onError = (error: Error) => this.fail(new ConnectionEnded(error.message));
}
