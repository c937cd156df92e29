/** Database roles and privileges (user guide, "Using database roles and IAM authentication"). */
import type { GrantStmt, Node } from '@pgsql/types';
import type { Rules } from './rule.ts';
import { TEXTS, unsupported } from './texts.ts';

/** Objects on which privileges can be granted. */
const GRANTABLE = new Set(['OBJECT_TABLE', 'OBJECT_SEQUENCE', 'OBJECT_SCHEMA', 'OBJECT_FUNCTION', 'OBJECT_ROUTINE']);
const DEFAULTABLE = new Set(['OBJECT_TABLE', 'OBJECT_SEQUENCE', 'OBJECT_FUNCTION', 'OBJECT_ROUTINE', 'OBJECT_TYPE']);
const SYSTEM_SCHEMAS = new Set(['public', 'sys', 'pg_catalog', 'information_schema']);

/** Options of CREATE ROLE: whether it may log in, and memberships. */
const CREATABLE = new Set(['canlogin', 'addroleto', 'rolemembers', 'adminmembers']);

const namesOf = (options: readonly Node[] | undefined) =>
  (options ?? []).map((option) => ('DefElem' in option ? (option.DefElem.defname ?? '') : ''));

function checkGrant({ is_grant, objtype, objects }: GrantStmt): void {
  if (!GRANTABLE.has(objtype ?? '')) unsupported(TEXTS.grantObject(is_grant ? 'GRANT' : 'REVOKE'));
  if (objtype !== 'OBJECT_SCHEMA') return;
  for (const object of objects ?? []) {
    if ('String' in object && SYSTEM_SCHEMAS.has(object.String.sval ?? '')) unsupported(TEXTS.systemEntity);
  }
}

export const ROLE_RULES: Rules<
  | 'GrantStmt'
  | 'GrantRoleStmt'
  | 'AlterDefaultPrivilegesStmt'
  | 'CreateRoleStmt'
  | 'AlterRoleStmt'
  | 'AlterRoleSetStmt'
  | 'DropRoleStmt'
  | 'DropOwnedStmt'
  | 'ReassignOwnedStmt'
> = {
  GrantStmt: { kind: 'ddl', check: checkGrant },
  GrantRoleStmt: { kind: 'ddl' },
  AlterDefaultPrivilegesStmt: {
    kind: 'ddl',
    check({ action }) {
      if (!DEFAULTABLE.has(action?.objtype ?? '')) unsupported(TEXTS.grantObject('ALTER DEFAULT PRIVILEGES'));
    },
  },
  CreateRoleStmt: {
    kind: 'ddl',
    check({ options }) {
      if (!namesOf(options).every((name) => CREATABLE.has(name))) unsupported(TEXTS.roleOption('CREATE ROLE'));
    },
  },
  // ALTER GROUP … ADD USER is an AlterRoleStmt too.
  AlterRoleStmt: {
    kind: 'ddl',
    check({ options }) {
      const names = namesOf(options);
      if (names.length === 0 || !names.every((name) => name === 'canlogin'))
        unsupported(TEXTS.statement('AlterRoleStmt'));
    },
  },
  AlterRoleSetStmt: {
    kind: 'ddl',
    check({ setstmt }) {
      if (setstmt?.kind !== 'VAR_RESET' && setstmt?.kind !== 'VAR_RESET_ALL')
        unsupported(TEXTS.statement('AlterRoleSetStmt'));
    },
  },
  DropRoleStmt: { kind: 'ddl' },
  DropOwnedStmt: { kind: 'ddl', check: () => unsupported(TEXTS.statement('DropOwnedStmt')) },
  ReassignOwnedStmt: { kind: 'ddl', check: () => unsupported(TEXTS.statement('ReassignOwnedStmt')) },
};
