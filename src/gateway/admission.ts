/** What is asked of a step before it may run, by the rules of transactions and where it stands in its request. */
import type { Statement } from '../sql/classify.ts';
import { type Refusal, TEXTS } from '../sql/dialect/texts.ts';
import { MAX_ROWS } from '../transactions/rules.ts';
import type { Block } from './block.ts';
import type { ClusterTransactions } from './cluster-transactions.ts';
import type { Position } from './runner-port.ts';
import type { Step } from './steps.ts';

/**
 * Whether messages ask for BEGIN after what is done, in the same request: PostgreSQL takes that into the block, and what was
 * done before its savepoint could neither be undone nor be held to any rule.
 */
export function beginsTooLate(cluster: ClusterTransactions, block: Block | undefined, step: Step): boolean {
  if (!step.binds) return false;
  const before = step.statements.slice(0, -1);
  if (block) return before.length > 0 || !block.explicit;
  return before.some(
    (statement) =>
      statement.writesRows || statement.locks !== undefined || statement.kind === 'ddl' || cluster.callsOwn(statement),
  );
}

/**
 * Whether what is done outside of a block has to be looked at before it is committed: all that writes but an INSERT that
 * comes alone and names its rows, and what the engine runs outside of blocks only; and all that locks rows, while others
 * are in a transaction.
 */
export function mustBeWrapped(
  cluster: ClusterTransactions,
  { transaction }: Block,
  { statements, binds, isEnded, partial }: Step,
  { isAlone, isFinal }: Position,
): boolean {
  // A portal must be there for what comes after a Flush.
  if (partial || (binds && (!isFinal || isEnded))) return true;
  if (statements.some((statement) => cluster.callsOwn(statement))) return true;
  const locks = statements.some((statement) => statement.locks || cluster.parentsOf(statement).length > 0);
  if (locks && cluster.conflicts.othersAreOpen(transaction)) return true;
  if (!statements.some(({ writesRows }) => writesRows)) return false;
  if (cluster.isInjecting) return true;
  const [only, ...more] = statements;
  const isSmall = (only?.insertedRows ?? MAX_ROWS + 1) <= MAX_ROWS;
  return !isAlone || more.length > 0 || !isSmall || cluster.rowsAreUnknown(only as Statement);
}

/** What the rules of transactions refuse of a step's statements. */
export function refusedOf(
  cluster: ClusterTransactions,
  block: Block,
  { statements }: Step,
  now: number,
): Map<Statement, Refusal> {
  for (const statement of statements) {
    // It will fail anyhow, and nothing after it runs.
    if (statement.refusal) break;
    const refusal = cluster.mayNotInject(statement)
      ? TEXTS.injectionOff
      : block.rules.admit(statement, now, block.explicit);
    if (refusal) return new Map([[statement, refusal]]);
  }
  return new Map();
}
