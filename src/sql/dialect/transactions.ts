/** BEGIN to ROLLBACK: one isolation level, no savepoints, no two-phase commit. */
import type { Node, TransactionStmtKind } from '@pgsql/types';
import type { Rules } from './rule.ts';
import { TEXTS, unsupported } from './texts.ts';

export interface TransactionModes {
  /** As PostgreSQL spells it, in lower case. */
  isolation: string | undefined;
  readOnly: boolean | undefined;
  deferrable: boolean | undefined;
}

/** The modes of BEGIN, START TRANSACTION and SET TRANSACTION. */
export function modesOf(options: readonly Node[] | undefined): TransactionModes {
  const modes: TransactionModes = { isolation: undefined, readOnly: undefined, deferrable: undefined };
  for (const option of options ?? []) {
    const { defname, arg } = 'DefElem' in option ? option.DefElem : {};
    const value = arg && 'A_Const' in arg ? arg.A_Const : {};
    if (defname === 'transaction_isolation') modes.isolation = value.sval?.sval ?? '';
    else if (defname === 'transaction_read_only') modes.readOnly = value.ival?.ival === 1;
    else if (defname === 'transaction_deferrable') modes.deferrable = value.ival?.ival === 1;
  }
  return modes;
}

export function checkModes(options: readonly Node[] | undefined): void {
  const { isolation, deferrable } = modesOf(options);
  if (isolation !== undefined && isolation !== 'repeatable read') {
    unsupported(TEXTS.isolation(isolation.toUpperCase()));
  }
  if (deferrable !== undefined) unsupported(TEXTS.setting('transaction_deferrable'));
}

export type Verb = 'begin' | 'commit' | 'rollback' | 'savepoint' | 'release' | 'rollback-to' | 'two-phase';

export const VERBS: Record<TransactionStmtKind, Verb> = {
  TRANS_STMT_BEGIN: 'begin',
  TRANS_STMT_START: 'begin',
  TRANS_STMT_COMMIT: 'commit',
  TRANS_STMT_ROLLBACK: 'rollback',
  TRANS_STMT_SAVEPOINT: 'savepoint',
  TRANS_STMT_RELEASE: 'release',
  TRANS_STMT_ROLLBACK_TO: 'rollback-to',
  TRANS_STMT_PREPARE: 'two-phase',
  TRANS_STMT_COMMIT_PREPARED: 'two-phase',
  TRANS_STMT_ROLLBACK_PREPARED: 'two-phase',
};

/** How the service calls what it refuses; SAVEPOINT and ROLLBACK TO are observed, the others guessed. */
const REFUSED: Partial<Record<TransactionStmtKind, string>> = {
  TRANS_STMT_SAVEPOINT: 'SAVEPOINT',
  TRANS_STMT_RELEASE: 'RELEASE',
  TRANS_STMT_ROLLBACK_TO: 'ROLLBACK TO',
  TRANS_STMT_PREPARE: 'PREPARE TRANSACTION',
  TRANS_STMT_COMMIT_PREPARED: 'COMMIT PREPARED',
  TRANS_STMT_ROLLBACK_PREPARED: 'ROLLBACK PREPARED',
};

export const TRANSACTION_RULES: Rules<'TransactionStmt' | 'ConstraintsSetStmt'> = {
  TransactionStmt: {
    kind: 'transaction',
    check({ kind = 'TRANS_STMT_BEGIN', options, chain }) {
      const refused = REFUSED[kind];
      if (refused !== undefined) unsupported(TEXTS.transaction(refused));
      if (chain) unsupported(TEXTS.transaction(VERBS[kind] === 'commit' ? 'COMMIT AND CHAIN' : 'ROLLBACK AND CHAIN'));
      checkModes(options);
    },
  },
  ConstraintsSetStmt: { kind: 'session' },
};
