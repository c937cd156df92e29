import { ASYNC_ROUTINES, WAIT_PROCEDURE } from '../jobs/jobs-sql.ts';
import { decodeFields, encodeFields } from '../pgwire/fields.ts';
import type { Verdict } from '../pgwire/frame-scanner.ts';
import { commandComplete, type ErrorFields, errorResponse, message } from '../pgwire/messages.ts';
import { MAPPING_PROCEDURES, TAG_NOTICE } from '../roles/catalog-sql.ts';
import { limitOf } from '../roles/engine-limits.ts';
import { SHOW_TAG } from '../roles/environment-sql.ts';
import { GUARD_FUNCTIONS } from '../roles/guards-sql.ts';
import { LIMITS_CONTEXT } from '../roles/limits-sql.ts';
import { isReadableEncoding } from '../sql/dialect/settings.ts';
import type { Refusal } from '../sql/dialect/texts.ts';
import type { Reading } from './reading.ts';
import { type Change, originalPosition, type Translation, type TranslationOptions, translate } from './translate.ts';

const NOTHING = Buffer.alloc(0);
const TAG_FIELD = Buffer.from(`\0C${TAG_NOTICE}\0`, 'latin1');
const OWN_ROUTINES = [
  ...Object.values(MAPPING_PROCEDURES),
  ...Object.values(ASYNC_ROUTINES),
  ...GUARD_FUNCTIONS,
  WAIT_PROCEDURE,
].map((name) => `PL/pgSQL function ${name}(`);
/** Who may ask for another command tag. */
const TAG_ROUTINES = [...Object.values(MAPPING_PROCEDURES), ...Object.values(ASYNC_ROUTINES), 'sys.show'].map(
  (name) => `PL/pgSQL function ${name}(`,
);
/** It commits while it waits. */
const WAIT_ROUTINE = `PL/pgSQL function ${WAIT_PROCEDURE}(`;
const WAIT_IN_BLOCK = { code: '25001', message: `${WAIT_PROCEDURE} cannot run inside a transaction block` };
const REFUSAL = 'postern_refusal_';
const REFUSAL_ERROR = /^column "postern_refusal_(\d+)" does not exist$/;
/** Refusals that a client may have in flight before the oldest is forgotten (it then sees the engine's own error). */
const MAX_REFUSALS = 1_000;
const QUERY = 0x51;

/**
 * Exchanges a session's statements for what the engine knows, and the engine's answers for what the client expects. The
 * methods take one whole message each and answer as the reader of a frame scanner does.
 */
export class Statements {
  readonly #session: TranslationOptions;
  readonly #tellsLimits: boolean;
  /** The command tag that takes the place of the next one. */
  #nextTag: string | undefined;
  #mappingsChanged = false;
  readonly #refusals = new Map<number, ErrorFields>();
  #refusalCount = 0;
  /** Of the simple query that is being answered. */
  #translated: { original: string; translation: Translation } | undefined;

  /** A setting with which texts mean what cannot be known; the dialect dsql lets nobody change it. */
  #unreadable: string | undefined;

  /** `dsql`: whether limits of PostgreSQL's are told as the service's own. */
  constructor(role: string, { dsql = false }: { dsql?: boolean } = {}) {
    this.#tellsLimits = dsql;
    this.#session = { role, standardConformingStrings: true };
  }

  get unreadable(): string | undefined {
    return this.#unreadable;
  }

  /** Whether an AWS IAM statement has run since this was asked last. */
  takeMappingsChanged(): boolean {
    const changed = this.#mappingsChanged;
    this.#mappingsChanged = false;
    return changed;
  }

  query(frame: Buffer): Verdict {
    return this.#readText(frame, 5);
  }

  parse(frame: Buffer): Verdict {
    return this.#readText(frame, frame.indexOf(0, 5) + 1);
  }

