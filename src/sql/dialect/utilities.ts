/** Queries and changes of rows, what describes and copies them, and everything that is refused by its name alone. */
import type { Rule, Rules, StatementTag } from './rule.ts';
import { TEXTS, unsupported } from './texts.ts';

export const QUERY_RULES: Rules<
  | 'SelectStmt'
  | 'InsertStmt'
  | 'UpdateStmt'
  | 'DeleteStmt'
  | 'MergeStmt'
  | 'ExplainStmt'
  | 'CopyStmt'
  | 'VacuumStmt'
  | 'DeallocateStmt'
> = {
  SelectStmt: { kind: 'select' },
  InsertStmt: { kind: 'dml' },
  UpdateStmt: {
    kind: 'dml',
    check({ relation }) {
      // An UPDATE of this view is a SET.
      const { schemaname = 'pg_catalog', relname } = relation ?? {};
      if (relname === 'pg_settings' && schemaname === 'pg_catalog') unsupported(TEXTS.systemEntity);
    },
  },
  DeleteStmt: { kind: 'dml' },
  MergeStmt: { kind: 'dml', check: () => unsupported(TEXTS.merge) },
  ExplainStmt: { kind: 'utility' },
  CopyStmt: {
    kind: 'copy',
    check({ filename, is_program }) {
      if (filename !== undefined || is_program) unsupported(TEXTS.copy);
    },
  },
  VacuumStmt: {
    kind: 'utility',
    check({ is_vacuumcmd }) {
      if (is_vacuumcmd) unsupported(TEXTS.vacuum);
    },
  },
  DeallocateStmt: {
    kind: 'session',
    check({ name }) {
      if (name !== undefined) unsupported(TEXTS.statement('DeallocateStmt'));
    },
  },
};

const REFUSED_DDL = [
  'AlterCollationStmt',
  'AlterDatabaseRefreshCollStmt',
  'AlterDatabaseSetStmt',
  'AlterDatabaseStmt',
  'AlterEventTrigStmt',
  'AlterExtensionContentsStmt',
  'AlterExtensionStmt',
  'AlterFdwStmt',
  'AlterForeignServerStmt',
  'AlterObjectDependsStmt',
  'AlterOpFamilyStmt',
  'AlterOperatorStmt',
  'AlterPolicyStmt',
  'AlterPublicationStmt',
  'AlterSubscriptionStmt',
  'AlterSystemStmt',
  'AlterTSConfigurationStmt',
  'AlterTSDictionaryStmt',
  'AlterTableMoveAllStmt',
  'AlterTableSpaceOptionsStmt',
  'AlterUserMappingStmt',
  'CreateAmStmt',
  'CreateCastStmt',
  'CreateConversionStmt',
  'CreateEventTrigStmt',
  'CreateExtensionStmt',
  'CreateFdwStmt',
  'CreateForeignServerStmt',
  'CreateForeignTableStmt',
  'CreateOpClassStmt',
  'CreateOpFamilyStmt',
  'CreatePLangStmt',
  'CreatePolicyStmt',
  'CreatePublicationStmt',
  'CreateSubscriptionStmt',
  'CreateTableAsStmt',
  'CreateTableSpaceStmt',
  'CreateTransformStmt',
  'CreateUserMappingStmt',
  'CreatedbStmt',
  'DefineStmt',
  'DropSubscriptionStmt',
  'DropTableSpaceStmt',
  'DropUserMappingStmt',
  'DropdbStmt',
  'ImportForeignSchemaStmt',
  'RefreshMatViewStmt',
  'ReindexStmt',
  'RuleStmt',
  'SecLabelStmt',
  'TruncateStmt',
] as const satisfies readonly StatementTag[];

const REFUSED_UTILITIES = [
  'CheckPointStmt',
  'ClosePortalStmt',
  'ClusterStmt',
  'DeclareCursorStmt',
  'ExecuteStmt',
  'FetchStmt',
  'ListenStmt',
  'LoadStmt',
  'LockStmt',
  'NotifyStmt',
  'PrepareStmt',
  'UnlistenStmt',
] as const satisfies readonly StatementTag[];

type RefusedTag = (typeof REFUSED_DDL)[number] | (typeof REFUSED_UTILITIES)[number];

const refused = (tag: StatementTag, kind: Rule<StatementTag>['kind']): [string, Rule<StatementTag>] => [
  tag,
  { kind, check: () => unsupported(TEXTS.statement(tag)) },
];

export const REFUSED_RULES = Object.fromEntries([
  ...REFUSED_DDL.map((tag) => refused(tag, 'ddl')),
  ...REFUSED_UTILITIES.map((tag) => refused(tag, 'utility')),
]) as Rules<RefusedTag>;
