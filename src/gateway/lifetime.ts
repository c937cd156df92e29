import type { Relay } from './relay.ts';

/** In ms. What a transaction may take on the service, which lets one in progress finish. */
const TRANSACTION_TIME = 300_000;

/**
 * Ends a session `maxTime` ms from now, or when the transaction it is in then has ended; 0: never. Returns how to call it
 * off.
 */
export function limitTime(relay: Pick<Relay, 'expire' | 'expireNow'>, maxTime: number): () => void {
  if (maxTime === 0) return () => undefined;
  let timer = setTimeout(() => {
    timer = setTimeout(() => relay.expireNow(), TRANSACTION_TIME);
    relay.expire();
  }, maxTime);
  return () => clearTimeout(timer);
}
