import type { LimitOptions } from '../config/limit-options.ts';
import { FailedLogins } from '../gateway/failed-logins.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { type QuotaKinds, Quotas } from '../gateway/quotas.ts';

const clock = () => performance.now();

/** After a quiet time as many at once as in ten seconds: the proportion of the service's own quotas. */
function limited(maxConnections: number, rate: number, kinds: QuotaKinds): Quotas {
  return new Quotas({ maxConnections, rate, burst: Math.max(1, 10 * rate) }, clock, kinds);
}

/** What a cluster, an address and a principal get, and how often somebody may fail. */
export function createQuotas(
  options: LimitOptions,
): Pick<Gateway, 'quotas' | 'addressQuotas' | 'principalQuotas' | 'failedLogins'> {
  const { maxConnections, connectionRate: rate, connectionBurst: burst } = options;
  return {
    quotas: new Quotas({ maxConnections, rate, burst }, clock),
    addressQuotas: limited(options.connectionsPerAddress, options.connectionRatePerAddress, {
      open: 'address-connections-exceeded',
      rate: 'address-rate-exceeded',
    }),
    principalQuotas: limited(options.connectionsPerPrincipal, options.connectionRatePerPrincipal, {
      open: 'principal-connections-exceeded',
      rate: 'principal-rate-exceeded',
    }),
    failedLogins: new FailedLogins({ rate: options.failedLoginRate, burst: options.failedLoginBurst }, clock),
  };
}
