import { Refused, type WireKind } from '../refused.ts';

/** What one cluster, address or principal gets; 0: as much as comes. */
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

/** What is said of who has used up what it gets. */
export interface QuotaKinds {
  open: WireKind;
  rate: WireKind;
}

const OF_CLUSTERS: QuotaKinds = { open: 'too-many-connections', rate: 'rate-exceeded' };

/**
 * Quotas of connections, holder by holder: the service's own of each cluster ("Cluster quotas and database limits in Amazon
 * Aurora DSQL"), and Postern's of each address and principal. A
 * connection counts from the moment its holder is known, and to the rate also when it is refused later: what costs
 * something, a token's signature above all, comes behind.
 */
export class Quotas {
  /** Looked at each time: they may change. */
  readonly #limits: QuotaLimits;
  /** In ms, from any beginning, never backwards. */
  readonly #now: () => number;
  readonly #kinds: QuotaKinds;
  readonly #usages = new Map<string, Usage>();
  /** So many holders are remembered before those that are quiet are looked for. */
  #tidyAt = 1;

  constructor(limits: QuotaLimits, now: () => number, kinds: QuotaKinds = OF_CLUSTERS) {
    this.#limits = limits;
    this.#kinds = kinds;
    this.#now = now;
  }

  /** Holders of which something is remembered. */
  get size(): number {
    return this.#usages.size;
  }

  /** Throws Refused of one of the two kinds. */
  admit(holder: string): Admission {
    const { maxConnections, rate } = this.#limits;
    const usage = this.#usage(holder);
    if (rate > 0) {
      this.#refill(usage);
      if (usage.tokens < 1) {
        throw new Refused(this.#kinds.rate, { detail: `more than ${rate} new connections a second` });
      }
      usage.tokens--;
    }
    if (maxConnections > 0 && usage.open >= maxConnections) {
      throw new Refused(this.#kinds.open, { detail: `${usage.open} connections are open` });
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

  #usage(holder: string): Usage {
    const known = this.#usages.get(holder);
    if (known) return known;
    // Looked for when they may have doubled, so that many holders at once cost each other nothing.
    if (this.#usages.size >= this.#tidyAt) {
      this.#forgetQuiet();
      this.#tidyAt = Math.max(1, 2 * this.#usages.size);
    }
    const usage = { open: 0, tokens: this.#limits.burst, at: this.#now() };
    this.#usages.set(holder, usage);
    return usage;
  }

  #refill(usage: Usage): void {
    const { rate, burst } = this.#limits;
    const now = this.#now();
    usage.tokens = Math.min(burst, usage.tokens + ((now - usage.at) / 1000) * rate);
    usage.at = now;
  }

  /** Holders come and go; one without connections and with a full bucket is like one that has never connected. */
  #forgetQuiet(): void {
    for (const [holder, usage] of this.#usages) {
      if (usage.open > 0) continue;
      // Without a rate there is nothing to remember of who has no connections.
      if (this.#limits.rate > 0) this.#refill(usage);
      if (this.#limits.rate === 0 || usage.tokens >= this.#limits.burst) this.#usages.delete(holder);
    }
  }
}
