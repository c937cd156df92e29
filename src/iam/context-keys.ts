import { Refused } from '../refused.ts';
import type { GroupRecord, RoleRecord, UserRecord } from '../state/records.ts';
import { nameInArn, nameKey } from './arn.ts';
import { find, GROUP, type HolderKind, ROLE, USER } from './entities.ts';
import { type Iam, invalidInput, noSuchEntity, type Reader } from './iam.ts';
import { type InputOf, required } from './input.ts';
import { findPolicy } from './managed-policies.ts';
import { compileIdentityPolicy } from './policy/compile.ts';
import { contextKeysOf } from './policy/context-keys.ts';
import { parseIdentityPolicy } from './policy/parse.ts';
import { arn, policyDocument } from './shapes.ts';

const policyInputList = { type: 'list', of: policyDocument, max: 1000 } as const;

export const GET_CONTEXT_KEYS_FOR_CUSTOM_POLICY = { PolicyInputList: required(policyInputList) } as const;
export const GET_CONTEXT_KEYS_FOR_PRINCIPAL_POLICY = {
  PolicySourceArn: required(arn),
  PolicyInputList: policyInputList,
} as const;

/** Throws Refused `invalid-input` for a policy that is none. */
export async function getContextKeysForCustomPolicy(input: InputOf<typeof GET_CONTEXT_KEYS_FOR_CUSTOM_POLICY>) {
  return { ContextKeyNames: keysIn(input.PolicyInputList) };
}

/**
 * Of the policies of a user with its groups, of a group or of a role, and of those that are given. Throws Refused
 * `invalid-input` for an ARN or a policy that is none, or `no-such-entity`.
 */
export async function getContextKeysForPrincipalPolicy(
  iam: Iam,
  input: InputOf<typeof GET_CONTEXT_KEYS_FOR_PRINCIPAL_POLICY>,
) {
  const { store } = iam;
  const holder = findHolder(iam, input.PolicySourceArn);
  const groups = 'groups' in holder ? holder.groups.map((key) => find(GROUP, store, key)) : [];
  const documents = [holder, ...groups].flatMap((each) => documentsOf(store, each));
  return { ContextKeyNames: keysIn([...documents, ...(input.PolicyInputList ?? [])]) };
}

type Holder = Readonly<UserRecord | GroupRecord | RoleRecord>;

const KINDS: Readonly<Record<string, HolderKind>> = { user: USER, group: GROUP, role: ROLE };
const HOLDER = /^arn:aws:iam::\d{12}:(user|group|role)\/(?:[!-~]{1,510}\/)?[\w+=,.@-]{1,128}$/;

function findHolder(iam: Iam, arn: string): Holder {
  const kind = KINDS[HOLDER.exec(arn)?.[1] ?? ''];
  if (!kind) throw invalidInput(`ARN ${arn} is not valid.`);
  const name = nameInArn(arn);
  if (kind.arnOf(iam, name) !== arn) throw noSuchEntity(kind.missing(name));
  return find(kind, iam.store, nameKey(name));
}

function documentsOf(reader: Reader, { policies, attached }: Holder): string[] {
  const managed = attached.map((arn) => {
    const { versions, defaultVersion } = findPolicy(reader, arn);
    return versions.find(({ id }) => id === defaultVersion)!.document;
  });
  return [...Object.values(policies), ...managed];
}

function keysIn(documents: readonly string[]): string[] {
  try {
    return contextKeysOf(documents.map((text) => compileIdentityPolicy('', parseIdentityPolicy(text))));
  } catch (error) {
    if (error instanceof Refused && error.kind === 'malformed-policy') throw invalidInput(error.say ?? error.detail);
    throw error;
  }
}
