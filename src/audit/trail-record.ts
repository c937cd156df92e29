import { randomUUID } from 'node:crypto';
import type { ApiCall, AuditEvent, ConnectionFacts } from './events.ts';
import type { Opening } from './open-trail.ts';
import { ROLE_COMMANDS } from './role-changes.ts';
import { seconds, type UserIdentity, unknownIdentity, userIdentity } from './user-identity.ts';

/**
 * A line of the audit log, in the shape of CloudTrail's records (CloudTrail User Guide, "CloudTrail record contents").
 * What CloudTrail has no member for stands in additionalEventData.
 */
export interface TrailRecord {
  eventVersion: '1.11';
  userIdentity: UserIdentity;
  /** To the second, in UTC. */
  eventTime: string;
  eventSource: string;
  eventName: string;
  awsRegion: string;
  sourceIPAddress: string;
  userAgent: string | null;
  errorCode?: string;
  errorMessage?: string;
  requestParameters: object | null;
  responseElements: object | null;
  additionalEventData?: object;
  requestID?: string;
  eventID: string;
  readOnly: boolean;
  resources?: { accountId: string; type?: string; ARN: string }[];
  eventType: 'AwsApiCall' | 'AwsServiceEvent';
  managementEvent: boolean;
  recipientAccountId: string;
  eventCategory: 'Management' | 'Data';
  tlsDetails?: { tlsVersion: string; clientProvidedHostHeader?: string };
}

/** What all lines of one server share. */
export interface TrailSite {
  account: string;
  region: string;
  now: () => Date;
}

type Rows = {
  readonly [E in AuditEvent['event']]: (
    event: Extract<AuditEvent, { event: E }>,
    site: TrailSite,
  ) => TrailRecord | undefined;
};

/** One row an event; undefined for what the audit log leaves out. */
const ROWS: Rows = {
  'login.accepted': (event, site) => ({
    ...connection(event, site),
    responseElements: null,
    additionalEventData: { ...data(event), outcome: 'accepted', policy: event.policy, durationMs: ms(event) },
  }),
  'login.refused': (event, site) => ({
    ...connection(event, site),
    ...failure(event.kind, event.hint ?? event.reason),
    additionalEventData: { ...data(event), outcome: 'refused', kind: event.kind, reason: cut(event.reason) },
  }),
  'login.abandoned': (event, site) =>
    event.silent
      ? undefined
      : {
          ...connection(event, site),
          errorCode: 'ConnectionAbandoned',
          errorMessage: cut(event.reason),
          additionalEventData: { ...data(event), outcome: 'abandoned' },
        },
  'session.ended': (event, site) => ({
    ...connection(event, site),
    eventName: 'SessionEnd',
    eventType: 'AwsServiceEvent',
    additionalEventData: {
      ...data(event),
      reason: event.reason,
      ...(event.detail !== undefined && { detail: cut(event.detail) }),
      durationMs: ms(event),
    },
  }),
  'session.cancel': (event, site) => ({
    ...connection(event, site),
    eventName: 'CancelRequest',
    eventType: 'AwsServiceEvent',
    readOnly: false,
    additionalEventData: { ...data(event), found: event.found },
  }),
  'roles.changed': (event, site) => {
    const { outcome, commands } = event.changes;
    // One line for what one transaction has done; it is named after the first.
    const first = commands[0];
    return {
      ...connection(event, site),
      eventName: first ? ROLE_COMMANDS[first.command] : 'RoleChange',
      eventType: 'AwsServiceEvent',
      readOnly: false,
      managementEvent: true,
      eventCategory: 'Management',
      additionalEventData: { ...data(event), outcome, commands },
    };
  },
  'connection.failed': (event, site) => ({
    ...connection(event, site),
    eventName: 'ConnectionFailed',
    eventType: 'AwsServiceEvent',
    errorCode: 'InternalFailure',
    errorMessage: 'internal error: the server’s log has it under the connection id',
    additionalEventData: data(event),
  }),
  'api.call': (event, site) => apiCall(event, site),
  'refusals.counted': ({ front, kind, sourceAddress, count, since, until }, site) => ({
    ...own('RefusalsCounted', {}, site),
    userIdentity: unknownIdentity(undefined),
    sourceIPAddress: sourceAddress,
    ...failure(kind, `${count} more of the kind ${kind} were refused`),
    additionalEventData: { front, kind, count, since: since.toISOString(), until: until.toISOString() },
  }),
  'declaration.changed': ({ file, path, change }, site) =>
    own('DeclarationChanged', { file, path, change: cut(change) }, site),
  'configuration.reloaded': ({ changed, needRestart }, site) =>
    own('ConfigurationReloaded', { changed, needRestart }, site),
  'configuration.refused': ({ reason }, site) => ({
    ...own('ConfigurationReloaded', {}, site),
    errorCode: 'ConfigurationRefused',
    errorMessage: cut(reason),
  }),
};

