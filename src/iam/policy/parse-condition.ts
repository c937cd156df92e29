import { OPERATORS, type OperatorName, operatorNamed } from './condition-operators.ts';
import type { Condition } from './document.ts';
import { isArray, isObject, type Json } from './json.ts';
import { malformed, quoted, syntax } from './malformed.ts';
import { isVariable, type Piece, parseTemplate } from './variables.ts';

const OPERATOR = /^(?:(ForAllValues|ForAnyValue):)?([A-Za-z]+?)(IfExists)?$/i;
/** A prefix (`aws`, a service, or the host and path of an identity provider), a colon, and the rest, a tag's key perhaps. */
const KEY = /^[^:\s]{1,256}:\S(?:.{0,254}\S)?$/su;

/**
 * The Condition element: operator -> key -> value or values. Throws Refused `malformed-policy` for operators that do not
 * exist and for values that the operator cannot compare: such a condition would never hold, or always.
 */
export function parseConditions(value: Json | undefined, variables: boolean): readonly Condition[] {
  if (value === undefined) return [];
  if (!isObject(value)) throw syntax('Condition must be an object');
  const conditions: Condition[] = [];
  for (const [written, keys] of value) {
    const operator = operatorOf(written);
    if (!isObject(keys)) throw syntax(`the condition ${quoted(written)} must be an object of keys and values`);
    if (keys.size === 0) throw syntax(`the condition ${quoted(written)} has no keys`);
    for (const [key, values] of keys) {
      if (!key.includes(':')) {
        throw malformed('Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.');
      }
      if (!KEY.test(key) || key.includes('${')) throw syntax(`the condition key ${quoted(key)} is not valid`);
      const list = valuesOf(written, key, values);
      for (const each of list) checkValue(operator.operator, written, each, variables);
      conditions.push({ ...operator, written, key, values: list });
    }
  }
  return conditions;
}

function operatorOf(written: string): Pick<Condition, 'operator' | 'quantifier' | 'ifExists'> {
  const [, prefix, name = '', suffix] = OPERATOR.exec(written) ?? [];
  const operator = operatorNamed(name);
  // Null asks for the key itself: "if it exists" and "for all values" say nothing there.
  if (!operator || (operator === 'Null' && (prefix !== undefined || suffix !== undefined))) {
    throw syntax(`there is no condition operator ${quoted(written)}`);
  }
  const quantifier = prefix === undefined ? undefined : prefix.toLowerCase() === 'forallvalues' ? 'all' : 'any';
  return { operator, quantifier, ifExists: suffix !== undefined };
}

function valuesOf(written: string, key: string, values: Json): readonly string[] {
  const list = isArray(values) ? values : [values];
  if (list.length === 0) throw syntax(`the condition ${quoted(written)} on ${quoted(key)} has no values`);
  return list.map((each) => {
    if (typeof each === 'string') return each;
    if (typeof each === 'number' || typeof each === 'boolean') return String(each);
    throw syntax(`the condition ${quoted(written)} on ${quoted(key)} takes strings, numbers and booleans`);
  });
}

function checkValue(operator: OperatorName, written: string, value: string, variables: boolean): void {
  const row = OPERATORS[operator];
  const pieces = templateOf(value, variables && row.variables);
  // A variable can become anything, so the value is looked at when it is resolved.
  if (pieces.some(isVariable)) return;
  if (row.test(pieces as Exclude<Piece, { variable: string }>[]) === undefined) {
    throw syntax(`${quoted(value)} is not a value that the condition ${quoted(written)} can compare`);
  }
}

/** Throws Refused `malformed-policy` where a `${` begins no variable. */
export function templateOf(text: string, variables: boolean): readonly Piece[] {
  if (!variables) return [text];
  const pieces = parseTemplate(text);
  if (!pieces) throw syntax(`invalid policy variable in ${quoted(text)}`);
  return pieces;
}
