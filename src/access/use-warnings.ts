import type { Attempt } from '../attempts/attempt.ts';
import type { Attempts } from '../attempts/attempts.ts';
import { rootArn, userArn } from '../iam/arn.ts';
import type { KeyUses } from '../iam/key-uses.ts';
import { ADMIN_ROLE } from '../roles/catalog-sql.ts';
import type { AccessKeyRecord } from '../state/records.ts';
import type { Store } from '../state/store.ts';
import { type Warning, warning } from './report.ts';

export interface Uses {
  store: Pick<Store, 'get' | 'all'>;
  account: string;
  keyUses: Pick<KeyUses, 'last'>;
  attempts: Pick<Attempts, 'all'>;
  /** Nothing is known of what was before. */
  since: Date;
}

const DAY = 24 * 60 * 60 * 1000;
/** AWS Security Hub, control IAM.22, and the IAM User Guide ("Update access keys when needed") count in these days. */
const UNUSED_DAYS = 90;

/** Of what has been used, and what has not: the keys of users and of the root user, and logins as admin. */
export function useWarnings({ store, account, keyUses, attempts, since }: Uses, at: Date): Warning[] {
  const root = rootArn(account);
  const admins = new Map<string, Warning>();
  const logins = new Map<string, Date>();
  for (const attempt of attempts.all()) {
    if (attempt.end?.outcome !== 'accepted') continue;
    const { token, identity } = attempt;
    if (token && !token.hasSessionToken) logins.set(token.accessKeyId, attempt.at);
    if (identity && attempt.request?.user === ADMIN_ROLE && identity.principalArn !== root) {
      admins.set(`${identity.principalArn} ${attempt.cluster?.id}`, adminInUse(attempt, identity.principalArn));
    }
  }
  const bootstrap = store.get('account', 'this')?.rootAccessKeyId;
  const ofKey = (key: Readonly<AccessKeyRecord>): Warning[] => {
    if (!key.active || key.id === bootstrap) return [];
    if (key.user === null) {
      const text = `The account root user has the access key ${key.id} beside the one that the server made for its operator.`;
      return [warning('root-key', text, `Delete access key ${key.id}.`, { principals: [root] })];
    }
    const user = store.get('users', key.user);
    if (!user) return [];
    const about = { principals: [userArn(account, user)] };
    const days = Math.floor((at.getTime() - Date.parse(key.createdAt)) / DAY);
    const use = later(keyUses.last(key.id)?.at, logins.get(key.id));
    const whose = `Access key ${key.id} of user ${user.name}`;
    if (use && at.getTime() - use.getTime() < UNUSED_DAYS * DAY) {
      const text = `${whose}, a long-term key of ${days} days, is in use: last seen ${use.toISOString()}.`;
      return [warning('long-term-key-in-use', text, 'Let what uses it assume an IAM role instead.', about)];
    }
    if (days < UNUSED_DAYS) return [];
    // A server that has not run for so long cannot know that the key was not used.
    const isCertain = at.getTime() - since.getTime() >= UNUSED_DAYS * DAY;
    const text = isCertain
      ? `${whose} is ${days} days old and was not used for ${UNUSED_DAYS} days.`
      : `${whose} is ${days} days old, and no use of it was seen since the server was started on ${since.toISOString()}; what was before is not remembered.`;
    return [
      warning(
        'key-unused',
        text,
        `Deactivate access key ${key.id}, and delete it when nobody has missed it.`,
        about,
        isCertain ? 'medium' : 'low',
      ),
    ];
  };
  return [...admins.values(), ...store.all('accessKeys').flatMap(ofKey)];
}

function adminInUse({ at, cluster }: Attempt, principal: string): Warning {
  const id = cluster?.id ?? '';
  return warning(
    'admin-in-use',
    `${principal} logged in as admin to cluster ${id}, last at ${at.toISOString()}.`,
    'Make a database role with what it needs, associate the IAM user or role with that (AWS IAM GRANT), and take dsql:DbConnectAdmin away.',
    { cluster: id, principals: [principal], role: ADMIN_ROLE },
  );
}

function later(a: Date | undefined, b: Date | undefined): Date | undefined {
  if (!a || !b) return a ?? b;
  return a > b ? a : b;
}
