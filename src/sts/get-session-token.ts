import { nameInArn } from '../iam/arn.ts';
import { type Identity, PLAIN_GRANT } from '../iam/identity.ts';
import { type InputOf, UNSUPPORTED } from '../iam/input.ts';
import type { SessionSubject } from '../iam/keys.ts';
import { duration } from './shapes.ts';
import type { Sts } from './sts.ts';

export const GET_SESSION_TOKEN = {
  DurationSeconds: duration,
  // There are no MFA devices.
  SerialNumber: UNSUPPORTED,
  TokenCode: UNSUPPORTED,
} as const;

const DEFAULT_SECONDS = 43_200;
const MAX_ROOT_SECONDS = 3600;

/** A session of the caller itself, who has long-term credentials: others are refused before. */
export async function getSessionToken(sts: Sts, input: InputOf<typeof GET_SESSION_TOKEN>, caller: Identity) {
  const seconds = ownSessionSeconds(caller, input.DurationSeconds);
  return { Credentials: sts.sessions.issue(ownSubject(caller), PLAIN_GRANT, seconds, sts.now()) };
}

/** A longer session of the root user is not refused, it "defaults to one hour" (STS API reference). */
export function ownSessionSeconds(caller: Identity, asked: number | undefined): number {
  const seconds = asked ?? DEFAULT_SECONDS;
  return caller.kind === 'root' ? Math.min(seconds, MAX_ROOT_SECONDS) : seconds;
}

export function ownSubject(caller: Identity): Extract<SessionSubject, { kind: 'root' | 'user' }> {
  if (caller.kind === 'root') return { kind: 'root' };
  if (caller.kind === 'user') return { kind: 'user', id: caller.userId, name: nameInArn(caller.principalArn) };
  throw new Error(`a ${caller.kind} has no session of its own`);
}
