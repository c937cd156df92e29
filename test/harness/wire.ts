import { connect as connectTcp, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { decodeFields } from '../../src/pgwire/fields.ts';
import { cstring, int32, message, startupMessage } from '../../src/pgwire/messages.ts';

export const SSL_REQUEST = Buffer.concat([int32(8), int32(80877103)]);
export const GSSENC_REQUEST = Buffer.concat([int32(8), int32(80877104)]);

export interface Frame {
  type: string;
  body: Buffer;
}

/** A client made of bytes, for what no driver would send. */
export class WireClient {
  #socket: Socket;
  /** Below TLS. */
  readonly #tcp: Socket;
  #bytes: Buffer = Buffer.alloc(0);
  #waiting: (() => void)[] = [];
  #closed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#tcp = socket;
    this.#listen();
  }

  static async tcp(port: number): Promise<WireClient> {
    const socket = connectTcp({ host: '127.0.0.1', port });
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new WireClient(socket);
  }

  /** SSLRequest, then TLS. */
  static async tls(port: number, options: ConnectionOptions): Promise<WireClient> {
    const client = await WireClient.tcp(port);
    client.send(SSL_REQUEST);
    const answer = await client.bytes(1);
    if (answer.toString() !== 'S') throw new Error(`the server answered ${answer}`);
    await client.startTls(options);
    return client;
  }

  static async direct(port: number, options: ConnectionOptions): Promise<WireClient> {
    const client = await WireClient.tcp(port);
    await client.startTls(options);
    return client;
  }

  async startTls(options: ConnectionOptions): Promise<void> {
    this.#socket.removeAllListeners();
    const secure: TLSSocket = connectTls({ servername: 'localhost', ...options, socket: this.#socket });
    this.#socket.on('error', () => undefined);
    await new Promise((resolve, reject) =>
      secure
        .once('secureConnect', resolve)
        .once('error', reject)
        .once('close', () => reject(new Error('closed in the handshake'))),
    );
    secure.removeAllListeners('error').removeAllListeners('close');
    this.#socket = secure;
    this.#listen();
  }

  #listen(): void {
    this.#socket.on('data', (chunk) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      this.#wake();
    });
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  send(...parts: Buffer[]): void {
    this.#socket.write(Buffer.concat(parts));
  }

  startup(parameters: Record<string, string>): void {
    this.send(startupMessage(Object.entries(parameters)));
  }

  query(sql: string): void {
    this.send(message('Q', cstring(sql)));
  }

  /** The kernel's buffers fill up from here on, and then the server's. */
  stopReading(): void {
    this.#socket.pause();
  }

  async bytes(count: number): Promise<Buffer> {
    while (this.#bytes.length < count) {
      if (this.#closed) throw new Error('the server closed the connection');
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    const taken = this.#bytes.subarray(0, count);
    this.#bytes = this.#bytes.subarray(count);
    return taken;
  }

  async frame(): Promise<Frame> {
    const head = await this.bytes(5);
    return { type: head.toString('latin1', 0, 1), body: await this.bytes(head.readInt32BE(1) - 4) };
  }

  /** All frames up to and including the next of this type. */
  async until(type: string): Promise<Frame[]> {
    const frames: Frame[] = [];
    do frames.push(await this.frame());
    while (frames.at(-1)?.type !== type);
    return frames;
  }

  /** The next frame, which must be an ErrorResponse, as field -> text. */
  async error(): Promise<Record<string, string>> {
    const { type, body } = await this.frame();
    if (type !== 'E') throw new Error(`expected an error, got ${type}`);
    return Object.fromEntries(decodeFields(body));
  }

  /** Logs in with a token; resolves with the frames up to ReadyForQuery. */
  async login(parameters: Record<string, string>, token: string): Promise<Frame[]> {
    this.startup({ database: 'postgres', ...parameters });
    const asked = await this.frame();
    if (asked.type !== 'R' || asked.body.readInt32BE(0) !== 3)
      throw new Error(`expected a password request, got ${asked.type} ${asked.body.toString('latin1')}`);
    this.password(token);
    return await this.until('Z');
  }

  password(text: string | Buffer): void {
    this.send(message('p', typeof text === 'string' ? Buffer.from(`${text}\0`) : text));
  }

  /** Resolves when the server has closed, with what it still said. */
  async closed(): Promise<Buffer> {
    while (!this.#closed) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return this.#bytes;
  }

  end(): void {
    this.#socket.destroy();
  }

  /** Says whatever was sent, and then that it says no more. */
  hangUp(): void {
    this.#socket.end();
  }

  /** Breaks off with RST: as a machine does that has lost its memory of the connection. */
  reset(): void {
    this.#tcp.resetAndDestroy();
  }
}
