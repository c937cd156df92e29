import { openTrail, type Trail } from '../audit/audit.ts';
import type { Audit } from '../audit/events.ts';
import { boundFloods, TOLD_IN_LOG, TOLD_IN_TRAIL } from '../audit/floods.ts';
import type { Log } from '../audit/log.ts';
import { both, createLogAudit } from '../audit/log-audit.ts';
import { countedAudit, type ServerMetrics } from '../metrics/server-metrics.ts';
import type { Sealer } from '../state/sealer.ts';
import type { OptionsInForce } from './options-in-force.ts';
import { after, now } from './setup.ts';
import type { Undo } from './undo.ts';

/** Tells every event to the server's log, to the metrics and, unless it is off, to the audit log. */
export async function openAudit(
  inForce: OptionsInForce,
  { log, sealer, metrics, undo }: { log: Log; sealer: Sealer; metrics: ServerMetrics; undo: Undo },
): Promise<{ audit: Audit; trail: Trail | undefined }> {
  const { dataDir, account, region, auditLog } = inForce.current;
  const logAudit = boundFloods(createLogAudit(log), TOLD_IN_LOG, { now, after });
  undo.push(async () => logAudit.flush());
  if (auditLog === 'off') return { audit: countedAudit(logAudit, metrics), trail: undefined };
  const trail = await openTrail(
    { dataDir, sealer, site: { account, region, now } },
    {
      get required() {
        return inForce.current.auditRequired === 'on';
      },
      get sync() {
        return inForce.current.auditSync === 'on';
      },
      get maxSize() {
        return inForce.current.auditMaxSize * 1024 * 1024;
      },
      get keep() {
        return inForce.current.auditKeep;
      },
    },
    { log, now, after },
  );
  undo.push(() => trail.close());
  const bounded = boundFloods(trail, TOLD_IN_TRAIL, { now, after });
  undo.push(async () => bounded.flush());
  return { audit: countedAudit(both(logAudit, bounded), metrics), trail };
}
