import { SUPERUSER } from '../engine/port.ts';
import type { ErrorFields } from '../pgwire/messages.ts';
import { readAwsIamStatements } from '../roles/aws-iam-statement.ts';
import { MAPPING_PROCEDURES } from '../roles/catalog-sql.ts';
import { reservedStatementFinder } from '../roles/reserved-statement.ts';

/**
 * Turns what only DSQL knows into what PostgreSQL knows. Nothing here guards anything: the database decides who may do
 * what. A text is never written anew; statements are replaced by byte offset and the rest stays as it came.
 */

/** A piece of the original text and what stands for it, as byte offsets. */
export interface Splice {
  start: number;
  end: number;
  replacement: string;
}

export interface Translation {
  /** One char a byte. */
  sql: string;
  splices: readonly Splice[];
}

/** Makes the text that the engine will fail with, and remembers what the client is told instead. */
export type Refuse = (error: ErrorFields) => string;

export interface TranslationOptions {
  standardConformingStrings: boolean;
  /** The session's own database role. */
  role: string;
}

/** Postern's own roles are to clients as if they did not exist. */
const findReserved = reservedStatementFinder(new Set([SUPERUSER]));

/** `sql` has one char a byte (latin1). Undefined for a text that stays as it is, which is nearly every one. */
export function translate(sql: string, options: TranslationOptions, refuse: Refuse): Translation | undefined {
  const { found, error } = readAwsIamStatements(sql, options);
  if (error) {
    // PostgreSQL parses a whole text before it runs any of it: a syntax error leaves nothing of it.
    const { sqlstate, message, position } = error;
    const replacement = refuse({ severity: 'ERROR', code: sqlstate, message, position });
    return { sql: replacement, splices: [{ start: 0, end: sql.length, replacement }] };
  }
  const reserved = findReserved(sql, options);
  if (found.length === 0 && reserved === undefined) return undefined;
  const splices: Splice[] = found.map(({ kind, start, end, role, arn }) => ({
    start,
    end,
    replacement: `CALL ${MAPPING_PROCEDURES[kind]}(${literal(role)}, ${literal(arn)})`,
  }));
  if (reserved) {
    const { start, end, sqlstate, message } = reserved;
    splices.push({ start, end, replacement: refuse({ severity: 'ERROR', code: sqlstate, message }) });
    splices.sort((a, b) => a.start - b.start);
  }
  return { sql: splice(sql, splices), splices };
}

function splice(sql: string, splices: readonly Splice[]): string {
  let result = '';
  let at = 0;
  for (const { start, end, replacement } of splices) {
    result += sql.slice(at, start) + replacement;
    at = end;
  }
  return result + sql.slice(at);
}

/** A string constant that reads the same whatever standard_conforming_strings says, as bytes. */
function literal(text: string): string {
  const bytes = Buffer.from(text, 'utf8').toString('latin1');
  return ` E'${bytes.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
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
