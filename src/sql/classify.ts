/**
 * What each statement of a text is, which rows it may touch, and whether the dialect of Aurora DSQL has it. A statement
 * that no rule accepts is refused. Nothing here guards anything: PostgreSQL decides who may do what.
 */
import { ASYNC_MARK, findAsyncWords } from './async.ts';
import { checkCall, checkTextSearchConfiguration, FUNCTION_RULES } from './dialect/functions.ts';
import { INDEX_RULES } from './dialect/indexes.ts';
import { OBJECT_RULES } from './dialect/objects.ts';
import { ROLE_RULES } from './dialect/roles.ts';
import type { Kind, Nodes, Rule, Rules, StatementTag, Subject } from './dialect/rule.ts';
import { SEQUENCE_RULES } from './dialect/sequences.ts';
import { SESSION_RULES } from './dialect/sessions.ts';
import { TABLE_RULES } from './dialect/tables.ts';
import { type Refusal, TEXTS, Unsupported, unsupported } from './dialect/texts.ts';
import { modesOf, TRANSACTION_RULES, VERBS, type Verb } from './dialect/transactions.ts';
import { builtinType, REFUSED_EVERYWHERE, TYPE_RULES } from './dialect/types.ts';
import { QUERY_RULES, REFUSED_RULES } from './dialect/utilities.ts';
import { Lexer } from './lexer.ts';
import { nameLength } from './name-length.ts';
import { DIRECT_BYTES, type ParsedStatement, type Parser } from './parse.ts';
import type { Splice } from './splice.ts';
import type { StatementRange } from './statements.ts';

export interface Relation {
  /** As far as it was written. */
  schema: string | undefined;
  name: string;
}

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

const RULES: Rules<StatementTag> = {
  ...QUERY_RULES,
  ...TABLE_RULES,
  ...INDEX_RULES,
  ...TYPE_RULES,
  ...FUNCTION_RULES,
  ...SEQUENCE_RULES,
  ...ROLE_RULES,
  ...SESSION_RULES,
  ...TRANSACTION_RULES,
  ...OBJECT_RULES,
  ...REFUSED_RULES,
};

const isStatementTag = (tag: string): tag is StatementTag => Object.hasOwn(RULES, tag);

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
const WRITES: ReadonlySet<string> = new Set(['InsertStmt', 'UpdateStmt', 'DeleteStmt']);

/**
 * A parse tree takes some hundred bytes a token. The longest INSERT that the service runs (3,000 rows in a transaction) has
 * fewer than these, with up to 80 columns; literals of any length are one token.
 */
const MAX_TOKENS = 500_000;
const MAX_STATEMENTS = 10_000;
/** Of each: what one statement may name, and what is replaced in it. */
const MAX_FINDINGS = 10_000;

type Fields = Record<string, unknown>;

/** Reads one statement: its own rule first, then everything inside. */
class Reading {
  readonly #splices: Splice[] = [];
  readonly #relations = new Map<string, Relation>();
  writes = false;
  locks: Statement['locks'];
  #subject: Subject;
  /** Where pg_settings is named without its schema, which a WITH query of that name may mean. */
  readonly #settings = new Set<Splice>();
  #hidesSettings = false;

  constructor(subject: Omit<Subject, 'splice'>) {
    this.#subject = { ...subject, splice: (splice) => this.#splice(splice) };
  }

  /** In order. */
  get splices(): readonly Splice[] {
    const kept = this.#hidesSettings ? this.#splices.filter((splice) => !this.#settings.has(splice)) : this.#splices;
    return kept.sort((a, b) => a.start - b.start);
  }

