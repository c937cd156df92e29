/** CREATE TABLE and ALTER TABLE (user guide, "CREATE TABLE", "ALTER TABLE syntax support"), and views. */
import type { AlterTableCmd, AlterTableStmt, ColumnDef, Constraint, Node, RangeVar } from '@pgsql/types';
import { Lexer } from '../lexer.ts';
import { byteLiteral, dollarQuote } from '../literal.ts';
import type { Rules, Subject } from './rule.ts';
import { checkCache, checkIdentity } from './sequences.ts';
import { TEXTS, unsupported } from './texts.ts';
import { checkColumnType, checkKeyType } from './types.ts';

const MAX_COLUMNS = 256;
const MAX_KEY_COLUMNS = 8;
/** In bytes of text: the longest that was seen to be accepted. The service counts an inner form, which is not known. */
const MAX_VIEW = 524 * 1024;
const CREATE_TABLE = 'CREATE TABLE';

export function checkPersistence(relation: RangeVar | undefined, statement: string): void {
  if (relation?.relpersistence === 't') unsupported(TEXTS.temporary(statement));
  if (relation?.relpersistence === 'u') unsupported(TEXTS.unlogged(statement));
}

export function checkKeyColumns(count: number): void {
  if (count > MAX_KEY_COLUMNS) unsupported(TEXTS.keyColumns);
}

const columnsOf = (elements: readonly Node[]): ColumnDef[] =>
  elements.flatMap((element) => ('ColumnDef' in element ? [element.ColumnDef] : []));

function hasPrimaryKey(elements: readonly Node[], columns: readonly ColumnDef[]): boolean {
  const constraints = [...elements, ...columns.flatMap((column) => column.constraints ?? [])];
  return constraints.some((node) => 'Constraint' in node && node.Constraint.contype === 'CONSTR_PRIMARY');
}

const nameOf = (node: Node) => ('String' in node ? node.String.sval : undefined);

/** Of UNIQUE and PRIMARY KEY. */
function checkKey({ keys, options, indexspace, deferrable }: Constraint, columns: readonly ColumnDef[]): void {
  if (options) unsupported(TEXTS.clause('WITH', CREATE_TABLE));
  if (indexspace !== undefined) unsupported(TEXTS.clause('USING INDEX TABLESPACE', CREATE_TABLE));
  if (deferrable) unsupported(TEXTS.deferrable);
  checkKeyColumns(keys?.length ?? 0);
  const names = new Set((keys ?? []).map(nameOf));
  for (const column of columns) if (names.has(column.colname)) checkKeyType(column);
}

function checkColumn(column: ColumnDef): void {
  if (column.typeName) checkColumnType(column.typeName);
  if (column.collClause) unsupported(TEXTS.collate);
  if (column.compression !== undefined) unsupported(TEXTS.clause('COMPRESSION', CREATE_TABLE));
  let isKey = false;
  for (const node of column.constraints ?? []) {
    if (!('Constraint' in node)) continue;
    const constraint = node.Constraint;
    switch (constraint.contype) {
      case 'CONSTR_IDENTITY':
        checkIdentity(column.typeName, constraint.options);
        break;
      case 'CONSTR_PRIMARY':
      case 'CONSTR_UNIQUE':
        checkKey({ ...constraint, keys: [{ String: { sval: column.colname ?? '' } }] }, [column]);
        isKey = true;
        break;
      case 'CONSTR_ATTR_DEFERRABLE':
        if (isKey) unsupported(TEXTS.deferrable);
        break;
      case 'CONSTR_FOREIGN':
        isKey = false;
        break;
    }
  }
}

function checkTableConstraint(constraint: Constraint, columns: readonly ColumnDef[]): void {
  if (constraint.contype === 'CONSTR_EXCLUSION') unsupported(TEXTS.exclusion);
  if (constraint.contype === 'CONSTR_PRIMARY' || constraint.contype === 'CONSTR_UNIQUE') checkKey(constraint, columns);
}

