import { type Attempt, cut } from '../attempts/attempt.ts';
import { type Report, report, UNASKED } from '../attempts/report.ts';
import type { Identity } from '../iam/identity.ts';
import { requestContext } from '../iam/request-facts.ts';
import { Refused } from '../refused.ts';
import { ADMIN_ROLE } from '../roles/catalog-sql.ts';
import type { Gateway } from './gateway.ts';
import { checkRole, decide } from './login.ts';
import { refusalFields } from './refuse.ts';

export interface LoginQuestion {
  /** The database role. */
  user: string;
  /** ARN of an IAM user, an IAM role, a role's session or the account root user. */
  principal: string;
  /** Undefined: the default cluster. */
  clusterId: string | undefined;
}

/**
 * Would a good token of this principal be let in as this database role? Decided as a login is, with what is in force now;
 * conditions on what only a connection has, such as its source address, find nothing.
 */
export async function wouldAdmit(
  { user, principal, clusterId }: LoginQuestion,
  { clusters, authority, now, region }: Pick<Gateway, 'clusters' | 'authority' | 'now' | 'region'>,
  identityOf: (arn: string, now: Date) => Identity | undefined,
): Promise<Report> {
  const at = now();
  const attempt: Attempt = { connectionId: '', at, sourceAddress: '' };
  attempt.request = { user: cut(user), database: 'postgres' };
  try {
    const cluster = clusters.resolve({ serverName: undefined, clusterId, localAddress: '127.0.0.1' });
    attempt.cluster = { id: cluster.id, arn: cluster.arn };
    const identity = identityOf(principal, at);
    if (!identity) {
      throw new Refused('unknown-key', { detail: `${cut(principal)} is no user, role or session of this account` });
    }
    attempt.keyOwner = identity.arn;
    attempt.identity = identity;
    const context = requestContext({ sourceAddress: undefined, encrypted: true, now: at, region });
    decide(identity, user === ADMIN_ROLE ? 'DbConnectAdmin' : 'DbConnect', cluster, authority, context, attempt);
    attempt.role = { oid: await checkRole(identity, user, await cluster.wake()) };
    attempt.end = { outcome: 'accepted' };
    return report(attempt, undefined, UNASKED);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    attempt.end = { outcome: 'refused', why: error };
    return report(attempt, refusalFields(error), UNASKED);
  }
}
