import type { Log } from '../audit/log.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { SessionStatements } from '../statement-log/session-statements.ts';
import { StatementFile } from '../statement-log/statement-file.ts';
import type { OptionsInForce } from './options-in-force.ts';
import { after, now } from './setup.ts';
import type { Undo } from './undo.ts';

/** The statement log: whether there is one is asked at the beginning of each session. */
export function openStatementLog(
  inForce: OptionsInForce,
  { log, undo }: { log: Log; undo: Undo },
): Pick<Gateway, 'followStatements'> & { lost: () => number } {
  const settings = {
    get maxSize() {
      return inForce.current.statementLogMaxSize * 1024 * 1024;
    },
    get keep() {
      return inForce.current.statementLogKeep;
    },
  };
  const file = new StatementFile(inForce.current.dataDir, settings, { log, now, after });
  undo.push(() => file.close());
  return {
    lost: () => file.lost,
    followStatements: (facts) =>
      inForce.current.statementLog === 'on' ? new SessionStatements(file, facts, () => performance.now()) : undefined,
  };
}
