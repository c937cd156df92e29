import type { DatabaseFacts, MembershipRow, RoleRow } from './database.ts';
import type { DatabaseRole, Privilege } from './report.ts';

/** As a grantee. */
export const PUBLIC = 0;

/** Every role that a client could be, by name. */
export function databaseRoles(facts: DatabaseFacts): DatabaseRole[] {
  const { rows } = facts;
  const granted = groupedBy(rows.grants, ({ grantee }) => grantee);
  const owned = groupedBy(rows.owned, ({ owner }) => owner);
  const mapped = groupedBy(rows.mappings, ({ role }) => role);
  const memberships = groupedBy(rows.memberships, ({ member }) => member);
  return rows.roles
    .filter(({ kind }) => kind === 'client')
    .map((role) => {
      const inherits = reached(role, memberships, ({ inherit }) => inherit);
      const becomes = reached(role, memberships, ({ set }) => set);
      // Who becomes a role has what that one inherits, too.
      const further = new Set<number>();
      for (const oid of becomes) {
        const other = facts.role(oid);
        if (!other) continue;
        further.add(oid);
        for (const through of reached(other, memberships, ({ inherit }) => inherit)) further.add(through);
      }
      const names = (oids: Iterable<number>) =>
        [...oids].flatMap((oid) => facts.role(oid)?.name ?? []).sort((a, b) => (a < b ? -1 : 1));
      const administers = (memberships.get(role.oid) ?? []).filter(({ admin }) => admin).map((each) => each.role);
      return {
        name: role.name,
        canLogin: role.canLogin,
        attributes: role.attributes,
        mappedTo: (mapped.get(role.oid) ?? []).map(({ arn }) => arn),
        inherits: names(inherits),
        maySet: names([...further].filter((oid) => !inherits.has(oid) && oid !== role.oid)),
        administers: names(administers),
        owns: (owned.get(role.oid) ?? []).map(({ kind, schema, name }) => ({ kind, schema, name })),
        privileges: (granted.get(role.oid) ?? []).map(privilege),
      };
    });
}

export function privilegesOf({ rows }: DatabaseFacts, grantee: number): Privilege[] {
  return rows.grants.filter((grant) => grant.grantee === grantee).map(privilege);
}

function privilege({ kind, schema, name, privileges, grantable }: Privilege): Privilege {
  return { kind, schema, name, privileges, grantable };
}

/** The roles that one comes to by memberships of a kind, one after the other. */
function reached(
  { oid }: RoleRow,
  memberships: ReadonlyMap<number, readonly MembershipRow[]>,
  leads: (membership: MembershipRow) => boolean,
): ReadonlySet<number> {
  const found = new Set<number>();
  const ahead = [oid];
  for (let member = ahead.pop(); member !== undefined; member = ahead.pop()) {
    for (const membership of memberships.get(member) ?? []) {
      if (!leads(membership) || found.has(membership.role) || membership.role === oid) continue;
      found.add(membership.role);
      ahead.push(membership.role);
    }
  }
  return found;
}

function groupedBy<Row>(rows: readonly Row[], key: (row: Row) => number): ReadonlyMap<number, Row[]> {
  const groups = new Map<number, Row[]>();
  for (const row of rows) {
    const group = groups.get(key(row));
    if (group) group.push(row);
    else groups.set(key(row), [row]);
  }
  return groups;
}
