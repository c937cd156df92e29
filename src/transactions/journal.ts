import { Share, type Space } from './space.ts';

/** In bytes: more than the service lets a transaction write. */
const MAX_BYTES = 16 * 1024 * 1024;
const MAX_ENTRIES = 10_000;
/** In bytes: an entry beside what its step holds. */
const ENTRY = 200;

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
  readonly #share: Share;
  #whole = true;

  constructor(space: Space) {
    this.#share = new Share(space, MAX_BYTES);
  }

  /** Whether it has everything: only then may the transaction be rewound. */
  get whole(): boolean {
    return this.#whole;
  }

  get entries(): readonly Entry<Step>[] {
    return this.#entries;
  }

  /** `bytes`: what the step holds. */
  add(step: Step, digest: string, bytes: number): void {
    if (!this.#whole) return;
    if (this.#entries.length >= MAX_ENTRIES || !this.#share.take(bytes + ENTRY)) {
      this.tear();
      return;
    }
    this.#entries.push({ step, digest });
  }

  /** Something happened that cannot be done again. */
  tear(): void {
    this.#whole = false;
    this.end();
  }

  /** It is of no more use. */
  end(): void {
    this.#share.end();
    this.#entries.length = 0;
  }
}
