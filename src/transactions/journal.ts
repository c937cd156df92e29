/** In bytes: more than the service lets a transaction write. */
const MAX_BYTES = 16 * 1024 * 1024;
const MAX_ENTRIES = 10_000;

/** In bytes, for all sessions together: what any number of clients can have this process keep. */
const MAX_TOGETHER = 256 * 1024 * 1024;

/** What all journals of one gateway hold. */
export class JournalSpace {
  #held = 0;

  /** In bytes. */
  get held(): number {
    return this.#held;
  }

  take(bytes: number): boolean {
    if (this.#held + bytes > MAX_TOGETHER) return false;
    this.#held += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#held -= bytes;
  }
}

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
  readonly #space: JournalSpace;
  #bytes = 0;
  #whole = true;

  constructor(space: JournalSpace) {
    this.#space = space;
  }

  /** Whether it has everything: only then may the transaction be rewound. */
  get whole(): boolean {
    return this.#whole;
  }

  get entries(): readonly Entry<Step>[] {
    return this.#entries;
  }

  add(step: Step, digest: string, bytes: number): void {
    if (!this.#whole) return;
    const fits = this.#bytes + bytes <= MAX_BYTES && this.#entries.length < MAX_ENTRIES && this.#space.take(bytes);
    if (!fits) {
      this.tear();
      return;
    }
    this.#bytes += bytes;
    this.#entries.push({ step, digest });
  }

  /** Something happened that cannot be done again. */
  tear(): void {
    this.#whole = false;
    this.end();
  }

  /** It is of no more use. */
  end(): void {
    this.#space.giveBack(this.#bytes);
    this.#bytes = 0;
    this.#entries.length = 0;
  }
}
