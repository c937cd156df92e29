/**
 * What a client asks for at once, in the steps in which it is done: BEGIN, COMMIT and ROLLBACK are steps of their own, since
 * a transaction is looked at where it begins and ends. A step is made into bytes as often as it has to be done.
 */
import { message } from '../pgwire/messages.ts';
import type { Statement } from '../sql/classify.ts';
import type { Refusal } from '../sql/dialect/texts.ts';
import { placesQuery } from '../sql/locked-rows.ts';
import type { StatementRange } from '../sql/statements.ts';
import type { PreparedStatement } from './prepared.ts';
import type { Reading } from './reading.ts';
import type { Change } from './translate.ts';

export interface Writing {
  /** Statements that must not run, and why. */
  refused: ReadonlyMap<Statement, Refusal>;
  /** Tables that have a copy of the session's own, by name: it is meant wherever they are named with their schema. */
  shadowed: ReadonlySet<string>;
  /** Whether it was done before: named statements are prepared already. */
  again: boolean;
}

/** As the client has sent it. */
export const PLAIN: Writing = { refused: new Map(), shadowed: new Set(), again: false };

export interface Step {
  verb: 'begin' | 'commit' | 'rollback' | undefined;
  /** What it runs, in order; nothing where the text cannot be read. */
  statements: readonly Statement[];
  /** Of what the command tags are that it is answered with, in order; undefined for queries that nothing is decided on. */
  tagged: readonly (Statement | undefined)[];
  bytes(writing: Writing): Buffer;
  /** What has to be done before, without the client: prepares for tables of the session's own what it binds. */
  preparation?(writing: Writing): Buffer | undefined;
  /** What the client has sent for it, in bytes. */
  size: number;
  /** What it keeps in memory, in bytes. */
  holds: number;
  /** Whether it binds portals, which last as long as their transaction. */
  binds: boolean;
  /** Whether the next step ends the transaction, with what this one has bound. */
  isEnded?: boolean;
  /**
   * Whether it is a COPY … FROM STDIN, and nothing else. It has no Sync, which the engine would take for one of the client's:
   * that is to be sent when it has come to its end.
   */
  copiesIn?: boolean;
  /** Whether it asks for some rows only of a statement that writes, whose command tag comes later or never. */
  partial: boolean;
  /** Whether a Query follows in it on messages without a Sync, whose error leaves the Query out. */
  joined?: boolean;
  /** A request of ours for where the rows stand that it locks; undefined where that is not easily asked. */
  places?(): Buffer | undefined;
  /** The prepared statements that it makes and binds, in order. */
  uses: readonly Use[];
}

export interface Use {
  does: 'prepares' | 'binds';
  statement: PreparedStatement;
}

/** The names, one char a byte, of the statements that a step prepares; the unnamed one is none. */
export function namesPrepared({ uses }: Step): string[] {
  return uses.flatMap(({ does, statement: { name } }) => (does === 'prepares' && name !== '' ? [name] : []));
}

/** Whether steps would run the same statements if they were done again, since a name may have come to mean another one. */
export function meanTheSame(steps: readonly Step[], isPrepared: (statement: PreparedStatement) => boolean): boolean {
  // Unnamed ones are prepared again, each before it is bound.
  let unnamed: PreparedStatement | undefined;
  for (const { does, statement } of steps.flatMap(({ uses }) => uses)) {
    if (does === 'prepares') unnamed = statement.name === '' ? statement : unnamed;
    else if (statement.name === '' ? statement !== unnamed : !isPrepared(statement)) return false;
  }
  return true;
}

export interface Place {
  /** Of the simple query protocol. */
  simple: boolean;
  /** What of the text is meant; all of it where this is missing. */
  range?: StatementRange | undefined;
}

/** How texts and refusals become what the engine is sent. */
export interface Writer {
  /** The text of a query, one char a byte; undefined where it stays as it is. */
  text(original: string, reading: Reading, writing: Writing, place: Place): string | undefined;
  /** A text that must fail with this. */
  refusal(refusal: Refusal): string;
}

export function verbOf({ transaction }: Statement): Step['verb'] {
  const verb = transaction?.verb;
  return verb === 'begin' || verb === 'commit' || verb === 'rollback' ? verb : undefined;
}

/** Whether it is COPY … FROM STDIN. */
export function isCopyIn({ tag, writesRows }: Statement): boolean {
  return tag === 'CopyStmt' && writesRows;
}

