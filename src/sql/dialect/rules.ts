/** The rule of every kind of statement. */
import { FUNCTION_RULES } from './functions.ts';
import { INDEX_RULES } from './indexes.ts';
import { OBJECT_RULES } from './objects.ts';
import { ROLE_RULES } from './roles.ts';
import type { Rules, StatementTag } from './rule.ts';
import { SEQUENCE_RULES } from './sequences.ts';
import { SESSION_RULES } from './sessions.ts';
import { TABLE_RULES } from './tables.ts';
import { TRANSACTION_RULES } from './transactions.ts';
import { TYPE_RULES } from './types.ts';
import { QUERY_RULES, REFUSED_RULES } from './utilities.ts';

export const RULES: Rules<StatementTag> = {
  ...QUERY_RULES,
  ...TABLE_RULES,
  ...INDEX_RULES,
  ...TYPE_RULES,
  ...FUNCTION_RULES,
  ...SEQUENCE_RULES,
  ...ROLE_RULES,
  ...SESSION_RULES,
  ...TRANSACTION_RULES,
  ...OBJECT_RULES,
  ...REFUSED_RULES,
};

export const isStatementTag = (tag: string): tag is StatementTag => Object.hasOwn(RULES, tag);
