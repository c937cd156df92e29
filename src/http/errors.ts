import { type AccessKind, type ApiKind, Refused } from '../refused.ts';
import type { Fault, Protocol } from './operation.ts';

/*
 * Codes and statuses: for the Query services the "Common errors" of the IAM and STS API references and the `error`
 * traits of their service models, for DSQL its service model and what AWS's JSON services answer in general.
 */

interface Row {
  query: readonly [code: string, status: number];
  rest: readonly [code: string, status: number];
  /** Where the refusal has no text of its own. */
  text: string;
  /** `reason` of DSQL's ValidationException. */
  reason?: 'unknownOperation' | 'cannotParse' | 'fieldValidationFailed' | 'deletionProtectionEnabled' | 'other';
}

const INVALID_TOKEN = 'The security token included in the request is invalid.';
const MISMATCH =
  'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key ' +
  'and signing method. Consult the service documentation for details.';
const DENIED = 'User is not authorized to perform this operation.';

const invalidKey = {
  query: ['InvalidClientTokenId', 403],
  rest: ['UnrecognizedClientException', 403],
  text: INVALID_TOKEN,
} as const satisfies Row;
const mismatch = {
  query: ['SignatureDoesNotMatch', 403],
  rest: ['InvalidSignatureException', 403],
  text: MISMATCH,
} as const satisfies Row;
const denied = {
  query: ['AccessDenied', 403],
  rest: ['AccessDeniedException', 403],
  text: DENIED,
} as const satisfies Row;

function conflict(code: string, text: string): Row {
  return { query: [code, 409], rest: ['ConflictException', 409], text };
}

function invalid(code: string, text: string, reason: Row['reason']): Row {
  return { query: [code, 400], rest: ['ValidationException', 400], text, ...(reason && { reason }) };
}

export const ERRORS: Readonly<Record<AccessKind | ApiKind, Row>> = {
  'missing-authentication': {
    query: ['MissingAuthenticationToken', 403],
    rest: ['MissingAuthenticationTokenException', 403],
    text: 'Request is missing Authentication Token',
  },
  'signature-malformed': {
    query: ['IncompleteSignature', 400],
    rest: ['IncompleteSignatureException', 400],
    text: 'The request signature does not conform to AWS standards.',
  },
  'signature-expired': { ...mismatch, text: 'Signature expired.' },
  'signature-not-yet-valid': { ...mismatch, text: 'Signature not yet current.' },
  'lifetime-too-long': { ...mismatch, text: 'X-Amz-Expires must be less than a week (in seconds).' },
  'scope-mismatch': { ...mismatch, text: 'Credential should be scoped to a valid region and a correct service.' },
  'host-mismatch': mismatch,
  'signature-mismatch': mismatch,
  'unknown-key': invalidKey,
  'inactive-key': invalidKey,
  'session-token-invalid': invalidKey,
  'session-token-expired': {
    query: ['ExpiredToken', 403],
    rest: ['ExpiredTokenException', 403],
    text: 'The security token included in the request is expired',
  },
  'action-denied': denied,
  'foreign-account': denied,
  // The Query services' own code for it; DSQL's model has another.
  'failed-logins-exceeded': {
    query: ['Throttling', 400],
    rest: ['ThrottlingException', 429],
    text: 'Rate exceeded',
  },
  'audit-unavailable': {
    query: ['ServiceUnavailable', 503],
    rest: ['ServiceUnavailableException', 503],
    text: 'The service is unavailable. Please try again.',
  },
  'unknown-operation': invalid('InvalidAction', 'Could not find the operation.', 'unknownOperation'),
  // A status that no SDK retries, and a code that is not the one for names that do not exist.
  'unsupported-operation': invalid('UnsupportedOperation', 'The operation is not supported.', 'unknownOperation'),
  'unsupported-parameter-value': invalid('ValidationError', 'A parameter is not supported.', 'other'),
  validation: invalid('ValidationError', 'The parameters are not valid.', 'fieldValidationFailed'),
  'invalid-input': invalid('InvalidInput', 'The parameters are not valid.', 'fieldValidationFailed'),
  'malformed-policy': invalid('MalformedPolicyDocument', 'The policy is malformed.', 'fieldValidationFailed'),
  'packed-policy-too-large': invalid('PackedPolicyTooLarge', 'The packed policy is too large.', 'other'),
  'identity-token-invalid': invalid('InvalidIdentityToken', 'The web identity token is invalid.', 'other'),
  // STS's model calls it so, and gives the expired session token another code and status.
  'identity-token-expired': invalid('ExpiredTokenException', 'The web identity token is expired.', 'other'),
  'identity-claim-rejected': {
    query: ['IDPRejectedClaim', 403],
    rest: ['AccessDeniedException', 403],
    text: 'The identity provider reported that authentication failed.',
  },
  'identity-provider-unreachable': invalid(
    'IDPCommunicationError',
    'The identity provider cannot be reached.',
    'other',
  ),
  // IAM's model has this status, though it is no fault of the server's.
  'policy-evaluation': {
    query: ['PolicyEvaluation', 500],
    rest: ['InternalServerException', 500],
    text: 'A policy could not be evaluated.',
  },
  'request-too-large': {
    query: ['RequestEntityTooLarge', 413],
    rest: ['RequestEntityTooLargeException', 413],
    text: 'The request is too large.',
  },
  'no-such-entity': {
    query: ['NoSuchEntity', 404],
    rest: ['ResourceNotFoundException', 404],
    text: 'There is no such entity.',
  },
  'resource-not-found': {
    query: ['ResourceNotFound', 404],
    rest: ['ResourceNotFoundException', 404],
    text: 'There is no such resource.',
  },
  'entity-exists': conflict('EntityAlreadyExists', 'The entity exists already.'),
  'delete-conflict': conflict('DeleteConflict', 'The entity is in use.'),
  'limit-exceeded': conflict('LimitExceeded', 'A limit is exceeded.'),
  conflict: conflict('Conflict', 'The request conflicts with the state of the resource.'),
  'quota-exceeded': {
    query: ['LimitExceeded', 409],
    rest: ['ServiceQuotaExceededException', 402],
    text: 'A quota of the service is exceeded.',
  },
  'service-unavailable': {
    query: ['ServiceUnavailable', 503],
    rest: ['ServiceUnavailableException', 503],
    text: 'The service is unavailable. Please try again.',
  },
};

/** A refusal in the words of the protocol; undefined for what is no refusal that this front can meet, hence a bug. */
export function faultOf(error: unknown, protocol: Protocol['kind']): Fault | undefined {
  if (!(error instanceof Refused) || !Object.hasOwn(ERRORS, error.kind)) return undefined;
  const row = ERRORS[error.kind as AccessKind | ApiKind];
  const [code, status] = row[protocol];
  return {
    status,
    code,
    message: error.say ?? row.text,
    fields: protocol === 'rest' ? restFields(row, error) : error.fields,
  };
}

function restFields({ reason }: Row, { fields, fieldList }: Refused): Fault['fields'] {
  if (!reason) return fields;
  return { reason, ...fields, ...(fieldList.length > 0 && { fieldList }) };
}

/** What a client is told of a bug: nothing but the id to ask the operator with. */
export function internalFault(protocol: Protocol['kind'], requestId: string): Fault {
  const code = protocol === 'query' ? 'InternalFailure' : 'InternalServerException';
  const message = `The request processing has failed because of an internal error. Request id: ${requestId}`;
  return { status: 500, code, message, fields: {} };
}
