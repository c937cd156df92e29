import type { Attempt } from './attempt.ts';

/** What the operator can still ask about. */
const CAPACITY = 10_000;

/** The newest attempts of this server, in memory: what is older is dropped, and all end with the process. */
export class Attempts {
  readonly #capacity: number;
  /** Oldest first. */
  readonly #kept = new Map<string, Attempt>();
  #newest: Attempt | undefined;

  constructor(capacity = CAPACITY) {
    this.#capacity = capacity;
  }

  /** Again when it has ended: then it is the newest. */
  add(attempt: Attempt): void {
    this.#kept.delete(attempt.connectionId);
    this.#kept.set(attempt.connectionId, attempt);
    this.#newest = attempt;
    if (this.#kept.size > this.#capacity) this.#kept.delete(this.#kept.keys().next().value as string);
  }

  find(connectionId: string): Attempt | undefined {
    return this.#kept.get(connectionId);
  }

  /** Oldest first. */
  all(): Iterable<Attempt> {
    return this.#kept.values();
  }

  get newest(): Attempt | undefined {
    return this.#newest;
  }
}
