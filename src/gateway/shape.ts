import type { Reading } from './reading.ts';

/** A whole number that stands for itself: not in a name, not after a backslash, not the beginning of something longer. */
const NUMBERS = /(?<=[\s=(,<>*/])\d{1,18}(?=[\s;),]|$)/g;
const ROWS_ONLY = /^\s*(?:select|insert|update|delete)\s/i;
/** Where digits could be part of a name, or of a letter. */
const ODD = /["\\&$]/;
const NOTHING_MORE = /^[;\s]*$/;

/**
 * What texts have in common that differ in their numbers only: clients that write values into their statements never send
 * the same one twice. Undefined where a number could mean more than a value.
 */
export function shapeOf(sql: string): string | undefined {
  if (!ROWS_ONLY.test(sql) || ODD.test(sql)) return undefined;
  return sql.replace(NUMBERS, '0');
}

/** Whether what one text was found to be holds for every text of its shape: one statement, and nothing to replace. */
export function isShared(sql: string, { plain, classification }: Reading): boolean {
  if (!plain || classification.kind !== 'statements') return false;
  const [only, more] = classification.statements;
  return only !== undefined && more === undefined && NOTHING_MORE.test(sql.slice(only.end));
}

/** The reading of another text of the same shape. */
export function withLength(reading: Reading, from: string, to: string): Reading {
  if (from.length === to.length || reading.classification.kind !== 'statements') return reading;
  const statements = reading.classification.statements.map((statement) => ({
    ...statement,
    end: statement.end + to.length - from.length,
  }));
  return { ...reading, classification: { kind: 'statements', statements } };
}
