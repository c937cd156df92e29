/** A policy that has been checked: what `parse.ts` returns and `compile.ts` takes. */

export type Effect = 'Allow' | 'Deny';

/** A list of patterns and whether they name what is meant or what is not. */
export interface Selection {
  patterns: readonly string[];
  /** NotAction, NotResource. */
  negated: boolean;
}

/** Whom a trust statement names. Ids stand in the role's record: an ARN is only a name. */
export type Principal =
  | { type: 'everyone' }
  | { type: 'account'; account: string }
  | { type: 'user' | 'role'; account: string; path: string; name: string; arn: string }
  | { type: 'session'; account: string; roleName: string; arn: string }
  | { type: 'service'; service: string };

interface StatementHead {
  /** The Sid, or `#n` counted from 1 where there is none. */
  name: string;
  effect: Effect;
  actions: Selection;
}

export interface IdentityStatement extends StatementHead {
  resources: Selection;
}

export interface TrustStatement extends StatementHead {
  principals: readonly Principal[];
}

export interface IdentityPolicy {
  statements: readonly IdentityStatement[];
}

export interface TrustPolicy {
  statements: readonly TrustStatement[];
}
