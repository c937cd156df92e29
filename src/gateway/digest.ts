import { createHash, type Hash } from 'node:crypto';

/** In bytes: what is no longer than its hash is worth is compared as it is, which most answers are. */
const SHORT = 256;

/** By which two answers are compared without being kept. */
export class Digest {
  #text = '';
  #hash: Hash | undefined;

  update(bytes: Buffer): void {
    if (!this.#hash && this.#text.length + bytes.length <= SHORT) {
      this.#text += bytes.toString('latin1');
      return;
    }
    this.#hash ??= createHash('sha256').update(this.#text, 'latin1');
    this.#hash.update(bytes);
  }

  /** The same for the same bytes in whatever pieces, and for others another one. No more may come. */
  end(): string {
    return this.#hash ? `sha256 ${this.#hash.digest('base64')}` : this.#text;
  }
}
