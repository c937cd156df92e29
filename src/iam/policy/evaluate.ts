import type { AccessRequest, Decision } from '../identity.ts';
import type { CompiledPolicy } from './compile.ts';

/**
 * Every policy that has a say, by kind. Boundaries, session policies and resource policies are further kinds of the AWS
 * evaluation logic, each with its own step after the explicit denials.
 */
export interface PolicySet {
  /** Policies of the user or role that calls. */
  identity: readonly CompiledPolicy[];
}

type Matched = Decision['matched'][number];

/**
 * The IAM User Guide's "Policy evaluation logic" for one account: an explicit Deny wins, then an Allow is needed, and
 * what nobody allowed is denied. All statements are met, so that the decision can tell every one that matched.
 */
export function evaluate(policies: PolicySet, request: AccessRequest): Decision {
  const action = request.action.toLowerCase();
  const matched: Matched[] = [];
  let denied: Matched | undefined;
  let allowed: Matched | undefined;
  for (const policy of policies.identity) {
    for (const statement of policy.statements) {
      if (!statement.action(action) || !statement.resource(request.resource)) continue;
      const match: Matched = { policy: policy.name, statement: statement.name, effect: statement.effect };
      matched.push(match);
      if (statement.effect === 'Deny') denied ??= match;
      else allowed ??= match;
    }
  }
  const what = `${request.action} on ${request.resource}`;
  if (denied) {
    const because = `statement ${denied.statement} of policy ${denied.policy} denies ${what}`;
    return { allowed: false, effect: 'explicit-deny', because, matched };
  }
  if (allowed) {
    const because = `statement ${allowed.statement} of policy ${allowed.policy} allows ${what}`;
    return { allowed: true, effect: 'allowed', because, matched };
  }
  const because = `no identity-based policy allows ${what}`;
  return { allowed: false, effect: 'implicit-deny', because, matched };
}