/**
 * Commands of ALTER TABLE by their node's subtype: how PostgreSQL calls them (alter_table_type_to_string of tablecmds.c)
 * and whether they are accepted; `checked` ones have their own conditions.
 */
const COMMANDS: Record<string, readonly [name: string, accepted: 'yes' | 'no' | 'checked']> = {
  AT_AddColumn: ['ADD COLUMN', 'checked'],
  AT_ColumnDefault: ['ALTER COLUMN ... SET DEFAULT', 'yes'],
  AT_DropNotNull: ['ALTER COLUMN ... DROP NOT NULL', 'yes'],
  AT_SetNotNull: ['ALTER COLUMN ... SET NOT NULL', 'no'],
  AT_DropExpression: ['ALTER COLUMN ... DROP EXPRESSION', 'yes'],
  AT_SetStatistics: ['ALTER COLUMN ... SET STATISTICS', 'no'],
  AT_SetOptions: ['ALTER COLUMN ... SET', 'no'],
  AT_ResetOptions: ['ALTER COLUMN ... RESET', 'no'],
  AT_SetStorage: ['ALTER COLUMN ... SET STORAGE', 'yes'],
  AT_SetCompression: ['ALTER COLUMN ... SET COMPRESSION', 'no'],
  AT_DropColumn: ['DROP COLUMN', 'yes'],
  AT_AddConstraint: ['ADD CONSTRAINT', 'checked'],
  AT_AlterConstraint: ['ALTER CONSTRAINT', 'yes'],
  AT_ValidateConstraint: ['VALIDATE CONSTRAINT', 'checked'],
  AT_DropConstraint: ['DROP CONSTRAINT', 'yes'],
  AT_AlterColumnType: ['ALTER COLUMN ... SET DATA TYPE', 'no'],
  AT_AlterColumnGenericOptions: ['ALTER COLUMN ... OPTIONS', 'no'],
  AT_ChangeOwner: ['OWNER TO', 'yes'],
  AT_ClusterOn: ['CLUSTER ON', 'no'],
  AT_DropCluster: ['SET WITHOUT CLUSTER', 'no'],
  AT_SetAccessMethod: ['SET ACCESS METHOD', 'no'],
  AT_SetLogged: ['SET LOGGED', 'no'],
  AT_SetUnLogged: ['SET UNLOGGED', 'no'],
  AT_DropOids: ['SET WITHOUT OIDS', 'no'],
  AT_SetTableSpace: ['SET TABLESPACE', 'no'],
  AT_SetRelOptions: ['SET', 'no'],
  AT_ResetRelOptions: ['RESET', 'no'],
  AT_EnableTrig: ['ENABLE TRIGGER', 'no'],
  AT_EnableAlwaysTrig: ['ENABLE ALWAYS TRIGGER', 'no'],
  AT_EnableReplicaTrig: ['ENABLE REPLICA TRIGGER', 'no'],
  AT_DisableTrig: ['DISABLE TRIGGER', 'no'],
  AT_EnableTrigAll: ['ENABLE TRIGGER ALL', 'yes'],
  AT_DisableTrigAll: ['DISABLE TRIGGER ALL', 'yes'],
  AT_EnableTrigUser: ['ENABLE TRIGGER USER', 'yes'],
  AT_DisableTrigUser: ['DISABLE TRIGGER USER', 'yes'],
  AT_EnableRule: ['ENABLE RULE', 'no'],
  AT_EnableAlwaysRule: ['ENABLE ALWAYS RULE', 'no'],
  AT_EnableReplicaRule: ['ENABLE REPLICA RULE', 'no'],
  AT_DisableRule: ['DISABLE RULE', 'no'],
  AT_AddInherit: ['INHERIT', 'no'],
  AT_DropInherit: ['NO INHERIT', 'no'],
  AT_AddOf: ['OF', 'no'],
  AT_DropOf: ['NOT OF', 'no'],
  AT_ReplicaIdentity: ['REPLICA IDENTITY', 'no'],
  AT_EnableRowSecurity: ['ENABLE ROW SECURITY', 'no'],
  AT_DisableRowSecurity: ['DISABLE ROW SECURITY', 'no'],
  AT_ForceRowSecurity: ['FORCE ROW SECURITY', 'no'],
  AT_NoForceRowSecurity: ['NO FORCE ROW SECURITY', 'no'],
  AT_GenericOptions: ['OPTIONS', 'no'],
  AT_AttachPartition: ['ATTACH PARTITION', 'no'],
  AT_DetachPartition: ['DETACH PARTITION', 'no'],
  AT_DetachPartitionFinalize: ['DETACH PARTITION ... FINALIZE', 'no'],
  AT_AddIdentity: ['ALTER COLUMN ... ADD IDENTITY', 'checked'],
  AT_SetIdentity: ['ALTER COLUMN ... SET', 'checked'],
  AT_DropIdentity: ['ALTER COLUMN ... DROP IDENTITY', 'yes'],
};

