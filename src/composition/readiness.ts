import type { Trail } from '../audit/audit.ts';
import type { Fleet } from '../clusters/fleet.ts';
import type { KeptEngine } from '../engine/kept.ts';
import type { ControlStore } from '../state/control-store.ts';
import type { OptionsInForce } from './options-in-force.ts';

/** Why no client should be sent here. */
export interface Readiness {
  /** Reasons that last until they are taken back. */
  readonly reasons: Set<string>;
  /** These and what is found by looking. Empty: clients may come. */
  unready(): string[];
  /** What does not work, though clients may come. */
  ailing(): string[];
}

export function createReadiness(
  inForce: OptionsInForce,
  {
    store,
    fleet,
    trail,
    control,
    defaultClusterId,
  }: { store: ControlStore; fleet: Fleet; trail: Trail | undefined; control: KeptEngine; defaultClusterId: string },
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
    // Logins are decided from memory meanwhile: nobody is served better by being sent away.
    ailing() {
      const [why] = control.away?.split('\n', 1) ?? [];
      if (why !== undefined) return [`the control database does not start and is tried again: ${why}`];
      return store.health().connected ? [] : ['the control database is away and changes are refused'];
    },
  };
}