/** How a text has to differ from what its reading makes of it. */
export function changesFor(
  original: string,
  { classification }: Reading,
  { refused, shadowed }: Writing,
  range: StatementRange | undefined,
): Change[] {
  if (classification.kind !== 'statements') return [];
  const changes: Change[] = [];
  for (const statement of classification.statements) {
    const refusal = refused.get(statement);
    if (refusal) changes.push({ start: statement.start, end: statement.end, refusal });
    if (shadowed.size === 0) continue;
    for (const { start, end, name } of statement.qualified) {
      if (shadowed.has(name)) changes.push({ start, end, replacement: `pg_temp.${identifier(name)}` });
    }
  }
  if (range) {
    changes.push(...blank(0, range.start, range.start), ...blank(range.end, original.length, range.end));
  }
  return changes;
}

/** As many blanks, so that positions stay. */
function blank(start: number, end: number, beside: number): Change[] {
  return start < end ? [{ start, end, replacement: ' '.repeat(end - start), beside }] : [];
}

function identifier(name: string): string {
  return `"${Buffer.from(name, 'utf8').toString('latin1').replaceAll('"', '""')}"`;
}

export function simpleSteps(original: string, reading: Reading, writer: Writer): Step[] {
  const { classification } = reading;
  const query = (writing: Writing, range?: StatementRange) => {
    const text = writer.text(original, reading, writing, { simple: true, range }) ?? original;
    return message('Q', Buffer.from(`${text}\0`, 'latin1'));
  };
  const statements = classification.kind === 'statements' ? classification.statements : [];
  const groups: Statement[][] = [[]];
  for (const statement of statements) {
    const last = groups.at(-1) as Statement[];
    const [first] = last;
    if (!first || !(verbOf(statement) || verbOf(first))) last.push(statement);
    else groups.push([statement]);
  }
  return groups.map((group) => {
    const [first] = group;
    const range = groups.length > 1 && first ? { start: first.start, end: (group.at(-1) ?? first).end } : undefined;
    return {
      verb: first && verbOf(first),
      statements: group,
      tagged: group,
      size: range ? range.end - range.start : original.length,
      holds: original.length + reading.weight,
      binds: false,
      partial: false,
      uses: [],
      bytes: (writing) => query(writing, range),
      places: () => {
        const [only, ...more] = statements;
        const isUnchanged = writer.text(original, reading, PLAIN, { simple: false }) === undefined;
        const sql =
          more.length === 0 && isUnchanged
            ? only?.lockedRows && placesQuery(only.lockedRows, original, only.end)
            : undefined;
        return sql === undefined ? undefined : ownRequest(sql, Buffer.alloc(2), NO_PARAMETERS);
      },
    };
  });
}

const SYNC = message('S');
const FLUSH = message('H');
const CODE = { P: 0x50, B: 0x42, D: 0x44, C: 0x43, E: 0x45 } as const;

/** One message of the extended query protocol, or some of which nothing is decided on. */
export interface Piece {
  bytes: Buffer;
  /** Its type byte, where it is one message. */
  type?: number;
  /** Of Execute. */
  statement?: Statement | undefined;
  /** Of Parse, which has no bytes then: all of it is in here. */
  query?: PreparedStatement;
  /** Of Bind. */
  bound?: PreparedStatement | undefined;
  /** Of messages of which nothing is decided on: what they prepare. */
  prepares?: readonly PreparedStatement[];
  /** The same: how many queries they run. */
  queries?: number;
}

/**
 * Pieces up to Sync or Flush, which they do not have: every step gets a Sync of its own. `binds`: whether one is a Bind.
 * `inBlock`: whether the transaction goes on after the first Sync.
 */
export function extendedSteps(pieces: readonly Piece[], binds: boolean, inBlock: boolean, writer: Writer): Step[] {
  const groups: Piece[][] = [[]];
  let hasWork = inBlock;
  for (const piece of pieces) {
    const verb = piece.statement && verbOf(piece.statement);
    const last = groups.at(-1) as Piece[];
    hasWork ||= piece.statement !== undefined && verb !== 'commit' && verb !== 'rollback';
    if (piece.statement && isCopyIn(piece.statement)) {
      groups.push([piece], []);
    } else if (!verb) {
      last.push(piece);
    } else if (verb === 'begin' || !hasWork) {
      last.push(piece);
      groups.push([]);
    } else {
      // What is bound stays bound.
      groups.push([...takeBinding(last), piece], []);
      hasWork = false;
    }
  }
  const steps = groups.filter((group) => group.length > 0).map((group) => extendedStep(group, binds, writer));
  for (const [index, step] of steps.entries()) {
    const next = steps[index + 1]?.verb;
    step.isEnded = next === 'commit' || next === 'rollback';
  }
  return steps;
}

