import { Refused } from '../refused.ts';
import type { GroupRecord, RoleRecord, UserRecord } from '../state/records.ts';
import { nameInArn, nameKey } from './arn.ts';
import { find, GROUP, type HolderKind, ROLE, USER } from './entities.ts';
import { type Iam, invalidInput, noSuchEntity } from './iam.ts';

/* Where the policies come from that a caller asks about: somebody's, or documents in the call. */

export type PolicySource = Readonly<UserRecord | GroupRecord | RoleRecord>;

const KINDS: Readonly<Record<string, HolderKind>> = { user: USER, group: GROUP, role: ROLE };
const HOLDER = /^arn:aws:iam::\d{12}:(user|group|role)\/(?:[!-~]{1,510}\/)?[\w+=,.@-]{1,128}$/;

/** Throws Refused `no-such-entity`, or `invalid-input` for what is no ARN of a user, group or role. */
export function findPolicySource(iam: Iam, arn: string): PolicySource {
  const kind = KINDS[HOLDER.exec(arn)?.[1] ?? ''];
  if (!kind) throw invalidInput(`Invalid Entity Arn: ${arn} does not clearly define entity type and name.`);
  const name = nameInArn(arn);
  if (kind.arnOf(iam, name) !== arn) throw noSuchEntity(kind.missing(name));
  return find(kind, iam.store, nameKey(name));
}

/** A document of the call, read. Throws Refused `invalid-input` where creating such a policy is MalformedPolicyDocument. */
export function givenPolicy<Policy>(parse: (text: string) => Policy, text: string): Policy {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof Refused && error.kind === 'malformed-policy') throw invalidInput(error.say ?? error.detail);
    throw error;
  }
}
