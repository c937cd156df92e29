import { isDeepStrictEqual } from 'node:util';
import { policyArn } from '../iam/arn.ts';
import { ATTACH_POLICY, attachPolicy } from '../iam/attachments.ts';
import { PUT_PERMISSIONS_BOUNDARY, putPermissionsBoundary } from '../iam/boundaries.ts';
import { type BoundedKind, find, type HolderKind, type TaggedKind } from '../iam/entities.ts';
import { PUT_INLINE_POLICY, putInlinePolicy } from '../iam/inline-policies.ts';
import { checkInput } from '../iam/input.ts';
import { TAG, tagEntity } from '../iam/tags.ts';
import type { Tag } from '../state/records.ts';
import type { Applying } from './applying.ts';
import type { DeclaredHolder } from './declaration.ts';
import { below } from './shape.ts';

/* What users, groups and roles have in common. */

/** Whether a stored policy says what is declared: blanks and the order of members do not count. */
export function saysTheSame(stored: string, wanted: unknown): boolean {
  return isDeepStrictEqual(JSON.parse(stored), wanted);
}

/** The ARN that a declaration means: it may give the bare name of a policy that it declares itself. */
export function namedPolicy(applying: Applying, text: string, path: string): string {
  const filled = applying.fill(text, path);
  if (filled.includes(':')) return filled;
  const { store, account } = applying.iam;
  const own = store.all('managedPolicies').find(({ name }) => name.toLowerCase() === filled.toLowerCase());
  return own ? policyArn(account, own) : policyArn(account, { path: '/', name: filled });
}

export async function applyPolicies(
  applying: Applying,
  path: string,
  kind: HolderKind,
  name: string,
  { policies = {}, attachedPolicies = [] }: DeclaredHolder,
): Promise<void> {
  const { iam } = applying;
  for (const [policyName, document] of Object.entries(policies)) {
    const at = below(below(path, 'policies'), policyName);
    const { text, value } = await applying.document(document, at);
    const stored = find(kind, iam.store, name).policies;
    const old = Object.hasOwn(stored, policyName) ? stored[policyName] : undefined;
    if (old !== undefined && saysTheSame(old, value)) continue;
    await applying.at(at, () => {
      const input = checkInput(PUT_INLINE_POLICY, { PolicyName: policyName, PolicyDocument: text });
      return putInlinePolicy(iam, kind, name, input);
    });
    applying.changed(at, `inline policy ${policyName} of ${kind.noun} ${name}`);
  }
  for (const [index, named] of attachedPolicies.entries()) {
    const at = below(below(path, 'attachedPolicies'), index);
    const PolicyArn = namedPolicy(applying, named, at);
    if (find(kind, iam.store, name).attached.includes(PolicyArn)) continue;
    await applying.at(at, () => attachPolicy(iam, kind, name, checkInput(ATTACH_POLICY, { PolicyArn })));
    applying.changed(at, `${PolicyArn} attached to ${kind.noun} ${name}`);
  }
}

/** For one that is there: who is made gets its boundary with that, so that it never is without. */
export async function applyBoundary(
  applying: Applying,
  path: string,
  kind: BoundedKind,
  name: string,
  boundary: string | undefined,
): Promise<void> {
  if (boundary === undefined) return;
  const at = below(path, 'permissionsBoundary');
  const PermissionsBoundary = namedPolicy(applying, boundary, at);
  if (find(kind, applying.iam.store, name).boundary === PermissionsBoundary) return;
  await applying.at(at, () => {
    const input = checkInput(PUT_PERMISSIONS_BOUNDARY, { PermissionsBoundary });
    return putPermissionsBoundary(applying.iam, kind, name, input);
  });
  applying.changed(at, `permissions boundary of ${kind.noun} ${name}`);
}

export function tagList(tags: Readonly<Record<string, string>> | undefined): Tag[] {
  return Object.entries(tags ?? {}).map(([Key, Value]) => ({ Key, Value }));
}

/** `name` is what the kind is found by, `has` its tags. */
export async function applyTags(
  applying: Applying,
  path: string,
  kind: TaggedKind,
  name: string,
  { tags, has }: { tags: Readonly<Record<string, string>> | undefined; has: readonly Tag[] },
): Promise<void> {
  const missing = tagList(tags).filter(({ Key, Value }) => !has.some((tag) => tag.Key === Key && tag.Value === Value));
  if (missing.length === 0) return;
  const at = below(path, 'tags');
  await applying.at(at, () =>
    tagEntity(applying.iam, kind, name, checkInput(TAG, { Tags: missing.map((tag) => ({ ...tag })) })),
  );
  applying.changed(at, `tags of ${kind.noun} ${name}: ${missing.map(({ Key }) => Key).join(', ')}`);
}