/** Takes the messages at the end that do no more than bind and describe a portal, so that nobody waits for their answer. */
function takeBinding(pieces: Piece[]): Piece[] {
  const at = pieces.findLastIndex(({ type }) => type !== CODE.B && type !== CODE.D);
  return pieces.splice(at + 1);
}

function taggedBy({ type, statement, queries = 0 }: Piece): (Statement | undefined)[] {
  return type === CODE.E ? [statement] : Array.from({ length: queries }, () => undefined);
}

/** In bytes. */
function sizeOf({ bytes, query }: Piece): number {
  return bytes.length + (query ? query.name.length + query.original.length + query.types.length : 0);
}

/** In bytes: a piece by itself, beside what it is made of. */
const PIECE = 200;

export function heldBy(piece: Piece): number {
  return PIECE + sizeOf(piece) + (piece.query?.reading.weight ?? 0);
}

/** Whether it is an Execute of a statement that writes, which is to answer with so many rows and no more. */
export function isPartial({ bytes, statement }: Piece): boolean {
  return statement?.writesRows === true && bytes.readInt32BE(bytes.length - 4) !== 0;
}

function extendedStep(pieces: readonly Piece[], binds: boolean, writer: Writer): Step {
  const statements = pieces.flatMap(({ statement }) => (statement ? [statement] : []));
  const copiesIn = statements.some(isCopyIn);
  const verbs = statements.map(verbOf);
  return {
    verb: verbs.find((verb) => verb !== undefined),
    statements,
    tagged: pieces.flatMap(taggedBy),
    binds,
    copiesIn,
    partial: pieces.some(isPartial),
    uses: pieces.flatMap(({ query, bound, prepares = query ? [query] : [] }): Use[] => {
      if (prepares.length > 0) return prepares.map((statement) => ({ does: 'prepares', statement }));
      return bound ? [{ does: 'binds', statement: bound }] : [];
    }),
    size: pieces.reduce((sum, piece) => sum + sizeOf(piece), 0),
    holds: pieces.reduce((sum, piece) => sum + heldBy(piece), 0),
    bytes: (writing) =>
      Buffer.concat([...pieces.map((piece, at) => pieceBytes(piece, at, writing, writer)), copiesIn ? FLUSH : SYNC]),
    preparation: (writing) => preparation(pieces, writing, writer),
    places: () => placesRequest(pieces, writer),
  };
}

/** For the rows that the one portal locks that is bound and executed here. */
function placesRequest(pieces: readonly Piece[], writer: Writer): Buffer | undefined {
  const [binding, ...others] = pieces.filter(({ bound }) => bound);
  const executed = pieces.filter(({ type }) => type === CODE.E);
  const [statement] = executed.map((piece) => piece.statement);
  const bound = binding?.bound;
  const parameters = binding && parametersOf(binding.bytes);
  if (!bound || others.length > 0 || executed.length !== 1 || !statement?.lockedRows || !parameters) return undefined;
  const { classification } = bound.reading;
  if (classification.kind !== 'statements' || classification.statements[0] !== statement) return undefined;
  if (writer.text(bound.original, bound.reading, PLAIN, { simple: false }) !== undefined) return undefined;
  const sql = placesQuery(statement.lockedRows, bound.original, statement.end);
  return sql === undefined ? undefined : ownRequest(sql, bound.types, parameters);
}

