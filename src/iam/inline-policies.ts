import { Refused } from '../refused.ts';
import { changeEntity, find, type HolderKind } from './entities.ts';
import { type Iam, noSuchEntity } from './iam.ts';
import { type InputOf, required } from './input.ts';
import { page } from './page.ts';
import { parseIdentityPolicy, policySize } from './policy/parse.ts';
import { QUOTAS } from './quotas.ts';
import { paging, policyDocument, policyName } from './shapes.ts';

/* The same four operations for users, roles and groups; the holder's name is a parameter beside these. */

export const PUT_INLINE_POLICY = {
  PolicyName: required(policyName),
  PolicyDocument: required(policyDocument),
} as const;
export const GET_INLINE_POLICY = { PolicyName: required(policyName) } as const;
export const LIST_INLINE_POLICIES = { ...paging } as const;
export const DELETE_INLINE_POLICY = { PolicyName: required(policyName) } as const;

/** Throws Refused `malformed-policy`, `limit-exceeded` or `no-such-entity`. */
export async function putInlinePolicy(
  iam: Iam,
  kind: HolderKind,
  name: string,
  { PolicyName, PolicyDocument }: InputOf<typeof PUT_INLINE_POLICY>,
) {
  await changeEntity(iam, kind, name, (holder) => {
    parseIdentityPolicy(PolicyDocument);
    // A computed key defines a member, also where a policy is called __proto__.
    const policies = { ...holder.policies, [PolicyName]: PolicyDocument };
    const size = Object.values(policies).reduce((sum, text) => sum + policySize(text), 0);
    const limit = QUOTAS[kind.inlineQuota];
    if (size > limit) {
      const say = `Maximum policy size of ${limit} bytes exceeded for ${kind.noun} ${holder.name}`;
      throw new Refused('limit-exceeded', { say, detail: say });
    }
    return { policies };
  });
}

/** Throws Refused `no-such-entity`. */
export async function getInlinePolicy(
  iam: Iam,
  kind: HolderKind,
  name: string,
  { PolicyName }: InputOf<typeof GET_INLINE_POLICY>,
) {
  const holder = find(kind, iam.store, name);
  return { [kind.parameter]: holder.name, PolicyName, PolicyDocument: policyOf(kind, holder, PolicyName) };
}

/** Throws Refused `no-such-entity`. */
export async function listInlinePolicies(
  iam: Iam,
  kind: HolderKind,
  name: string,
  input: InputOf<typeof LIST_INLINE_POLICIES>,
) {
  const names = Object.keys(find(kind, iam.store, name).policies).sort();
  const { items, ...rest } = page(names, (policy) => policy, input);
  return { PolicyNames: items, ...rest };
}

/** Throws Refused `no-such-entity`. */
export async function deleteInlinePolicy(
  iam: Iam,
  kind: HolderKind,
  name: string,
  { PolicyName }: InputOf<typeof DELETE_INLINE_POLICY>,
) {
  await changeEntity(iam, kind, name, (holder) => {
    policyOf(kind, holder, PolicyName);
    const rest = Object.entries(holder.policies).filter(([other]) => other !== PolicyName);
    return { policies: Object.fromEntries(rest) };
  });
}

interface Holder {
  readonly policies: Readonly<Record<string, string>>;
}

function policyOf(kind: HolderKind, { policies }: Holder, name: string): string {
  const text = Object.hasOwn(policies, name) ? policies[name] : undefined;
  if (text === undefined) throw noSuchEntity(`The ${kind.noun} policy with name ${name} cannot be found.`);
  return text;
}
