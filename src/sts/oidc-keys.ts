import { Refused } from '../refused.ts';
import { fetchKeySet, type KeySet } from './oidc-documents.ts';

/** The public keys of OpenID Connect providers, fetched when they are first needed and kept for a while. */
export interface OidcKeys {
  /**
   * The keys of a registered provider, by its URL: fetched again where `keyId` is not among those that are known, else
   * the same object as before. Throws Refused `identity-provider-unreachable` where there are none.
   */
  of(issuer: string, keyId: string): Promise<KeySet>;
}

/** In ms. Anybody can send a token with an unknown key id, so this is how often the provider hears of it. */
const REFETCH_INTERVAL = 60_000;
/** In ms, after a fetch that failed. */
const RETRY_INTERVAL = 5_000;
/** In ms: a key that the provider has withdrawn counts no longer than this. */
const MAX_AGE = 3_600_000;
/** In ms, for the two documents together. */
const TIMEOUT = 5_000;
/** An account has at most 100 providers; those that were deleted are forgotten one by one. */
const MAX_ISSUERS = 200;
/** AWS takes at most 100 RSA keys and 100 EC keys of a provider. */
const MAX_KEYS = 200;
const PUBLIC_MEMBERS = ['kty', 'kid', 'use', 'key_ops', 'alg', 'n', 'e', 'crv', 'x', 'y'];

interface Known {
  keySet: KeySet;
  fetchedAt: number;
}

interface Issuer {
  known: Known | undefined;
  triedAt: number | undefined;
  failure: string | undefined;
  pending: Promise<void> | undefined;
}

export function createOidcKeys({ now, timeout = TIMEOUT }: { now(): Date; timeout?: number }): OidcKeys {
  const issuers = new Map<string, Issuer>();

  const issuerOf = (url: string): Issuer => {
    let issuer = issuers.get(url);
    if (!issuer) {
      if (issuers.size >= MAX_ISSUERS) for (const oldest of issuers.keys()) if (issuers.delete(oldest)) break;
      issuer = { known: undefined, triedAt: undefined, failure: undefined, pending: undefined };
      issuers.set(url, issuer);
    }
    return issuer;
  };

  const fresh = (issuer: Issuer): Known | undefined => {
    const { known } = issuer;
    const age = known ? now().getTime() - known.fetchedAt : Number.NaN;
    return age >= 0 && age < MAX_AGE ? known : undefined;
  };

  const mayTry = ({ triedAt, failure }: Issuer): boolean => {
    const since = triedAt === undefined ? Number.POSITIVE_INFINITY : now().getTime() - triedAt;
    // A clock that was set back must not lock the provider out.
    return since < 0 || since >= (failure === undefined ? REFETCH_INTERVAL : RETRY_INTERVAL);
  };

  const refresh = async (url: string, issuer: Issuer): Promise<void> => {
    const startedAt = now().getTime();
    issuer.triedAt = startedAt;
    try {
      issuer.known = { keySet: publicKeys(await fetchKeySet(url, timeout)), fetchedAt: startedAt };
      issuer.failure = undefined;
    } catch (error) {
      issuer.failure = (error as Error).message;
    }
  };

  return {
    async of(url, keyId) {
      const issuer = issuerOf(url);
      const known = fresh(issuer);
      if (known?.keySet.keys.some(({ kid }) => kid === keyId)) return known.keySet;
      if (!issuer.pending && mayTry(issuer)) {
        issuer.pending = refresh(url, issuer).finally(() => {
          issuer.pending = undefined;
        });
      }
      await issuer.pending;
      const found = fresh(issuer);
      if (found) return found.keySet;
      throw new Refused('identity-provider-unreachable', {
        say: `The identity provider ${url} could not be reached for its keys. Retry the request.`,
        detail: issuer.failure ?? `the keys of ${url} are too old`,
      });
    },
  };
}

/** Those that have a name, without what a careless provider has let slip of its private keys. */
function publicKeys({ keys }: KeySet): KeySet {
  if (keys.length > MAX_KEYS) throw new Error(`the key set has more than ${MAX_KEYS} keys`);
  const named = keys.filter(({ kid }) => typeof kid === 'string');
  return {
    keys: named.map((key) =>
      Object.fromEntries(PUBLIC_MEMBERS.filter((name) => Object.hasOwn(key, name)).map((name) => [name, key[name]])),
    ),
  };
}