/** Undefined for what the audit log leaves out. */
export function trailRecord(event: AuditEvent, site: TrailSite): TrailRecord | undefined {
  const row = ROWS[event.event] as (event: AuditEvent, site: TrailSite) => TrailRecord | undefined;
  const record = row(event, site);
  return record && ordered(record);
}

/** What happened and who did it, without all that a client can make as long as he likes. */
export function shortened(record: TrailRecord, originalSize: number): TrailRecord {
  const { resources: _, ...rest } = record;
  return {
    ...rest,
    requestParameters: null,
    responseElements: null,
    additionalEventData: { omitted: true, originalSize, reason: 'larger than a line of the audit log' },
  };
}

/** Who, when and what come first, as in CloudTrail's own records: people read them too. */
function ordered({ eventVersion, userIdentity, eventTime, eventSource, eventName, ...rest }: TrailRecord): TrailRecord {
  return { eventVersion, userIdentity, eventTime, eventSource, eventName, ...rest };
}

/** The first line of every run of a server: how it found the log. */
export function openingRecord({ state, problem, torn }: Opening, site: TrailSite): TrailRecord {
  const found = {
    state,
    ...(problem !== undefined && { problem }),
    ...(torn && { tornBytes: torn.bytes, tornSha256: torn.sha256 }),
  };
  return own('AuditLogOpened', found, site);
}

export function closingRecord(site: TrailSite): TrailRecord {
  return own('AuditLogClosed', {}, site);
}

/** Since `since` lines could not be written, and `lostLines` of them never will be. */
export function resumedRecord(since: Date, lostLines: number, site: TrailSite): TrailRecord {
  return own('AuditLogResumed', { since: since.toISOString(), lostLines }, site);
}

function own(eventName: string, additionalEventData: object, site: TrailSite): TrailRecord {
  return ordered({
    ...common(site),
    userIdentity: { type: 'AWSService', invokedBy: 'postern' },
    eventSource: 'postern',
    eventName,
    awsRegion: site.region,
    sourceIPAddress: 'postern',
    userAgent: null,
    additionalEventData,
    readOnly: false,
    eventType: 'AwsServiceEvent',
    managementEvent: true,
    eventCategory: 'Management',
  });
}

function common({ account, now }: TrailSite) {
  return {
    eventVersion: '1.11',
    eventTime: seconds(now()),
    requestParameters: null,
    responseElements: null,
    eventID: randomUUID(),
    recipientAccountId: account,
  } as const satisfies Partial<TrailRecord>;
}

/** Connection attempts are data events of the cluster (Aurora DSQL User Guide, "Logging with CloudTrail"). */
function connection(facts: ConnectionFacts, site: TrailSite): TrailRecord {
  const { clusterArn, role, identity, accessKeyId, tls } = facts;
  return {
    ...common(site),
    userIdentity: identity ? userIdentity(identity) : unknownIdentity(accessKeyId),
    eventSource: 'dsql.amazonaws.com',
    eventName: facts.action ?? (role === 'admin' ? 'DbConnectAdmin' : 'DbConnect'),
    awsRegion: clusterArn?.split(':')[3] ?? site.region,
    sourceIPAddress: facts.sourceAddress,
    userAgent: null,
    requestParameters:
      role === undefined ? null : { dbUser: role, ...(facts.cluster && { identifier: facts.cluster }) },
    requestID: facts.connectionId,
    readOnly: true,
    ...(clusterArn !== undefined && { resources: [resource(clusterArn, site.account)] }),
    eventType: 'AwsApiCall',
    managementEvent: false,
    eventCategory: 'Data',
    ...(tls && {
      tlsDetails: {
        tlsVersion: tls.protocol,
        ...(tls.serverName !== undefined && { clientProvidedHostHeader: cut(tls.serverName) }),
      },
    }),
  };
}

