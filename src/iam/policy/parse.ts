import { Refused } from '../../refused.ts';
import type { Effect, IdentityPolicy, IdentityStatement, Selection, TrustPolicy, TrustStatement } from './document.ts';
import { isArray, isObject, type Json, type JsonObject, parseJson } from './json.ts';
import { parsePrincipal } from './principal.ts';

/*
 * The grammar is the IAM User Guide's "Grammar of the IAM JSON policy language", read strictly: element names in their
 * own case, nothing unknown, and nothing that Postern would not enforce. Not enforced yet, hence refused and never
 * ignored: Condition, NotPrincipal, policy variables, federated principals.
 */

const VERSIONS = ['2012-10-17', '2008-10-17'];
const MAX_STATEMENTS = 500;
const MAX_PATTERNS = 2000;

const SID = /^[0-9A-Za-z]*$/;
const ACTION = /^(?:\*|(?:\*|[a-z0-9][a-z0-9-]{0,62}):[A-Za-z0-9*?]{1,128})$/i;
const TRUST_ACTION = /^sts:[A-Za-z0-9*?]{1,128}$/i;
/** Partition, service and at least one more segment; all six segments unless the last one ends with a star. */
const RESOURCE = /^arn:[a-z0-9*?-]{1,32}:[a-z0-9-]{1,63}:(?:[^:]*:[^:]*:.+|.*\*)$/s;
const PRINTABLE = /^[\u0020-\u007e\u00a1-\uffff]+$/;

/** Characters of a policy as IAM counts them for its quotas: without white space. */
export function policySize(text: string): number {
  return text.replace(/[ \t\n\r]/g, '').length;
}

/** A policy of a user or role. Throws Refused `malformed-policy`, and nothing else. */
export function parseIdentityPolicy(text: string): IdentityPolicy {
  return { statements: statementsOf(text).map(identityStatement) };
}

/** A role's AssumeRolePolicyDocument. Throws Refused `malformed-policy`, and nothing else. */
export function parseTrustPolicy(text: string): TrustPolicy {
  return { statements: statementsOf(text).map(trustStatement) };
}

function identityStatement(statement: JsonObject, index: number): IdentityStatement {
  for (const name of ['Principal', 'NotPrincipal']) {
    if (statement.has(name)) throw malformed('Policy document should not specify a principal.');
  }
  const head = statementHead(statement, index, ['Action', 'NotAction', 'Resource', 'NotResource']);
  const actions = selection(statement, 'Action', 'Policy statement must contain actions.');
  const resources = selection(statement, 'Resource', 'Policy statement must contain resources.');
  for (const action of actions.patterns) checkAction(action);
  for (const resource of resources.patterns) checkResource(resource);
  return { ...head, actions, resources };
}

function trustStatement(statement: JsonObject, index: number): TrustStatement {
  for (const name of ['Resource', 'NotResource']) {
    if (statement.has(name)) throw malformed(`Has prohibited field ${name}`);
  }
  if (statement.has('NotPrincipal')) throw unsupported('NotPrincipal');
  const head = statementHead(statement, index, ['Action', 'NotAction', 'Principal']);
  const principal = statement.get('Principal');
  if (principal === undefined) throw malformed('Missing required field Principal');
  const actions = selection(statement, 'Action', 'Policy statement must contain actions.');
  if (actions.negated || !actions.patterns.every((action) => TRUST_ACTION.test(action))) {
    throw malformed('AssumeRole policy may only specify STS AssumeRole actions.');
  }
  return { ...head, actions, principals: parsePrincipal(principal) };
}

function statementsOf(text: string): JsonObject[] {
  const document = parseJson(text);
  if (!isObject(document)) throw syntax('a policy is an object');
  for (const [name, value] of document) {
    if (name === 'Version') {
      if (typeof value !== 'string' || !VERSIONS.includes(value)) {
        throw syntax(`Version must be ${VERSIONS.join(' or ')}`);
      }
    } else if (name === 'Id') {
      if (typeof value !== 'string') throw syntax('Id must be a string');
    } else if (name !== 'Statement') {
      throw syntax(`unknown element ${quoted(name)}`);
    }
  }
  const statement = document.get('Statement');
  if (statement === undefined) throw syntax('missing element Statement');
  const list = isArray(statement) ? statement : [statement];
  if (list.length === 0) throw syntax('the element Statement is empty');
  if (list.length > MAX_STATEMENTS) throw syntax(`more than ${MAX_STATEMENTS} statements`);
  const sids = new Set<string>();
  return list.map((item) => {
    if (!isObject(item)) throw syntax('a statement is an object');
    const sid = item.get('Sid');
    if (typeof sid === 'string' && sid !== '') {
      if (sids.has(sid)) throw malformed('Statement IDs (SID) in a single policy must be unique.');
      sids.add(sid);
    }
    return item;
  });
}

function statementHead(
  statement: JsonObject,
  index: number,
  elements: readonly string[],
): { name: string; effect: Effect } {
  for (const name of statement.keys()) {
    if (name === 'Condition') throw unsupported(name);
    if (name !== 'Sid' && name !== 'Effect' && !elements.includes(name))
      throw syntax(`unknown element ${quoted(name)}`);
  }
  const sid = statement.get('Sid') ?? '';
  if (typeof sid !== 'string' || !SID.test(sid)) {
    throw malformed(
      'Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*',
    );
  }
  const effect = statement.get('Effect');
  if (effect !== 'Allow' && effect !== 'Deny') throw syntax('Effect must be "Allow" or "Deny"');
  return { name: sid === '' ? `#${index + 1}` : sid, effect };
}

/** Exactly one of `Action` and `NotAction`, or of `Resource` and `NotResource`. */
function selection(statement: JsonObject, element: 'Action' | 'Resource', missing: string): Selection {
  const negated = `Not${element}`;
  if (statement.has(element) && statement.has(negated)) {
    throw syntax(`a statement has ${element} or ${negated}, not both`);
  }
  const value: Json | undefined = statement.get(element) ?? statement.get(negated);
  if (value === undefined) throw malformed(missing);
  const patterns = isArray(value) ? value : [value];
  if (patterns.length === 0) throw malformed(missing);
  if (patterns.length > MAX_PATTERNS) throw syntax(`more than ${MAX_PATTERNS} values in ${element}`);
  return {
    negated: statement.has(negated),
    patterns: patterns.map((pattern) => {
      if (typeof pattern !== 'string') throw syntax(`${element} takes a string or a list of strings`);
      return pattern;
    }),
  };
}

function checkAction(action: string): void {
  if (ACTION.test(action)) return;
  throw malformed(
    action.includes(':')
      ? `The action ${quoted(action)} is not valid.`
      : 'Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.',
  );
}

function checkResource(resource: string): void {
  if (resource === '*') return;
  if (resource.includes('${')) throw unsupported(`policy variable in ${quoted(resource)}`);
  if (!RESOURCE.test(resource) || !PRINTABLE.test(resource)) {
    throw malformed(`Resource ${quoted(resource)} must be in ARN format or "*".`);
  }
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 128 ? `${text.slice(0, 128)}…` : text);
}

function unsupported(element: string): Refused<'malformed-policy'> {
  return syntax(`the element ${element} is not supported`);
}

function syntax(detail: string): Refused<'malformed-policy'> {
  return malformed(`Syntax error in policy: ${detail}.`);
}

function malformed(say: string): Refused<'malformed-policy'> {
  return new Refused('malformed-policy', { say, detail: say });
}
