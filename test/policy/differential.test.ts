import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Decision } from '../../src/iam/identity.ts';
import { askOracle, type OracleQuestion } from './oracle.ts';
import {
  ACCOUNT,
  CALLERS,
  type Case,
  CLUSTER,
  type ConditionCase,
  contextRecord,
  decideCase,
  documentOf,
  GROUP_FILES,
  type Group,
  readCases,
  resourceNamed,
} from './tables.ts';

/** A row where the other implementation answers otherwise, and why it is not followed. Patterns match the whole row. */
interface Difference {
  table: string;
  about?: string;
  /** Within the row's JSON. */
  rows?: string;
  oracle: Decision['effect'];
  why: string;
}

interface Row {
  table: string;
  about: string;
  row: string;
  expected: Decision['effect'];
  question: OracleQuestion;
}

function questionOf(group: Group, asked: Case): OracleQuestion {
  const named = asked.as ?? 'alice';
  const own = (statements: object[] | undefined) => statements && documentOf(group, statements);
  const identity = named === 'root' || named === 'web' ? undefined : own(group.identity);
  return {
    principal: CALLERS[named].arn,
    action: asked.do,
    resource: resourceNamed(asked.on),
    context: contextRecord(asked.with),
    identity: identity === undefined ? [] : [identity],
    boundary: group.boundary && [own(group.boundary)!],
    session: own(group.session),
    resourcePolicy: own(group.resource) ?? own(group.trust),
  };
}

function conditionRow(condition: ConditionCase): Row {
  const { if: Condition, has, in: effect = 'Allow', holds } = condition;
  const key = Object.keys(Object.values(Condition)[0]!)[0]!;
  const statement = { Sid: 'S', Effect: effect, Action: '*', Resource: '*', Condition };
  const all = { Sid: 'All', Effect: 'Allow', Action: '*', Resource: '*' };
  const group: Group = { about: '', identity: effect === 'Deny' ? [all, statement] : [statement], cases: [] };
  const asked: Case = {
    do: 'dsql:DbConnect',
    is: 'allowed',
    for: '',
    ...(has && { with: { [key.toLowerCase()]: has } }),
  };
  const expected = holds === (effect === 'Allow') ? 'allowed' : effect === 'Deny' ? 'explicit-deny' : 'implicit-deny';
  return {
    table: 'operators',
    about: '',
    row: JSON.stringify(condition),
    expected,
    question: questionOf(group, asked),
  };
}

const rows: Row[] = [
  ...readCases<ConditionCase>('operators').map(conditionRow),
  ...GROUP_FILES.flatMap((table) =>
    readCases<Group>(table).flatMap((group) =>
      group.cases.map((asked) => ({
        table,
        about: group.about,
        row: JSON.stringify(asked),
        expected: asked.is,
        question: questionOf(group, asked),
      })),
    ),
  ),
];

