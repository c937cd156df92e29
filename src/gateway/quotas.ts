import { Refused } from '../refused.ts';

/** What one cluster takes; 0: as much as comes. */
export interface QuotaLimits {
  /** Open connections, those that are logging in included. */
  maxConnections: number;
  /** New connections a second, once the burst is used up. */
  rate: number;
  /** New connections at once after a quiet time. */
  burst: number;
}

export interface Admission {
  /** The connection is over. */
  release(): void;
}

interface Usage {
  open: number;
  /** New connections that may come now, as of `at` ms. */
  tokens: number;
  at: number;
}

/**
 * The service's quotas of connections, cluster by cluster ("Cluster quotas and database limits in Amazon Aurora DSQL"). A
 * connection counts from the moment its cluster is known, and to the rate also when it is refused later: what costs
 * something, a token's signature above all, comes behind.
 */
export class Quotas {
  readonly #limits: QuotaLimits;
  /** In ms, from any beginning, never backwards. */
  readonly #now: () => number;
  readonly #usages = new Map<string, Usage>();

  constructor(limits: QuotaLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  /** Clusters of which something is remembered. */
  get size(): number {
    return this.#usages.size;
  }

  /** Throws Refused `rate-exceeded` or `too-many-connections`. */
  admit(clusterId: string): Admission {
    const { maxConnections, rate } = this.#limits;
    const usage = this.#usage(clusterId);
    if (rate > 0) {
      this.#refill(usage);
      if (usage.tokens < 1) {
        throw new Refused('rate-exceeded', { detail: `more than ${rate} new connections a second` });
      }
      usage.tokens--;
    }
    if (maxConnections > 0 && usage.open >= maxConnections) {
      throw new Refused('too-many-connections', { detail: `${usage.open} connections are open` });
    }
    usage.open++;
    let released = false;
    return {
      release: () => {
        if (!released) usage.open--;
        released = true;
      },
    };
  }

  #usage(clusterId: string): Usage {
    const known = this.#usages.get(clusterId);
    if (known) return known;
    this.#forgetQuiet();
    const usage = { open: 0, tokens: this.#limits.burst, at: this.#now() };
    this.#usages.set(clusterId, usage);
    return usage;
  }

  #refill(usage: Usage): void {
    const { rate, burst } = this.#limits;
    const now = this.#now();
    usage.tokens = Math.min(burst, usage.tokens + ((now - usage.at) / 1000) * rate);
    usage.at = now;
  }

  /** Clusters come and go; one without connections and with a full bucket is like one that nobody has connected to. */
  #forgetQuiet(): void {
    for (const [clusterId, usage] of this.#usages) {
      if (usage.open > 0) continue;
      if (this.#limits.rate > 0) this.#refill(usage);
      if (usage.tokens >= this.#limits.burst) this.#usages.delete(clusterId);
    }
  }
}
