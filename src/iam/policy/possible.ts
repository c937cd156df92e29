import type { Decision, Matched, PolicyKind } from '../identity.ts';
import { gripOf, type Ids } from './caller.ts';
import type { CompiledPolicy, CompiledStatement } from './compile.ts';
import { remembered } from './compile.ts';
import { OPERATORS } from './condition-operators.ts';
import type { CompiledCondition } from './conditions.ts';
import type { Context } from './context.ts';
import type { Condition, Effect } from './document.ts';
import { evaluate, matches, type PolicySet, type Question } from './evaluate.ts';
import { templateOf } from './parse-condition.ts';
import { isVariable, type Piece, resolve } from './variables.ts';
import { wildcardMatcher } from './wildcard.ts';

/*
 * What may be allowed, when not all of the context is known yet. The evaluation is the one of every request, twice: once
 * with each condition on an open key going the caller's way, once with each going against. What both say is certain; else
 * it depends. Conditions are taken one by one, so that two which exclude each other count as possible: never less than
 * the truth.
 */

/** Which keys of the context, in lower case, are not known. One function for all questions of a kind: work is kept by it. */
export type IsOpen = (key: string) => boolean;

export interface Possibility {
  answer: 'allowed' | 'conditional' | 'denied';
  /** Of a denial: why, whatever the request is like. Otherwise that of the request that comes closest to being let in. */
  decision: Decision;
  /** The statements that let the caller in, and those of boundaries and sessions that do not keep it out. */
  through: readonly Through[];
  /** The Denys that would have to be avoided. */
  unless: readonly Through[];
}

/** A statement, and what of it depends on the request: all of that must hold for it to match. */
export interface Through extends Matched {
  conditions: readonly OpenCondition[];
}

export interface OpenCondition {
  /** With its prefix and suffix; `Resource` for a policy variable there. */
  operator: string;
  /** Of the context. */
  key: string;
  wanted: readonly string[];
}

/** `question.context` has what is known; of times, the present one. */
export function possible(set: PolicySet, question: Question, isOpen: IsOpen): Possibility {
  const most = assuming(set, isOpen, 'generous');
  const generous = evaluate(most, question);
  if (!generous.allowed) return { answer: 'denied', decision: generous, through: [], unless: [] };
  const least = assuming(set, isOpen, 'strict');
  const isAllowed = evaluate(least, question).allowed;
  const through = marked(set, isAllowed ? least : most, 'Allow', question, isOpen);
  const unless = isAllowed ? [] : marked(set, least, 'Deny', question, isOpen);
  return { answer: isAllowed ? 'allowed' : 'conditional', decision: generous, through: withoutSpare(through), unless };
}

type Assumption = 'generous' | 'strict';

function assuming(set: PolicySet, isOpen: IsOpen, assumption: Assumption): PolicySet {
  const all = (policies: readonly CompiledPolicy[]) => policies.map((policy) => assumed(policy, isOpen, assumption));
  return {
    identity: set.identity === 'everything' ? 'everything' : all(set.identity),
    boundary: set.boundary && all(set.boundary),
    session: set.session && all(set.session),
    resource: set.resource && { ...set.resource, policy: assumed(set.resource.policy, isOpen, assumption) },
  };
}

/** In the order of explanations. */
function policiesOf(set: PolicySet): { kind: PolicyKind; policy: CompiledPolicy; ids: Ids }[] {
  const of = (kind: PolicyKind, policies: readonly CompiledPolicy[]) =>
    policies.map((policy) => ({ kind, policy, ids: undefined }));
  return [
    ...of('identity', set.identity === 'everything' ? [] : set.identity),
    ...of('boundary', set.boundary ?? []),
    ...of('session', set.session ?? []),
    ...(set.resource ? [set.resource] : []),
  ];
}

const known = new WeakMap<CompiledPolicy, WeakMap<IsOpen, Record<Assumption, CompiledPolicy>>>();

function assumed(policy: CompiledPolicy, isOpen: IsOpen, assumption: Assumption): CompiledPolicy {
  let byKeys = known.get(policy);
  if (!byKeys) {
    byKeys = new WeakMap();
    known.set(policy, byKeys);
  }
  let both = byKeys.get(isOpen);
  if (!both) {
    const isFixed = policy.statements.every((statement) => !dependsOn(statement, isOpen));
    both = isFixed
      ? { generous: policy, strict: policy }
      : { generous: made(policy, isOpen, 'generous'), strict: made(policy, isOpen, 'strict') };
    byKeys.set(isOpen, both);
  }
  return both[assumption];
}

function made(policy: CompiledPolicy, isOpen: IsOpen, assumption: Assumption): CompiledPolicy {
  const statements = policy.statements.map((statement) => {
    if (!dependsOn(statement, isOpen)) return statement;
    const matches = (statement.effect === 'Allow') === (assumption === 'generous');
    return {
      ...statement,
      ...(openInResource(statement, isOpen).length > 0 && {
        resource: openResource(statement, isOpen, matches),
        resourceIsFixed: false,
      }),
      conditions: statement.conditions.map((each) =>
        isOpenCondition(each.condition, statement, isOpen) ? openCondition(each, matches) : each,
      ),
    };
  });
  return { ...policy, statements, about: remembered(statements) };
}

