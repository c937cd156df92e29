import { type BooleanShape, type ListShape, required, type StringShape, type StructureShape } from './input.ts';

/** The parameter shapes of the IAM service model (2010-05-08), under the model's names where it has one. */

const NAME = /[\w+=,.@-]+/;
/** Where the model has no pattern: what XML can carry (XML 1.0, section 2.2). */
const TEXT = /[\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]*/u;

export const userName = { type: 'string', min: 1, max: 64, pattern: NAME } as const satisfies StringShape;
export const existingUserName = { type: 'string', min: 1, max: 128, pattern: NAME } as const satisfies StringShape;
export const groupName = { type: 'string', min: 1, max: 128, pattern: NAME } as const satisfies StringShape;
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

export const policyPath = {
  type: 'string',
  min: 1,
  max: 512,
  pattern: /((\/[A-Za-z0-9.,+@=_-]+)*)\//,
} as const satisfies StringShape;

export const arn = { type: 'string', min: 20, max: 2048, pattern: TEXT } as const satisfies StringShape;
export const versionId = {
  type: 'string',
  max: 64,
  pattern: /v[1-9][0-9]*(\.[A-Za-z0-9-]*)?/,
} as const satisfies StringShape;
export const boolean = { type: 'boolean' } as const satisfies BooleanShape;

export const policyScope = { type: 'string', max: 8, oneOf: ['All', 'AWS', 'Local'] } as const satisfies StringShape;
export const policyUsage = {
  type: 'string',
  max: 32,
  oneOf: ['PermissionsPolicy', 'PermissionsBoundary'],
} as const satisfies StringShape;
export const entityType = {
  type: 'string',
  max: 32,
  oneOf: ['User', 'Role', 'Group', 'LocalManagedPolicy', 'AWSManagedPolicy'],
} as const satisfies StringShape;

export const policyDescription = { type: 'string', max: 1000, pattern: TEXT } as const satisfies StringShape;
export const providerUrl = { type: 'string', min: 1, max: 255, pattern: TEXT } as const satisfies StringShape;
export const clientId = { type: 'string', min: 1, max: 255, pattern: TEXT } as const satisfies StringShape;
export const serviceName = { type: 'string', max: 255, pattern: TEXT } as const satisfies StringShape;
export const thumbprint = { type: 'string', min: 40, max: 40, pattern: TEXT } as const satisfies StringShape;

export const policyDocument = {
  type: 'string',
  min: 1,
  max: 131_072,
  pattern: /[\u0009\u000A\u000D\u0020-\u00FF]+/,
} as const satisfies StringShape;

export const policyInputList = { type: 'list', of: policyDocument, max: 1000 } as const satisfies ListShape;
export const actionName = { type: 'string', min: 3, max: 128, pattern: TEXT } as const satisfies StringShape;
export const resourceName = { type: 'string', min: 1, max: 2048, pattern: TEXT } as const satisfies StringShape;
export const contextKeyName = { type: 'string', min: 5, max: 256, pattern: TEXT } as const satisfies StringShape;
/** The model has no limit. */
export const contextKeyValue = { type: 'string', max: 131_072, pattern: TEXT } as const satisfies StringShape;
export const contextKeyType = {
  type: 'string',
  max: 32,
  oneOf: [
    'string',
    'stringList',
    'numeric',
    'numericList',
    'boolean',
    'booleanList',
    'ip',
    'ipList',
    'binary',
    'binaryList',
    'date',
    'dateList',
  ],
} as const satisfies StringShape;

export const description = {
  type: 'string',
  max: 1000,
  pattern: /[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*/,
} as const satisfies StringShape;

export const accessKeyId = { type: 'string', min: 16, max: 128, pattern: /[\w]+/ } as const satisfies StringShape;
/** As AWS makes them (IAM User Guide, "Unique identifiers"): other prefixes are for other kinds of keys. */
export const longTermKeyId = {
  type: 'string',
  min: 20,
  max: 20,
  pattern: /AKIA[A-Z0-9]{16}/,
} as const satisfies StringShape;
/** The model has `Expired` too, which only AWS itself can set. */
export const status = { type: 'string', max: 16, oneOf: ['Active', 'Inactive'] } as const satisfies StringShape;
export const maxSessionDuration = { type: 'integer', min: 3600, max: 43_200 } as const;

/** The model's 320 characters are too few for the marker behind a tag key of 128 letters that are not Latin. */
export const marker = {
  type: 'string',
  min: 1,
  max: 1024,
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
