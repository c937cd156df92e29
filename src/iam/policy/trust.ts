import type { CompiledTrust } from './compile.ts';
import type { Principal } from './document.ts';

/** Who asks to assume the role. */
export interface TrustCaller {
  account: string;
  /** The ARN of the user, the session or the root. */
  arn: string;
  /** AIDA… of a user, AROA… of a session's role; undefined for the account root user, whom only its account names. */
  entityId: string | undefined;
}

/**
 * What the trust policy says to this caller. `grants`: it names the caller, and that suffices within an account.
 * `delegates`: it names the account, which leaves the answer to the caller's own policies.
 */
export interface TrustVerdict {
  outcome: 'grants' | 'delegates' | 'explicit-deny' | 'silent';
  /** The statement that decided. */
  statement: string | undefined;
}

/**
 * `ids` holds, for each user, role and session ARN that the policy names, the unique id that the name had when the
 * policy was put: a user or role made again under the same name is not trusted.
 */
export function evaluateTrust(
  trust: CompiledTrust,
  caller: TrustCaller,
  action: string,
  ids: Readonly<Record<string, string>>,
): TrustVerdict {
  const asked = action.toLowerCase();
  let grants: string | undefined;
  let delegates: string | undefined;
  for (const statement of trust.statements) {
    if (!statement.action(asked)) continue;
    let best: 'caller' | 'account' | undefined;
    for (const principal of statement.principals) {
      const named = names(principal, caller, ids);
      if (named === 'caller') best = named;
      else best ??= named;
    }
    if (best === undefined) continue;
    if (statement.effect === 'Deny') return { outcome: 'explicit-deny', statement: statement.name };
    if (best === 'caller') grants ??= statement.name;
    else delegates ??= statement.name;
  }
  if (grants !== undefined) return { outcome: 'grants', statement: grants };
  if (delegates !== undefined) return { outcome: 'delegates', statement: delegates };
  return { outcome: 'silent', statement: undefined };
}

function names(
  principal: Principal,
  caller: TrustCaller,
  ids: Readonly<Record<string, string>>,
): 'caller' | 'account' | undefined {
  switch (principal.type) {
    case 'everyone':
      return 'caller';
    case 'account':
      return principal.account === caller.account ? 'account' : undefined;
    case 'user':
    case 'role':
      return caller.entityId !== undefined && idOf(ids, principal.arn) === caller.entityId ? 'caller' : undefined;
    case 'session':
      return principal.arn === caller.arn &&
        caller.entityId !== undefined &&
        idOf(ids, principal.arn) === caller.entityId
        ? 'caller'
        : undefined;
    case 'service':
      return undefined;
  }
}

function idOf(ids: Readonly<Record<string, string>>, arn: string): string | undefined {
  return Object.hasOwn(ids, arn) ? ids[arn] : undefined;
}
