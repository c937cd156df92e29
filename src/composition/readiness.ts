import type { Trail } from '../audit/audit.ts';
import type { Fleet } from '../clusters/fleet.ts';
import type { Store } from '../state/store.ts';
import type { OptionsInForce } from './options-in-force.ts';

/** Why no client should be sent here. */
export interface Readiness {
  /** Reasons that last until they are taken back. */
  readonly reasons: Set<string>;
  /** These and what is found by looking. Empty: clients may come. */
  unready(): string[];
}

export function createReadiness(
  inForce: OptionsInForce,
  {
    store,
    fleet,
    trail,
    defaultClusterId,
  }: { store: Store; fleet: Fleet; trail: Trail | undefined; defaultClusterId: string },
): Readiness {
  const reasons = new Set(['the listeners are not open yet']);
  return {
    reasons,
    unready() {
      const found = [...reasons];
      if (inForce.current.auditRequired === 'on' && trail?.state.failing) found.push('the audit log cannot be written');
      const cluster = store.get('clusters', defaultClusterId);
      if (cluster?.status === 'ACTIVE' && fleet.state(cluster.database) === 'failed') {
        found.push('the PostgreSQL of the default cluster does not start');
        // Nobody else may ask for it as long as this is said.
        fleet.wake(cluster.database).catch(() => undefined);
      }
      return found;
    },
  };
}
