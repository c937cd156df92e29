import { decodeFields } from '../pgwire/fields.ts';
import { INJECTION_NOTICE, INJECTION_PROCEDURE } from '../roles/transactions-sql.ts';
import type { Party } from '../transactions/conflicts.ts';
import type { InjectionRule } from '../transactions/injection.ts';
import type { ClusterTransactions } from './cluster-transactions.ts';
import { isLogMessage, lockMessage } from './engine-messages.ts';

const INJECTION = Buffer.from(`\0C${INJECTION_NOTICE}\0`);

/** The engine's notices that are for us: what a session waits for, and conflicts that the operator asks for. */
export class EngineNotices {
  readonly #cluster: ClusterTransactions;
  readonly #party: Party;

  constructor(cluster: ClusterTransactions, party: Party) {
    this.#cluster = cluster;
    this.#party = party;
  }

  /** Whether this one was for us: the client does not get it. */
  read(frame: Buffer): boolean {
    if (isLogMessage(frame)) this.#readLock(frame);
    else if (frame.includes(INJECTION)) this.#inject(decodeFields(frame.subarray(5)));
    else return false;
    return true;
  }

  #readLock(frame: Buffer): void {
    const lock = lockMessage(frame);
    const { conflicts } = this.#cluster;
    if (lock?.kind === 'waits') {
      conflicts.waits(this.#party, lock.forRow, () => this.#cluster.blockers(this.#party.processId));
    } else if (lock) {
      conflicts.waitsNoMore(this.#party);
    }
  }

  #inject(fields: Map<string, string>): void {
    if (!fields.get('W')?.startsWith(`PL/pgSQL function ${INJECTION_PROCEDURE}(`)) return;
    const rule = JSON.parse(Buffer.from(fields.get('D') ?? '', 'latin1').toString('utf8')) as InjectionRule;
    this.#cluster.inject(Object.keys(rule).length > 0 ? rule : undefined);
  }
}
