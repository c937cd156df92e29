import { describe, expect, it } from 'vitest';
import { parseResourcePolicy } from './parse.ts';
import { publicStatement } from './public-access.ts';

const ROLE = 'arn:aws:iam::123456789012:role/reader';

function publicIn(statement: object, effect = 'Allow'): string | undefined {
  const Statement = [{ Sid: 'first', Effect: effect, Action: 'dsql:*', Resource: '*', ...statement }];
  return publicStatement(parseResourcePolicy(JSON.stringify({ Version: '2012-10-17', Statement })))?.name;
}

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: policy variables.
describe('a policy is public', () => {
  it.each([
    { Principal: '*' },
    { Principal: { AWS: '*' } },
    { Principal: { AWS: [ROLE, '*'] } },
    { Principal: '*', Condition: { IpAddress: { 'aws:SourceIp': '192.0.2.0/24' } } },
    { Principal: '*', Condition: { StringEquals: { 'aws:PrincipalTag/team': 'a' } } },
    { Principal: '*', Condition: { StringNotEquals: { 'aws:PrincipalAccount': '123456789012' } } },
    { Principal: '*', Condition: { StringEqualsIfExists: { 'aws:SourceVpc': 'vpc-1' } } },
    { Principal: '*', Condition: { 'ForAllValues:StringEquals': { 'aws:PrincipalOrgPaths': 'o-1/r-1/' } } },
    { Principal: '*', Condition: { StringLike: { 'aws:PrincipalOrgID': 'o-*' } } },
    { Principal: '*', Condition: { ArnLike: { 'aws:PrincipalArn': 'arn:aws:iam::123456789012:role/?' } } },
    { Principal: '*', Condition: { StringEquals: { 'aws:PrincipalAccount': ['123456789012', '${aws:userid}'] } } },
    { Principal: '*', Condition: { Bool: { 'aws:PrincipalIsAWSService': 'false' } } },
    { Principal: '*', Condition: { Null: { 'aws:SourceVpc': 'false' } } },
  ])('with %j', (statement) => {
    expect(publicIn(statement)).toBe('first');
  });
});

// biome-ignore-end lint/suspicious/noTemplateCurlyInString: policy variables.

describe('a policy is not public', () => {
  it.each([
    { Principal: { AWS: ROLE } },
    { Principal: { AWS: ['123456789012', 'arn:aws:iam::111122223333:root'] } },
    { Principal: { Service: 'dsql.amazonaws.com' } },
    { Principal: '*', Condition: { StringEquals: { 'AWS:PrincipalAccount': '123456789012' } } },
    { Principal: '*', Condition: { ArnLike: { 'aws:PrincipalArn': ROLE } } },
    { Principal: '*', Condition: { StringEquals: { 'aws:SourceVpc': ['vpc-1', 'vpc-2'] } } },
    { Principal: '*', Condition: { 'ForAnyValue:StringEquals': { 'aws:PrincipalOrgPaths': 'o-1/r-1/' } } },
    { Principal: '*', Condition: { Bool: { 'aws:PrincipalIsAWSService': 'true' } } },
    {
      Principal: '*',
      Condition: { IpAddress: { 'aws:SourceIp': '0.0.0.0/0' }, StringEquals: { 'aws:PrincipalOrgID': 'o-1' } },
    },
  ])('with %j', (statement) => {
    expect(publicIn(statement)).toBeUndefined();
  });

  it('with a Deny for everybody', () => {
    expect(publicIn({ Principal: '*', Condition: { Null: { 'aws:SourceVpc': 'true' } } }, 'Deny')).toBeUndefined();
    expect(publicIn({ NotPrincipal: { AWS: ROLE } }, 'Deny')).toBeUndefined();
  });
});
