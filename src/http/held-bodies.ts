import { Refused } from '../refused.ts';

/** In bytes: what all callers together may have waiting in memory before anybody knows who they are. */
const MOST = 64 * 1024 * 1024;
/** Of it, what one source address may have: a few slow clients must not shut out the others. */
const SHARE = 0.25;

/** The room that one request's body has taken. */
export interface HeldBody {
  /** Throws Refused `service-unavailable` when there is no room for so many bytes more. */
  take(bytes: number): void;
  /** Gives back all of it. */
  release(): void;
}

/**
 * The bodies of requests that are being read and answered. A signature covers the whole body, so that it is held before
 * it is known whose it is: each has a limit of its own, and here is that of their sum.
 */
export class HeldBodies {
  readonly #most: number;
  readonly #mostOfOne: number;
  readonly #ofSource = new Map<string, number>();
  #held = 0;

  constructor(most = MOST, share = SHARE) {
    this.#most = most;
    this.#mostOfOne = most * share;
  }

  /** In bytes. */
  get held(): number {
    return this.#held;
  }

  /** A `source` may have a share; undefined stands for those that may have all. */
  open(source: string | undefined): HeldBody {
    let mine = 0;
    return {
      take: (bytes) => {
        const others = source === undefined ? 0 : (this.#ofSource.get(source) ?? 0);
        const most = source === undefined ? this.#most : this.#mostOfOne;
        if (this.#held + bytes > this.#most || others + bytes > most) {
          throw new Refused('service-unavailable', {
            detail: `no room for the body: ${this.#held} bytes of requests are held, ${others} of this address`,
          });
        }
        mine += bytes;
        this.#held += bytes;
        if (source !== undefined) this.#ofSource.set(source, others + bytes);
      },
      release: () => {
        this.#held -= mine;
        if (source !== undefined && mine > 0) {
          const left = (this.#ofSource.get(source) ?? 0) - mine;
          if (left > 0) this.#ofSource.set(source, left);
          else this.#ofSource.delete(source);
        }
        mine = 0;
      },
    };
  }
}
