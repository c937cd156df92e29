import { find, ROLE, USER } from './entities.ts';
import type { Iam } from './iam.ts';
import { type InputOf, required, UNSUPPORTED } from './input.ts';
import { existingUserName, paging, roleName, serviceName, userName } from './shapes.ts';

/*
 * What nobody here can have: clients that delete a user or a role ask for it first, and are told the truth. What would
 * make such a thing is refused as not supported.
 */

export const LIST_ACCOUNT_ALIASES = { ...paging } as const;
export const LIST_OF_USER = { UserName: existingUserName, ...paging } as const;
/** The model's name for a user is shorter in this and the next. */
export const LIST_SSH_PUBLIC_KEYS = { UserName: userName, ...paging } as const;
export const LIST_SERVICE_SPECIFIC_CREDENTIALS = {
  ...LIST_SSH_PUBLIC_KEYS,
  ServiceName: serviceName,
  AllUsers: UNSUPPORTED,
} as const;
export const LIST_INSTANCE_PROFILES_FOR_ROLE = { RoleName: required(roleName), ...paging } as const;

export async function listAccountAliases() {
  return nothing('AccountAliases');
}

/** `list` is the member of the answer. Throws Refused `no-such-entity`. */
export async function listOfUser(iam: Iam, list: string, input: InputOf<typeof LIST_OF_USER>) {
  if (input.UserName !== undefined) find(USER, iam.store, input.UserName);
  return nothing(list);
}

/** Throws Refused `no-such-entity`. */
export async function listInstanceProfilesForRole(iam: Iam, input: InputOf<typeof LIST_INSTANCE_PROFILES_FOR_ROLE>) {
  find(ROLE, iam.store, input.RoleName);
  return nothing('InstanceProfiles');
}

function nothing(list: string) {
  return { [list]: [], IsTruncated: false };
}
