import type { ErrorFields } from '../pgwire/messages.ts';
import { readAwsIamStatements } from '../roles/aws-iam-statement.ts';
import { MAPPING_PROCEDURES } from '../roles/catalog-sql.ts';
import type { Refusal } from '../sql/dialect/texts.ts';
import { byteLiteral } from '../sql/literal.ts';
import { type Splice, splice } from '../sql/splice.ts';
import { findReserved, type Reading } from './reading.ts';

/**
 * Turns what only DSQL knows into what PostgreSQL knows, and what DSQL does not know into an error. Nothing here guards anything: the database decides who may do
 * what. A text is never written anew; statements are replaced by byte offset and the rest stays as it came.
 */

export interface Translation {
  /** One char a byte. */
  sql: string;
  splices: readonly Splice[];
}

/** Makes the text that the engine will fail with, and remembers what the client is told instead. */
export type Refuse = (error: ErrorFields) => string;

/** What a text is to have in the place of a range, because of what came before it. */
export interface Change {
  start: number;
  end: number;
  refusal?: Refusal;
  replacement?: string;
  /** The end of the range beside which something stays: what is put in just there belongs to that. */
  beside?: number;
}

const NO_CHANGES: readonly Change[] = [];

export interface TranslationOptions {
  standardConformingStrings: boolean;
  /** The session's own database role. */
  role: string;
}

/**
 * `sql` has one char a byte (latin1). Undefined for a text that stays as it is, which is nearly every one. `reading` is what
 * the dialect dsql makes of the text; the dialect postgres has none.
 */
export function translate(
  sql: string,
  options: TranslationOptions,
  refuse: Refuse,
  reading: Reading | undefined,
  changes: readonly Change[] = NO_CHANGES,
): Translation | undefined {
  if (reading?.plain && changes.length === 0) return undefined;
  const { found, error } = reading?.awsIam ?? readAwsIamStatements(sql, options);
  // PostgreSQL parses a whole text before it runs any of it: a syntax error leaves nothing of it.
  if (error) {
    const { sqlstate, message, position } = error;
    return refuseWhole(sql, refuse({ severity: 'ERROR', code: sqlstate, message, position }));
  }
  const splices: Splice[] = found.map(({ kind, start, end, role, arn }) => ({
    start,
    end,
    replacement: `CALL ${MAPPING_PROCEDURES[kind]}(${byteLiteral(role)}, ${byteLiteral(arn)})`,
  }));
  const reserved = findReserved(sql, options);
  if (reserved) {
    const { start, end, sqlstate, message } = reserved;
    splices.push({ start, end, replacement: refuse({ severity: 'ERROR', code: sqlstate, message }) });
  }
  const { classification } = reading ?? {};
  switch (classification?.kind) {
    case 'refused':
      return refuseWhole(sql, refuse(errorFields(sql, classification.refusal)));
    case 'syntax-error': {
      const { message, position, own } = classification;
      if (own) return refuseWhole(sql, refuse({ severity: 'ERROR', code: '42601', message, position }));
      break;
    }
    case 'statements':
      for (const statement of classification.statements) {
        // What is said of the roles that nobody may touch goes before what is said of the statement.
        if (reserved && statement.start < reserved.end && reserved.start < statement.end) continue;
        const { start, end, refusal } = statement;
        if (refusal) splices.push({ start, end, replacement: ` ${refuse(errorFields(sql, refusal))}` });
        else splices.push(...statement.splices);
      }
  }
  for (const { start, end, refusal, replacement = '', beside } of changes) {
    const isInside = ({ start: from, end: to }: Splice) =>
      start <= from && to <= end && !(from === to && from === beside);
    // What is refused or left out takes everything in it along.
    for (let i = splices.length - 1; i >= 0; i--) if (isInside(splices[i] as Splice)) splices.splice(i, 1);
    if (splices.some((other) => other.start < end && start < other.end)) continue;
    splices.push({ start, end, replacement: refusal ? ` ${refuse(errorFields(sql, refusal))}` : replacement });
  }
  if (splices.length === 0) return undefined;
  splices.sort((a, b) => a.start - b.start);
  return { sql: splice(sql, splices), splices };
}

function refuseWhole(sql: string, replacement: string): Translation {
  return { sql: replacement, splices: [{ start: 0, end: sql.length, replacement }] };
}

function errorFields(sql: string, { sqlstate, message, detail, at }: Refusal): ErrorFields {
  const position = at === undefined ? undefined : characters(sql, at) + 1;
  return { severity: 'ERROR', code: sqlstate, message, detail, position };
}

/**
 * Where a position that the engine reports for the translated text stands in the original. Positions count characters
 * from 1 (PostgreSQL manual, "Error and Notice Message Fields").
 */
export function originalPosition(position: number, original: string, { sql, splices }: Translation): number {
  let byte = byteOffset(sql, position - 1);
  let shift = 0;
  for (const { start, end, replacement } of splices) {
    const from = start + shift;
    if (byte < from) break;
    if (byte < from + replacement.length) {
      byte = from;
      break;
    }
    shift += replacement.length - (end - start);
  }
  return characters(original, byte - shift) + 1;
}

/** UTF-8 continuation bytes are not characters of their own. */
function isContinuation(sql: string, at: number): boolean {
  return (sql.charCodeAt(at) & 0xc0) === 0x80;
}

function byteOffset(sql: string, count: number): number {
  let at = 0;
  for (let seen = 0; at < sql.length; at++) {
    if (isContinuation(sql, at)) continue;
    if (seen++ === count) break;
  }
  return at;
}

function characters(sql: string, end: number): number {
  let count = 0;
  for (let at = 0; at < end && at < sql.length; at++) if (!isContinuation(sql, at)) count++;
  return count;
}