const VIEW_COMMANDS = new Set(['AT_ColumnDefault', 'AT_ChangeOwner', 'AT_SetRelOptions', 'AT_ResetRelOptions']);
const NO_EFFECT = new Set(['AT_EnableTrigAll', 'AT_DisableTrigAll', 'AT_EnableTrigUser', 'AT_DisableTrigUser']);

const constraintOf = (def: Node | undefined) => (def && 'Constraint' in def ? def.Constraint : undefined);

/** What is no key waits to be validated; a unique one is made of an index that is there. */
function isAddable({ contype, skip_validation, indexname }: Constraint): boolean {
  if (contype === 'CONSTR_CHECK' || contype === 'CONSTR_FOREIGN') return skip_validation === true;
  return contype === 'CONSTR_UNIQUE' && indexname !== undefined;
}

function checkCommand({ subtype, def }: AlterTableCmd, async: boolean): void {
  const [name, accepted] = COMMANDS[subtype ?? ''] ?? [subtype ?? '', 'no'];
  if (accepted === 'no') unsupported(TEXTS.alterTable(name));
  switch (subtype) {
    case 'AT_AddColumn': {
      const column = def && 'ColumnDef' in def ? def.ColumnDef : {};
      if (column.constraints) unsupported(TEXTS.addColumn);
      checkColumn(column);
      break;
    }
    case 'AT_AddConstraint': {
      const constraint = constraintOf(def);
      if (!constraint || !isAddable(constraint)) unsupported(TEXTS.alterTable(name));
      if (constraint?.contype === 'CONSTR_UNIQUE' && constraint.deferrable) unsupported(TEXTS.deferrable);
      break;
    }
    case 'AT_ValidateConstraint':
      if (!async) unsupported(TEXTS.alterTable(name));
      break;
    case 'AT_AddIdentity':
      checkIdentity(undefined, constraintOf(def)?.options);
      break;
    case 'AT_SetIdentity':
      checkCache(def && 'List' in def ? def.List.items : undefined, TEXTS.identityCache, false);
      break;
  }
}

/** `ALTER TABLE ASYNC t VALIDATE CONSTRAINT c` becomes a call that submits the job, and stays to be read as a constant. */
function spliceAsync(
  { relation, missing_ok }: AlterTableStmt,
  commands: readonly AlterTableCmd[],
  { sql, start, end, splice }: Subject,
): void {
  // Validating is all that ASYNC is for, one constraint at a time.
  const [command, another] = commands;
  if (command?.subtype !== 'AT_ValidateConstraint' || another) unsupported(TEXTS.alterTable('VALIDATE CONSTRAINT'));
  const { schemaname, relname = '' } = relation ?? {};
  const quote = dollarQuote(sql.slice(start, end));
  const schema = schemaname === undefined ? 'NULL' : byteLiteral(schemaname);
  const names = `${schema},${byteLiteral(relname)},${byteLiteral(command?.name ?? '')}`;
  splice({ start, end: start, replacement: ` SELECT sys.validate_constraint_async(${quote}` });
  splice({ start: end, end, replacement: `${quote}, ${names}, ${missing_ok === true}) AS job_id` });
}

