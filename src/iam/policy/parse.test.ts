import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Refused } from '../../refused.ts';
import { parseIdentityPolicy, parseTrustPolicy, policySize } from './parse.ts';

const valid = { Effect: 'Allow', Action: 's3:Get*', Resource: '*' };
const policy = (statement: object | object[], more: object = {}) => JSON.stringify({ Statement: statement, ...more });
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
      },
      {
        name: '#2',
        effect: 'Deny',
        actions: { negated: true, patterns: ['*'] },
        resources: { negated: true, patterns: ['arn:aws:s3:::b/*', 'arn:aws:dsql:*'] },
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
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a policy variable.
    [policy({ ...valid, Resource: 'arn:aws:s3:::b/${aws:username}' }), /policy variable .* is not supported/],
    [policy({ ...valid, Condition: {} }), /the element Condition is not supported/],
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
      ],
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
    [{ ...trusted, Principal: { Federated: 'x' } }, /Federated is not supported/],
    [{ ...trusted, Principal: { CanonicalUser: 'x' } }, /CanonicalUser is not supported/],
    [{ ...trusted, Principal: { Other: 'x' } }, /unknown Principal type "Other"/],
    [{ ...trusted, NotPrincipal: '*' }, /NotPrincipal is not supported/],
    [{ ...trusted, Resource: '*' }, /prohibited field Resource/],
    [{ ...trusted, Condition: {} }, /Condition is not supported/],
    [{ ...trusted, Action: '*' }, /may only specify STS/],
    [{ ...trusted, Action: undefined, NotAction: 'sts:TagSession' }, /may only specify STS/],
  ])('refuses %j', (statement, expected) => {
    expect(refusal(parseTrustPolicy, policy(statement))).toMatch(expected);
  });
});

it('counts a policy without white space', () => {
  expect(policySize(' {\t"a b" :\r\n1 } ')).toBe(8);
});
