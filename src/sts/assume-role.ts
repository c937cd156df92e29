import { nameKey, parseRoleArn, roleArn, sessionArn } from '../iam/arn.ts';
import type { Authority, Identity } from '../iam/identity.ts';
import { type InputOf, type IntegerShape, required, type StringShape, UNSUPPORTED } from '../iam/input.ts';
import { bareDenialText } from '../iam/policy/denial.ts';
import { Refused } from '../refused.ts';
import type { RoleRecord } from '../state/records.ts';
import type { Store } from '../state/store.ts';
import type { SessionMaker } from './session-token.ts';

/*
 * Within one account, as the IAM User Guide's "Policy evaluation logic" and "How IAM roles work" have it: a trust policy
 * that names the caller suffices; one that names the account leaves it to the caller's own policies. On purpose, and
 * unlike AWS, the account root user may assume a role whose trust policy names its account.
 *
 * Session policies, session tags, MFA and source identities are not there yet. They narrow or mark a session, so they are
 * refused, never ignored. An ExternalId means something only to a condition of the trust policy, and there are none.
 */

const NAME = /[\w+=,.@-]*/;
const roleArnShape = { type: 'string', min: 20, max: 2048, pattern: /[\u0020-\u007E]+/ } as const satisfies StringShape;
const sessionName = { type: 'string', min: 2, max: 64, pattern: NAME } as const satisfies StringShape;
const externalId = { type: 'string', min: 2, max: 1224, pattern: /[\w+=,.@:/-]*/ } as const satisfies StringShape;
const duration = { type: 'integer', min: 900, max: 43_200 } as const satisfies IntegerShape;

export const ASSUME_ROLE = {
  RoleArn: required(roleArnShape),
  RoleSessionName: required(sessionName),
  DurationSeconds: duration,
  ExternalId: externalId,
  Policy: UNSUPPORTED,
  PolicyArns: UNSUPPORTED,
  Tags: UNSUPPORTED,
  TransitiveTagKeys: UNSUPPORTED,
  SerialNumber: UNSUPPORTED,
  TokenCode: UNSUPPORTED,
  SourceIdentity: UNSUPPORTED,
  ProvidedContexts: UNSUPPORTED,
} as const;

const ACTION = 'sts:AssumeRole';
const DEFAULT_SECONDS = 3600;
/** A session of a session ends within the hour, whatever the role allows. */
const MAX_CHAINED_SECONDS = 3600;

export interface Sts {
  store: Store;
  authority: Authority;
  sessions: SessionMaker;
  account: string;
  now(): Date;
}

/** Decides for itself whether the caller may. Throws Refused `action-denied` or `validation`. */
export async function assumeRole(sts: Sts, input: InputOf<typeof ASSUME_ROLE>, caller: Identity) {
  const named = parseRoleArn(input.RoleArn);
  if (!named) throw invalid(`${input.RoleArn.slice(0, 256)} is invalid`);
  const role = named.account === sts.account ? sts.store.get('roles', nameKey(named.name)) : undefined;
  // Who may not assume a role does not learn whether it exists.
  if (!role || roleArn(sts.account, role) !== input.RoleArn) {
    throw denied(caller, input.RoleArn, 'there is no such role in this account');
  }
  authorise(sts, role, caller);
  const seconds = sessionSeconds(role, input.DurationSeconds, caller);
  return {
    Credentials: sts.sessions.issue(role, input.RoleSessionName, seconds, sts.now()),
    AssumedRoleUser: {
      AssumedRoleId: `${role.id}:${input.RoleSessionName}`,
      Arn: sessionArn(sts.account, role.name, input.RoleSessionName),
    },
  };
}

/** The role's trust policy and the caller's own policies, as far as the first leaves it to them. */
function authorise(sts: Sts, role: Readonly<RoleRecord>, caller: Identity): void {
  const resource = roleArn(sts.account, role);
  const decision = sts.authority.decide(caller, { action: ACTION, resource, context: {} });
  if (!decision.allowed) throw denied(caller, resource, decision.because);
}

function sessionSeconds(role: Readonly<RoleRecord>, asked: number | undefined, caller: Identity): number {
  const seconds = asked ?? DEFAULT_SECONDS;
  if (caller.kind === 'role-session' && seconds > MAX_CHAINED_SECONDS) {
    throw invalid('The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining');
  }
  if (seconds > role.maxSessionDuration) {
    throw invalid('The requested DurationSeconds exceeds the MaxSessionDuration set for this role.');
  }
  return seconds;
}

function denied(caller: Identity, resource: string, detail: string): Refused<'action-denied'> {
  return new Refused('action-denied', { say: bareDenialText(caller.arn, { action: ACTION, resource }), detail });
}

function invalid(say: string): Refused<'validation'> {
  return new Refused('validation', { say, detail: say });
}
