import type { PolicyKind } from '../identity.ts';
import type { Caller } from './caller.ts';
import type { Explanation, Miss, PolicyExplanation, StatementExplanation } from './explain.ts';

type Facts = Pick<Explanation, 'action' | 'resource' | 'effect' | 'limit' | 'policies' | 'matched'>;

/** One sentence on the one change that would allow it; undefined where it is allowed. */
export function neededFor(facts: Facts, caller: Caller): string | undefined {
  const { action, resource, effect, limit } = facts;
  if (effect === 'allowed' || limit === undefined) return undefined;
  if (effect === 'explicit-deny') {
    const by = facts.matched.find((each) => each.kind === limit && each.effect === 'Deny');
    if (!by) return undefined;
    return `Statement ${by.statement} of ${policyText(by.kind, by.policy, by.origin)} denies ${action} on ${resource}: remove it, or narrow it so that it does not match.`;
  }
  return nearest(facts, limit, caller) ?? added(facts, limit, caller);
}

/** An Allow of which only one part did not match: a condition is the nearest, then whom, then on what. */
function nearest(facts: Facts, limit: PolicyKind, caller: Caller): string | undefined {
  const near: { rank: number; text: string }[] = [];
  for (const policy of facts.policies) {
    if (policy.kind !== limit) continue;
    for (const statement of policy.statements) {
      const [miss, ...more] = statement.missed;
      if (statement.effect !== 'Allow' || !miss || more.some(({ part }) => part !== 'condition')) continue;
      if (more.length > 0 && miss.part !== 'condition') continue;
      const text = missText(policy, statement, miss, facts, caller);
      if (text) near.push({ rank: RANK[miss.part] + more.length, text });
    }
  }
  return near.sort((a, b) => a.rank - b.rank)[0]?.text;
}

const RANK = { condition: 0, principal: 100, resource: 200, action: 300 } as const satisfies Record<
  Miss['part'],
  number
>;

function missText(
  policy: PolicyExplanation,
  { statement }: StatementExplanation,
  miss: Miss,
  { action, resource }: Facts,
  caller: Caller,
): string | undefined {
  const where = `Statement ${statement} of ${policyText(policy.kind, policy.name, policy.origin)}`;
  switch (miss.part) {
    case 'condition': {
      const found = miss.found === undefined ? 'the request does not have it' : `the request has ${listed(miss.found)}`;
      return `${where} allows ${action} only where ${miss.operator} ${miss.key} ${listed(miss.wanted)} holds; ${found}.`;
    }
    case 'principal':
      return `${where} must name ${nameOf(caller)} as Principal.`;
    case 'resource':
      // AWS's own policies cannot be edited, and from a NotResource something would have to be taken away.
      if (isAwsOwn(policy) || miss.negated) return undefined;
      return `${where} allows ${action}, but not on ${resource}: add it to its Resource.`;
    case 'action':
      return undefined;
  }
}

function added({ action, resource, policies }: Facts, limit: PolicyKind, caller: Caller): string {
  const policy = policies.find(({ kind }) => kind === limit);
  const where = policy && policyText(policy.kind, policy.name, policy.origin);
  const statement = `a statement that allows ${action} on ${resource}`;
  switch (limit) {
    case 'identity':
      return `A policy of ${nameOf(caller)} needs ${statement}.`;
    case 'boundary':
      return `The permissions boundary of ${nameOf(caller)}${policy ? `, ${where},` : ''} needs ${statement}.`;
    case 'session':
      return `The session must be started with a session policy that has ${statement}.`;
    case 'resource':
    case 'trust':
      return `${where ? where[0]!.toUpperCase() + where.slice(1) : 'The policy of the resource'} needs a statement that allows ${action} to ${nameOf(caller)}.`;
  }
}

/** Whom policies are written for: the role, not its session. */
function nameOf(caller: Caller): string {
  return caller.kind === 'web-identity' ? caller.arn : caller.principalArn;
}

function isAwsOwn({ origin }: PolicyExplanation): boolean {
  return origin.startsWith('arn:aws:iam::aws:');
}

function policyText(kind: PolicyKind, name: string, origin: string): string {
  if (kind === 'trust' || kind === 'resource') return origin === '' ? `the ${name}` : `the ${name} of ${origin}`;
  if (origin === '' || origin.startsWith('arn:')) return `policy ${origin === '' ? name : origin}`;
  return `policy ${name} of ${origin}`;
}

const MAX_LISTED = 5;

function listed(values: readonly string[]): string {
  const shown = values
    .slice(0, MAX_LISTED)
    .map((value) => JSON.stringify(value.length > 200 ? `${value.slice(0, 200)}…` : value));
  return shown.join(', ') + (values.length > MAX_LISTED ? ` and ${values.length - MAX_LISTED} more` : '');
}
