/** Random statements over a small world, so that they often have to do with each other. */
import fc from 'fast-check';
import { ACCOUNT, CALLERS, type CallerName, CLUSTER } from './tables.ts';

export const one = <T>(...options: T[]): fc.Arbitrary<T> => fc.constantFrom(...options);
export const some = <T>(...options: T[]): fc.Arbitrary<T | T[]> =>
  fc.oneof(one(...options), fc.uniqueArray(one(...options), { minLength: 1, maxLength: 3 }));

const actions = some(
  '*',
  '*',
  'dsql:*',
  'dsql:DbConnect',
  'dsql:db*',
  'DSQL:dbconnectadmin',
  'iam:*',
  'dsql:?bConnect',
);
// biome-ignore-start lint/suspicious/noTemplateCurlyInString: policy variables.
const resources = some(
  '*',
  CLUSTER,
  `arn:aws:dsql:us-east-1:${ACCOUNT}:cluster/${'${aws:PrincipalTag/team}'}*`,
  'arn:aws:s3:::*',
);
const texts = some('red', 'r*', 'blue', '${aws:UserAgent}', "${aws:UserAgent, 'red'}", '${*}');
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: policy variables.
const key = one('aws:RequestTag/color', 'aws:PrincipalTag/team', 'aws:TagKeys', 'aws:UserAgent');
const prefix = one('', '', 'ForAllValues:', 'ForAnyValue:');
const suffix = one('', 'IfExists');
const typed = (operators: string[], values: fc.Arbitrary<unknown>) =>
  fc.tuple(prefix, one(...operators), suffix, key, values).map(([before, operator, after, on, value]) => ({
    [before + operator + after]: { [on]: value },
  }));
const condition = fc.oneof(
  typed(['StringEquals', 'StringNotEquals', 'StringLike', 'StringNotLike', 'StringEqualsIgnoreCase'], texts),
  typed(['NumericEquals', 'NumericNotEquals', 'NumericLessThan', 'NumericGreaterThan'], some('1', '10')),
  typed(['IpAddress', 'NotIpAddress'], some('10.0.0.0/8', '2001:db8::/32')),
  typed(['DateLessThan', 'DateGreaterThanEquals', 'DateNotEquals'], some('2026-01-01', '1772366400')),
  typed(['ArnLike', 'ArnNotLike'], some(CALLERS.alice.arn, 'arn:aws:iam::*:role/*')),
  typed(['Bool'], some('true', 'false')),
  fc.tuple(key, one('true', 'false')).map(([on, value]) => ({ Null: { [on]: value } })),
);

export function statementOf(effect: fc.Arbitrary<'Allow' | 'Deny'>): fc.Arbitrary<object> {
  return fc
    .record({
      effect,
      actions,
      resources,
      notAction: fc.boolean(),
      notResource: fc.boolean(),
      conditions: fc.oneof(fc.constant([]), fc.array(condition, { maxLength: 2 })),
    })
    .map((drawn) => ({
      Effect: drawn.effect,
      [drawn.notAction ? 'NotAction' : 'Action']: drawn.actions,
      [drawn.notResource ? 'NotResource' : 'Resource']: drawn.resources,
      ...(drawn.conditions.length > 0 && { Condition: Object.assign({}, ...drawn.conditions) as object }),
    }));
}

const named = some<string>(
  ACCOUNT,
  ...Object.values(CALLERS).flatMap(({ kind, arn, principalArn }) =>
    kind === 'web-identity' ? [] : [arn, principalArn],
  ),
);
const principal = fc.oneof(
  one('*'),
  named.map((AWS) => ({ AWS })),
);

/** With a Principal, or, where it denies, with a NotPrincipal. */
export function resourceStatementOf(effect: fc.Arbitrary<'Allow' | 'Deny'>): fc.Arbitrary<object> {
  return fc.tuple(statementOf(effect), principal, fc.boolean()).map(([statement, who, negated]) => ({
    ...statement,
    [negated && 'Effect' in statement && statement.Effect === 'Deny' ? 'NotPrincipal' : 'Principal']: who,
  }));
}

export const anyEffect = one<'Allow' | 'Deny'>('Allow', 'Allow', 'Allow', 'Deny');
export const statements = fc.array(statementOf(anyEffect), { minLength: 1, maxLength: 4 });
export const callers = one<CallerName>('alice', 'bob', 'reader', 'reader2', 'guest', 'root');

const value = one('red', 'blue', '1', '10', '10.1.2.3', '2026-01-01', CALLERS.alice.arn, 'true', '', '*');
export const contexts = fc.dictionary(
  one('aws:requesttag/color', 'aws:principaltag/team', 'aws:tagkeys', 'aws:useragent'),
  fc.array(value, { maxLength: 3 }),
);
export const questions = fc.record({
  as: callers,
  do: one('dsql:DbConnect', 'dsql:DbConnectAdmin', 'iam:GetUser'),
  on: one(CLUSTER, CLUSTER.slice(0, -1), '*'),
  with: contexts,
});
