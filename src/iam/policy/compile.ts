import type { Effect, IdentityPolicy, Selection, TrustPolicy, TrustStatement } from './document.ts';
import { actionMatcher, type Matcher, resourceMatcher } from './wildcard.ts';

/** A statement ready to be asked. */
export interface CompiledStatement {
  name: string;
  effect: Effect;
  /** Asked with the action in lower case. */
  action: Matcher;
  resource: Matcher;
}

export interface CompiledPolicy {
  name: string;
  statements: readonly CompiledStatement[];
}

export interface CompiledTrust {
  statements: readonly (Pick<TrustStatement, 'name' | 'effect' | 'principals'> & { action: Matcher })[];
}

export function compileIdentityPolicy(name: string, policy: IdentityPolicy): CompiledPolicy {
  return {
    name,
    statements: policy.statements.map((statement) => ({
      name: statement.name,
      effect: statement.effect,
      action: selectionMatcher(statement.actions, actionMatcher),
      resource: selectionMatcher(statement.resources, resourceMatcher),
    })),
  };
}

export function compileTrustPolicy(policy: TrustPolicy): CompiledTrust {
  return {
    statements: policy.statements.map(({ name, effect, principals, actions }) => ({
      name,
      effect,
      principals,
      action: selectionMatcher(actions, actionMatcher),
    })),
  };
}

function selectionMatcher(selection: Selection, matcherOf: (pattern: string) => Matcher): Matcher {
  const matchers = selection.patterns.map(matcherOf);
  const [only] = matchers;
  const any: Matcher = matchers.length === 1 && only ? only : (text) => matchers.some((match) => match(text));
  return selection.negated ? (text) => !any(text) : any;
}
