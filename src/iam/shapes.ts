import { type ListShape, required, type StringShape, type StructureShape } from './input.ts';

/** The parameter shapes of the IAM service model (2010-05-08), under the model's names where it has one. */

const NAME = /[\w+=,.@-]+/;

export const userName = { type: 'string', min: 1, max: 64, pattern: NAME } as const satisfies StringShape;
export const existingUserName = { type: 'string', min: 1, max: 128, pattern: NAME } as const satisfies StringShape;
export const roleName = { type: 'string', min: 1, max: 64, pattern: NAME } as const satisfies StringShape;
export const policyName = { type: 'string', min: 1, max: 128, pattern: NAME } as const satisfies StringShape;

export const path = {
  type: 'string',
  min: 1,
  max: 512,
  pattern: /(\u002F)|(\u002F[\u0021-\u007E]+\u002F)/,
} as const satisfies StringShape;

export const pathPrefix = {
  type: 'string',
  min: 1,
  max: 512,
  pattern: /\u002F[\u0021-\u007F]*/,
} as const satisfies StringShape;

export const policyDocument = {
  type: 'string',
  min: 1,
  max: 131_072,
  pattern: /[\u0009\u000A\u000D\u0020-\u00FF]+/,
} as const satisfies StringShape;

export const description = {
  type: 'string',
  max: 1000,
  pattern: /[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*/,
} as const satisfies StringShape;

export const accessKeyId = { type: 'string', min: 16, max: 128, pattern: /[\w]+/ } as const satisfies StringShape;
/** The model has `Expired` too, which only AWS itself can set. */
export const status = { type: 'string', max: 16, oneOf: ['Active', 'Inactive'] } as const satisfies StringShape;
export const maxSessionDuration = { type: 'integer', min: 3600, max: 43_200 } as const;

export const marker = {
  type: 'string',
  min: 1,
  max: 320,
  pattern: /[\u0020-\u00FF]+/,
} as const satisfies StringShape;
export const maxItems = { type: 'integer', min: 1, max: 1000 } as const;

const tagKey = {
  type: 'string',
  min: 1,
  max: 128,
  pattern: /[\p{L}\p{Z}\p{N}_.:/=+\-@]+/u,
} as const satisfies StringShape;
const tagValue = {
  type: 'string',
  max: 256,
  pattern: /[\p{L}\p{Z}\p{N}_.:/=+\-@]*/u,
} as const satisfies StringShape;
const tag = {
  type: 'structure',
  members: { Key: required(tagKey), Value: required(tagValue) },
} as const satisfies StructureShape;

export const tagList = { type: 'list', of: tag, max: 50 } as const satisfies ListShape;
export const tagKeyList = { type: 'list', of: tagKey, max: 50 } as const satisfies ListShape;

export const paging = { Marker: marker, MaxItems: maxItems } as const;
