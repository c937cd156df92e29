import { Refused } from '../refused.ts';
import type { RoleRecord, UserRecord } from '../state/records.ts';
import { nameKey } from './arn.ts';
import { findRole, findUser, type Iam, noSuchEntity } from './iam.ts';
import { type InputOf, required } from './input.ts';
import { type Paging, page } from './page.ts';
import { parseIdentityPolicy, policySize } from './policy/parse.ts';
import { existingUserName, paging, policyDocument, policyName, roleName } from './shapes.ts';

/** IAM's quotas for the inline policies of one entity together, in characters without white space. */
const MAX_USER_POLICIES = 2048;
const MAX_ROLE_POLICIES = 10_240;

const document = { PolicyName: required(policyName), PolicyDocument: required(policyDocument) } as const;
const name = { PolicyName: required(policyName) } as const;
const user = { UserName: required(existingUserName) } as const;
const role = { RoleName: required(roleName) } as const;

export const PUT_USER_POLICY = { ...user, ...document } as const;
export const GET_USER_POLICY = { ...user, ...name } as const;
export const LIST_USER_POLICIES = { ...user, ...paging } as const;
export const DELETE_USER_POLICY = { ...user, ...name } as const;
export const PUT_ROLE_POLICY = { ...role, ...document } as const;
export const GET_ROLE_POLICY = { ...role, ...name } as const;
export const LIST_ROLE_POLICIES = { ...role, ...paging } as const;
export const DELETE_ROLE_POLICY = { ...role, ...name } as const;

/** Throws Refused `malformed-policy`, `limit-exceeded` or `no-such-entity`. */
export async function putUserPolicy(iam: Iam, input: InputOf<typeof PUT_USER_POLICY>) {
  await iam.store.change((draft) => {
    const user = findUser(draft, input.UserName);
    draft.put('users', nameKey(user.name), { ...user, policies: withPolicy('user', user, input, MAX_USER_POLICIES) });
  });
}

export async function getUserPolicy(iam: Iam, input: InputOf<typeof GET_USER_POLICY>) {
  const user = findUser(iam.store, input.UserName);
  return {
    UserName: user.name,
    PolicyName: input.PolicyName,
    PolicyDocument: policyOf('user', user, input.PolicyName),
  };
}

export async function listUserPolicies(iam: Iam, input: InputOf<typeof LIST_USER_POLICIES>) {
  return policyNames(findUser(iam.store, input.UserName), input);
}

export async function deleteUserPolicy(iam: Iam, input: InputOf<typeof DELETE_USER_POLICY>) {
  await iam.store.change((draft) => {
    const user = findUser(draft, input.UserName);
    draft.put('users', nameKey(user.name), { ...user, policies: withoutPolicy('user', user, input.PolicyName) });
  });
}

/** Throws Refused `malformed-policy`, `limit-exceeded` or `no-such-entity`. */
export async function putRolePolicy(iam: Iam, input: InputOf<typeof PUT_ROLE_POLICY>) {
  await iam.store.change((draft) => {
    const role = findRole(draft, input.RoleName);
    draft.put('roles', nameKey(role.name), { ...role, policies: withPolicy('role', role, input, MAX_ROLE_POLICIES) });
  });
}

export async function getRolePolicy(iam: Iam, input: InputOf<typeof GET_ROLE_POLICY>) {
  const role = findRole(iam.store, input.RoleName);
  return {
    RoleName: role.name,
    PolicyName: input.PolicyName,
    PolicyDocument: policyOf('role', role, input.PolicyName),
  };
}

export async function listRolePolicies(iam: Iam, input: InputOf<typeof LIST_ROLE_POLICIES>) {
  return policyNames(findRole(iam.store, input.RoleName), input);
}

export async function deleteRolePolicy(iam: Iam, input: InputOf<typeof DELETE_ROLE_POLICY>) {
  await iam.store.change((draft) => {
    const role = findRole(draft, input.RoleName);
    draft.put('roles', nameKey(role.name), { ...role, policies: withoutPolicy('role', role, input.PolicyName) });
  });
}

type Holder = Pick<UserRecord | RoleRecord, 'name' | 'policies'>;
type HolderKind = 'user' | 'role';

function withPolicy(
  kind: HolderKind,
  holder: Holder,
  { PolicyName, PolicyDocument }: { PolicyName: string; PolicyDocument: string },
  limit: number,
): Record<string, string> {
  parseIdentityPolicy(PolicyDocument);
  // A computed key defines a member, also where a policy is called __proto__.
  const policies = { ...holder.policies, [PolicyName]: PolicyDocument };
  const size = Object.values(policies).reduce((sum, text) => sum + policySize(text), 0);
  if (size > limit) {
    const say = `Maximum policy size of ${limit} bytes exceeded for ${kind} ${holder.name}`;
    throw new Refused('limit-exceeded', { say, detail: say });
  }
  return policies;
}

function withoutPolicy(kind: HolderKind, holder: Holder, name: string): Record<string, string> {
  policyOf(kind, holder, name);
  return Object.fromEntries(Object.entries(holder.policies).filter(([other]) => other !== name));
}

function policyOf(kind: HolderKind, holder: Holder, name: string): string {
  const text = Object.hasOwn(holder.policies, name) ? holder.policies[name] : undefined;
  if (text === undefined) throw noSuchEntity(`The ${kind} policy with name ${name} cannot be found.`);
  return text;
}

function policyNames(holder: Holder, paging: Paging) {
  const { items, ...rest } = page(Object.keys(holder.policies).sort(), (name) => name, paging);
  return { PolicyNames: items, ...rest };
}
