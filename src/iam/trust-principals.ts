import type { Store } from '../state/store.ts';
import { nameKey, roleArn, userArn } from './arn.ts';
import type { Principal, TrustPolicy } from './policy/document.ts';
import { invalidPrincipal } from './policy/principal.ts';

/**
 * The unique ids behind the users, roles and sessions that a trust policy names. Throws Refused `malformed-policy` when
 * one of them does not exist: IAM refuses such a policy, and so it must be, since whoever takes the name later would
 * be trusted.
 */
export function resolveTrustPrincipals(
  reader: Pick<Store, 'get'>,
  account: string,
  policy: TrustPolicy,
): Record<string, string> {
  const ids: Record<string, string> = {};
  for (const { principals } of policy.statements) {
    for (const principal of principals) {
      if (principal.type !== 'user' && principal.type !== 'role' && principal.type !== 'session') continue;
      const id = idOf(reader, account, principal);
      if (id === undefined) throw invalidPrincipal('AWS', principal.arn);
      ids[principal.arn] = id;
    }
  }
  return ids;
}

function idOf(
  reader: Pick<Store, 'get'>,
  account: string,
  principal: Extract<Principal, { type: 'user' | 'role' | 'session' }>,
): string | undefined {
  if (principal.account !== account) return undefined;
  if (principal.type === 'session') {
    const role = reader.get('roles', nameKey(principal.roleName));
    return role?.name === principal.roleName ? role.id : undefined;
  }
  if (principal.type === 'role') {
    const role = reader.get('roles', nameKey(principal.name));
    return role && roleArn(account, role) === principal.arn ? role.id : undefined;
  }
  const user = reader.get('users', nameKey(principal.name));
  return user && userArn(account, user) === principal.arn ? user.id : undefined;
}
