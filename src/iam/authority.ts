import { Refused } from '../refused.ts';
import type { RoleRecord, UserRecord } from '../state/records.ts';
import type { Store } from '../state/store.ts';
import { nameInArn, nameKey, parseRoleArn, roleArn } from './arn.ts';
import { decideFederated } from './federated-trust.ts';
import type { Authority, Decision, Identity } from './identity.ts';
import { type CompiledPolicy, compileIdentityPolicy } from './policy/compile.ts';
import { evaluate } from './policy/evaluate.ts';
import { parseIdentityPolicy } from './policy/parse.ts';

/** Decides by the policies that stand in the store at this moment; nothing is remembered from an earlier decision. */
export function createAuthority({ store, account }: { store: Store; account: string }): Authority {
  return {
    decide(identity, request) {
      if (identity.account !== account) return denied(`${identity.arn} is of another account`);
      if (identity.session?.policies) return denied('session policies are not evaluated yet');
      if (identity.kind === 'root') {
        return { allowed: true, effect: 'allowed', because: 'the account root user may do everything', matched: [] };
      }
      const holder = findHolder(store, identity);
      if (!holder) return denied(`${identity.principalArn} does not exist any more`);
      const policies = policiesOf(holder);
      if (policies instanceof Refused) return denied(policies.detail);
      return evaluate({ identity: policies }, request);
    },
    decideTrust(federated, request) {
      const role = store.get('roles', nameKey(parseRoleArn(request.resource)?.name ?? ''));
      const isNamed = role !== undefined && roleArn(account, role) === request.resource;
      return decideFederated(isNamed ? role : undefined, federated, request);
    },
  };
}

/** By the unique id: who is made again under the same name has not the old one's policies, and the other way round. */
function findHolder(store: Store, identity: Identity): Readonly<UserRecord | RoleRecord> | undefined {
  const key = nameKey(nameInArn(identity.principalArn));
  const session = identity.kind === 'role-session';
  const holder = store.get(session ? 'roles' : 'users', key);
  const id = session ? identity.userId.slice(0, identity.userId.indexOf(':')) : identity.userId;
  return holder?.id === id ? holder : undefined;
}

/** A record is replaced whenever its policies change, so what was compiled for it never grows stale. */
const compiled = new WeakMap<object, readonly CompiledPolicy[] | Refused>();

/** A stored policy that cannot be read might hold a Deny, so it refuses everything. */
function policiesOf(holder: Readonly<UserRecord | RoleRecord>): readonly CompiledPolicy[] | Refused {
  let policies = compiled.get(holder);
  if (!policies) {
    policies = compileAll(holder.policies);
    compiled.set(holder, policies);
  }
  return policies;
}

function compileAll(documents: Readonly<Record<string, string>>): readonly CompiledPolicy[] | Refused {
  try {
    return Object.entries(documents).map(([name, text]) => compileIdentityPolicy(name, parseIdentityPolicy(text)));
  } catch (error) {
    if (error instanceof Refused) return error;
    throw error;
  }
}

function denied(because: string): Decision {
  return { allowed: false, effect: 'implicit-deny', because, matched: [] };
}