function data({ connectionId }: ConnectionFacts): { connectionId: string } {
  return { connectionId };
}

function apiCall(call: ApiCall, site: TrailSite): TrailRecord {
  const { service, operation, parameters, response, error, refusal } = call;
  return {
    ...common(site),
    userIdentity: callerOf(call),
    eventSource: service ? `${service}.amazonaws.com` : 'postern',
    // What was asked for is not read before it is known who asks.
    eventName: operation ?? 'UnknownOperation',
    awsRegion: call.region,
    sourceIPAddress: call.sourceAddress ?? 'unknown',
    userAgent: call.userAgent === undefined ? null : cut(call.userAgent),
    ...(error && { errorCode: error.code, errorMessage: cut(error.message) }),
    requestParameters: bounded(parameters),
    responseElements: bounded(response),
    additionalEventData: {
      httpStatus: call.status,
      durationMs: call.durationMs,
      ...(refusal && { kind: refusal.kind, reason: cut(refusal.reason) }),
    },
    requestID: call.requestId,
    readOnly: operation === undefined || /^(Get|List|Simulate|Assume)/.test(operation),
    ...(call.resources.length > 0 && {
      resources: call.resources.slice(0, MAX_RESOURCES).map((arn) => resource(arn, site.account)),
    }),
    eventType: 'AwsApiCall',
    managementEvent: true,
    eventCategory: 'Management',
  };
}

/** Of a call that is not signed, the answer says whom the provider has vouched for. */
function callerOf({ identity, accessKeyId, response }: ApiCall): UserIdentity {
  if (identity) return userIdentity(identity);
  const { subjectFromWebIdentityToken: subject, audience, provider } = (response ?? {}) as Record<string, unknown>;
  if (typeof subject !== 'string') return unknownIdentity(accessKeyId);
  return {
    type: 'WebIdentityUser',
    principalId: `${provider}:${audience}:${subject}`,
    userName: subject,
    identityProvider: String(provider),
  };
}

const MAX_RESOURCES = 50;

const TYPES: readonly [RegExp, string][] = [
  [/:dsql:[^:]*:\d+:cluster\//, 'AWS::DSQL::Cluster'],
  [/:iam::\d+:user\//, 'AWS::IAM::User'],
  [/:iam::\d+:role\//, 'AWS::IAM::Role'],
  [/:iam::\d+:group\//, 'AWS::IAM::Group'],
  [/:iam::(\d+|aws):policy\//, 'AWS::IAM::ManagedPolicy'],
  [/:iam::\d+:oidc-provider\//, 'AWS::IAM::OIDCProvider'],
];

function resource(ARN: string, accountId: string): { accountId: string; type?: string; ARN: string } {
  const type = TYPES.find(([pattern]) => pattern.test(ARN))?.[1];
  return { accountId, ...(type !== undefined && { type }), ARN };
}

/** `action-denied` is what AWS calls AccessDenied; the other kinds have no code of their own on the wire. */
function failure(kind: string, message: string): { errorCode: string; errorMessage: string } {
  const words = kind.split('-').map((word) => word.charAt(0).toUpperCase() + word.slice(1));
  return { errorCode: kind === 'action-denied' ? 'AccessDenied' : words.join(''), errorMessage: cut(message) };
}

function ms({ durationMs }: { durationMs: number }): number {
  return Math.round(durationMs);
}

/** In characters; a client chooses what some texts say. */
const MAX_TEXT = 2048;

function cut(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT).toWellFormed()}…` : text;
}

/** In bytes, as CloudTrail's: what is longer is left out, and the line says so. */
const MAX_ELEMENT = 100 * 1024;

function bounded(element: object | undefined): object | null {
  if (element === undefined) return null;
  const originalSize = Buffer.byteLength(JSON.stringify(element));
  return originalSize > MAX_ELEMENT ? { omitted: true, originalSize, reason: 'larger than 100 KB' } : element;
}
