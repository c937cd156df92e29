import type {
  IdentityPolicy,
  IdentityStatement,
  ResourcePolicy,
  ResourceStatement,
  Selection,
  TrustPolicy,
  TrustStatement,
} from './document.ts';
import { isArray, isObject, type Json, type JsonObject, parseJson, spanOf } from './json.ts';
import { malformed, quoted, syntax } from './malformed.ts';
import { parseConditions, templateOf } from './parse-condition.ts';
import { parsePrincipal } from './principal.ts';
import type { Piece } from './variables.ts';

/*
 * The grammar is the IAM User Guide's "Grammar of the IAM JSON policy language", read strictly: element names in their
 * own case, nothing unknown, and nothing that Postern would not enforce.
 */

const VERSIONS = ['2012-10-17', '2008-10-17'];
const COMMON_ELEMENTS = ['Sid', 'Effect', 'Action', 'NotAction', 'Condition'];
const MAX_STATEMENTS = 500;
const MAX_PATTERNS = 5000;

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
  return policyOf(text, identityStatement);
}

/** A role's AssumeRolePolicyDocument. Throws Refused `malformed-policy`, and nothing else. */
export function parseTrustPolicy(text: string): TrustPolicy {
  return policyOf(text, trustStatement);
}

/** The resource policy of a cluster. Throws Refused `malformed-policy`, and nothing else. */
export function parseResourcePolicy(text: string): ResourcePolicy {
  return policyOf(text, resourceStatement);
}

type Reader<Statement> = (statement: JsonObject, index: number, variables: boolean) => Statement;

function policyOf<Statement>(text: string, read: Reader<Statement>) {
  const { statements, variables } = statementsOf(text);
  return { text, variables, statements: statements.map((statement, index) => read(statement, index, variables)) };
}

const identityStatement: Reader<IdentityStatement> = (statement, index, variables) => {
  for (const name of ['Principal', 'NotPrincipal']) {
    if (statement.has(name)) throw malformed('Policy document should not specify a principal.');
  }
  const head = statementHead(statement, index, variables, ['Resource', 'NotResource']);
  return { ...head, actions: actionsOf(statement), resources: resourcesOf(statement, variables) };
};

const trustStatement: Reader<TrustStatement> = (statement, index, variables) => {
  for (const name of ['Resource', 'NotResource']) {
    if (statement.has(name)) throw malformed(`Has prohibited field ${name}`);
  }
  // IAM User Guide, "NotPrincipal": not in a role trust policy.
  if (statement.has('NotPrincipal')) throw malformed('Has prohibited field NotPrincipal');
  const head = statementHead(statement, index, variables, ['Principal']);
  const principal = statement.get('Principal');
  if (principal === undefined) throw malformed('Missing required field Principal');
  const actions = selection(statement, 'Action', 'Policy statement must contain actions.');
  if (actions.negated || !actions.patterns.every((action) => TRUST_ACTION.test(action))) {
    throw malformed('AssumeRole policy may only specify STS AssumeRole actions.');
  }
  return { ...head, actions, principals: parsePrincipal('Principal', principal) };
};

const resourceStatement: Reader<ResourceStatement> = (statement, index, variables) => {
  const head = statementHead(statement, index, variables, ['Resource', 'NotResource', 'Principal', 'NotPrincipal']);
  const notPrincipal = statement.has('NotPrincipal');
  if (notPrincipal && statement.has('Principal')) throw syntax('a statement has Principal or NotPrincipal, not both');
  // IAM User Guide, "NotPrincipal": using it with Allow is not supported.
  if (notPrincipal && head.effect === 'Allow') throw syntax('NotPrincipal must be used with "Effect": "Deny"');
  const element = notPrincipal ? 'NotPrincipal' : 'Principal';
  const principal = statement.get(element);
  if (principal === undefined) throw malformed('Missing required field Principal');
  return {
    ...head,
    actions: actionsOf(statement),
    resources: resourcesOf(statement, variables),
    principals: parsePrincipal(element, principal),
    notPrincipal,
  };
};

function statementsOf(text: string): { statements: JsonObject[]; variables: boolean } {
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
  const statements = list.map((item) => {
    if (!isObject(item)) throw syntax('a statement is an object');
    const sid = item.get('Sid');
    if (typeof sid === 'string' && sid !== '') {
      if (sids.has(sid)) throw malformed('Statement IDs (SID) in a single policy must be unique.');
      sids.add(sid);
    }
    return item;
  });
  return { statements, variables: document.get('Version') === VERSIONS[0] };
}

function statementHead(
  statement: JsonObject,
  index: number,
  variables: boolean,
  elements: readonly string[],
): Omit<TrustStatement, 'actions' | 'principals'> {
  for (const name of statement.keys()) {
    if (!COMMON_ELEMENTS.includes(name) && !elements.includes(name)) throw syntax(`unknown element ${quoted(name)}`);
  }
  const sid = statement.get('Sid') ?? '';
  if (typeof sid !== 'string' || !SID.test(sid)) {
    throw malformed(
      'Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*',
    );
  }
  const effect = statement.get('Effect');
  if (effect !== 'Allow' && effect !== 'Deny') throw syntax('Effect must be "Allow" or "Deny"');
  return {
    name: sid === '' ? `#${index + 1}` : sid,
    effect,
    conditions: parseConditions(statement.get('Condition'), variables),
    span: spanOf(statement),
  };
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

function actionsOf(statement: JsonObject): Selection {
  const actions = selection(statement, 'Action', 'Policy statement must contain actions.');
  for (const action of actions.patterns) {
    if (ACTION.test(action)) continue;
    throw malformed(
      action.includes(':')
        ? `The action ${quoted(action)} is not valid.`
        : 'Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.',
    );
  }
  return actions;
}

function resourcesOf(statement: JsonObject, variables: boolean): Selection {
  const resources = selection(statement, 'Resource', 'Policy statement must contain resources.');
  for (const resource of resources.patterns) {
    if (resource === '*') continue;
    const shape = templateOf(resource, variables).map(shapeOf).join('');
    if (!RESOURCE.test(shape) || !PRINTABLE.test(shape)) {
      throw malformed(`Resource ${quoted(resource)} must be in ARN format or "*".`);
    }
  }
  return resources;
}

/** A variable may stand where a name may, not in the partition or the service. */
function shapeOf(piece: Piece): string {
  return typeof piece === 'string' ? piece : '_';
}
