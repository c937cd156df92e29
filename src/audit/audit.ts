import { join } from 'node:path';
import { Refused } from '../refused.ts';
import type { Sealer } from '../state/sealer.ts';
import type { Audit, AuditEvent } from './events.ts';
import { findEnd } from './open-trail.ts';
import { makeChainKey, makeTrailFolder, readChainKey, TRAIL_FOLDER, type TrailFolder } from './trail-folder.ts';
import { closingRecord, openingRecord, resumedRecord, type TrailSite, trailRecord } from './trail-record.ts';
import { type TrailDeps, type TrailSettings, TrailWriter } from './trail-writer.ts';

/** An audit log that is open. */
export interface Trail extends Audit {
  /** For whoever counts: lines lost since the start, and whether lines can be written now. */
  readonly state: { lost: number; failing: boolean };
  /** Writes what waits, and a last line. */
  close(): Promise<void>;
}

export interface TrailOptions extends TrailSettings {
  /** Whether what must be audited may happen only when it is. */
  required: boolean;
}

type Clock = Pick<TrailDeps, 'now' | 'after' | 'log'>;

/**
 * Opens the audit log of a data directory, and says in it how it was found. Throws an Error when the folder cannot be
 * used, or, where the log is required, when it cannot be written.
 */
export async function openTrail(
  place: { dataDir: string; sealer: Sealer; site: TrailSite },
  options: TrailOptions,
  clock: Clock,
): Promise<Trail> {
  const { dataDir, sealer, site } = place;
  try {
    const folder = await makeTrailFolder(dataDir);
    const path = join(dataDir, TRAIL_FOLDER);
    // Without its key an older log cannot be continued: the new key's lines show it.
    const key = (await readChainKey(path, sealer)) ?? (await makeChainKey(path, sealer));
    return await continueTrail({ folder, key, site }, options, clock);
  } catch (error) {
    throw new Error(`--audit-log: ${join(dataDir, TRAIL_FOLDER)}: ${(error as Error).message}`);
  }
}

/** The same over any folder. */
export async function continueTrail(
  { folder, key, site }: { folder: TrailFolder; key: Buffer; site: TrailSite },
  options: TrailOptions,
  { log, now, after }: Clock,
): Promise<Trail> {
  const { start, opening } = await findEnd(folder, key, now());
  if (opening.state === 'broken') log.error({ problem: opening.problem }, 'the audit log was not as it was left');
  const resumed: TrailDeps['resumedRecord'] = (since, lost) => resumedRecord(since, lost, site);
  const writer = new TrailWriter({ folder, key, settings: options, resumedRecord: resumed, log, now, after }, start);
  const opened = writer.commit(openingRecord(opening, site), { keep: true });
  await opened.catch((error) => {
    if (options.required) throw error;
  });

  const unavailable = (error: unknown) =>
    new Refused('audit-unavailable', { detail: `the audit log cannot be written: ${(error as Error).message}` });
  return {
    get state() {
      const { lost, failing } = writer.state;
      return { lost, failing };
    },
    record(event: AuditEvent) {
      const record = trailRecord(event, site);
      if (record) writer.write(record);
    },
    async require(event, { happened }) {
      const record = trailRecord(event, site);
      if (!record) return;
      if (!options.required) {
        writer.write(record);
        return;
      }
      await writer.commit(record, { keep: happened }).catch((error) => {
        throw unavailable(error);
      });
    },
    async assertWritable() {
      if (!options.required) return;
      await writer.ready().catch((error) => {
        throw unavailable(error);
      });
    },
    async close() {
      writer.write(closingRecord(site));
      await writer.close();
    },
  };
}
