import { SUPERUSER } from '../engine/port.ts';
import { type AwsIamReading, readAwsIamStatements } from '../roles/aws-iam-statement.ts';
import { reservedStatementFinder } from '../roles/reserved-statement.ts';
import { type Classification, classify } from '../sql/classify.ts';
import type { Parser } from '../sql/parse.ts';

/** Postern's own roles are to clients as if they did not exist. */
export const findReserved = reservedStatementFinder(new Set([SUPERUSER]));

/** What a text means whichever session of the dialect dsql sends it. */
export interface Reading {
  awsIam: AwsIamReading;
  classification: Classification;
  /** Whether the text goes to the engine as it is, for every session. */
  plain: boolean;
}

/** Statements of the dialect dsql are read with standard_conforming_strings on, which no session can change. */
const STANDARD = { standardConformingStrings: true };

/** `sql` has one character a byte. */
export function readText(sql: string, parser: Parser): Reading {
  const awsIam = readAwsIamStatements(sql, STANDARD);
  const classification = classify(sql, parser, awsIam.error ? [] : awsIam.found);
  return { awsIam, classification, plain: isPlain(sql, awsIam, classification) };
}

function isPlain(sql: string, { found, error }: AwsIamReading, classification: Classification): boolean {
  if (found.length > 0 || error || findReserved.hasTraces(sql)) return false;
  switch (classification.kind) {
    case 'refused':
      return false;
    case 'syntax-error':
      return !classification.own;
    case 'statements':
      return classification.statements.every(({ refusal, splices }) => !refusal && splices.length === 0);
  }
}
