import { isLoopback, sourceOf } from '../iam/source-address.ts';
import { type RefusalKind, Refused } from '../refused.ts';

/** How many failed logins of one source are answered as such; what comes faster is refused unlooked at. */
export interface FailureLimits {
  /** Failures a second, once the burst is used up. 0: no limit. */
  rate: number;
  /** Failures at once after a quiet time. */
  burst: number;
}

/** Logins and calls that failed before anybody had proved who is asking. What a policy or a mapping refuses is none of them. */
const FAILURES: ReadonlySet<RefusalKind> = new Set<RefusalKind>([
  'signature-malformed',
  'signature-expired',
  'signature-not-yet-valid',
  'lifetime-too-long',
  'scope-mismatch',
  'host-mismatch',
  'unknown-key',
  'inactive-key',
  'session-token-invalid',
  'session-token-expired',
  'signature-mismatch',
  'foreign-account',
  'wrong-action',
  'identity-token-invalid',
  'identity-token-expired',
  'identity-claim-rejected',
]);

/** Sources that are remembered: whoever has more addresses than that makes the server forget, not grow. */
const CAPACITY = 20_000;
/** Access key ids are what a client says; real ones have 20 characters. */
const MAX_KEY = 128;

/**
 * A throttle on failed logins, by source address, and by access key from one address. Never by the key alone: whoever
 * knows a key's id, which is no secret, could else lock its owner out. A key from one address has half of the address's
 * allowance, so that one client with a wrong secret does not lock out the others behind its address. This machine's own
 * clients are not held up: behind a proxy on it they would all be one.
 */
export class FailedLogins {
  /** Looked at each time: they may change. */
  readonly #limits: FailureLimits;
  /** In ms, from any beginning, never backwards. */
  readonly #now: () => number;
  readonly #capacity: number;
  /** What each source has left, as of `at` ms; longest unchanged first. Who has not failed is not in it. */
  readonly #left = new Map<string, { failures: number; at: number }>();

  constructor(limits: FailureLimits, now: () => number, capacity = CAPACITY) {
    this.#limits = limits;
    this.#now = now;
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#left.size;
  }

  /** Throws Refused `failed-logins-exceeded`. */
  check(address: string, accessKeyId?: string): void {
    // The address is looked at again when the key is known: others of it may have failed since it was let in.
    for (const { name, share } of this.#sources(address, accessKeyId)) {
      if (this.#allowance(name, share) >= 1) continue;
      const whose = share === 1 ? 'of this address' : 'with this access key from this address';
      throw new Refused('failed-logins-exceeded', {
        detail: `too many failed logins ${whose}: more than ${this.#limits.rate * share} a second`,
      });
    }
  }

  /** Counts the refusal of a login if it is a failure. */
  note(address: string, accessKeyId: string | undefined, kind: RefusalKind): void {
    if (!FAILURES.has(kind)) return;
    for (const { name, share } of this.#sources(address, accessKeyId)) {
      const failures = Math.max(0, this.#allowance(name, share) - 1);
      this.#left.delete(name);
      this.#left.set(name, { failures, at: this.#now() });
    }
    for (const name of this.#left.keys()) {
      if (this.#left.size <= this.#capacity) break;
      this.#left.delete(name);
    }
  }

  #sources(address: string, accessKeyId: string | undefined): { name: string; share: number }[] {
    if (this.#limits.rate === 0 || isLoopback(address)) return [];
    const source = sourceOf(address);
    const sources = [{ name: source, share: 1 }];
    if (accessKeyId !== undefined) sources.push({ name: `${source} ${accessKeyId.slice(0, MAX_KEY)}`, share: 0.5 });
    return sources;
  }

  #allowance(name: string, share: number): number {
    const { rate, burst } = this.#limits;
    // Half of one failure would be none, ever.
    const most = Math.max(1, burst * share);
    const left = this.#left.get(name);
    if (!left) return most;
    return Math.min(most, left.failures + ((this.#now() - left.at) / 1000) * rate * share);
  }
}
