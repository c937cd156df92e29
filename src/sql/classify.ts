/**
 * What each statement of a text is, which rows it may touch, and whether the dialect of Aurora DSQL has it. A statement
 * that no rule accepts is refused. Nothing here guards anything: PostgreSQL decides who may do what.
 */
import { ASYNC_MARK, findAsyncWords } from './async.ts';
import type { Kind, Nodes, StatementTag } from './dialect/rule.ts';
import { isStatementTag, RULES } from './dialect/rules.ts';
import { type Refusal, TEXTS, Unsupported, unsupported } from './dialect/texts.ts';
import { modesOf, VERBS, type Verb } from './dialect/transactions.ts';
import { Lexer } from './lexer.ts';
import type { LockedRows } from './locked-rows.ts';
import { DIRECT_BYTES, type ParsedStatement, type Parser } from './parse.ts';
import type { Splice } from './splice.ts';
import { type QualifiedName, type Relation, StatementFindings } from './statement-findings.ts';
import type { StatementRange } from './statements.ts';

export interface Statement extends StatementRange {
  /** The parse node's name; `AwsIamStmt` for AWS IAM GRANT and REVOKE, `UnknownStmt` for what has no rule. */
  tag: StatementTag | 'AwsIamStmt' | 'UnknownStmt';
  kind: Kind;
  transaction: { verb: Verb; isolation: string | undefined; readOnly: boolean | undefined } | undefined;
  /** Whether it inserts, updates or deletes rows of tables, CTEs included. What functions do is not known. */
  writesRows: boolean;
  /** The strongest locking clause anywhere in it. */
  locks: 'update' | 'key share' | undefined;
  /** Whether it changes roles, memberships, privileges or mappings. */
  changesPrivileges: boolean;
  /** The word ASYNC, which the engine must not see. */
  async: StatementRange | undefined;
  /** Tables, views, sequences and CTEs that are named. */
  relations: readonly Relation[];
  /** Of these, the ones whose rows it writes; all of them where it locks rows. */
  targets: readonly Relation[];
  /** Whether the number of rows that it writes is the one in its command tag: no WITH query writes rows too. */
  tagCounts: boolean;
  /** The number of rows, where it inserts VALUES and nothing else, and calls nothing that may make more of one. */
  insertedRows: number | undefined;
  /** Whether it deletes rows, and the columns that it changes in rows that are there. */
  deletes: boolean;
  sets: readonly string[];
  /** How to ask for the rows that it locks. */
  lockedRows: LockedRows | undefined;
  /** Functions that are called and types that are named, by their last name, but for those of pg_catalog said with it. */
  calls: readonly string[];
  /** Whether it drops whatever depends on what it names. */
  cascades: boolean;
  /** Where relations are named with their schemas; in order. */
  qualified: readonly QualifiedName[];
  /** Answers that are the service's and not the engine's; within the statement, in order. */
  splices: readonly Splice[];
  refusal: Refusal | undefined;
}

export type Classification =
  | { kind: 'statements'; statements: readonly Statement[] }
  /** PostgreSQL refuses the text as well, unless it has words that PostgreSQL does not know. */
  | { kind: 'syntax-error'; message: string; position: number; own: boolean }
  /** The whole text is refused, unread. */
  | { kind: 'refused'; refusal: Refusal };

const PRIVILEGE_TAGS: ReadonlySet<string> = new Set<StatementTag | 'AwsIamStmt'>([
  'AwsIamStmt',
  'GrantStmt',
  'GrantRoleStmt',
  'AlterDefaultPrivilegesStmt',
  'CreateRoleStmt',
  'AlterRoleStmt',
  'AlterRoleSetStmt',
  'DropRoleStmt',
]);

/** Statements whose rows are written when they run, not when something else does. */
const RUNS: ReadonlySet<string> = new Set([
  'SelectStmt',
  'InsertStmt',
  'UpdateStmt',
  'DeleteStmt',
  'CopyStmt',
  'ExplainStmt',
]);
/** Statements whose command tag says how many rows they have written. */
const COUNTED: ReadonlySet<string> = new Set(['InsertStmt', 'UpdateStmt', 'DeleteStmt', 'CopyStmt']);

/**
 * A parse tree takes some hundred bytes a token. The longest INSERT that the service runs (3,000 rows in a transaction) has
 * fewer than these, with up to 80 columns; literals of any length are one token.
 */
const MAX_TOKENS = 500_000;
const MAX_STATEMENTS = 10_000;

function transactionOf(tag: string, node: object): Statement['transaction'] {
  if (tag !== 'TransactionStmt') return undefined;
  const { kind = 'TRANS_STMT_BEGIN', options } = node as Nodes['TransactionStmt'];
  const { isolation, readOnly } = modesOf(options);
  return { verb: VERBS[kind], isolation, readOnly };
}

function runsAndWrites(tag: StatementTag, node: object, { writes }: StatementFindings): boolean {
  if (tag === 'CopyStmt' && (node as Nodes['CopyStmt']).is_from) return true;
  if (tag === 'ExplainStmt') return writes > 0 && analyzes(node as Nodes['ExplainStmt']);
  return writes > 0 && RUNS.has(tag);
}

/** The last ANALYZE option counts. */
function analyzes({ options }: Nodes['ExplainStmt']): boolean {
  let result = false;
  for (const option of options ?? []) {
    if (!('DefElem' in option) || option.DefElem.defname !== 'analyze') continue;
    const { arg } = option.DefElem;
    const text = arg && 'String' in arg ? arg.String.sval?.toLowerCase() : undefined;
    const off = text === 'false' || text === 'off' || (arg && 'Integer' in arg && (arg.Integer.ival ?? 0) === 0);
    result = !off;
  }
  return result;
}

