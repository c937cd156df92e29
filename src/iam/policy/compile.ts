import { type CompiledCondition, compileCondition } from './conditions.ts';
import type { Context } from './context.ts';
import type {
  Effect,
  IdentityPolicy,
  IdentityStatement,
  Principal,
  ResourcePolicy,
  ResourceStatement,
  Selection,
  Span,
  TrustPolicy,
  TrustStatement,
} from './document.ts';
import { templateOf } from './parse-condition.ts';
import { type Piece, resolve, staticParts } from './variables.ts';
import { actionMatcher, type Matcher, type Part, wildcardMatcher } from './wildcard.ts';

/** A statement ready to be asked. */
export interface CompiledStatement {
  name: string;
  effect: Effect;
  /** Asked with the action in lower case. */
  action: Matcher;
  resource: ResourceMatcher;
  /** No variable stands in Resource, so that it is the same for every request. */
  resourceIsFixed: boolean;
  conditions: readonly CompiledCondition[];
  /** Whom a statement of a resource or trust policy names; undefined in all others, which speak of who has them. */
  principals: { list: readonly Principal[]; negated: boolean } | undefined;
  /** What was written, for explanations. */
  source: { actions: Selection; resources: Selection | undefined; variables: boolean; span: Span };
}

export type ResourceMatcher = (resource: string, context: Context) => boolean;

export interface CompiledPolicy {
  name: string;
  /** Where it stands: `user alice`, `group devs`, `role reader`, or the ARN of a managed policy. */
  origin: string;
  /** The document; the statements' spans are offsets in it. */
  text: string;
  statements: readonly CompiledStatement[];
  /**
   * Those whose Action names the action, in lower case, and whose Resource may name the resource. Remembered for some
   * actions and for the last resource of each: who logs in asks the same about the same cluster again and again.
   */
  about(action: string, resource: string): readonly CompiledStatement[];
}

/** Also of a boundary, a managed and a session policy. */
export function compileIdentityPolicy(name: string, policy: IdentityPolicy, origin = ''): CompiledPolicy {
  return compiled(name, origin, policy);
}

/** What a trust policy is about is its role, so every resource matches. */
export function compileTrustPolicy(policy: TrustPolicy, origin = ''): CompiledPolicy {
  return compiled('trust policy', origin, policy);
}

export function compileResourcePolicy(policy: ResourcePolicy, origin = ''): CompiledPolicy {
  return compiled('resource policy', origin, policy);
}

function compiled(name: string, origin: string, policy: IdentityPolicy | TrustPolicy | ResourcePolicy): CompiledPolicy {
  const matchers = new Map<string, Matcher>();
  const statements = policy.statements.map((statement) => compileStatement(statement, policy.variables, matchers));
  return { name, origin, text: policy.text, statements, about: remembered(statements) };
}

const MAX_ACTIONS = 64;
const NOTHING_KNOWN: Context = { get: () => undefined };

export function remembered(statements: readonly CompiledStatement[]): CompiledPolicy['about'] {
  interface About {
    onAction: readonly CompiledStatement[];
    resource: string | undefined;
    onResource: readonly CompiledStatement[];
  }
  const known = new Map<string, About>();
  return (action, resource) => {
    let about = known.get(action);
    if (!about) {
      const onAction = statements.filter((statement) => statement.action(action));
      about = { onAction, resource: undefined, onResource: [] };
      if (known.size >= MAX_ACTIONS) known.clear();
      known.set(action, about);
    }
    if (about.resource !== resource) {
      about.onResource = about.onAction.filter(
        (statement) => !statement.resourceIsFixed || statement.resource(resource, NOTHING_KNOWN),
      );
      about.resource = resource;
    }
    return about.onResource;
  };
}

function compileStatement(
  statement: IdentityStatement | TrustStatement | ResourceStatement,
  variables: boolean,
  matchers: Map<string, Matcher>,
): CompiledStatement {
  const { name, effect, actions, conditions, span } = statement;
  const resources = 'resources' in statement ? statement.resources : undefined;
  const negated = 'notPrincipal' in statement && statement.notPrincipal;
  return {
    name,
    effect,
    action: actionsMatcher(actions),
    ...(resources
      ? resourcesMatcher(resources, effect, variables, matchers)
      : { resource: () => true, resourceIsFixed: true }),
    conditions: conditions.map((condition) => compileCondition(condition, effect, variables)),
    principals: 'principals' in statement ? { list: statement.principals, negated } : undefined,
    source: { actions, resources, variables, span },
  };
}

function actionsMatcher({ patterns, negated }: Selection): Matcher {
  const any = anyOf(patterns.map(actionMatcher));
  return negated ? (text) => !any(text) : any;
}

/**
 * A pattern with a variable that has no value matches nothing. In NotResource that would name everything: a Deny may, an
 * Allow must not.
 */
function resourcesMatcher(
  { patterns, negated }: Selection,
  effect: Effect,
  variables: boolean,
  matchers: Map<string, Matcher>,
): Pick<CompiledStatement, 'resource' | 'resourceIsFixed'> {
  const fixed: Matcher[] = [];
  const templates: (readonly Piece[])[] = [];
  for (const pattern of patterns) {
    const pieces = templateOf(pattern, variables);
    const parts = staticParts(pieces);
    if (parts) fixed.push(sharedMatcher(matchers, pattern, parts));
    else templates.push(pieces);
  }
  const anyFixed = anyOf(fixed);
  if (templates.length === 0) {
    return { resource: negated ? (resource) => !anyFixed(resource) : anyFixed, resourceIsFixed: true };
  }
  const matches: ResourceMatcher = (resource, context) => {
    if (anyFixed(resource)) return !negated;
    let open = false;
    for (const pieces of templates) {
      const parts = resolve(pieces, context);
      if (!parts) open = true;
      else if (wildcardMatcher(parts, 'resource')(resource)) return !negated;
    }
    return negated && !(open && effect === 'Allow');
  };
  return { resource: matches, resourceIsFixed: false };
}

/** Statements of one policy are mostly about the same resources: one answer does for all of them. */
function sharedMatcher(matchers: Map<string, Matcher>, pattern: string, parts: readonly Part[]): Matcher {
  let shared = matchers.get(pattern);
  if (!shared) {
    const matches = wildcardMatcher(parts, 'resource');
    let last: string | undefined;
    let answer = false;
    shared = (text) => {
      if (last !== text) {
        answer = matches(text);
        last = text;
      }
      return answer;
    };
    matchers.set(pattern, shared);
  }
  return shared;
}

function anyOf(matchers: readonly Matcher[]): Matcher {
  const [only] = matchers;
  if (!only) return () => false;
  if (matchers.length === 1) return only;
  return (text) => {
    for (const match of matchers) if (match(text)) return true;
    return false;
  };
}
