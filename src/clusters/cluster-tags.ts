import type { InputOf } from '../iam/input.ts';
import { type Lifecycle, refuseReserved } from './lifecycle.ts';
import { notFound, quotaExceeded } from './refusals.ts';
import type { LIST_TAGS_FOR_RESOURCE, TAG_RESOURCE, UNTAG_RESOURCE } from './shapes.ts';

/** Of one resource: shape TagMap. */
const MAX_TAGS = 200;
const CLUSTER = /^arn:aws:dsql:([a-z0-9-]{1,20}):(\d{12}):cluster\/([a-z0-9]{26})$/;

export interface TaggedPlace {
  lifecycle: Lifecycle;
  region: string;
  account: string;
}

/** Throws Refused `resource-not-found`, `validation` or `quota-exceeded`. */
export async function tagResource(place: TaggedPlace, input: InputOf<typeof TAG_RESOURCE>): Promise<void> {
  refuseReserved(Object.keys(input.tags));
  const identifier = clusterIn(place, input.resourceArn);
  await place.lifecycle.changeTags(place.region, identifier, (tags) => {
    const all = { ...tags, ...input.tags };
    if (Object.keys(all).length > MAX_TAGS) {
      throw quotaExceeded(`A cluster has at most ${MAX_TAGS} tags.`, {
        resourceId: identifier,
        resourceType: 'cluster',
        quotaCode: 'tags-per-cluster',
      });
    }
    return all;
  });
}

/** A key that is not there is no error. Throws Refused `resource-not-found`. */
export async function untagResource(place: TaggedPlace, input: InputOf<typeof UNTAG_RESOURCE>): Promise<void> {
  const gone = new Set(input.tagKeys);
  await place.lifecycle.changeTags(place.region, clusterIn(place, input.resourceArn), (tags) =>
    Object.fromEntries(Object.entries(tags).filter(([key]) => !gone.has(key))),
  );
}

/** Throws Refused `resource-not-found`. */
export async function listTags(place: TaggedPlace, { resourceArn }: InputOf<typeof LIST_TAGS_FOR_RESOURCE>) {
  return { tags: place.lifecycle.find(place.region, clusterIn(place, resourceArn)).tags };
}

/** The cluster that an ARN names. Throws Refused `resource-not-found` for one of another region, account or service. */
function clusterIn({ region, account }: TaggedPlace, arn: string): string {
  const [, arnRegion, arnAccount, identifier] = CLUSTER.exec(arn) ?? [];
  if (identifier !== undefined && arnRegion === region && arnAccount === account) return identifier;
  throw notFound('resource', arn, `Resource ${arn} was not found.`);
}
