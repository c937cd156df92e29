import { rootArn } from '../../iam/arn.ts';
import { type BoundedKind, type GROUP, type HolderKind, USER } from '../../iam/entities.ts';
import type { Iam } from '../../iam/iam.ts';
import type { Identity } from '../../iam/identity.ts';
import { ownUserName } from '../../iam/users.ts';
import type { Tag } from '../../state/records.ts';
import type { Need } from '../operation.ts';

/*
 * Actions, resources and condition keys are those of the Service Authorization Reference, "Actions, resources, and
 * condition keys for AWS Identity and Access Management (IAM)".
 */

export type Context = NonNullable<Need['context']>;

export function need(action: string, resource: string, context: Context = {}): Need {
  return { action: `iam:${action}`, resource, context };
}

/** `aws:RequestTag/…` and `aws:TagKeys`, where tags are given. */
export function requestTags(tags: readonly Tag[] = []): Context {
  if (tags.length === 0) return {};
  const values = tags.map(({ Key, Value }) => [`aws:requesttag/${Key.toLowerCase()}`, [Value]] as const);
  return { ...Object.fromEntries(values), ...tagKeys(tags.map(({ Key }) => Key)) };
}

export function tagKeys(keys: readonly string[]): Context {
  return keys.length === 0 ? {} : { 'aws:tagkeys': keys };
}

export function askedBoundary(arn: string | undefined): Context {
  return arn === undefined ? {} : { 'iam:permissionsboundary': [arn] };
}

/** The boundary that the user or role has; groups have none. */
export function presentBoundary(iam: Iam, kind: HolderKind, name: string): Context {
  return kind.table === 'groups' ? {} : askedBoundary(boundaryOf(iam, kind, name) ?? undefined);
}

function boundaryOf(iam: Iam, kind: BoundedKind, name: string) {
  return iam.store.get(kind.table, kind.key(name))?.boundary;
}

/** To make an entity, and to tag it where it gets tags at once. */
export function needsToCreate(
  title: string,
  arn: string,
  input: { readonly Tags?: readonly Tag[]; readonly PermissionsBoundary?: string },
): Need[] {
  const tags = requestTags(input.Tags);
  const create = need(`Create${title}`, arn, { ...tags, ...askedBoundary(input.PermissionsBoundary) });
  return input.Tags?.length ? [create, need(`Tag${title}`, arn, tags)] : [create];
}

/** Operations whose UserName may be left out mean the caller then. Throws Refused `validation` for a role's session. */
export function userOrCaller(iam: Iam, name: string | undefined, caller: Identity): string {
  if (name !== undefined) return USER.arnOf(iam, name);
  return caller.kind === 'root' ? rootArn(iam.account) : USER.arnOf(iam, ownUserName(caller));
}

/** Where an entity is renamed or moved: on what it is and on what it shall be. */
export function needsToMove(
  iam: Iam,
  kind: typeof USER | typeof GROUP,
  name: string,
  to: { name: string | undefined; path: string | undefined },
): Need[] {
  const from = iam.store.get(kind.table, kind.key(name));
  const moved = { path: to.path ?? from?.path ?? '/', name: to.name ?? from?.name ?? name };
  const action = `Update${kind.title}`;
  return [need(action, kind.arnOf(iam, name)), need(action, kind.arn(iam.account, moved))];
}