describe('another implementation of IAM', () => {
  it('agrees about every row of the decision tables, but for the known differences', async () => {
    const differences = readCases<Difference>('oracle-differences');
    const used = new Set<Difference>();
    const unknown: string[] = [];
    let agreed = 0;
    for (const { table, about, row, expected, question } of rows) {
      const answer = await askOracle(question);
      if (answer === 'fails') continue;
      if (answer === expected) {
        agreed += 1;
        continue;
      }
      const known = differences.find(
        (each) =>
          each.oracle === answer &&
          new RegExp(`^(?:${each.table})$`).test(table) &&
          new RegExp(`^(?:${each.about ?? '.*'})$`, 's').test(about) &&
          new RegExp(each.rows ?? '').test(row),
      );
      if (known) used.add(known);
      else unknown.push(`${answer}: ${table}: ${about}: ${row}`);
    }
    expect(unknown).toEqual([]);
    expect(differences.filter((each) => !used.has(each))).toEqual([]);
    // Rows that it cannot be asked about are few.
    expect(agreed).toBeGreaterThan(rows.length * 0.8);
  });

  /** What both read the same way: no row of the known differences can come of these. */
  const one = <T>(...options: T[]) => fc.constantFrom(...options);
  const some = <T>(...options: T[]) =>
    fc.oneof(one(...options), fc.uniqueArray(one(...options), { minLength: 1, maxLength: 3 }));
  const single = one('aws:RequestTag/color', 'aws:UserAgent', 'aws:PrincipalTag/team');
  const quantified = one('ForAllValues:', 'ForAnyValue:');
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a policy variable.
  const text = one('red', 'blue', 'r*', '?ed', '*', 'Red', "${aws:PrincipalTag/team, 'none'}");
  const stringOperator = one(
    'StringEquals',
    'StringNotEquals',
    'StringEqualsIgnoreCase',
    'StringNotEqualsIgnoreCase',
    'StringLike',
    'StringNotLike',
  );
  const values = fc.oneof(text, fc.uniqueArray(text, { minLength: 1, maxLength: 3 }));
  const condition = fc.oneof(
    fc
      .tuple(stringOperator, one('', 'IfExists'), single, values)
      .map(([operator, suffix, key, value]) => ({ [operator + suffix]: { [key]: value } })),
    fc
      .tuple(quantified, stringOperator, values)
      .map(([prefix, operator, value]) => ({ [prefix + operator]: { 'aws:TagKeys': value } })),
    fc
      .tuple(
        one('NumericEquals', 'NumericNotEquals', 'NumericLessThan', 'NumericGreaterThanEquals'),
        one('', 'IfExists'),
        some('1', '10', '2.5'),
      )
      .map(([operator, suffix, value]) => ({ [operator + suffix]: { 'sts:DurationSeconds': value } })),
    fc
      .tuple(one('IpAddress', 'NotIpAddress'), some('10.0.0.0/8', '10.1.0.0/16', '192.0.2.0/24', '2001:db8::/32'))
      .map(([operator, value]) => ({ [operator]: { 'aws:SourceIp': value } })),
    fc
      .tuple(one('DateLessThan', 'DateGreaterThan', 'DateEquals'), one('2026-01-01T00:00:00Z', '2026-06-01T00:00:00Z'))
      .map(([operator, value]) => ({ [operator]: { 'aws:CurrentTime': value } })),
    fc
      .tuple(
        one('ArnEquals', 'ArnLike', 'ArnNotEquals', 'ArnNotLike'),
        some(`arn:aws:iam::${ACCOUNT}:user/*`, 'arn:aws:iam::*:user/a?ice', 'arn:aws:iam::1:role/*'),
      )
      .map(([operator, value]) => ({ [operator]: { 'aws:PrincipalArn': value } })),
    fc
      .tuple(one('Bool', 'BoolIfExists'), one('true', 'false'))
      .map(([operator, value]) => ({ [operator]: { 'aws:SecureTransport': value } })),
    fc.tuple(single, one('true', 'false')).map(([key, value]) => ({ Null: { [key]: value } })),
  );
  const statement = fc
    .record({
      Effect: one('Allow', 'Allow', 'Deny'),
      action: some('*', 'dsql:*', 'dsql:DbConnect', 'dsql:db*', 'DSQL:dbconnectadmin', 'iam:*', 'dsql:?bConnect'),
      resource: some(
        '*',
        CLUSTER,
        'arn:aws:dsql:*:*:cluster/*',
        `arn:aws:dsql:us-east-1:${ACCOUNT}:cluster/abc*`,
        'arn:aws:s3:::*',
      ),
      notAction: fc.boolean(),
      notResource: fc.boolean(),
      conditions: fc.array(condition, { maxLength: 2 }),
    })
    .map(({ Effect, action, resource, notAction, notResource, conditions }) => ({
      Effect,
      [notAction ? 'NotAction' : 'Action']: action,
      [notResource ? 'NotResource' : 'Resource']: resource,
      ...(conditions.length > 0 && { Condition: Object.assign({}, ...conditions) as object }),
    }));
  const statements = fc.array(statement, { minLength: 1, maxLength: 4 });
  const value = one('red', 'blue', 'Red', 'none', 'r*');
  const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
  const context = fc
    .record({
      'aws:requesttag/color': maybe(value),
      'aws:useragent': maybe(value),
      'aws:principaltag/team': maybe(value),
      'aws:tagkeys': maybe(fc.uniqueArray(value, { minLength: 2, maxLength: 3 })),
      'sts:durationseconds': maybe(one('1', '5', '10', '2.50')),
      'aws:sourceip': one('10.1.2.3', '10.2.2.3', '192.0.2.1', '2001:db8::5', '203.0.113.1'),
      'aws:currenttime': one('2026-03-01T00:00:00.000Z', '2026-06-01T00:00:00.000Z'),
      'aws:principalarn': one(CALLERS.alice.arn),
      'aws:securetransport': maybe(one('true', 'false')),
    })
    .map((record) =>
      Object.fromEntries(Object.entries(record).flatMap(([key, found]) => (found === undefined ? [] : [[key, found]]))),
    );
  const asked = fc.tuple(
    one('dsql:DbConnect', 'dsql:DbConnectAdmin', 'dsql:GetCluster'),
    one(CLUSTER, CLUSTER.slice(0, -1)),
  );

  it('agrees about random policies of users, with and without a boundary', async () => {
    await fc.assert(
      fc.asyncProperty(
        statements,
        maybe(statements),
        context,
        asked,
        async (identity, boundary, found, [action, resource]) => {
          const group: Group = { about: '', identity, ...(boundary && { boundary }), cases: [] };
          const row: Case = { do: action, on: resource, with: found, is: 'allowed', for: '' };
          expect(decideCase(group, row).effect).toBe(await askOracle(questionOf(group, row)));
        },
      ),
      { numRuns: 1500, seed: 3 },
    );
  });
});
