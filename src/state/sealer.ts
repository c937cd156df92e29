/** Authenticated encryption of small secrets under the data directory's key (AES-256-GCM). */
export interface Sealer {
  /** `context` is authenticated with the content: sealed for one context, it does not open in another. */
  seal(content: string | Buffer, context: string): string;
  /** Undefined for anything that this key did not seal for this context. */
  open(sealed: string, context: string): string | undefined;
  /** The same for what was sealed as bytes. */
  openBytes(sealed: string, context: string): Buffer | undefined;
  /** A key of 32 bytes for one named purpose, derived (HKDF-SHA-256) from the same key. */
  derive(purpose: string): Buffer;
}
