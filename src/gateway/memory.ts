/** Texts that are remembered: how many, and how many bytes of them. Longer ones than `MAX_TEXT` never are. */
const MAX_ENTRIES = 4_000;
const MAX_BYTES = 8 * 1024 * 1024;
const MAX_TEXT = 64 * 1024;

/**
 * What is known of texts, the newest of them. The oldest go first; one that is used again does not become younger, since
 * that would cost every use.
 */
export class Memory<Known> {
  readonly #entries = new Map<string, Known>();
  #bytes = 0;

  get(text: string): Known | undefined {
    return this.#entries.get(text);
  }

  set(text: string, known: Known): void {
    if (text.length > MAX_TEXT || this.#entries.has(text)) return;
    this.#entries.set(text, known);
    this.#bytes += text.length;
    while (this.#bytes > MAX_BYTES || this.#entries.size > MAX_ENTRIES) {
      const oldest = this.#entries.keys().next().value as string;
      this.#entries.delete(oldest);
      this.#bytes -= oldest.length;
    }
  }
}
