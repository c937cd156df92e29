import { OPERATORS, type Test } from './condition-operators.ts';
import type { Context } from './context.ts';
import type { Condition, Effect } from './document.ts';
import { templateOf } from './parse-condition.ts';
import { type Piece, resolve, staticParts } from './variables.ts';
import { plainText } from './wildcard.ts';

/** One operator on one key, ready to be asked. */
export interface CompiledCondition {
  condition: Condition;
  holds(context: Context): boolean;
}

/** What one value of the request is to one value of the policy. */
type Answer = boolean | undefined;

/**
 * A comparison that cannot be made (a value that is no number, a variable without a value) is open, and an open question
 * must never open a door: in an Allow such a condition does not hold, in a Deny it does. The exception is AWS's own: where
 * a variable has no value, a positive operator matches nothing, in a Deny too.
 */
export function compileCondition(condition: Condition, effect: Effect, variables: boolean): CompiledCondition {
  const { operator, quantifier, ifExists } = condition;
  const row = OPERATORS[operator];
  const key = condition.key.toLowerCase();
  const ifOpen = effect === 'Deny';
  const compare = comparison(condition, row.negated, variables && row.variables);
  if (operator === 'Null') {
    return { condition, holds: (context) => compare(isAbsent(context.get(key)) ? 'true' : 'false', context) === true };
  }
  const ifAbsent = quantifier === 'all' || ifExists || (quantifier === undefined && row.negated);
  // Without a quantifier, several values are not foreseen: an Allow needs all of them, a Deny one.
  const all = quantifier === 'all' || (quantifier === undefined && effect === 'Allow');
  const holdsFor = (found: string, context: Context): boolean => {
    const matches = compare(found, context);
    return matches === undefined ? ifOpen : matches !== row.negated;
  };
  return {
    condition,
    holds(context) {
      const found = context.get(key);
      if (isAbsent(found)) return ifAbsent;
      if (found.length === 1) return holdsFor(found[0]!, context);
      for (const value of found) if (holdsFor(value, context) !== all) return !all;
      return all;
    },
  };
}

/** Whether a value of the request is one of the policy's. */
function comparison(
  { operator, values }: Condition,
  negated: boolean,
  variables: boolean,
): (found: string, context: Context) => Answer {
  const { test } = OPERATORS[operator];
  const tests: Test[] = [];
  const templates: (readonly Piece[])[] = [];
  const texts = new Set<string>();
  for (const value of values) {
    const pieces = templateOf(value, variables);
    const parts = staticParts(pieces);
    if (!parts) templates.push(pieces);
    else if (operator === 'StringEquals' || operator === 'StringNotEquals') texts.add(plainText(parts));
    else tests.push(test(parts) ?? (() => undefined));
  }
  if (templates.length === 0) {
    const [only] = tests;
    if (!only) return texts.size === 1 ? equals([...texts][0]!) : (found) => texts.has(found);
    if (tests.length === 1) return only;
  }
  return (found, context) => {
    if (texts.has(found)) return true;
    let open = false;
    for (const each of tests) {
      const answer = each(found);
      if (answer) return true;
      open ||= answer === undefined;
    }
    for (const pieces of templates) {
      const parts = resolve(pieces, context);
      const answer = parts ? test(parts)?.(found) : negated ? undefined : false;
      if (answer) return true;
      open ||= answer === undefined;
    }
    return open ? undefined : false;
  };
}

function equals(text: string): (found: string) => boolean {
  return (found) => found === text;
}

export function isAbsent(values: readonly string[] | undefined): values is undefined {
  return values === undefined || values.length === 0;
}
