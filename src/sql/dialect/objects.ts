/** Schemas, and what DROP, RENAME, OWNER TO, SET SCHEMA and COMMENT can be said of. */
import type { ObjectType } from '@pgsql/types';
import type { Rules } from './rule.ts';
import { TEXTS, unsupported } from './texts.ts';

type Objects = ReadonlySet<ObjectType | undefined>;

const DROPPABLE: Objects = new Set([
  'OBJECT_TABLE',
  'OBJECT_INDEX',
  'OBJECT_VIEW',
  'OBJECT_SEQUENCE',
  'OBJECT_DOMAIN',
  'OBJECT_SCHEMA',
  'OBJECT_FUNCTION',
  'OBJECT_ROUTINE',
  'OBJECT_STATISTIC_EXT',
]);
const RENAMABLE: Objects = new Set([
  'OBJECT_TABLE',
  'OBJECT_COLUMN',
  'OBJECT_TABCONSTRAINT',
  'OBJECT_VIEW',
  'OBJECT_SEQUENCE',
  'OBJECT_SCHEMA',
  'OBJECT_FUNCTION',
  'OBJECT_ROUTINE',
  'OBJECT_ROLE',
  'OBJECT_STATISTIC_EXT',
]);
const OWNABLE: Objects = new Set(['OBJECT_SCHEMA', 'OBJECT_FUNCTION', 'OBJECT_ROUTINE', 'OBJECT_STATISTIC_EXT']);
const MOVABLE: Objects = new Set([
  'OBJECT_TABLE',
  'OBJECT_VIEW',
  'OBJECT_SEQUENCE',
  'OBJECT_FUNCTION',
  'OBJECT_ROUTINE',
  'OBJECT_STATISTIC_EXT',
]);
const COMMENTABLE: Objects = new Set([
  'OBJECT_TABLE',
  'OBJECT_COLUMN',
  'OBJECT_VIEW',
  'OBJECT_INDEX',
  'OBJECT_SCHEMA',
  'OBJECT_SEQUENCE',
  'OBJECT_DOMAIN',
  'OBJECT_FUNCTION',
  'OBJECT_ROUTINE',
  'OBJECT_TABCONSTRAINT',
  'OBJECT_DOMCONSTRAINT',
]);

export const OBJECT_RULES: Rules<
  'CreateSchemaStmt' | 'DropStmt' | 'RenameStmt' | 'AlterOwnerStmt' | 'AlterObjectSchemaStmt' | 'CommentStmt'
> = {
  // The statements inside are judged for themselves.
  CreateSchemaStmt: { kind: 'ddl' },
  DropStmt: {
    kind: 'ddl',
    check({ removeType, missing_ok, concurrent }) {
      if (removeType === 'OBJECT_TRIGGER' && missing_ok) return;
      if (!DROPPABLE.has(removeType)) unsupported(TEXTS.dropObject);
      if (concurrent) unsupported(TEXTS.indexWord('CONCURRENTLY', 'DROP INDEX'));
    },
  },
  RenameStmt: {
    kind: 'ddl',
    check({ renameType, relationType }) {
      const isTableOrView = relationType === 'OBJECT_TABLE' || relationType === 'OBJECT_VIEW';
      if (!RENAMABLE.has(renameType) || (renameType === 'OBJECT_COLUMN' && !isTableOrView)) {
        unsupported(TEXTS.renameObject);
      }
    },
  },
  AlterOwnerStmt: {
    kind: 'ddl',
    check({ objectType }) {
      if (!OWNABLE.has(objectType)) unsupported(TEXTS.ownerObject);
    },
  },
  AlterObjectSchemaStmt: {
    kind: 'ddl',
    check({ objectType }) {
      if (!MOVABLE.has(objectType)) unsupported(TEXTS.schemaObject);
    },
  },
  CommentStmt: {
    kind: 'ddl',
    check({ objtype }) {
      if (!COMMENTABLE.has(objtype)) unsupported(TEXTS.commentObject);
    },
  },
};
