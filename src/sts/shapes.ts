import { type IntegerShape, type ListShape, required, type StringShape, type StructureShape } from '../iam/input.ts';

/** The parameter shapes of the STS service model (2011-06-15), and the limits that its API reference adds. */

const NAME = /[\w+=,.@-]*/;

export const roleArn = {
  type: 'string',
  min: 20,
  max: 2048,
  pattern: /[\u0020-\u007E]+/,
} as const satisfies StringShape;
export const roleSessionName = { type: 'string', min: 2, max: 64, pattern: NAME } as const satisfies StringShape;
export const federatedUserName = { type: 'string', min: 2, max: 32, pattern: NAME } as const satisfies StringShape;
export const sourceIdentity = { type: 'string', min: 2, max: 64, pattern: NAME } as const satisfies StringShape;
export const externalId = {
  type: 'string',
  min: 2,
  max: 1224,
  pattern: /[\w+=,.@:/-]*/,
} as const satisfies StringShape;
export const webIdentityToken = { type: 'string', min: 4, max: 20_000, sensitive: true } as const satisfies StringShape;
export const sessionPolicy = {
  type: 'string',
  min: 1,
  max: 2048,
  pattern: /[\u0009\u000A\u000D\u0020-\u00FF]+/,
} as const satisfies StringShape;

const policyDescriptor = {
  type: 'structure',
  members: { arn: required(roleArn) },
} as const satisfies StructureShape;
export const policyArns = { type: 'list', of: policyDescriptor, max: 10 } as const satisfies ListShape;

/** In seconds. */
export const roleDuration = { type: 'integer', min: 900, max: 43_200 } as const satisfies IntegerShape;
export const duration = { type: 'integer', min: 900, max: 129_600 } as const satisfies IntegerShape;
