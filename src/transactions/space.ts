/** In bytes: what everybody may hold without a word, so that those who hold much are in the way of each other only. */
const FREE = 16 * 1024;
const MEBIBYTE = 1024 * 1024;

/** Memory that clients have this process keep, in bytes: what all of them together may. */
export class Space {
  readonly #max: number;
  #held = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get held(): number {
    return this.#held;
  }

  take(bytes: number): boolean {
    if (this.#held + bytes > this.#max) return false;
    this.#held += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#held -= bytes;
  }
}

/** What one of them holds of it. */
export class Share {
  readonly #space: Space;
  readonly #max: number;
  #held = 0;

  /** `max`: in bytes. */
  constructor(space: Space, max: number) {
    this.#space = space;
    this.#max = max;
  }

  get held(): number {
    return this.#held;
  }

  /** Says whether there is so much; nothing is taken where there is not. */
  take(bytes: number): boolean {
    const held = this.#held + bytes;
    if (held > this.#max) return false;
    const more = charged(held) - charged(this.#held);
    if (more > 0 && !this.#space.take(more)) return false;
    this.#held = held;
    return true;
  }

  giveBack(bytes: number): void {
    const held = this.#held - bytes;
    const less = charged(this.#held) - charged(held);
    if (less > 0) this.#space.giveBack(less);
    this.#held = held;
  }

  /** Holds so much and no more or less; says whether there is so much. */
  hold(bytes: number): boolean {
    const more = bytes - this.#held;
    if (more > 0) return this.take(more);
    this.giveBack(-more);
    return true;
  }

  /** Gives everything back. */
  end(): void {
    this.giveBack(this.#held);
  }
}

const charged = (held: number): number => Math.max(0, held - FREE);

/** What the sessions of one gateway hold, by what for: who fills one of them takes nothing of the others. */
export class Spaces {
  /** Of transactions, to be done again. */
  readonly journals = new Space(256 * MEBIBYTE);
  /** Messages before their Sync. */
  readonly requests = new Space(128 * MEBIBYTE);
  /** Prepared statements and portals. */
  readonly prepared = new Space(128 * MEBIBYTE);
}
