import { nameKey, parseRoleArn, roleArn } from '../iam/arn.ts';
import type { Authority } from '../iam/identity.ts';
import type { RoleRecord } from '../state/records.ts';
import type { Store } from '../state/store.ts';
import type { OidcKeys } from './oidc-keys.ts';
import { invalid } from './session-parameters.ts';
import type { SessionMaker } from './session-token.ts';

/** What every STS operation works with. */
export interface Sts {
  store: Store;
  authority: Authority;
  sessions: SessionMaker;
  oidcKeys: OidcKeys;
  account: string;
  now(): Date;
}

const DEFAULT_SECONDS = 3600;

/** Undefined for a role that there is not, in this account, by just this ARN. Throws Refused `validation` for no ARN. */
export function findRoleByArn({ store, account }: Pick<Sts, 'store' | 'account'>, arn: string) {
  const named = parseRoleArn(arn);
  if (!named) throw invalid(`${arn.slice(0, 256)} is invalid`);
  const role = named.account === account ? store.get('roles', nameKey(named.name)) : undefined;
  return role && roleArn(account, role) === arn ? role : undefined;
}

/** How long a session of the role lasts, in seconds. Throws Refused `validation`. */
export function roleSessionSeconds(role: Readonly<RoleRecord>, asked: number | undefined): number {
  const seconds = asked ?? DEFAULT_SECONDS;
  if (seconds > role.maxSessionDuration) {
    throw invalid('The requested DurationSeconds exceeds the MaxSessionDuration set for this role.');
  }
  return seconds;
}
