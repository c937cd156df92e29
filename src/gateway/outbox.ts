/** In bytes: more than this does not wait for the end of its request. */
const MAX_UNSENT = 64 * 1024;

/** What a client gets together with what comes next: PostgreSQL, too, sends what it has when it is ready. */
export class Outbox {
  readonly #write: (bytes: Buffer) => void;
  #unsent: Buffer[] = [];
  #bytes = 0;

  constructor(write: (bytes: Buffer) => void) {
    this.#write = write;
  }

  /** For later. */
  add(bytes: Buffer): void {
    this.#unsent.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes > MAX_UNSENT) this.send();
  }

  /** Sends what there is, and this behind it. */
  send(bytes?: Buffer): void {
    if (bytes && this.#unsent.length === 0) {
      this.#write(bytes);
      return;
    }
    if (bytes) this.#unsent.push(bytes);
    const all = this.take();
    if (all) this.#write(all);
  }

  /** What would be sent, if anything, is the caller's to send. */
  take(): Buffer | undefined {
    const unsent = this.#unsent;
    if (unsent.length === 0) return undefined;
    this.#unsent = [];
    this.#bytes = 0;
    return unsent.length === 1 ? unsent[0] : Buffer.concat(unsent);
  }
}
