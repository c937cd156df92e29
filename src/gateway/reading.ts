import { SUPERUSER } from '../engine/port.ts';
import { type AwsIamReading, readAwsIamStatements } from '../roles/aws-iam-statement.ts';
import { reservedStatementFinder } from '../roles/reserved-statement.ts';
import { type Classification, classify } from '../sql/classify.ts';
import type { Kind } from '../sql/dialect/rule.ts';
import type { Parser } from '../sql/parse.ts';

/** Postern's own roles are to clients as if they did not exist. */
export const findReserved = reservedStatementFinder(new Set([SUPERUSER]));

/** What a text means whichever session of the dialect dsql sends it. */
export interface Reading {
  awsIam: AwsIamReading;
  classification: Classification;
  /** Whether the text goes to the engine as it is, for every session. */
  plain: boolean;
  /** Whether it neither writes nor locks nor changes anything but the session, as far as the text tells. */
  quiet: boolean;
  /** What it holds in memory beside the text, about so many bytes. */
  weight: number;
}

/** Statements of the dialect dsql are read with standard_conforming_strings on, which no session can change. */
const STANDARD = { standardConformingStrings: true };

/** `sql` has one character a byte. */
export function readText(sql: string, parser: Parser): Reading {
  const awsIam = readAwsIamStatements(sql, STANDARD);
  const classification = classify(sql, parser, awsIam.error ? [] : awsIam.found);
  return {
    awsIam,
    classification,
    plain: isPlain(sql, awsIam, classification),
    quiet: isQuiet(classification),
    weight: weightOf(awsIam, classification),
  };
}

/** In bytes: a statement, and one of the things that it names, as objects with short strings. */
const STATEMENT = 400;
const NAME = 100;

function weightOf({ found }: AwsIamReading, classification: Classification): number {
  let weight = found.length * STATEMENT;
  if (classification.kind !== 'statements') return weight;
  for (const { relations, targets, calls, qualified, splices } of classification.statements) {
    const names = relations.length + targets.length + calls.length + qualified.length + splices.length;
    weight += STATEMENT + NAME * names;
  }
  return weight;
}

const QUIET_KINDS: ReadonlySet<Kind> = new Set<Kind>(['select', 'show', 'session']);

/** What PostgreSQL will refuse is quiet too. */
function isQuiet(classification: Classification): boolean {
  if (classification.kind !== 'statements') return true;
  return classification.statements.every(
    ({ kind, writesRows, locks, refusal }) =>
      refusal !== undefined || (QUIET_KINDS.has(kind) && !writesRows && locks === undefined),
  );
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
