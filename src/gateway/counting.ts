import { errorResponse } from '../pgwire/messages.ts';
import type { Statement } from '../sql/classify.ts';
import { rowsOf } from '../transactions/rules.ts';
import { type Answer, errorOf, replace, withoutResults } from './answers.ts';
import type { Block } from './block.ts';
import type { ClusterTransactions } from './cluster-transactions.ts';
import type { RunnerPort } from './runner-port.ts';
import type { Step, Writing } from './steps.ts';

/** Counts what a transaction writes: by command tags where they tell it, else PostgreSQL is asked before and after. */
export class Counting {
  readonly #port: Pick<RunnerPort, 'ask' | 'request'>;
  readonly #cluster: ClusterTransactions;

  constructor(port: Pick<RunnerPort, 'ask' | 'request'>, cluster: ClusterTransactions) {
    this.#port = port;
    this.#cluster = cluster;
  }

  /** Has a step done, and its answer be an error where that is too much. */
  async run(block: Block, step: Step, writing: Writing): Promise<Answer> {
    const isCounted = (statement: Statement | undefined) =>
      statement?.writesRows === true && !step.partial && !this.#cluster.rowsAreUnknown(statement);
    const byTag = (tag: string | undefined, index: number) => {
      if (tag === undefined || !isCounted(step.tagged[index])) return undefined;
      const refusal = block.rules.count(rowsOf(tag));
      return refusal && errorOf(refusal);
    };
    const isMeasured =
      (block.explicit || block.wrapped) &&
      writing.refused.size === 0 &&
      (step.partial || step.statements.some((statement) => this.#cluster.mustBeMeasured(statement)));
    if (!isMeasured) {
      if (step.statements.some(({ writesRows }) => writesRows)) block.sent += step.size;
      return this.#port.ask(step, writing, byTag);
    }
    // One that the client has cancelled is the answer to its statement.
    const before = await this.#measure();
    if ('status' in before) return before;
    const answer = await this.#port.ask(step, writing, byTag);
    if (answer.errorFrame || answer.status !== 'T') return answer;
    const after = await this.#measure();
    if ('status' in after) return after;
    block.sent += after.bytes - before.bytes;
    const isUnknown = step.partial || step.statements.some((statement) => this.#cluster.rowsAreUnknown(statement));
    const refusal = isUnknown ? block.rules.count(after.rows - before.rows) : undefined;
    if (refusal) {
      answer.held = withoutResults(answer.held);
      replace(answer, errorResponse(errorOf(refusal)));
    }
    return answer;
  }

  /** What the transaction has written so far, or the answer that says why that is not to be had. */
  async #measure(): Promise<{ rows: number; bytes: number } | Answer> {
    const answer = await this.#port.request('SELECT sys.written()');
    if (answer.error) return answer;
    const [rows = NaN, bytes = NaN] = (answer.values[0] ?? '').split(' ').map(Number);
    if (Number.isNaN(rows + bytes)) throw new Error('what the transaction has written is not to be had');
    return { rows, bytes };
  }
}
