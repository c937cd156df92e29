/** In bytes: more than the service lets a transaction write. */
const MAX_BYTES = 16 * 1024 * 1024;
const MAX_ENTRIES = 10_000;

export interface Entry<Step> {
  step: Step;
  /** Of everything that it was answered with; the same again, or it did something else. */
  digest: string;
}

/**
 * What a transaction has done so far, to be done again: its locks are taken from it when another transaction needs them.
 * Reads are kept too, since what was read may hang on what was written.
 */
export class Journal<Step> {
  readonly #entries: Entry<Step>[] = [];
  #bytes = 0;
  #whole = true;

  /** Whether it has everything: only then may the transaction be rewound. */
  get whole(): boolean {
    return this.#whole;
  }

  get entries(): readonly Entry<Step>[] {
    return this.#entries;
  }

  add(step: Step, digest: string, bytes: number): void {
    if (!this.#whole) return;
    this.#bytes += bytes;
    if (this.#bytes > MAX_BYTES || this.#entries.length >= MAX_ENTRIES) this.tear();
    else this.#entries.push({ step, digest });
  }

  /** Something happened that cannot be done again. */
  tear(): void {
    this.#whole = false;
    this.#entries.length = 0;
  }
}
