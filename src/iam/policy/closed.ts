import type { AccessRequest, Decision, PolicyKind } from '../identity.ts';

/**
 * A denial that no policy had a say in: who asks does not exist any more, or a policy that would have to be heard is gone
 * or cannot be read. `needed` is one sentence on what would help.
 */
export function closedDecision(
  asked: Pick<AccessRequest, 'action' | 'resource'> & { caller: string },
  limit: PolicyKind,
  because: string,
  needed: string,
): Decision {
  const facts = { effect: 'implicit-deny', limit, because, matched: [] } as const;
  const { action, resource, caller } = asked;
  return {
    allowed: false,
    ...facts,
    explain: () => ({ ...facts, action, resource, caller, policies: [], absentKeys: [], needed }),
  };
}
