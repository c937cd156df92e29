import { openTrail, type Trail } from '../audit/audit.ts';
import type { Audit } from '../audit/events.ts';
import { both, createLogAudit } from '../audit/log-audit.ts';
import { countedAudit, type ServerMetrics } from '../metrics/server-metrics.ts';
import type { Sealer } from '../state/sealer.ts';
import { after, now, type ServerSetup } from './setup.ts';
import type { Undo } from './undo.ts';

/** Tells every event to the server's log, to the metrics and, unless it is off, to the audit log. */
export async function openAudit(
  { options, log }: Pick<ServerSetup, 'options' | 'log'>,
  { sealer, metrics, undo }: { sealer: Sealer; metrics: ServerMetrics; undo: Undo },
): Promise<{ audit: Audit; trail: Trail | undefined }> {
  const { dataDir, account, region } = options;
  const logAudit = createLogAudit(log);
  if (options.auditLog === 'off') return { audit: countedAudit(logAudit, metrics), trail: undefined };
  const trail = await openTrail(
    { dataDir, sealer, site: { account, region, now } },
    {
      required: options.auditRequired === 'on',
      sync: options.auditSync === 'on',
      maxSize: options.auditMaxSize * 1024 * 1024,
      keep: options.auditKeep,
    },
    { log, now, after },
  );
  undo.push(() => trail.close());
  return { audit: countedAudit(both(logAudit, trail), metrics), trail };
}