interface Text {
  /** As it came. */
  sql: string;
  parser: Parser;
  /** How many bodies of functions are around it. */
  depth: number;
}

/** The service's functions call no function that makes functions; a client's text may nest as it likes. */
const MAX_BODIES = 4;

function classifyStatement(
  { start, end, tag, node }: ParsedStatement,
  async: StatementRange | undefined,
  { sql, parser, depth }: Text,
): Statement {
  if (!isStatementTag(tag)) return { ...UNKNOWN, start, end, refusal: TEXTS.statement(tag) };
  const checkBody = (body: string) => {
    if (depth >= MAX_BODIES) unsupported(TEXTS.tooDeep);
    checkFunctionBody({ sql: Buffer.from(body, 'utf8').toString('latin1'), parser, depth: depth + 1 });
  };
  const reading = new StatementFindings({ sql, start, end, async: async !== undefined, nested: false, checkBody });
  let refusal: Refusal | undefined;
  try {
    reading.read(tag, node);
  } catch (error) {
    if (!(error instanceof Unsupported)) throw error;
    ({ refusal } = error);
  }
  const isRoleRename = tag === 'RenameStmt' && (node as Nodes['RenameStmt']).renameType === 'OBJECT_ROLE';
  const writesRows = runsAndWrites(tag, node, reading);
  return {
    start,
    end,
    tag,
    kind: RULES[tag].kind,
    transaction: transactionOf(tag, node),
    writesRows,
    locks: reading.locks,
    changesPrivileges: isRoleRename || PRIVILEGE_TAGS.has(tag),
    async,
    relations: reading.relations,
    targets: writesRows || reading.locks ? reading.targets : [],
    tagCounts: COUNTED.has(tag) && reading.writes <= 1,
    insertedRows: tag === 'InsertStmt' && reading.writes === 1 && !reading.makesRows ? reading.insertedRows : undefined,
    deletes: reading.deletes,
    sets: reading.sets,
    lockedRows: refusal ? undefined : reading.lockedRows,
    calls: reading.calls,
    cascades: (node as { behavior?: string }).behavior === 'DROP_CASCADE',
    qualified: reading.qualified,
    splices: refusal ? [] : [...(async ? [{ ...async, replacement: ASYNC_MARK }] : []), ...reading.splices],
    refusal,
  };
}

/** What a body may not hold, the statement that makes the function may not either. Throws Unsupported. */
function checkFunctionBody(text: Text): void {
  const body = classifyText(text, []);
  if (body.kind === 'refused') unsupported(body.refusal);
  if (body.kind !== 'statements') return;
  for (const { refusal } of body.statements) if (refusal) unsupported({ ...refusal, at: undefined });
}

/** A statement of which nothing is known. */
const UNKNOWN: Omit<Statement, 'start' | 'end'> = {
  tag: 'UnknownStmt',
  kind: 'utility',
  transaction: undefined,
  writesRows: true,
  locks: undefined,
  changesPrivileges: true,
  async: undefined,
  relations: [],
  targets: [],
  tagCounts: false,
  insertedRows: undefined,
  deletes: true,
  sets: [],
  lockedRows: undefined,
  calls: [],
  cascades: false,
  qualified: [],
  splices: [],
  refusal: undefined,
};

/** The same text, as long as before, with `replacement` in the place of some ranges. */
function masked(sql: string, ranges: readonly StatementRange[], replacement: string): string {
  let result = '';
  let at = 0;
  for (const { start, end } of ranges) {
    result += sql.slice(at, start) + replacement.padEnd(end - start);
    at = end;
  }
  return result + sql.slice(at);
}

/**
 * Classifies the statements of a text, one character a byte. `awsIam` are the AWS IAM statements in it, which PostgreSQL's
 * parser does not know, in order.
 */
export function classify(sql: string, parser: Parser, awsIam: readonly StatementRange[] = []): Classification {
  return classifyText({ sql, parser, depth: 0 }, awsIam);
}

function classifyText(text: Text, awsIam: readonly StatementRange[]): Classification {
  const { sql, parser } = text;
  if (sql.length > DIRECT_BYTES && hasMoreTokens(sql, MAX_TOKENS)) {
    return { kind: 'refused', refusal: TEXTS.tooComplex };
  }
  const asyncWords = findAsyncWords(sql);
  const parsed = parser.parse(masked(masked(sql, awsIam, 'SELECT'), asyncWords, ''));
  if (parsed.kind === 'too-deep') return { kind: 'refused', refusal: TEXTS.tooDeep };
  if (parsed.kind === 'syntax-error') return { ...parsed, own: asyncWords.length > 0 };
  if (parsed.statements.length > MAX_STATEMENTS) return { kind: 'refused', refusal: TEXTS.tooComplex };
  const nextAwsIam = inOrder(awsIam);
  const nextAsync = inOrder(asyncWords);
  return {
    kind: 'statements',
    statements: parsed.statements.map((statement) => {
      const { start, end } = statement;
      const async = nextAsync(end);
      if (nextAwsIam(end) === undefined) return classifyStatement(statement, async, text);
      return { ...UNKNOWN, start, end, tag: 'AwsIamStmt', kind: 'ddl', writesRows: false };
    }),
  };
}

function hasMoreTokens(sql: string, limit: number): boolean {
  const lexer = new Lexer(sql, { standardConformingStrings: true });
  for (let count = 0; count <= limit; count++) if (lexer.nextSignificant() === 'end') return false;
  return true;
}

/** Tells for each end of a statement, in order, which of these ranges lies before it and after the end before. */
function inOrder(ranges: readonly StatementRange[]): (end: number) => StatementRange | undefined {
  let next = 0;
  return (end) => {
    const range = ranges[next];
    if (range === undefined || range.end > end) return undefined;
    next++;
    return range;
  };
}