function dependsOn(statement: CompiledStatement, isOpen: IsOpen): boolean {
  return (
    openInResource(statement, isOpen).length > 0 ||
    statement.conditions.some(({ condition }) => isOpenCondition(condition, statement, isOpen))
  );
}

function isOpenCondition(condition: Condition, { source }: CompiledStatement, isOpen: IsOpen): boolean {
  if (isOpen(condition.key.toLowerCase())) return true;
  const variables = source.variables && OPERATORS[condition.operator].variables;
  return condition.values.some((value) => openVariables(value, variables, isOpen).length > 0);
}

function openVariables(text: string, variables: boolean, isOpen: IsOpen): string[] {
  return templateOf(text, variables).flatMap((piece) =>
    isVariable(piece) && isOpen(piece.variable) ? piece.written : [],
  );
}

/** Variables as they are written, once each. */
function openInResource({ source }: CompiledStatement, isOpen: IsOpen): string[] {
  const patterns = source.resources?.patterns ?? [];
  return [...new Set(patterns.flatMap((pattern) => openVariables(pattern, source.variables, isOpen)))];
}

/** A pattern with an open variable stands for whatever it could be, or for nothing. */
function openResource(statement: CompiledStatement, isOpen: IsOpen, matches: boolean): CompiledStatement['resource'] {
  const { source, effect } = statement;
  const { patterns, negated } = source.resources!;
  const templates = patterns.map((pattern) => templateOf(pattern, source.variables));
  const isOpenPiece = (piece: Piece) => isVariable(piece) && isOpen(piece.variable);
  // Without its value, a NotResource that allows matches nothing at all: see compile.ts.
  if (negated && effect === 'Allow' && !matches) return () => false;
  const couldBe = matches !== negated;
  return (resource, context) => {
    let lacksValue = false;
    for (const pieces of templates) {
      const isOpenTemplate = pieces.some(isOpenPiece);
      if (isOpenTemplate && !couldBe) continue;
      const parts = resolve(
        pieces.map((piece) => (isOpenPiece(piece) ? '*' : piece)),
        context,
      );
      if (!parts) lacksValue = true;
      // A value may have colons, which a star within a segment does not pass.
      else if (wildcardMatcher(parts, isOpenTemplate ? 'free' : 'resource')(resource)) return !negated;
    }
    return negated && !(lacksValue && effect === 'Allow');
  };
}

const TIMES = new Set(['aws:currenttime', 'aws:epochtime']);

function openCondition(compiled: CompiledCondition, holds: boolean): CompiledCondition {
  return {
    condition: compiled.condition,
    holds: (context) => settled(compiled, context) ?? holds,
  };
}

/** Time goes one way: what has ended never begins again, and what has begun without an end goes on. */
function settled({ condition, holds }: CompiledCondition, context: Context): boolean | undefined {
  if (!TIMES.has(condition.key.toLowerCase()) || condition.quantifier !== undefined) return undefined;
  const { operator } = condition;
  if (/^(?:Date|Numeric)LessThan/.test(operator)) return holds(context) ? undefined : false;
  if (/^(?:Date|Numeric)GreaterThan/.test(operator)) return holds(context) ? true : undefined;
  return undefined;
}

/** The statements that match under the assumption, and what is open in them; Denys only where something is. */
function marked(set: PolicySet, assumedSet: PolicySet, effect: Effect, question: Question, isOpen: IsOpen): Through[] {
  const action = question.action.toLowerCase();
  const originals = policiesOf(set);
  return policiesOf(assumedSet).flatMap(({ kind, policy, ids }, at) =>
    policy.statements.flatMap((each, index): Through[] => {
      if (each.effect !== effect || !each.action(action)) return [];
      if (each.principals && gripOf(each, question.caller, ids) === undefined) return [];
      if (!each.resource(question.resource, question.context) || !matches(each, question)) return [];
      const original = originals[at]!.policy.statements[index]!;
      const conditions = openConditions(original, question.context, isOpen);
      if (effect === 'Deny' && conditions.length === 0) return [];
      const { name, origin } = policy;
      return [{ kind, policy: name, origin, statement: each.name, effect, span: each.source.span, conditions }];
    }),
  );
}

function openConditions(statement: CompiledStatement, context: Context, isOpen: IsOpen): OpenCondition[] {
  const { patterns = [] } = statement.source.resources ?? {};
  return [
    ...openInResource(statement, isOpen).map((key) => ({ operator: 'Resource', key, wanted: patterns })),
    ...statement.conditions
      .filter((each) => isOpenCondition(each.condition, statement, isOpen) && settled(each, context) === undefined)
      .map(({ condition }) => ({ operator: condition.written, key: condition.key, wanted: condition.values })),
  ];
}

/** Where a statement lets in without conditions, others of its kind need not be told. */
function withoutSpare(through: readonly Through[]): Through[] {
  const free = new Set(through.filter(({ conditions }) => conditions.length === 0).map(({ kind }) => kind));
  // How far a resource's statement goes depends on whom it names, so each of them may count.
  return through.filter(({ kind, conditions }) => kind === 'resource' || conditions.length === 0 || !free.has(kind));
}
