import { type ListShape, type MapShape, required, type StringShape, type StructureShape } from '../iam/input.ts';

/** The parameters of DSQL's operations, under the names of its service model (API version 2018-05-10). */

const TAG = /[a-zA-Z0-9_.:/=+\-@ ]*/;

const clusterId = { type: 'string', max: 26, pattern: /[a-z0-9]{26}/ } as const satisfies StringShape;
const clientToken = { type: 'string', min: 1, max: 128, pattern: /[!-~]+/ } as const satisfies StringShape;
const clusterArn = {
  type: 'string',
  max: 128,
  pattern: /arn:aws(-[^:]+)?:dsql:[a-z0-9-]{1,20}:[0-9]{12}:cluster\/[a-z0-9]{26}/,
} as const satisfies StringShape;
const arn = { type: 'string', min: 1, max: 1011, pattern: /arn:.+/ } as const satisfies StringShape;
const boolean = { type: 'boolean' } as const;
const kmsKey = { type: 'string', min: 1, max: 2048, pattern: /[a-zA-Z0-9:/_-]+/ } as const satisfies StringShape;
const region = { type: 'string', max: 50 } as const satisfies StringShape;
const policyDocument = { type: 'string', min: 1, max: 20_480 } as const satisfies StringShape;
const policyVersion = { type: 'string', max: 64 } as const satisfies StringShape;

const tagKey = { type: 'string', min: 1, max: 128, pattern: TAG } as const satisfies StringShape;
const tagValue = { type: 'string', max: 256, pattern: TAG } as const satisfies StringShape;
const tagMap = { type: 'map', key: tagKey, value: tagValue, max: 200 } as const satisfies MapShape;
const tagKeyList = { type: 'list', of: tagKey, max: 200 } as const satisfies ListShape;

const multiRegionProperties = {
  type: 'structure',
  members: { witnessRegion: region, clusters: { type: 'list', of: clusterArn, max: 100 } },
} as const satisfies StructureShape;

const identifier = required(clusterId);

export const CREATE_CLUSTER = {
  deletionProtectionEnabled: boolean,
  kmsEncryptionKey: kmsKey,
  tags: tagMap,
  clientToken,
  multiRegionProperties,
  policy: policyDocument,
  bypassPolicyLockoutSafetyCheck: boolean,
} as const;
export const GET_CLUSTER = { identifier } as const;
export const LIST_CLUSTERS = {
  maxResults: { type: 'integer', min: 1, max: 100 },
  nextToken: { type: 'string', max: 1024 },
} as const;
export const UPDATE_CLUSTER = {
  identifier,
  deletionProtectionEnabled: boolean,
  kmsEncryptionKey: kmsKey,
  clientToken,
  multiRegionProperties,
} as const;
export const DELETE_CLUSTER = { identifier, clientToken } as const;

export const PUT_CLUSTER_POLICY = {
  identifier,
  policy: required(policyDocument),
  bypassPolicyLockoutSafetyCheck: boolean,
  expectedPolicyVersion: policyVersion,
  clientToken,
} as const;
export const DELETE_CLUSTER_POLICY = { identifier, expectedPolicyVersion: policyVersion, clientToken } as const;

export const TAG_RESOURCE = { resourceArn: required(arn), tags: required(tagMap) } as const;
export const UNTAG_RESOURCE = { resourceArn: required(arn), tagKeys: required(tagKeyList) } as const;
export const LIST_TAGS_FOR_RESOURCE = { resourceArn: required(arn) } as const;