  /** The query text of Query and Parse is a string that begins at `start`. */
  #readText(frame: Buffer, start: number): Verdict {
    const end = frame.indexOf(0, start);
    // A message without its terminators is PostgreSQL's to refuse.
    if (start < 5 || end < 0) return undefined;
    const translation = this.translation(frame.toString('latin1', start, end), { simple: frame[0] === QUERY });
    if (!translation) return undefined;
    const text = Buffer.from(translation.sql, 'latin1');
    return message(String.fromCharCode(frame[0] as number), frame.subarray(5, start), text, frame.subarray(end));
  }

  /**
   * A text, one char a byte, as the engine is to get it; undefined where it stays as it is. `reading` and `changes`: see
   * `translate`. `simple`: whether the answers that come next are this text's.
   */
  translation(
    original: string,
    { reading, changes, simple }: { reading?: Reading; changes?: readonly Change[]; simple: boolean },
  ): Translation | undefined {
    const translation = translate(original, this.#session, (error) => this.#refuse(error), reading, changes);
    if (simple) this.#translated = translation && { original, translation };
    return translation;
  }

  /** A text that the engine will fail with, so that the client is told this. */
  refusal({ sqlstate, message: text, detail }: Refusal): string {
    return this.#refuse({ severity: 'ERROR', code: sqlstate, message: text, detail });
  }

  /**
   * A statement that is refused goes to the engine as one that must fail, and its error is exchanged: so the refusal
   * comes in order, aborts the transaction, and gives way to `current transaction is aborted`, as PostgreSQL's own do.
   */
  #refuse(error: ErrorFields): string {
    const number = ++this.#refusalCount;
    this.#refusals.set(number, error);
    if (this.#refusals.size > MAX_REFUSALS) this.#refusals.delete(this.#refusals.keys().next().value as number);
    return `SELECT ${REFUSAL}${number}`;
  }

  commandComplete(): Verdict {
    const tag = this.#nextTag;
    if (tag === undefined) return undefined;
    this.#nextTag = undefined;
    return commandComplete(tag);
  }

  noticeResponse(frame: Buffer): Verdict {
    if (!frame.includes(TAG_FIELD)) return undefined;
    const fields = decodeFields(frame.subarray(5));
    // Anybody's trigger can raise the same: who raised it stands in the first line of the context.
    if (!TAG_ROUTINES.some((name) => fields.get('W')?.startsWith(name))) return undefined;
    this.#nextTag = fields.get('M');
    if (this.#nextTag !== SHOW_TAG) this.#mappingsChanged = true;
    return NOTHING;
  }

  parameterStatus(frame: Buffer): Verdict {
    const [name = '', value = ''] = frame.toString('latin1', 5).split('\0');
    if (name === 'standard_conforming_strings') {
      this.#session.standardConformingStrings = value === 'on';
      this.#unreadable = value === 'on' ? this.#unreadable : name;
    } else if (name === 'client_encoding' && !isReadableEncoding(value)) {
      this.#unreadable = name;
    }
    return undefined;
  }

  errorResponse(frame: Buffer): Verdict {
    this.#nextTag = undefined;
    const fields = decodeFields(frame.subarray(5));
    const refused = REFUSAL_ERROR.exec(fields.get('M') ?? '');
    if (refused) {
      const number = Number(refused[1]);
      const error = this.#refusals.get(number);
      this.#refusals.delete(number);
      return error && errorResponse(error);
    }
    const limit = this.#tellsLimits ? limitOf(fields.get('C'), fields.get('M')) : undefined;
    if (limit) return errorResponse({ severity: 'ERROR', code: limit.sqlstate, message: limit.message });
    const context = fields.get('W') ?? '';
    if (fields.get('C') === '2D000' && context.includes(WAIT_ROUTINE)) {
      return errorResponse({ severity: 'ERROR', ...WAIT_IN_BLOCK });
    }
    if (OWN_ROUTINES.some((name) => context.includes(name)) || context.startsWith(LIMITS_CONTEXT)) {
      // The client said AWS IAM … or made a table, and need not see who it was that refused.
      for (const field of 'WFLRpq') fields.delete(field);
      return encodeFields('E', fields);
    }
    const position = fields.get('P');
    if (this.#translated && position !== undefined) {
      const { original, translation } = this.#translated;
      fields.set('P', String(originalPosition(Number(position), original, translation)));
      return encodeFields('E', fields);
    }
    return undefined;
  }

  readyForQuery(): void {
    this.#translated = undefined;
    // Its statement was left before its end: the client asked for fewer rows.
    this.#nextTag = undefined;
  }
}
