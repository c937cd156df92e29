import type { LimitOptions } from '../config/limit-options.ts';
import { FailedLogins } from '../gateway/failed-logins.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { type QuotaKinds, type QuotaLimits, Quotas } from '../gateway/quotas.ts';

const clock = () => performance.now();

const OF_ADDRESSES: QuotaKinds = { open: 'address-connections-exceeded', rate: 'address-rate-exceeded' };
/** Connections of one address, beyond its limit, that are told so at a time. */
const REFUSALS_AT_ONCE = 10;

type LimitsInForce = () => LimitOptions;

/** Limits that are looked up each time, since they can change while the server runs. */
function lookedUp(limits: () => QuotaLimits): QuotaLimits {
  return {
    get maxConnections() {
      return limits().maxConnections;
    },
    get rate() {
      return limits().rate;
    },
    get burst() {
      return limits().burst;
    },
  };
}

/** After a quiet time as many at once as in ten seconds: the proportion of the service's own quotas. */
function limited(limits: () => Omit<QuotaLimits, 'burst'>, kinds: QuotaKinds): Quotas {
  const withBurst = lookedUp(() => ({ ...limits(), burst: Math.max(1, 10 * limits().rate) }));
  return new Quotas(withBurst, clock, kinds);
}

/** What a cluster, an address and a principal get, and how often somebody may fail. */
export function createQuotas(
  options: LimitsInForce,
): Pick<Gateway, 'quotas' | 'addressQuotas' | 'addressRefusals' | 'principalQuotas' | 'failedLogins'> {
  const ofCluster = lookedUp(() => {
    const { maxConnections, connectionRate: rate, connectionBurst: burst } = options();
    return { maxConnections, rate, burst };
  });
  return {
    quotas: new Quotas(ofCluster, clock),
    addressQuotas: limited(
      () => ({ maxConnections: options().connectionsPerAddress, rate: options().connectionRatePerAddress }),
      OF_ADDRESSES,
    ),
    addressRefusals: new Quotas({ maxConnections: REFUSALS_AT_ONCE, rate: 0, burst: 0 }, clock, OF_ADDRESSES),
    principalQuotas: limited(
      () => ({ maxConnections: options().connectionsPerPrincipal, rate: options().connectionRatePerPrincipal }),
      { open: 'principal-connections-exceeded', rate: 'principal-rate-exceeded' },
    ),
    failedLogins: createThrottle(options),
  };
}

/** Each front has its own, of the same size. */
export function createThrottle(options: LimitsInForce): FailedLogins {
  const limits = {
    get rate() {
      return options().failedLoginRate;
    },
    get burst() {
      return options().failedLoginBurst;
    },
  };
  return new FailedLogins(limits, clock);
}
