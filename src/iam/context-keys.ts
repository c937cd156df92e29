import { find, GROUP } from './entities.ts';
import type { Iam, Reader } from './iam.ts';
import { type InputOf, required } from './input.ts';
import { findPolicy } from './managed-policies.ts';
import { compileIdentityPolicy } from './policy/compile.ts';
import { contextKeysOf } from './policy/context-keys.ts';
import { parseIdentityPolicy } from './policy/parse.ts';
import { findPolicySource, givenPolicy, type PolicySource } from './policy-source.ts';
import { arn, policyInputList } from './shapes.ts';

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
  const holder = findPolicySource(iam, input.PolicySourceArn);
  const groups = 'groups' in holder ? holder.groups.map((key) => find(GROUP, store, key)) : [];
  const documents = [holder, ...groups].flatMap((each) => documentsOf(store, each));
  return { ContextKeyNames: keysIn([...documents, ...(input.PolicyInputList ?? [])]) };
}

function documentsOf(reader: Reader, { policies, attached }: PolicySource): string[] {
  const managed = attached.map((arn) => {
    const { versions, defaultVersion } = findPolicy(reader, arn);
    return versions.find(({ id }) => id === defaultVersion)!.document;
  });
  return [...Object.values(policies), ...managed];
}

function keysIn(documents: readonly string[]): string[] {
  return contextKeysOf(documents.map((text) => compileIdentityPolicy('', givenPolicy(parseIdentityPolicy, text))));
}
