import type { AccessRequest, Decision, PolicyKind } from '../identity.ts';
import { type Caller, type Grip, gripOf, type Ids, stronger } from './caller.ts';
import type { CompiledPolicy, CompiledStatement } from './compile.ts';
import type { Context } from './context.ts';
import { type Explanation, explain } from './explain.ts';

/** Every policy that has a say, by kind. */
export interface PolicySet {
  /** Policies of the user or role that calls; `everything` for the account root user, who needs none. */
  identity: readonly CompiledPolicy[] | 'everything';
  /** One of these must allow too; undefined where there is no permissions boundary. */
  boundary: readonly CompiledPolicy[] | undefined;
  /** One of these must allow too; undefined for sessions without session policies, and where there is no session. */
  session: readonly CompiledPolicy[] | undefined;
  /** The policy on the resource; `ids` is what `Ids` says. `trust`: of a role, and without its word nothing is allowed. */
  resource: { kind: 'resource' | 'trust'; policy: CompiledPolicy; ids: Ids } | undefined;
}

/** What is asked, by whom, and what is known about it. */
export interface Question extends Pick<AccessRequest, 'action' | 'resource'> {
  caller: Caller;
  context: Context;
}

export interface Verdict {
  effect: Decision['effect'];
  /** The kind of policy that denied, or that did not allow. */
  limit: PolicyKind | undefined;
}

/** The answer of the IAM User Guide's "Policy evaluation logic", with its explanation on demand. */
export function evaluate(set: PolicySet, question: Question): Decision {
  return new Evaluated(set, question, judge(set, question));
}

/**
 * An explicit Deny anywhere wins. What the resource's policy gives to the caller itself stands alone; what it gives to the
 * caller's role or to everybody takes the place of an identity-based Allow. Otherwise each kind must allow, and nobody's
 * word is a denial.
 */
export function judge(set: PolicySet, question: Question): Verdict {
  const action = question.action.toLowerCase();
  const identity = set.identity === 'everything' ? 'Allow' : outcome(set.identity, action, question);
  if (identity === 'Deny') return DENIED_BY.identity;
  const boundary = set.boundary ? outcome(set.boundary, action, question) : 'Allow';
  if (boundary === 'Deny') return DENIED_BY.boundary;
  const session = set.session ? outcome(set.session, action, question) : 'Allow';
  if (session === 'Deny') return DENIED_BY.session;
  const grip = set.resource ? grasp(set.resource, action, question) : undefined;
  if (grip === 'denied') return DENIED_BY[set.resource!.kind];

  if (grip === 'whole') return ALLOWED;
  if (grip === undefined && set.resource?.kind === 'trust') return NOT_ALLOWED_BY.trust;
  if (identity === undefined && grip !== 'limited') return NOT_ALLOWED_BY.identity;
  if (boundary === undefined) return NOT_ALLOWED_BY.boundary;
  if (session === undefined) return NOT_ALLOWED_BY.session;
  return ALLOWED;
}

/** One object for each verdict, so that a decision makes few. */
const ALLOWED: Verdict = { effect: 'allowed', limit: undefined };
const DENIED_BY = verdicts('explicit-deny');
const NOT_ALLOWED_BY = verdicts('implicit-deny');

function verdicts(effect: Decision['effect']): Readonly<Record<PolicyKind, Verdict>> {
  const verdict = (limit: PolicyKind): Verdict => ({ effect, limit });
  return {
    identity: verdict('identity'),
    boundary: verdict('boundary'),
    session: verdict('session'),
    resource: verdict('resource'),
    trust: verdict('trust'),
  };
}

function outcome(
  policies: readonly CompiledPolicy[],
  action: string,
  question: Question,
): 'Allow' | 'Deny' | undefined {
  let allowed = false;
  for (const policy of policies) {
    for (const statement of policy.about(action, question.resource)) {
      if (allowed && statement.effect === 'Allow') continue;
      if (!matches(statement, question)) continue;
      if (statement.effect === 'Deny') return 'Deny';
      allowed = true;
    }
  }
  return allowed ? 'Allow' : undefined;
}

function grasp(
  { policy, ids }: NonNullable<PolicySet['resource']>,
  action: string,
  question: Question,
): Grip | 'denied' | undefined {
  let best: Grip | undefined;
  for (const statement of policy.about(action, question.resource)) {
    const grip = gripOf(statement, question.caller, ids);
    if (grip === undefined || !matches(statement, question)) continue;
    if (statement.effect === 'Deny') return 'denied';
    best = stronger(best, grip);
  }
  return best;
}

/** What `about` leaves open, but for the principal. */
export function matches(statement: CompiledStatement, { resource, context }: Question): boolean {
  if (!statement.resourceIsFixed && !statement.resource(resource, context)) return false;
  for (const condition of statement.conditions) if (!condition.holds(context)) return false;
  return true;
}

class Evaluated implements Decision {
  readonly allowed: boolean;
  readonly effect: Decision['effect'];
  readonly limit: PolicyKind | undefined;
  readonly #set: PolicySet;
  readonly #question: Question;
  #explanation: Explanation | undefined;

  constructor(set: PolicySet, question: Question, verdict: Verdict) {
    this.allowed = verdict.effect === 'allowed';
    this.effect = verdict.effect;
    this.limit = verdict.limit;
    this.#set = set;
    this.#question = question;
  }

  get because(): string {
    return this.explain().because;
  }

  get matched(): Decision['matched'] {
    return this.explain().matched;
  }

  explain(): Explanation {
    this.#explanation ??= explain(this.#set, this.#question, this);
    return this.#explanation;
  }
}
