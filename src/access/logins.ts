import type { Cluster } from '../clusters/cluster.ts';
import { possibility } from '../iam/authority.ts';
import type { Possibility, Through } from '../iam/policy/possible.ts';
import { requestContext } from '../iam/request-facts.ts';
import { ADMIN_ROLE } from '../roles/catalog-sql.ts';
import type { Store } from '../state/store.ts';
import type { Party } from './parties.ts';
import type { Login, LoginStatement } from './report.ts';

/** A database role that is associated with an ARN. */
export interface MappedRole {
  name: string;
  canLogin: boolean;
}

/**
 * As which database roles of the cluster the party could log in: admin where DbConnectAdmin may be allowed, and each role
 * that it is associated with. `mapped` is by ARN; undefined where the database is unknown.
 */
export function loginsOf(
  { identity, isOpen, facts }: Party,
  { arn, region }: Pick<Cluster, 'arn' | 'region'>,
  mapped: ReadonlyMap<string, readonly MappedRole[]> | undefined,
  { store, account, at }: { store: Pick<Store, 'get'>; account: string; at: Date },
): Login[] {
  const context = requestContext({ sourceAddress: undefined, encrypted: true, now: at, region });
  const ask = (action: Login['action']) =>
    possibility({ store, account }, identity, { action, resource: arn, context }, isOpen);
  const logins: Login[] = [];
  const admin = ask('dsql:DbConnectAdmin');
  if (admin.answer !== 'denied') logins.push(told(facts.arn, ADMIN_ROLE, 'dsql:DbConnectAdmin', admin));
  const roles = mapped?.get(identity.principalArn) ?? [];
  // Nothing but a user or a role can be associated with one.
  if (mapped ? roles.length === 0 : identity.kind === 'root') return logins;
  const connect = ask('dsql:DbConnect');
  if (!mapped) {
    if (connect.answer !== 'denied') logins.push(told(facts.arn, null, 'dsql:DbConnect', connect));
    return logins;
  }
  for (const { name, canLogin } of roles) {
    const login = told(facts.arn, name, 'dsql:DbConnect', connect);
    const because = `database role ${name} is not permitted to log in`;
    logins.push(canLogin || login.answer === 'denied' ? login : { ...login, answer: 'denied', because });
  }
  return logins;
}

function told(principal: string, role: string | null, action: Login['action'], found: Possibility): Login {
  const { answer, decision, through, unless } = found;
  return {
    principal,
    role,
    action,
    answer,
    ...(answer === 'denied' && { because: decision.because }),
    through: through.map(statement),
    unless: unless.map(statement),
  };
}

function statement({ kind, policy, origin, statement: name, conditions }: Through): LoginStatement {
  return { kind, policy, origin, statement: name, conditions };
}
