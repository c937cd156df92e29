import { checkCall, checkTextSearchConfiguration } from './dialect/functions.ts';
import type { Nodes, Rule, StatementTag, Subject } from './dialect/rule.ts';
import { isStatementTag, RULES } from './dialect/rules.ts';
import { TEXTS, Unsupported, unsupported } from './dialect/texts.ts';
import { builtinType, REFUSED_EVERYWHERE } from './dialect/types.ts';
import { type LockedRows, lockedRowsOf } from './locked-rows.ts';
import { nameLength } from './name-length.ts';
import type { Splice } from './splice.ts';

export interface Relation {
  /** As far as it was written. */
  schema: string | undefined;
  name: string;
}

/** Where a relation is named with its schema. */
export interface QualifiedName extends Relation {
  start: number;
  end: number;
}

const WRITES: ReadonlySet<string> = new Set(['InsertStmt', 'UpdateStmt', 'DeleteStmt']);

/** What one statement may name, and what is replaced in it. */
const MAX_FINDINGS = 10_000;

type Fields = Record<string, unknown>;

const keyOf = ({ schema, name }: Relation) => `${schema ?? ''}.${name}`;

/** Reads one statement: its own rule first, then everything inside. */
export class StatementFindings {
  readonly #splices: Splice[] = [];
  readonly #relations = new Map<string, Relation>();
  readonly #targets = new Map<string, Relation>();
  readonly #calls = new Set<string>();
  readonly #qualified: QualifiedName[] = [];
  /** How often rows are written in it: by itself, and by each WITH query that does. */
  writes = 0;
  /** How many rows an INSERT of VALUES has; the last one's. */
  insertedRows: number | undefined;
  /** Whether it calls what may make many rows of one. */
  makesRows = false;
  locks: 'update' | 'key share' | undefined;
  /** Whether it deletes rows. */
  deletes = false;
  /** Columns that it changes in rows that are there. */
  readonly #sets = new Set<string>();
  lockedRows: LockedRows | undefined;
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

