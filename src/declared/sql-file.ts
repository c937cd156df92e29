import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import { ConfigurationError } from '../config/configuration-error.ts';
import { originalPosition, translate } from '../gateway/translate.ts';
import type { ErrorFields } from '../pgwire/messages.ts';
import { ADMIN_ROLE } from '../roles/catalog-sql.ts';
import { Lexer } from '../sql/lexer.ts';
import { splitStatements } from '../sql/statements.ts';

/*
 * A file of SQL that admin runs, once for each content that it has had. It runs in one transaction of a session of admin's
 * own. That it has is noted by the superuser, whom that session must not be able to become; so there are two sessions, and
 * what ties them is the id of the transaction, noted before it commits: a start that is cut off in between asks PostgreSQL
 * what became of it.
 */

const TABLE = `
  CREATE TABLE IF NOT EXISTS postern.sql_file (
    digest text PRIMARY KEY,
    name text NOT NULL,
    transaction xid8 NOT NULL,
    committed boolean NOT NULL DEFAULT false,
    noted_at timestamptz NOT NULL DEFAULT pg_catalog.now()
  )`;
// A transaction so old that PostgreSQL has forgotten it was asked about by no start since: to run it again is the worse guess.
const WAS_RUN = `
  SELECT committed OR coalesce(pg_catalog.pg_xact_status(transaction) = 'committed', true) AS done
  FROM postern.sql_file WHERE digest = $1`;
const NOTE = `
  INSERT INTO postern.sql_file (digest, name, transaction) VALUES ($1, $2, $3::xid8)
  ON CONFLICT (digest) DO UPDATE SET name = excluded.name, transaction = excluded.transaction, committed = false`;
const CONFIRM = 'UPDATE postern.sql_file SET committed = true WHERE digest = $1 AND NOT committed';

/** In bytes. */
const MAX_FILE = 16 * 1024 * 1024;
/** A file runs in one transaction, which is not its own to end. */
const TRANSACTION_CONTROL = new Set(['begin', 'start', 'commit', 'end', 'rollback', 'abort', 'prepare']);
const OPTIONS = { standardConformingStrings: true } as const;

export interface Sessions {
  /** Logged in as admin. */
  admin: pg.Client;
  superuser: pg.Client;
}

/**
 * Runs the file unless it has been. Resolves with whether it has now. Throws ConfigurationError with the file and the line
 * of what is wrong; nothing of the file has happened then. `shown` is the name that messages have for it.
 */
export async function runSqlFile(file: string, shown: string, { admin, superuser }: Sessions): Promise<boolean> {
  const sql = await readSql(file, shown);
  const digest = createHash('sha256').update(sql, 'latin1').digest('hex');
  await superuser.query(TABLE);
  const { rows } = await superuser.query<{ done: boolean }>(WAS_RUN, [digest]);
  if (rows[0]?.done) {
    await superuser.query(CONFIRM, [digest]);
    return false;
  }
  await admin.query('BEGIN');
  try {
    for (const { start, end } of splitStatements(sql, OPTIONS))
      await runStatement(sql.slice(0, end), start, shown, admin);
    const { rows: ids } = await admin.query<{ id: string }>('SELECT pg_catalog.pg_current_xact_id()::text AS id');
    await superuser.query(NOTE, [digest, shown, ids[0]?.id]);
    await admin.query('COMMIT');
  } catch (error) {
    await admin.query('ROLLBACK').catch(() => undefined);
    throw asConfigurationError(error, shown);
  }
  await superuser.query(CONFIRM, [digest]);
  return true;
}

/** One char a byte, without a byte order mark. */
async function readSql(file: string, shown: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw new ConfigurationError(`${shown}: ${(error as Error).message}`);
  }
  if (bytes.length > MAX_FILE) throw new ConfigurationError(`${shown}: larger than ${MAX_FILE} bytes`);
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ConfigurationError(`${shown}: is not UTF-8`);
  }
  return bytes.toString('latin1').replace(/^\xef\xbb\xbf/, '');
}

/** `before` is the file up to the statement's end, `from` where the blanks in front of it begin. */
async function runStatement(before: string, from: number, shown: string, admin: pg.Client): Promise<void> {
  const lexer = new Lexer(before.slice(from), OPTIONS);
  if (lexer.nextSignificant() === 'end') return;
  const start = from + lexer.start;
  const original = before.slice(start);
  const word = lexer.kind === 'identifier' ? original.slice(0, lexer.end - lexer.start).toLowerCase() : '';
  const lineOf = (offset: number) => before.slice(0, start + offset).split('\n').length;
  if (TRANSACTION_CONTROL.has(word)) {
    throw new ConfigurationError(`${shown}:${lineOf(0)}: ${word.toUpperCase()}: the file is one transaction already`);
  }
  let refused: ErrorFields | undefined;
  const refuse = (error: ErrorFields) => {
    refused = error;
    return 'SELECT';
  };
  // Files go to PostgreSQL by themselves, without the rules of a dialect.
  const translation = translate(original, { ...OPTIONS, role: ADMIN_ROLE }, refuse, undefined);
  if (refused) {
    const { message, position = 1 } = refused;
    throw new ConfigurationError(`${shown}:${lineOf(byteOf(original, position))}: ${message}`);
  }
  try {
    await admin.query(Buffer.from(translation?.sql ?? original, 'latin1').toString('utf8'));
  } catch (error) {
    const { message, position } = error as Error & { position?: string };
    const at = position === undefined ? 1 : Number(position);
    const offset = byteOf(original, translation ? originalPosition(at, original, translation) : at);
    throw new ConfigurationError(`${shown}:${lineOf(offset)}: ${message}`);
  }
}

/** Of a position as PostgreSQL counts it, in characters from 1. */
function byteOf(sql: string, position: number): number {
  const characters = Buffer.from(sql, 'latin1').toString('utf8');
  return Buffer.byteLength([...characters].slice(0, position - 1).join(''));
}

/** What a COMMIT is refused with has no line: a deferred constraint, for one. */
function asConfigurationError(error: unknown, shown: string): unknown {
  if (error instanceof ConfigurationError || !(error instanceof Error) || !('code' in error)) return error;
  return new ConfigurationError(`${shown}: ${error.message}`);
}
