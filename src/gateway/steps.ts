/**
 * What a client asks for at once, in the steps in which it is done: BEGIN, COMMIT and ROLLBACK are steps of their own, since
 * a transaction is looked at where it begins and ends. A step is made into bytes as often as it has to be done.
 */
import { message } from '../pgwire/messages.ts';
import type { Statement } from '../sql/classify.ts';
import type { Refusal } from '../sql/dialect/texts.ts';
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

export interface Step {
  verb: 'begin' | 'commit' | 'rollback' | undefined;
  /** What it runs, in order; nothing where the text cannot be read. */
  statements: readonly Statement[];
  bytes(writing: Writing): Buffer;
  /** Of what it keeps in memory, in bytes. */
  size: number;
  /** Whether it binds portals, which last as long as their transaction. */
  binds: boolean;
  /** Whether it asks for some rows only of a statement that writes, whose command tag comes later or never. */
  partial: boolean;
  /** The prepared statements that it makes and binds, in order. */
  uses: readonly Use[];
}

export interface Use {
  does: 'prepares' | 'binds';
  statement: PreparedStatement;
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
  if (range) changes.push(...blank(0, range.start), ...blank(range.end, original.length));
  return changes;
}

/** As many blanks, so that positions stay. */
function blank(start: number, end: number): Change[] {
  return start < end ? [{ start, end, replacement: ' '.repeat(end - start) }] : [];
}

function identifier(name: string): string {
  return `"${Buffer.from(name, 'utf8').toString('latin1').replaceAll('"', '""')}"`;
}

export function simpleSteps(original: string, reading: Reading, writer: Writer): Step[] {
  const { classification } = reading;
  const size = original.length;
  const query = (writing: Writing, range?: StatementRange) => {
    const text = writer.text(original, reading, writing, { simple: true, range }) ?? original;
    return message('Q', Buffer.from(`${text}\0`, 'latin1'));
  };
  if (classification.kind !== 'statements' || classification.statements.length < 2) {
    const statements = classification.kind === 'statements' ? classification.statements : [];
    const [only] = statements;
    return [
      {
        verb: only && verbOf(only),
        statements,
        size,
        binds: false,
        partial: false,
        uses: [],
        bytes: (writing) => query(writing),
      },
    ];
  }
  const groups: Statement[][] = [];
  for (const statement of classification.statements) {
    const last = groups.at(-1);
    if (last && !verbOf(statement) && !verbOf(last[0] as Statement)) last.push(statement);
    else groups.push([statement]);
  }
  return groups.map((statements) => {
    const first = statements[0] as Statement;
    const range = { start: first.start, end: (statements.at(-1) as Statement).end };
    return {
      verb: verbOf(first),
      statements,
      size,
      binds: false,
      partial: false,
      uses: [],
      bytes: (writing) => query(writing, range),
    };
  });
}

const SYNC = message('S');
const CODE = { P: 0x50, C: 0x43 } as const;

/** One message of the extended query protocol, or some of which nothing is decided on. */
export interface Piece {
  bytes: Buffer;
  /** Its type byte, where it is one message. */
  type?: number;
  /** Of Execute. */
  statement?: Statement | undefined;
  /** Of Parse. */
  query?: PreparedStatement;
  /** Of Bind. */
  bound?: PreparedStatement | undefined;
}

/** Pieces up to Sync or Flush, which they do not have: every step gets a Sync of its own. `binds`: whether one is a Bind. */
export function extendedSteps(pieces: readonly Piece[], binds: boolean, writer: Writer): Step[] {
  const groups: Piece[][] = [[]];
  for (const piece of pieces) {
    const verb = piece.statement && verbOf(piece.statement);
    const last = groups.at(-1) as Piece[];
    if (!verb) {
      last.push(piece);
    } else if (verb === 'begin') {
      last.push(piece);
      groups.push([]);
    } else {
      // What is bound stays bound.
      groups.push([piece], []);
    }
  }
  return groups.filter((group) => group.length > 0).map((group) => extendedStep(group, binds, writer));
}

function extendedStep(pieces: readonly Piece[], binds: boolean, writer: Writer): Step {
  const statements = pieces.flatMap(({ statement }) => (statement ? [statement] : []));
  const verbs = statements.map(verbOf);
  return {
    verb: verbs.find((verb) => verb !== undefined),
    statements,
    binds,
    partial: pieces.some(
      ({ bytes, statement }) => statement?.writesRows === true && bytes.readInt32BE(bytes.length - 4) !== 0,
    ),
    uses: pieces.flatMap(({ query, bound }): Use[] => {
      if (query) return [{ does: 'prepares', statement: query }];
      return bound ? [{ does: 'binds', statement: bound }] : [];
    }),
    size: pieces.reduce((sum, { bytes }) => sum + bytes.length, 0),
    bytes: (writing) => Buffer.concat([...pieces.map((piece) => pieceBytes(piece, writing, writer)), SYNC]),
  };
}

const NOTHING = Buffer.alloc(0);

function pieceBytes({ bytes, type, statement, query }: Piece, writing: Writing, writer: Writer): Buffer {
  const refusal = statement && writing.refused.get(statement);
  // A statement of a name of its own, so that the client's unnamed one stays.
  if (refusal) return parse('postern_refusal', writer.refusal(refusal));
  if (writing.again && ((type === CODE.P && query?.name !== '') || type === CODE.C)) return NOTHING;
  if (!query) return bytes;
  const sql = writer.text(query.original, query.reading, writing, { simple: false });
  if (sql === undefined) return bytes;
  return parse(query.name, sql, bytes.subarray(5 + query.name.length + 1 + query.original.length + 1));
}

/** `types`: what follows the text in Parse, the numbers of parameter types. */
function parse(name: string, sql: string, types: Buffer = Buffer.alloc(2)): Buffer {
  return message('P', Buffer.from(`${name}\0${sql}\0`, 'latin1'), types);
}