/** Of a Bind message: the formats of the parameters and their values. Undefined where it has not all that it says. */
function parametersOf(bind: Buffer): Buffer | undefined {
  const start = bind.indexOf(0, bind.indexOf(0, 5) + 1) + 1;
  try {
    let at = start + 2 + 2 * bind.readInt16BE(start);
    const count = bind.readInt16BE(at);
    at += 2;
    for (let i = 0; i < count; i++) at += 4 + Math.max(0, bind.readInt32BE(at));
    return at <= bind.length ? bind.subarray(start, at) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * A step and a Query after it. With a Sync between them, what a portal has written of which some rows are still to be fetched
 * would be seen too early.
 */
export function joinedStep(step: Step, query: Step): Step {
  return {
    ...step,
    statements: [...step.statements, ...query.statements],
    tagged: [...step.tagged, ...query.tagged],
    size: step.size + query.size,
    holds: step.holds + query.holds,
    joined: true,
    bytes: (writing) => Buffer.concat([step.bytes(writing).subarray(0, -SYNC.length), query.bytes(writing)]),
  };
}

const isShadowed = ({ classification }: Reading, { shadowed }: Writing) =>
  shadowed.size > 0 &&
  classification.kind === 'statements' &&
  classification.statements.some(({ qualified }) => qualified.some(({ name }) => shadowed.has(name)));

/** A statement that means a copy keeps its name no longer than the copy lasts, so it gets one of ours. */
const shadowName = (at: number) => `postern_shadow_${at}`;

function preparation(pieces: readonly Piece[], writing: Writing, writer: Writer): Buffer | undefined {
  const parts: Buffer[] = [];
  for (const [at, { bound }] of pieces.entries()) {
    if (!bound || !isShadowed(bound.reading, writing)) continue;
    const sql = writer.text(bound.original, bound.reading, writing, { simple: false }) ?? bound.original;
    parts.push(message('C', Buffer.from(`S${shadowName(at)}\0`)), parse(shadowName(at), sql, bound.types));
  }
  return parts.length > 0 ? Buffer.concat([...parts, SYNC]) : undefined;
}

/** Closes prepared statements, so that they can be prepared once more; to close what there is not is no error. */
export function closingBytes(names: readonly string[]): Buffer {
  return Buffer.concat([...names.map((name) => message('C', Buffer.from(`S${name}\0`, 'latin1'))), SYNC]);
}

const NOTHING = Buffer.alloc(0);

const REQUEST = 'postern_request';
const close = (kind: 'S' | 'P') => message('C', Buffer.from(`${kind}${REQUEST}\0`));
const CLOSE_REQUEST = Buffer.concat([close('P'), close('S')]);
const NO_PARAMETERS = Buffer.alloc(4);
const EXECUTE_REQUEST = message('E', Buffer.from(`${REQUEST}\0`), Buffer.alloc(4));

/**
 * A statement of ours. A Query message would do, but that it ends the client's unnamed statement and portal. It is closed
 * before as well, since one that failed is still there.
 */
export function requestBytes(sql: string): Buffer {
  return ownRequest(Buffer.from(sql, 'utf8').toString('latin1'), Buffer.alloc(2), NO_PARAMETERS);
}

/** `sql`: one char a byte; `types` and `parameters`: as in Parse and Bind. Its answer is text. */
function ownRequest(sql: string, types: Buffer, parameters: Buffer): Buffer {
  return Buffer.concat([
    CLOSE_REQUEST,
    parse(REQUEST, sql, types),
    message('B', Buffer.from(`${REQUEST}\0${REQUEST}\0`), parameters, Buffer.alloc(2)),
    EXECUTE_REQUEST,
    CLOSE_REQUEST,
    SYNC,
  ]);
}

function pieceBytes(piece: Piece, at: number, writing: Writing, writer: Writer): Buffer {
  const { bytes, type, statement, query, bound } = piece;
  const refusal = statement && writing.refused.get(statement);
  // A statement of a name of its own, so that the client's unnamed one stays.
  if (refusal) return refusalBytes(writer, refusal);
  if (writing.again && ((type === CODE.P && query?.name !== '') || type === CODE.C)) return NOTHING;
  if (bound && isShadowed(bound.reading, writing)) return bindTo(shadowName(at), bytes);
  if (!query) return bytes;
  const sql = writer.text(query.original, query.reading, { ...writing, shadowed: PLAIN.shadowed }, { simple: false });
  return parse(query.name, sql ?? query.original, query.types);
}

/** What fails with this in the place of messages that nobody has looked at. */
export function refusalStep(refusal: Refusal, writer: Writer): Step {
  return {
    verb: undefined,
    statements: [],
    tagged: [],
    size: 0,
    holds: 0,
    binds: false,
    partial: false,
    uses: [],
    bytes: () => Buffer.concat([refusalBytes(writer, refusal), SYNC]),
  };
}

/** A message that fails with this. */
export function refusalBytes(writer: Writer, refusal: Refusal): Buffer {
  return parse('postern_refusal', writer.refusal(refusal));
}

/** A Bind message for a statement of another name. */
function bindTo(name: string, bind: Buffer): Buffer {
  const portalEnd = bind.indexOf(0, 5) + 1;
  const rest = bind.indexOf(0, portalEnd) + 1;
  return message('B', bind.subarray(5, portalEnd), Buffer.from(`${name}\0`), bind.subarray(rest));
}

/** `types`: what follows the text in Parse, the numbers of parameter types. */
function parse(name: string, sql: string, types: Buffer = Buffer.alloc(2)): Buffer {
  return message('P', Buffer.from(`${name}\0${sql}\0`, 'latin1'), types);
}
