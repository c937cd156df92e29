import { namedIdentity } from '../iam/named-identity.ts';
import { ADMIN_ROLE } from '../roles/catalog-sql.ts';
import type { Store } from '../state/store.ts';
import type { DatabaseFacts } from './database.ts';
import {
  type ClusterAccess,
  type DatabaseRole,
  type ObjectKind,
  type Privilege,
  type Warning,
  warning,
} from './report.ts';

export interface Surroundings {
  store: Pick<Store, 'get'>;
  account: string;
  at: Date;
  /** Whether clusters that sleep were to be woken. */
  wake: boolean;
}

/** Of a cluster's roles, mappings and grants. */
export function databaseWarnings(
  access: ClusterAccess,
  facts: DatabaseFacts | undefined,
  { store, account, at, wake }: Surroundings,
): Warning[] {
  const { id, reason, state } = access;
  const about = { cluster: id };
  if (!facts) {
    if (state === 'closed') return [];
    const text = `The database of cluster ${id} is not reviewed: ${reason}.`;
    return wake
      ? [warning('database-unread', text, 'Find the cause in the server’s log, and ask again.', about)]
      : [warning('cluster-asleep', text, 'Ask without --no-wake.', about)];
  }
  const denied = new Map(
    access.logins.flatMap(({ role, principal, answer, because = '' }) =>
      answer === 'denied' ? [[`${role} ${principal}`, because] as const] : [],
    ),
  );
  const warnings = access.roles.flatMap((role) =>
    ofRole(role, id, denied, (arn) => !namedIdentity(store, account, arn, at)),
  );
  warnings.push(...toPublic(access));
  if (facts.rows.cut) {
    const text = `Cluster ${id} has more grants or objects than are read: the review of its database is not whole.`;
    warnings.push(warning('review-cut', text, 'Grant to roles by schema, or review this cluster with SQL.', about));
  }
  return warnings;
}

/** `denied` says why, by role and ARN. */
function ofRole(
  role: DatabaseRole,
  id: string,
  denied: ReadonlyMap<string, string>,
  isGone: (arn: string) => boolean,
): Warning[] {
  const { name, mappedTo, canLogin } = role;
  const sql = quoted(name);
  const about = { cluster: id, role: name };
  if (canLogin && mappedTo.length === 0 && name !== ADMIN_ROLE) {
    const text = `Role ${name} of cluster ${id} has LOGIN, and nobody is associated with it.`;
    return [
      warning('role-without-mapping', text, `As admin: AWS IAM GRANT ${sql} TO '…'; or DROP ROLE ${sql};`, about),
    ];
  }
  return mappedTo.flatMap((arn): Warning[] => {
    const revoke = `As admin: AWS IAM REVOKE ${sql} FROM '${arn.replaceAll("'", "''")}';`;
    const principals = [arn];
    if (isGone(arn)) {
      const text = `Role ${name} of cluster ${id} is associated with ${arn}, which is no user or role of this account: whoever makes one of that name gets the role.`;
      return [warning('mapping-identity-gone', text, revoke, { ...about, principals })];
    }
    if (!canLogin) {
      const text = `Role ${name} of cluster ${id} is associated with ${arn} and has no LOGIN: nobody can log in as it.`;
      return [warning('mapping-without-login', text, revoke, { ...about, principals })];
    }
    const because = denied.get(`${name} ${arn}`);
    if (because === undefined) return [];
    const text = `${arn} is associated with role ${name} of cluster ${id}, and may not connect: ${because}.`;
    return [warning('mapping-denied', text, revoke, { ...about, principals })];
  });
}

/** What PUBLIC has where nobody has changed it (PostgreSQL manual, "Privileges", and the schema public). */
function isDefault({ kind, name }: Privilege, privilege: string): boolean {
  switch (kind) {
    case 'database':
      return privilege === 'CONNECT' || privilege === 'TEMPORARY';
    case 'schema':
      return name === 'public' && privilege === 'USAGE';
    case 'function':
    case 'procedure':
    case 'future functions':
      return privilege === 'EXECUTE';
    default:
      return false;
  }
}

/** More names than that do not help to read. */
const MAX_NAMES = 5;

function toPublic({ id, public: granted }: ClusterAccess): Warning[] {
  const groups = new Map<string, { kind: ObjectKind; schema: string | null; privileges: string[]; names: string[] }>();
  for (const grant of granted) {
    const privileges = grant.privileges.filter((privilege) => !isDefault(grant, privilege));
    if (privileges.length === 0) continue;
    const { kind, schema, name } = grant;
    const key = JSON.stringify([kind, schema, privileges]);
    const group = groups.get(key);
    if (group) group.names.push(name);
    else groups.set(key, { kind, schema, privileges, names: [name] });
  }
  return [...groups.values()].map(({ kind, schema, privileges, names }) => {
    const more = names.length - MAX_NAMES;
    const what = names.slice(0, MAX_NAMES).join(', ') + (more > 0 ? ` and ${more} more` : '');
    const where = schema === null ? '' : ` in schema ${schema}`;
    const text = `PUBLIC, which is every role of cluster ${id}, has ${privileges.join(', ')} on ${kind} ${what}${where}.`;
    const creates = privileges.includes('CREATE');
    const change = `Revoke ${privileges.join(', ')} from PUBLIC there, and grant it to the roles that need it.`;
    return warning(creates ? 'public-create' : 'grant-to-public', text, change, { cluster: id });
  });
}

function quoted(name: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}
