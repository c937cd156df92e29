import { Refused } from '../refused.ts';
import type { Tag } from '../state/records.ts';
import { checkQuota } from './iam.ts';

const MAX_TAGS = 50;

/**
 * The tags of a new entity, or `old` with `added` put over them. Keys are compared without regard to case but kept as
 * they were written (IAM User Guide, "Tagging"). Throws Refused `invalid-input` or `limit-exceeded`.
 */
export function withTags(old: readonly Tag[], added: readonly Tag[], quota: 'TagsPerUser' | 'TagsPerRole'): Tag[] {
  const byKey = new Map(old.map((tag) => [tag.Key.toLowerCase(), tag]));
  const seen = new Set<string>();
  for (const { Key, Value } of added) {
    const key = Key.toLowerCase();
    if (seen.has(key)) {
      throw invalid('Duplicate tag keys found. Please note that Tag keys are case insensitive.');
    }
    if (key.startsWith('aws:')) throw invalid('Tag keys starting with aws: are reserved for system use.');
    seen.add(key);
    byKey.set(key, { Key, Value });
  }
  checkQuota(quota, byKey.size, MAX_TAGS);
  return [...byKey.values()].sort(byTagKey);
}

export function withoutTags(old: readonly Tag[], keys: readonly string[]): Tag[] {
  const gone = new Set(keys.map((key) => key.toLowerCase()));
  return old.filter((tag) => !gone.has(tag.Key.toLowerCase()));
}

/** The order of a list of tags, and what pages are cut by. */
export function tagSortKey(tag: Tag): string {
  return tag.Key.toLowerCase();
}

function byTagKey(a: Tag, b: Tag): number {
  return tagSortKey(a) < tagSortKey(b) ? -1 : 1;
}

function invalid(say: string): Refused<'invalid-input'> {
  return new Refused('invalid-input', { say, detail: say });
}
