import type { Audit } from '../audit/events.ts';
import type { Log } from '../audit/log.ts';
import type { Certificate } from '../config/certificate.ts';
import type { OptionsInForce, ServerOptions } from './options-in-force.ts';

/** Reads the configuration and puts it in force, whole or not at all. Rejects with the reason why not. */
export type Reload = (read: () => ServerOptions) => Promise<void>;

export function createReload(
  inForce: OptionsInForce,
  { certificate, audit, log }: { certificate: Certificate; audit: Audit; log: Log },
): Reload {
  let last: Promise<unknown> = Promise.resolve();
  const reload: Reload = async (read) => {
    try {
      const change = inForce.compare(read());
      const ready = await certificate.prepare(change.next);
      const { changed, needRestart } = change;
      // Where the audit log is required, limits are not changed unseen.
      await audit.require({ event: 'configuration.reloaded', changed, needRestart }, { happened: false });
      // From here on nothing can fail.
      inForce.put(change);
      ready.use();
      log.info({ changed: changed.map(({ option }) => option) }, 'configuration reloaded');
      if (needRestart.length > 0) {
        log.warn({ options: needRestart }, 'changed options that only a restart puts in force');
      }
    } catch (error) {
      audit.record({ event: 'configuration.refused', reason: (error as Error).message });
      log.error({ err: error }, 'the configuration was not reloaded; what is in force stays in force');
      throw error;
    }
  };
  return (read) => {
    // One after the other: each compares with what the one before has left.
    const done = last.then(() => reload(read));
    last = done.catch(() => undefined);
    return done;
  };
}