  get relations(): readonly Relation[] {
    return [...this.#relations.values()];
  }

  #splice(splice: Splice): void {
    if (this.#splices.push(splice) > MAX_FINDINGS) unsupported(TEXTS.tooComplex);
  }

  /** Throws Unsupported. */
  read(tag: StatementTag, node: object): void {
    this.#check(tag, node);
    this.#subject = { ...this.#subject, nested: true };
    // No recursion: trees are as deep as a client likes.
    const todo: Fields[] = [node as Fields];
    for (let fields = todo.pop(); fields !== undefined; fields = todo.pop()) {
      if (typeof fields['relname'] === 'string') this.#relation(fields as Nodes['RangeVar']);
      for (const key in fields) {
        const value = fields[key];
        if (typeof value !== 'object' || value === null) continue;
        if (!Array.isArray(value)) this.#visit(key, value);
        todo.push(value as Fields);
      }
    }
  }

  #check(tag: StatementTag, node: object): void {
    (RULES[tag] as Rule<StatementTag>).check?.(node as never, this.#subject);
    if (WRITES.has(tag)) this.writes = true;
  }

  #visit(key: string, value: object): void {
    switch (key) {
      case 'FuncCall':
        checkCall(value as Nodes['FuncCall'], this.#subject);
        break;
      case 'TypeCast':
        checkCast(value as Nodes['TypeCast']);
        break;
      case 'LockingClause':
        this.#lock(value as Nodes['LockingClause']);
        break;
      case 'CommonTableExpr':
        this.#hidesSettings ||= (value as Nodes['CommonTableExpr']).ctename === 'pg_settings';
        break;
      case 'RangeTableSample':
        throw new Unsupported(TEXTS.tablesample);
      case 'intoClause':
        throw new Unsupported(TEXTS.statement('CreateTableAsStmt'));
      default:
        if (key.endsWith('Stmt') && isStatementTag(key)) this.#check(key, value);
    }
  }

  #lock({ strength }: Nodes['LockingClause']): void {
    if (strength === 'LCS_FORUPDATE') this.locks = 'update';
    else if (strength === 'LCS_FORKEYSHARE') this.locks ??= 'key share';
    else unsupported(TEXTS.locking);
  }

  #relation({ schemaname, relname = '', location }: Nodes['RangeVar']): void {
    this.#relations.set(`${schemaname ?? ''}.${relname}`, { schema: schemaname, name: relname });
    if (this.#relations.size > MAX_FINDINGS) unsupported(TEXTS.tooComplex);
    if (relname !== 'pg_settings' || (schemaname ?? 'pg_catalog') !== 'pg_catalog' || location === undefined) return;
    const { sql, end } = this.#subject;
    const length = nameLength(sql.slice(location, end), schemaname === undefined ? 1 : 2);
    const replaced = { start: location, end: location + length, replacement: `sys.${relname}` };
    if (schemaname === undefined) this.#settings.add(replaced);
    this.#splice(replaced);
  }
}

function checkCast({ typeName, arg }: Nodes['TypeCast']): void {
  const name = typeName && builtinType(typeName);
  if (name === undefined) return;
  if (REFUSED_EVERYWHERE.has(name)) unsupported(TEXTS.type(name));
  if (name === 'regconfig' && arg && 'A_Const' in arg) checkTextSearchConfiguration(arg.A_Const.sval?.sval);
}

function transactionOf(tag: string, node: object): Statement['transaction'] {
  if (tag !== 'TransactionStmt') return undefined;
  const { kind = 'TRANS_STMT_BEGIN', options } = node as Nodes['TransactionStmt'];
  const { isolation, readOnly } = modesOf(options);
  return { verb: VERBS[kind], isolation, readOnly };
}

function runsAndWrites(tag: StatementTag, node: object, { writes }: Reading): boolean {
  if (tag === 'CopyStmt' && (node as Nodes['CopyStmt']).is_from) return true;
  if (tag === 'ExplainStmt') return writes && analyzes(node as Nodes['ExplainStmt']);
  return writes && RUNS.has(tag);
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
  const reading = new Reading({ sql, start, end, async: async !== undefined, nested: false, checkBody });
  let refusal: Refusal | undefined;
  try {
    reading.read(tag, node);
  } catch (error) {
    if (!(error instanceof Unsupported)) throw error;
    ({ refusal } = error);
  }
  const isRoleRename = tag === 'RenameStmt' && (node as Nodes['RenameStmt']).renameType === 'OBJECT_ROLE';
  return {
    start,
    end,
    tag,
    kind: RULES[tag].kind,
    transaction: transactionOf(tag, node),
    writesRows: runsAndWrites(tag, node, reading),
    locks: reading.locks,
    changesPrivileges: isRoleRename || PRIVILEGE_TAGS.has(tag),
    async,
    relations: reading.relations,
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
