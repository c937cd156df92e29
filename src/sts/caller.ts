import type { Identity } from '../iam/identity.ts';
import { type InputOf, required } from '../iam/input.ts';
import { accessKeyId } from '../iam/shapes.ts';
import { Refused } from '../refused.ts';
import type { Store } from '../state/store.ts';

export const GET_CALLER_IDENTITY = {} as const;
export const GET_ACCESS_KEY_INFO = { AccessKeyId: required(accessKeyId) } as const;

/** Every valid key may ask who it is. */
export async function getCallerIdentity(caller: Identity) {
  return { UserId: caller.userId, Account: caller.account, Arn: caller.arn };
}

/**
 * The account of a key: of a long-term key that is in the store. On AWS the id itself tells the account; ours does not,
 * so temporary keys, which are not stored, are unknown. Throws Refused `validation`.
 */
export async function getAccessKeyInfo(
  { store, account }: { store: Store; account: string },
  input: InputOf<typeof GET_ACCESS_KEY_INFO>,
) {
  if (store.get('accessKeys', input.AccessKeyId)) return { Account: account };
  const say = `The access key ${input.AccessKeyId} is not one of this account.`;
  throw new Refused('validation', { say, detail: say });
}