function checkAlterTable(node: AlterTableStmt, subject: Subject): void {
  const { objtype, cmds } = node;
  if (objtype === 'OBJECT_TYPE') unsupported(TEXTS.alterType);
  const commands = (cmds ?? []).flatMap((node) => ('AlterTableCmd' in node ? [node.AlterTableCmd] : []));
  if (objtype === 'OBJECT_VIEW' || objtype === 'OBJECT_SEQUENCE') {
    const accepted = objtype === 'OBJECT_VIEW' ? VIEW_COMMANDS : new Set(['AT_ChangeOwner']);
    if (!commands.every(({ subtype }) => accepted.has(subtype ?? ''))) unsupported(TEXTS.statement('AlterTableStmt'));
    return;
  }
  if (objtype !== 'OBJECT_TABLE') unsupported(TEXTS.statement('AlterTableStmt'));
  for (const command of commands) checkCommand(command, subject.async);
  if (subject.async) spliceAsync(node, commands, subject);
  if (commands.some(({ subtype }) => NO_EFFECT.has(subtype ?? ''))) spliceNoEffect(subject);
}

/**
 * ENABLE and DISABLE TRIGGER ALL and USER are accepted and do nothing, while PostgreSQL would switch foreign keys off: so
 * they become the resetting of an option that no table can have here.
 */
function spliceNoEffect({ sql, start, end, splice }: Subject): void {
  const lexer = new Lexer(sql.slice(start, end), { standardConformingStrings: true });
  let depth = 0;
  let from = -1;
  let expected = 0;
  for (let kind = lexer.nextSignificant(); kind !== 'end'; kind = lexer.nextSignificant()) {
    if (lexer.isMark('(')) depth++;
    else if (lexer.isMark(')')) depth--;
    if (depth > 0) continue;
    if (expected === 1 && lexer.isWord('trigger')) expected = 2;
    else if (expected === 2 && (lexer.isWord('all') || lexer.isWord('user'))) {
      splice({ start: start + from, end: start + lexer.end, replacement: 'RESET (fillfactor)' });
      expected = 0;
    } else if (lexer.isWord('enable') || lexer.isWord('disable')) {
      from = lexer.start;
      expected = 1;
    } else expected = 0;
  }
}

export const TABLE_RULES: Rules<'CreateStmt' | 'AlterTableStmt' | 'ViewStmt'> = {
  CreateStmt: {
    kind: 'ddl',
    check(node) {
      checkPersistence(node.relation, 'TABLE');
      if (node.partbound) unsupported(TEXTS.clause('PARTITION OF', CREATE_TABLE));
      if (node.partspec) unsupported(TEXTS.clause('PARTITION BY', CREATE_TABLE));
      if (node.inhRelations) unsupported(TEXTS.clause('INHERITS', CREATE_TABLE));
      if (node.ofTypename) unsupported(TEXTS.clause('OF', CREATE_TABLE));
      if (node.options) unsupported(TEXTS.clause('WITH', CREATE_TABLE));
      if (node.oncommit !== 'ONCOMMIT_NOOP') unsupported(TEXTS.clause('ON COMMIT', CREATE_TABLE));
      if (node.tablespacename !== undefined) unsupported(TEXTS.clause('TABLESPACE', CREATE_TABLE));
      if (node.accessMethod !== undefined) unsupported(TEXTS.clause('USING', CREATE_TABLE));
      const elements = node.tableElts ?? [];
      const columns = columnsOf(elements);
      if (columns.length > MAX_COLUMNS) {
        unsupported(hasPrimaryKey(elements, columns) ? TEXTS.indexColumns : TEXTS.columns);
      }
      for (const column of columns) checkColumn(column);
      for (const element of elements) {
        if ('Constraint' in element) checkTableConstraint(element.Constraint, columns);
      }
    },
  },
  AlterTableStmt: { kind: 'ddl', check: checkAlterTable },
  ViewStmt: {
    kind: 'ddl',
    check({ view }, { start, end }) {
      checkPersistence(view, 'VIEW');
      if (end - start > MAX_VIEW) unsupported(TEXTS.viewSize);
    },
  },
};
