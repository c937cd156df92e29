import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Refused } from '../../refused.ts';
import { parseIdentityPolicy, parseResourcePolicy, parseTrustPolicy, policySize } from './parse.ts';

const valid = { Effect: 'Allow', Action: 's3:Get*', Resource: '*' };
const policy = (statement: object | object[], more: object = {}) => JSON.stringify({ Statement: statement, ...more });
const V2012 = { Version: '2012-10-17' };
const trusted = { Effect: 'Allow', Principal: '*', Action: 'sts:AssumeRole' };

/** What the policy is refused with, for the client. */
function refusal(parse: (text: string) => unknown, text: string): string {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof Refused && error.kind === 'malformed-policy') return error.say ?? '';
    throw error;
  }
  throw new Error('the policy was accepted');
}

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: policy variables.
describe('identity policies', () => {
  it('are read with all that is supported', () => {
    const text = policy(
      [
        { Sid: 'First', ...valid, Action: ['s3:Get?', 'S3:LIST*'] },
        { Sid: '', Effect: 'Deny', NotAction: '*', NotResource: ['arn:aws:s3:::b/*', 'arn:aws:dsql:*'] },
      ],
      { Version: '2012-10-17', Id: 'any' },
    );
    expect(parseIdentityPolicy(text).statements).toEqual([
      {
        name: 'First',
        effect: 'Allow',
        actions: { negated: false, patterns: ['s3:Get?', 'S3:LIST*'] },
        resources: { negated: false, patterns: ['*'] },
        conditions: [],
        span: { start: 14, end: text.indexOf('},{') + 1 },
      },
      {
        name: '#2',
        effect: 'Deny',
        actions: { negated: true, patterns: ['*'] },
        resources: { negated: true, patterns: ['arn:aws:s3:::b/*', 'arn:aws:dsql:*'] },
        conditions: [],
        span: { start: text.indexOf('},{') + 2, end: text.indexOf('}],') + 1 },
      },
    ]);
  });

  it.each([
    ['', /Syntax errors/],
    ['null', /a policy is an object/],
    ['[]', /a policy is an object/],
    ['{}', /missing element Statement/],
    ['{"Statement":[]}', /Statement is empty/],
    ['{"Statement":[1]}', /a statement is an object/],
    [`${policy(valid)}x`, /Syntax errors/],
    ['{"Statement":{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}}', /"Effect" stands twice/],
    ['{"Statement":{"Effect":"Deny","\\u0045ffect":"Allow","Action":"*","Resource":"*"}}', /"Effect" stands twice/],
    ['{"Statement":{"__proto__":{},"Effect":"Allow","Action":"*","Resource":"*"}}', /unknown element "__proto__"/],
    [policy(valid, { Version: '2012-10-18' }), /Version must be/],
    [policy(valid, { version: '2012-10-17' }), /unknown element "version"/],
    [policy(valid, { Id: 1 }), /Id must be a string/],
    [policy({ ...valid, Effect: 'allow' }), /Effect must be/],
    [policy({ ...valid, Effect: undefined }), /Effect must be/],
    [policy({ ...valid, Sid: 'a b' }), /must be alpha-numeric/],
    [
      policy([
        { ...valid, Sid: 'a' },
        { ...valid, Sid: 'a' },
      ]),
      /must be unique/,
    ],
    [policy({ ...valid, Action: undefined }), /must contain actions/],
    [policy({ ...valid, Action: [] }), /must contain actions/],
    [policy({ ...valid, NotAction: 's3:*' }), /Action or NotAction, not both/],
    [policy({ ...valid, Action: 1 }), /takes a string/],
    [policy({ ...valid, Action: 'GetObject' }), /prefaced by a vendor/],
    [policy({ ...valid, Action: 's3:Get Object' }), /is not valid/],
    [policy({ ...valid, Action: 's?:GetObject' }), /is not valid/],
    [policy({ ...valid, Resource: undefined }), /must contain resources/],
    [policy({ ...valid, NotResource: '*' }), /Resource or NotResource, not both/],
    [policy({ ...valid, Resource: 'bucket' }), /must be in ARN format/],
    [policy({ ...valid, Resource: 'arn:aws:s3' }), /must be in ARN format/],
    [policy({ ...valid, Resource: 'arn:aws:*:us-east-1:1:x' }), /must be in ARN format/],
    [policy({ ...valid, Resource: 'arn:aws:s3:::b/${aws:username' }, V2012), /invalid policy variable in/],
    [policy({ ...valid, Resource: 'arn:aws:s3:::b/${}' }, V2012), /invalid policy variable in/],
    [policy({ ...valid, Resource: 'arn:aws:s3:::b/${a:b, default}' }, V2012), /invalid policy variable in/],
    [policy({ ...valid, Resource: '${aws:username}' }, V2012), /must be in ARN format/],
    [policy({ ...valid, Resource: 'arn:aws:${aws:username}:::b' }, V2012), /must be in ARN format/],
    [policy({ ...valid, Condition: [] }), /Condition must be an object/],
    [policy({ ...valid, Condition: { StringEquals: 1 } }), /"StringEquals" must be an object/],
    [policy({ ...valid, Condition: { StringEquals: {} } }), /"StringEquals" has no keys/],
    [policy({ ...valid, Condition: { StringEquals: { 'aws:x': [] } } }), /on "aws:x" has no values/],
    [policy({ ...valid, Condition: { StringEquals: { 'aws:x': null } } }), /takes strings, numbers and booleans/],
    [policy({ ...valid, Condition: { StringEquals: { 'aws:x': [['a']] } } }), /takes strings, numbers and booleans/],
    [policy({ ...valid, Condition: { StringEquals: { username: 'a' } } }), /prefaced by a vendor/],
    [policy({ ...valid, Condition: { StringEquals: { 'aws:x/${aws:y}': 'a' } } }), /condition key .* is not valid/],
    [policy({ ...valid, Condition: { StringEquals: { 'aws:x ': 'a' } } }), /condition key .* is not valid/],
    [policy({ ...valid, Condition: { StringMatches: { 'aws:x': 'a' } } }), /no condition operator "StringMatches"/],
    [policy({ ...valid, Condition: { 'ForSome:StringLike': { 'aws:x': 'a' } } }), /no condition operator/],
    [policy({ ...valid, Condition: { NullIfExists: { 'aws:x': 'true' } } }), /no condition operator/],
    [policy({ ...valid, Condition: { 'ForAnyValue:Null': { 'aws:x': 'true' } } }), /no condition operator/],
    [policy({ ...valid, Condition: { constructor: { 'aws:x': 'a' } } }), /no condition operator "constructor"/],
    ...(
      [
        ['NumericEquals', '1e3'],
        ['NumericLessThan', '${aws:x}'],
        ['NumericGreaterThan', ''],
        ['DateLessThan', '2024'],
        ['DateEquals', '2024-02-30'],
        ['DateEquals', '2024-01-01T24:00:00Z'],
        ['DateEquals', 'yesterday'],
        ['Bool', 'yes'],
        ['Null', 'maybe'],
        ['BinaryEquals', 'a'],
        ['IpAddress', '10.0.0.0/33'],
        ['IpAddress', '10.0.0'],
        ['IpAddress', '010.0.0.1'],
        ['IpAddress', '2001:db8::/129'],
        ['NotIpAddress', '1::2::3'],
        ['ArnLike', 'arn:aws:iam::*'],
        ['ArnNotEquals', 'role/*'],
        ['StringEquals', '${aws:x'],
      ] as const
    ).map(([operator, value]): [string, RegExp] => [
      policy({ ...valid, Condition: { [operator]: { 'aws:x': value } } }, V2012),
      value === '${aws:x' ? /invalid policy variable/ : /is not a value that the condition/,
    ]),
    [policy({ ...valid, Principal: '*' }), /should not specify a principal/],
    [policy({ ...valid, NotPrincipal: '*' }), /should not specify a principal/],
    [policy({ ...valid, Extra: 1 }), /unknown element "Extra"/],
    [policy(Array.from({ length: 501 }, () => valid)), /more than 500 statements/],
    [`{"Statement":${'['.repeat(100_000)}`, /nested deeper/],
    [`[${'1,'.repeat(30_000)}1]`, /more than 20000 values/],
    [' '.repeat(131_073), /longer than/],
    ['{"Statement":"\u0000"}', /unexpected character at offset 13/],
    ['{"Statement":01}', /unexpected character/],
    ['{"Statement":"\\x"}', /unexpected character/],
  ])('refuses %j', (text, expected) => {
    expect(refusal(parseIdentityPolicy, text)).toMatch(expected);
  });

  it('throws nothing but refusals at hostile text', () => {
    const fragments = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"Statement"',
      '"Effect"',
      '"Allow"',
      '"Action"',
      '"*"',
      '"a:*"',
      '"Principal"',
      '"AWS"',
      '1e999',
      'null',
      '"\\ud800"',
      '\\',
      '"',
    );
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(fragments, { maxLength: 40 }).map((parts) => parts.join('')),
      fc.json(),
      fc.jsonValue().map((value) => policy(value as object)),
    );
    fc.assert(
      fc.property(text, (hostile) => {
        for (const parse of [parseIdentityPolicy, parseTrustPolicy]) {
          try {
            parse(hostile);
          } catch (error) {
            expect(error).toBeInstanceOf(Refused);
            expect((error as Refused).kind).toBe('malformed-policy');
          }
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('reads the largest hostile policy quickly', () => {
    const started = performance.now();
    for (const text of ['['.repeat(131_072), `"${'\\'.repeat(131_070)}`, '9'.repeat(131_072), ' '.repeat(131_072)]) {
      expect(refusal(parseIdentityPolicy, text)).toMatch(/Syntax errors/);
    }
    const resource = `arn:aws:s3:${'*'.repeat(130_000)}!`;
    expect(refusal(parseIdentityPolicy, policy({ ...valid, Resource: resource }))).toMatch(/must be in ARN format/);
    expect(performance.now() - started).toBeLessThan(1000);
  });
});
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: policy variables.

describe('trust policies', () => {
  it('name their principals in every form', () => {
    const Principal = {
      AWS: [
        '*',
        '123456789012',
        'arn:aws:iam::123456789012:root',
        'arn:aws:iam::123456789012:user/a/b',
        'arn:aws:iam::123456789012:role/r',
        'arn:aws:sts::123456789012:assumed-role/r/s@x',
        'arn:aws:sts::123456789012:federated-user/fed',
      ],
      Federated: ['arn:aws:iam::123456789012:oidc-provider/id.example.com/a', 'accounts.google.com'],
      Service: 'ec2.amazonaws.com',
    };
    const account = '123456789012';
    expect(parseTrustPolicy(policy({ ...trusted, Principal })).statements[0]!.principals).toEqual([
      { type: 'everyone' },
      { type: 'account', account },
      { type: 'account', account },
      { type: 'user', account, path: '/a/', name: 'b', arn: Principal.AWS[3] },
      { type: 'role', account, path: '/', name: 'r', arn: Principal.AWS[4] },
      { type: 'session', account, roleName: 'r', arn: Principal.AWS[5] },
      { type: 'federated-user', account, arn: Principal.AWS[6] },
      { type: 'federated', provider: Principal.Federated[0] },
      { type: 'federated', provider: Principal.Federated[1] },
      { type: 'service', service: 'ec2.amazonaws.com' },
    ]);
  });

  it.each([
    [{ ...trusted, Principal: undefined }, /Missing required field Principal/],
    [{ ...trusted, Principal: {} }, /Principal must be/],
    [{ ...trusted, Principal: 'someone' }, /Principal must be/],
    [{ ...trusted, Principal: { AWS: [] } }, /names nobody/],
    [{ ...trusted, Principal: { AWS: 'someone' } }, /^Invalid principal in policy: "AWS":"someone"$/],
    [{ ...trusted, Principal: { AWS: 'arn:aws:iam::123456789012:role/*' } }, /^Invalid principal/],
    [{ ...trusted, Principal: { Service: 'nobody' } }, /^Invalid principal in policy: "SERVICE":"nobody"$/],
    [{ ...trusted, Principal: { Federated: 'x' } }, /^Invalid principal in policy: "FEDERATED":"x"$/],
    [{ ...trusted, Principal: { Federated: '*' } }, /^Invalid principal in policy: "FEDERATED":"\*"$/],
    [{ ...trusted, Principal: { CanonicalUser: 'x' } }, /CanonicalUser is not supported/],
    [{ ...trusted, Principal: { Other: 'x' } }, /unknown Principal type "Other"/],
    [{ ...trusted, NotPrincipal: '*' }, /prohibited field NotPrincipal/],
    [{ ...trusted, Resource: '*' }, /prohibited field Resource/],
    [{ ...trusted, Condition: { StringEquals: 'a' } }, /must be an object/],
    [{ ...trusted, Action: '*' }, /may only specify STS/],
    [{ ...trusted, Action: undefined, NotAction: 'sts:TagSession' }, /may only specify STS/],
  ])('refuses %j', (statement, expected) => {
    expect(refusal(parseTrustPolicy, policy(statement))).toMatch(expected);
  });
});

describe('resource policies', () => {
  const named = { Effect: 'Deny', Principal: '*', Action: 'dsql:*', Resource: '*' };

  it('name whom they are about, or whom not', () => {
    const read = (statement: object) => parseResourcePolicy(policy(statement)).statements[0]!;
    expect(read(named)).toMatchObject({ principals: [{ type: 'everyone' }], notPrincipal: false });
    const others = { ...named, Principal: undefined, NotPrincipal: { AWS: '123456789012' } };
    expect(read(others)).toMatchObject({
      principals: [{ type: 'account', account: '123456789012' }],
      notPrincipal: true,
    });
  });

  it.each([
    [{ ...named, Principal: undefined }, /Missing required field Principal/],
    [{ ...named, NotPrincipal: '*' }, /Principal or NotPrincipal, not both/],
    [{ ...named, Principal: undefined, NotPrincipal: '*', Effect: 'Allow' }, /must be used with "Effect": "Deny"/],
    [{ ...named, Resource: undefined }, /must contain resources/],
    [{ ...named, Action: 'DbConnect' }, /prefaced by a vendor/],
  ])('refuses %j', (statement, expected) => {
    expect(refusal(parseResourcePolicy, policy(statement))).toMatch(expected);
  });
});

it('counts a policy without white space', () => {
  expect(policySize(' {\t"a b" :\r\n1 } ')).toBe(8);
});
