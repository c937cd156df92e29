import type { Store } from '../state/store.ts';
import { nameKey, roleArn, rootArn, sessionArn, userArn } from './arn.ts';
import { type Identity, PLAIN_GRANT, type SessionFacts } from './identity.ts';

/** What a session is called that nobody has begun. */
const SESSION_NAME = 'session';
const SESSION = /^arn:aws:sts::\d{12}:assumed-role\/([^/]+)\/([\w+=,.@-]{2,64})$/;

/**
 * Who would be calling, for questions without a request: the account root user, a user, or a session of a role, named by
 * its ARN or the role's. Undefined for an ARN that names nobody in this account.
 */
export function namedIdentity(
  store: Pick<Store, 'get'>,
  account: string,
  arn: string,
  now: Date,
): Identity | undefined {
  const common = { account, accessKeyId: '', session: undefined };
  if (arn === rootArn(account)) return { ...common, kind: 'root', arn, principalArn: arn, userId: account };
  const user = store.get('users', nameKey(arn.slice(arn.lastIndexOf('/') + 1)));
  if (user && userArn(account, user) === arn) {
    return { ...common, kind: 'user', arn, principalArn: arn, userId: user.id };
  }
  const [, sessionOf, sessionName = SESSION_NAME] = SESSION.exec(arn) ?? [];
  const role = store.get('roles', nameKey(sessionOf ?? arn.slice(arn.lastIndexOf('/') + 1)));
  if (!role || (sessionOf === undefined && roleArn(account, role) !== arn)) return undefined;
  const session = sessionArn(account, role.name, sessionName);
  if (sessionOf !== undefined && session !== arn) return undefined;
  return {
    ...common,
    kind: 'role-session',
    arn: session,
    principalArn: roleArn(account, role),
    userId: `${role.id}:${sessionName}`,
    session: plainSession(now, role.maxSessionDuration),
  };
}

function plainSession(issuedAt: Date, seconds: number): SessionFacts {
  const expiresAt = new Date(issuedAt.getTime() + seconds * 1000);
  return { ...PLAIN_GRANT, issuedAt, expiresAt, issuer: undefined };
}
