import type { Members, RawInput, RawValue, Shape } from '../../iam/input.ts';
import { Refused } from '../../refused.ts';
import type { Parameters } from './form.ts';

/** `Tags.member.1.Key=a` as a tree: each node has a value, children, or (refused later) both. */
interface Node {
  value: string | undefined;
  children: Map<string, Node>;
}

/** Deeper than any shape of the IAM and STS models. */
const MAX_DEPTH = 10;
const INDEX = /^[1-9]\d{0,3}$/;
const INTEGER = /^-?\d{1,15}$/;

/**
 * Builds the input that `members` describes from flat parameters (AWS Query protocol, smithy.io/2.0/aws/protocols/
 * aws-query-protocol.html). Nothing is ignored: a parameter that the operation does not have is refused. Throws Refused
 * `validation`.
 */
export function unflatten(parameters: Parameters, members: Members): RawInput {
  const root: Node = { value: undefined, children: new Map() };
  for (const [name, value] of parameters) plant(root, name, value);
  return structure(root, members, '');
}

function plant(root: Node, name: string, value: string): void {
  const path = name.split('.', MAX_DEPTH + 1);
  if (path.length > MAX_DEPTH) throw invalid(`The parameter ${name} is nested too deeply.`);
  let node = root;
  for (const step of path) {
    let child = node.children.get(step);
    if (!child) {
      child = { value: undefined, children: new Map() };
      node.children.set(step, child);
    }
    node = child;
  }
  node.value = value;
}

function structure(node: Node, members: Members, prefix: string): RawInput {
  if (node.value !== undefined) throw invalid(`The parameter ${prefix} is a structure.`);
  const input: Record<string, RawValue> = {};
  for (const [name, child] of node.children) {
    const shape = Object.hasOwn(members, name) ? members[name] : undefined;
    if (!shape) throw invalid(`The parameter ${prefix}${name} is not one of this operation.`);
    input[name] = readValue(child, shape, prefix + name);
  }
  return input;
}

function readValue(node: Node, shape: Shape, name: string): RawValue {
  switch (shape.type) {
    case 'unsupported':
      return '';
    case 'structure':
      return structure(node, shape.members, `${name}.`);
    case 'list':
      return list(node, shape.of, name);
    case 'string':
      return leaf(node, name);
    case 'boolean': {
      const text = leaf(node, name).toLowerCase();
      if (text !== 'true' && text !== 'false') throw invalid(`The parameter ${name} is not a boolean.`);
      return text === 'true';
    }
    case 'integer': {
      const text = leaf(node, name);
      if (!INTEGER.test(text)) throw invalid(`The parameter ${name} is not an integer.`);
      return Number(text);
    }
  }
}

/** `.member.1`, `.member.2`, … without gaps; an empty list is sent as the bare name with an empty value. */
function list(node: Node, of: Shape, name: string): RawValue[] {
  if (node.value === '' && node.children.size === 0) return [];
  const items = node.children.get('member');
  if (node.value !== undefined || !items || node.children.size !== 1 || items.value !== undefined) {
    throw invalid(`The parameter ${name} is a list: ${name}.member.N.`);
  }
  for (const index of items.children.keys()) {
    if (!INDEX.test(index) || Number(index) > items.children.size) {
      throw invalid(`The members of the list ${name} are not numbered from 1.`);
    }
  }
  return Array.from({ length: items.children.size }, (_, i) =>
    readValue(items.children.get(String(i + 1))!, of, `${name}.member.${i + 1}`),
  );
}

function leaf(node: Node, name: string): string {
  if (node.value === undefined || node.children.size > 0) throw invalid(`The parameter ${name} has no members.`);
  return node.value;
}

function invalid(say: string): Refused<'validation'> {
  return new Refused('validation', { say, detail: say });
}
