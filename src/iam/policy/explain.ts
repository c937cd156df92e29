import type { Decision, Matched, PolicyKind } from '../identity.ts';
import { type Grip, gripOf, type Ids } from './caller.ts';
import type { CompiledPolicy, CompiledStatement } from './compile.ts';
import { isAbsent } from './conditions.ts';
import { statementKeys } from './context-keys.ts';
import type { Effect, Span } from './document.ts';
import type { PolicySet, Question, Verdict } from './evaluate.ts';
import { neededFor } from './needed.ts';

/** Why a decision is what it is: every policy that had a say, statement by statement. */
export interface Explanation {
  action: string;
  resource: string;
  /** The ARN of who asked. */
  caller: string;
  effect: Decision['effect'];
  /** The kind of policy that denied, or that did not allow. */
  limit: PolicyKind | undefined;
  /** One sentence. */
  because: string;
  policies: readonly PolicyExplanation[];
  /** The statements that matched, in the order in which policies stand here. */
  matched: readonly Matched[];
  /** Context keys that statements about this action ask for and that the request does not have, as they are written there. */
  absentKeys: readonly string[];
  /** The one change that would have made it allowed, or the nearest that can be told; undefined where it is allowed. */
  needed: string | undefined;
}

export interface PolicyExplanation {
  kind: PolicyKind;
  name: string;
  /** Where it stands: `user alice`, `group devs`, `role reader`, `cluster …`, or the ARN of a managed policy. */
  origin: string;
  statements: readonly StatementExplanation[];
}

export interface StatementExplanation {
  statement: string;
  effect: Effect;
  /** Offsets in the text of the document. */
  span: Span;
  matched: boolean;
  /** Each part that did not match; empty where the statement matched. */
  missed: readonly Miss[];
  /** Of a resource or trust policy that names the caller: how far that goes. */
  grip: Grip | undefined;
}

export type Miss =
  | { part: 'action' | 'resource'; negated: boolean; wanted: readonly string[] }
  | { part: 'principal' }
  | {
      part: 'condition';
      /** With its prefix and suffix. */
      operator: string;
      key: string;
      wanted: readonly string[];
      /** Undefined where the request does not have the key. */
      found: readonly string[] | undefined;
    };

export function explain(set: PolicySet, question: Question, { effect, limit }: Verdict): Explanation {
  const policies = explainPolicies(set, question);
  const matched = policies.flatMap(({ kind, name, origin, statements }) =>
    statements.flatMap((each) =>
      each.matched
        ? [{ kind, policy: name, origin, statement: each.statement, effect: each.effect, span: each.span }]
        : [],
    ),
  );
  const { action, resource, caller } = question;
  const facts = { action, resource, caller: caller.arn, effect, limit, policies, matched };
  return {
    ...facts,
    because: because(set, facts),
    absentKeys: absentKeys(set, question),
    needed: neededFor(facts, caller),
  };
}

function explainPolicies(set: PolicySet, question: Question): PolicyExplanation[] {
  const of = (kind: PolicyKind, policies: readonly CompiledPolicy[], ids?: Ids) =>
    policies.map(({ name, origin, statements }) => ({
      kind,
      name,
      origin,
      statements: statements.map((statement) => explainStatement(statement, question, ids)),
    }));
  return [
    ...of('identity', set.identity === 'everything' ? [] : set.identity),
    ...of('boundary', set.boundary ?? []),
    ...of('session', set.session ?? []),
    ...(set.resource ? of(set.resource.kind, [set.resource.policy], set.resource.ids) : []),
  ];
}

function explainStatement(statement: CompiledStatement, question: Question, ids: Ids): StatementExplanation {
  const { source, conditions } = statement;
  const missed: Miss[] = [];
  if (!statement.action(question.action.toLowerCase())) {
    missed.push({ part: 'action', negated: source.actions.negated, wanted: source.actions.patterns });
  }
  if (source.resources && !statement.resource(question.resource, question.context)) {
    missed.push({ part: 'resource', negated: source.resources.negated, wanted: source.resources.patterns });
  }
  const grip = gripOf(statement, question.caller, ids);
  if (statement.principals && grip === undefined) missed.push({ part: 'principal' });
  for (const { condition, holds } of conditions) {
    if (holds(question.context)) continue;
    const found = question.context.get(condition.key.toLowerCase());
    missed.push({
      part: 'condition',
      operator: condition.written,
      key: condition.key,
      wanted: condition.values,
      found: isAbsent(found) ? undefined : found,
    });
  }
  const { name, effect } = statement;
  return { statement: name, effect, span: source.span, matched: missed.length === 0, missed, grip };
}

const NOBODY: Readonly<Record<PolicyKind, string>> = {
  identity: 'no identity-based policy allows',
  boundary: 'no permissions boundary allows',
  session: 'no session policy allows',
  resource: 'no resource-based policy allows',
  trust: 'no statement of the trust policy lets the caller do',
};

function because(
  set: PolicySet,
  {
    action,
    resource,
    effect,
    limit,
    matched,
  }: Pick<Explanation, 'action' | 'resource' | 'effect' | 'limit' | 'matched'>,
): string {
  const what = `${action} on ${resource}`;
  if (effect === 'implicit-deny') return `${NOBODY[limit ?? 'identity']} ${what}`;
  const by = matched.find((each) =>
    limit === undefined ? gives(each) : each.effect === 'Deny' && each.kind === limit,
  );
  if (!by) return set.identity === 'everything' ? 'the account root user may do everything' : `${what} is allowed`;
  return `statement ${by.statement} of policy ${by.policy} ${limit === undefined ? 'allows' : 'denies'} ${what}`;
}

/** Boundaries and session policies limit what others give. */
export function gives({ effect, kind }: Matched): boolean {
  return effect === 'Allow' && kind !== 'boundary' && kind !== 'session';
}

function absentKeys(set: PolicySet, { action, context }: Question): string[] {
  const lower = action.toLowerCase();
  const policies = [
    ...(set.identity === 'everything' ? [] : set.identity),
    ...(set.boundary ?? []),
    ...(set.session ?? []),
    ...(set.resource ? [set.resource.policy] : []),
  ];
  const keys = new Map<string, string>();
  for (const { statements } of policies) {
    for (const statement of statements) {
      if (!statement.action(lower)) continue;
      for (const key of statementKeys(statement)) {
        if (isAbsent(context.get(key.toLowerCase())) && !keys.has(key.toLowerCase())) keys.set(key.toLowerCase(), key);
      }
    }
  }
  return [...keys.values()];
}
