import type { CompiledStatement } from './compile.ts';
import type { Principal } from './document.ts';

/** Who asks, as the principals of resource and trust policies see it. */
export interface Caller {
  kind: 'root' | 'user' | 'role-session' | 'federated-user' | 'web-identity';
  /** Undefined for a web identity, which is of no account. */
  account: string | undefined;
  /** Of the user, the session or the root; of a web identity, its provider's. */
  arn: string;
  /** Of the user or role behind the session; of a federated user, the user who asked for it (the root's for the root). */
  principalArn: string;
  /** The unique id of `principalArn`, AIDA… or AROA…; undefined for root users and web identities. */
  entityId: string | undefined;
  /** Whether it has a permissions boundary. */
  bounded: boolean;
}

/**
 * How far an Allow that names the caller goes (IAM User Guide, "Policy evaluation logic", for one account).
 * `whole`: it names the user or the session itself, and no implicit denial of another policy counts.
 * `limited`: it names the role, everybody, or the issuer of the session: no identity-based Allow is needed, but boundary and
 * session policy limit it.
 * `delegated`: it names the account, which leaves the answer to the caller's own policies.
 */
export type Grip = 'whole' | 'limited' | 'delegated';

/** ARN -> unique id, as they were when the policy was put; undefined where nobody keeps them, and ARNs are compared. */
export type Ids = Readonly<Record<string, string>> | undefined;

const STRENGTH = { whole: 3, limited: 2, delegated: 1 } as const satisfies Record<Grip, number>;

export function stronger(a: Grip | undefined, b: Grip | undefined): Grip | undefined {
  return (a ? STRENGTH[a] : 0) >= (b ? STRENGTH[b] : 0) ? a : b;
}

/** How a statement of a resource or trust policy takes hold of the caller; undefined when it is not about it. */
export function gripOf(statement: CompiledStatement, caller: Caller, ids: Ids): Grip | undefined {
  const { principals } = statement;
  if (!principals) return undefined;
  if (principals.negated) return isExempt(principals.list, caller, ids) ? undefined : 'limited';
  let best: Grip | undefined;
  for (const principal of principals.list) {
    best = stronger(best, gripOn(principal, caller, ids));
    if (best === 'whole') break;
  }
  // Everybody is everybody with an identity of AWS, where something is given; a web identity must be named.
  if (statement.effect === 'Allow' && caller.kind === 'web-identity' && best === 'limited') return undefined;
  return best;
}

function gripOn(principal: Principal, caller: Caller, ids: Ids): Grip | undefined {
  switch (principal.type) {
    case 'everyone':
      return 'limited';
    case 'account':
      return principal.account === caller.account ? 'delegated' : undefined;
    case 'user':
      if (!isEntity(principal.arn, caller, ids)) return undefined;
      return caller.kind === 'user' ? 'whole' : 'limited';
    case 'role':
      return isEntity(principal.arn, caller, ids) ? 'limited' : undefined;
    case 'session':
      if (principal.arn !== caller.arn || caller.kind !== 'role-session') return undefined;
      return ids === undefined || hasId(principal.arn, caller, ids) ? 'whole' : undefined;
    case 'federated-user':
      return caller.kind === 'federated-user' && principal.arn === caller.arn ? 'whole' : undefined;
    case 'federated':
      return caller.kind === 'web-identity' && principal.provider === caller.arn ? 'whole' : undefined;
    case 'service':
      return undefined;
  }
}

function isEntity(arn: string, caller: Caller, ids: Ids): boolean {
  if (caller.entityId === undefined) return false;
  return ids === undefined ? arn === caller.principalArn : hasId(arn, caller, ids);
}

function hasId(arn: string, caller: Caller, ids: Readonly<Record<string, string>>): boolean {
  return caller.entityId !== undefined && Object.hasOwn(ids, arn) && ids[arn] === caller.entityId;
}

/**
 * Whom a NotPrincipal leaves out. As the IAM User Guide ("NotPrincipal") has it: the account must be named beside the user
 * or the role, and who has a permissions boundary is never left out. Where sessions of the caller's role are named, it must
 * be one of them.
 */
function isExempt(list: readonly Principal[], caller: Caller, ids: Ids): boolean {
  if (list.some(({ type }) => type === 'everyone')) return true;
  if (caller.bounded || !list.some((each) => each.type === 'account' && each.account === caller.account)) return false;
  const named = (...types: Principal['type'][]) =>
    list.some((each) => types.includes(each.type) && gripOn(each, caller, ids) !== undefined);
  switch (caller.kind) {
    case 'root':
      return true;
    case 'user':
      return named('user');
    case 'federated-user':
      return named('federated-user');
    case 'role-session': {
      const prefix = caller.arn.slice(0, caller.arn.lastIndexOf('/') + 1);
      const sessions = list.some((each) => each.type === 'session' && each.arn.startsWith(prefix));
      return named('role') && (!sessions || named('session'));
    }
    case 'web-identity':
      return false;
  }
}
