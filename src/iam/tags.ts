import type { Tag } from '../state/records.ts';
import { changeEntity, find, type TaggedKind } from './entities.ts';
import { type Iam, invalidInput } from './iam.ts';
import { type InputOf, required } from './input.ts';
import { page } from './page.ts';
import { checkQuota, type Quota } from './quotas.ts';
import { paging, tagKeyList, tagList } from './shapes.ts';

/* The same three operations for each kind of entity that has tags; its name is a parameter beside these. */

export const TAG = { Tags: required(tagList) } as const;
export const UNTAG = { TagKeys: required(tagKeyList) } as const;
export const LIST_TAGS = { ...paging } as const;

/** Throws Refused `no-such-entity`, `invalid-input` or `limit-exceeded`. */
export async function tagEntity(iam: Iam, kind: TaggedKind, name: string, input: InputOf<typeof TAG>) {
  await changeEntity(iam, kind, name, ({ tags }) => ({ tags: withTags(tags, input.Tags, kind.tagQuota) }));
}

/** Throws Refused `no-such-entity`. */
export async function untagEntity(iam: Iam, kind: TaggedKind, name: string, input: InputOf<typeof UNTAG>) {
  const gone = new Set(input.TagKeys.map((key) => key.toLowerCase()));
  await changeEntity(iam, kind, name, ({ tags }) => ({ tags: tags.filter((tag) => !gone.has(sortKey(tag))) }));
}

/** `tags` are those of the entity. */
export function listTags(tags: readonly Tag[], input: InputOf<typeof LIST_TAGS>) {
  const { items, ...rest } = page(tags, sortKey, input);
  return { Tags: items, ...rest };
}

/** Throws Refused `no-such-entity`. */
export async function listEntityTags(iam: Iam, kind: TaggedKind, name: string, input: InputOf<typeof LIST_TAGS>) {
  return listTags(find(kind, iam.store, name).tags, input);
}

/**
 * The tags of a new entity, or `old` with `added` put over them. Keys are compared without regard to case but kept as
 * they were written (IAM User Guide, "Tagging"). Throws Refused `invalid-input` or `limit-exceeded`.
 */
export function withTags(old: readonly Tag[], added: readonly Tag[], quota: Quota): Tag[] {
  const byKey = new Map(old.map((tag) => [sortKey(tag), tag]));
  const seen = new Set<string>();
  for (const { Key, Value } of added) {
    const key = Key.toLowerCase();
    if (seen.has(key)) {
      throw invalidInput('Duplicate tag keys found. Please note that Tag keys are case insensitive.');
    }
    if (key.startsWith('aws:')) throw invalidInput('Tag keys starting with aws: are reserved for system use.');
    seen.add(key);
    byKey.set(key, { Key, Value });
  }
  checkQuota(quota, byKey.size);
  return [...byKey.values()].sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
}

/** The member of a description that some operations have; none where there are no tags, as on AWS. */
export function tagsMember({ tags }: { readonly tags: readonly Tag[] }) {
  return tags.length === 0 ? {} : { Tags: tags };
}

/** The order of a list of tags, and what pages are cut by. */
function sortKey(tag: Tag): string {
  return tag.Key.toLowerCase();
}