  get targets(): readonly Relation[] {
    return this.locks ? this.relations : [...this.#targets.values()];
  }

  get sets(): readonly string[] {
    return [...this.#sets];
  }

  get calls(): readonly string[] {
    return [...this.#calls];
  }

  get qualified(): readonly QualifiedName[] {
    return this.#qualified.sort((a, b) => a.start - b.start);
  }

  #splice(splice: Splice): void {
    if (this.#splices.push(splice) > MAX_FINDINGS) unsupported(TEXTS.tooComplex);
  }

  /** Throws Unsupported. */
  read(tag: StatementTag, node: object): void {
    this.#check(tag, node);
    if (tag === 'SelectStmt') this.lockedRows = lockedRowsOf(node as Nodes['SelectStmt'], this.#subject);
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
    if (WRITES.has(tag)) {
      this.writes++;
      this.#target((node as Nodes['UpdateStmt']).relation);
    }
    if (tag === 'DeleteStmt') this.deletes = true;
    if (tag === 'UpdateStmt') this.#change((node as Nodes['UpdateStmt']).targetList);
    if (tag === 'InsertStmt') this.#change((node as Nodes['InsertStmt']).onConflictClause?.targetList);
    if (tag === 'InsertStmt') this.insertedRows = valuesIn(node as Nodes['InsertStmt']);
    if (tag === 'CopyStmt' && (node as Nodes['CopyStmt']).is_from) this.#target((node as Nodes['CopyStmt']).relation);
    if (tag === 'DropStmt') this.#dropped(node as Nodes['DropStmt']);
  }

  #visit(key: string, value: object): void {
    switch (key) {
      case 'FuncCall':
        checkCall(value as Nodes['FuncCall'], this.#subject);
        this.makesRows ||= !makesOne(value as Nodes['FuncCall']);
        this.#call(value as Nodes['FuncCall']);
        break;
      // Of CALL.
      case 'funccall':
        this.#call(value as Nodes['FuncCall']);
        break;
      case 'TypeCast':
        checkCast(value as Nodes['TypeCast']);
        break;
      // A domain has checks, which may call what they like.
      case 'typeName':
        if (builtinType(value as Nodes['TypeName']) === undefined) this.#named((value as Nodes['TypeName']).names);
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

  #call({ funcname }: Nodes['FuncCall']): void {
    this.#named(funcname);
  }

  #named(name: Nodes['FuncCall']['funcname']): void {
    const [first, ...rest] = (name ?? []).map((part) => ('String' in part ? (part.String.sval ?? '') : ''));
    if (first === undefined || (rest.length > 0 && first === 'pg_catalog')) return;
    this.#calls.add(rest.at(-1) ?? first);
    if (this.#calls.size > MAX_FINDINGS) unsupported(TEXTS.tooComplex);
  }

  #lock({ strength }: Nodes['LockingClause']): void {
    if (strength === 'LCS_FORUPDATE') this.locks = 'update';
    else if (strength === 'LCS_FORKEYSHARE') this.locks ??= 'key share';
    else unsupported(TEXTS.locking);
  }

  #change(targets: Nodes['UpdateStmt']['targetList']): void {
    for (const target of targets ?? []) {
      if ('ResTarget' in target && target.ResTarget.name !== undefined) this.#sets.add(target.ResTarget.name);
    }
    if (this.#sets.size > MAX_FINDINGS) unsupported(TEXTS.tooComplex);
  }

  #target(relation: Nodes['RangeVar'] | undefined): void {
    if (relation?.relname === undefined) return;
    const target = { schema: relation.schemaname, name: relation.relname };
    this.#targets.set(keyOf(target), target);
  }

  /** What DROP names is no relation to the parser, only words. */
  #dropped({ objects, removeType }: Nodes['DropStmt']): void {
    if (!DROPPED_RELATIONS.has(removeType ?? '')) return;
    for (const object of objects ?? []) {
      const words = 'List' in object ? (object.List.items ?? []) : [];
      const [name = '', schema] = words.map((word) => ('String' in word ? (word.String.sval ?? '') : '')).reverse();
      this.#name({ schema, name });
    }
  }

  #name(relation: Relation): void {
    this.#relations.set(keyOf(relation), relation);
    if (this.#relations.size > MAX_FINDINGS) unsupported(TEXTS.tooComplex);
  }

  #relation({ schemaname, relname = '', location }: Nodes['RangeVar']): void {
    this.#name({ schema: schemaname, name: relname });
    const { sql, end } = this.#subject;
    if (schemaname !== undefined && location !== undefined && this.#qualified.length < MAX_FINDINGS) {
      const length = nameLength(sql.slice(location, end), 2);
      this.#qualified.push({ schema: schemaname, name: relname, start: location, end: location + length });
    }
    if (relname !== 'pg_settings' || (schemaname ?? 'pg_catalog') !== 'pg_catalog' || location === undefined) return;
    const length = nameLength(sql.slice(location, end), schemaname === undefined ? 1 : 2);
    const replaced = { start: location, end: location + length, replacement: `sys.${relname}` };
    if (schemaname === undefined) this.#settings.add(replaced);
    this.#splice(replaced);
  }
}

const DROPPED_RELATIONS: ReadonlySet<string> = new Set([
  'OBJECT_TABLE',
  'OBJECT_VIEW',
  'OBJECT_SEQUENCE',
  'OBJECT_INDEX',
]);

/** Functions that are common in rows, and make one value each. */
const MAKES_ONE: ReadonlySet<string> = new Set([
  'clock_timestamp',
  'concat',
  'gen_random_uuid',
  'lower',
  'nextval',
  'now',
  'random',
  'repeat',
  'to_timestamp',
  'upper',
]);

function makesOne({ funcname }: Nodes['FuncCall']): boolean {
  const last = funcname?.at(-1);
  return last !== undefined && 'String' in last && MAKES_ONE.has(last.String.sval ?? '');
}

/** Undefined for rows that are selected; DEFAULT VALUES are one. */
function valuesIn({ selectStmt }: Nodes['InsertStmt']): number | undefined {
  if (!selectStmt) return 1;
  return 'SelectStmt' in selectStmt ? selectStmt.SelectStmt.valuesLists?.length : undefined;
}

function checkCast({ typeName, arg }: Nodes['TypeCast']): void {
  const name = typeName && builtinType(typeName);
  if (name === undefined) return;
  if (REFUSED_EVERYWHERE.has(name)) unsupported(TEXTS.type(name));
  if (name === 'regconfig' && arg && 'A_Const' in arg) checkTextSearchConfiguration(arg.A_Const.sval?.sval);
}
