/** A policy that has been checked: what `parse.ts` returns and `compile.ts` takes. */
import type { OperatorName } from './condition-operators.ts';

export type Effect = 'Allow' | 'Deny';

/** A list of patterns and whether they name what is meant or what is not. */
export interface Selection {
  patterns: readonly string[];
  /** NotAction, NotResource. */
  negated: boolean;
}

/** Whom a statement names. Of a trust policy the ids stand in the role's record: an ARN is only a name. */
export type Principal =
  | { type: 'everyone' }
  | { type: 'account'; account: string }
  | { type: 'user' | 'role'; account: string; path: string; name: string; arn: string }
  | { type: 'session'; account: string; roleName: string; arn: string }
  | { type: 'federated-user'; account: string; arn: string }
  /** The ARN of an identity provider, or the name of one that every account knows. */
  | { type: 'federated'; provider: string }
  | { type: 'service'; service: string };

/** One operator on one key. All of a statement must hold. */
export interface Condition {
  operator: OperatorName;
  /** `ForAllValues:` or `ForAnyValue:`. */
  quantifier: 'all' | 'any' | undefined;
  ifExists: boolean;
  /** The operator with its prefix and suffix, and the key, as they were written. */
  written: string;
  key: string;
  values: readonly string[];
}

/** Where a statement stands in the text of its document: offsets of its `{` and behind its `}`. */
export interface Span {
  start: number;
  end: number;
}

interface StatementHead {
  /** The Sid, or `#n` counted from 1 where there is none. */
  name: string;
  effect: Effect;
  actions: Selection;
  conditions: readonly Condition[];
  span: Span;
}

export interface IdentityStatement extends StatementHead {
  resources: Selection;
}

export interface TrustStatement extends StatementHead {
  principals: readonly Principal[];
}

export interface ResourceStatement extends StatementHead {
  resources: Selection;
  principals: readonly Principal[];
  /** NotPrincipal: everybody else is meant. Only with Deny. */
  notPrincipal: boolean;
}

interface PolicyOf<Statement> {
  /** What was read; the statements' spans are offsets in it. */
  text: string;
  /** Version 2012-10-17: `${…}` is a policy variable. In the older version, the default, it is text like any other. */
  variables: boolean;
  statements: readonly Statement[];
}

export type IdentityPolicy = PolicyOf<IdentityStatement>;
export type TrustPolicy = PolicyOf<TrustStatement>;
export type ResourcePolicy = PolicyOf<ResourceStatement>;
