import { clusterArn } from '../clusters/names.ts';
import type { ClusterRecord, Records, RoleRecord, Tag } from '../state/records.ts';
import type { Store } from '../state/store.ts';
import { nameInArn, nameKey, roleArn, userArn } from './arn.ts';

/** What an ARN names in this account. */
export type Resource =
  | { type: 'cluster'; record: Readonly<ClusterRecord> }
  | { type: 'role'; record: Readonly<RoleRecord> }
  | { type: 'user' | 'group' | 'policy' | 'oidc-provider'; record: object };

/** Undefined for an ARN that names nothing here. */
export function resourceOf(store: Pick<Store, 'get'>, account: string, arn: string): Resource | undefined {
  if (arn.startsWith('arn:aws:dsql:')) {
    const record = store.get('clusters', nameInArn(arn));
    return record && clusterArn(record.id, { region: record.region, account }) === arn
      ? { type: 'cluster', record }
      : undefined;
  }
  const prefix = `arn:aws:iam::${account}:`;
  if (!arn.startsWith(prefix)) return undefined;
  const type = arn.slice(prefix.length, arn.indexOf('/', prefix.length));
  const key = nameKey(nameInArn(arn));
  switch (type) {
    case 'user': {
      const record = store.get('users', key);
      return record && userArn(account, record) === arn ? { type, record } : undefined;
    }
    case 'role': {
      const record = store.get('roles', key);
      return record && roleArn(account, record) === arn ? { type, record } : undefined;
    }
    case 'group': {
      const record = store.get('groups', key);
      return record && `${prefix}group${record.path}${record.name}` === arn ? { type, record } : undefined;
    }
    case 'policy':
    case 'oidc-provider': {
      const record = store.get(type === 'policy' ? 'managedPolicies' : 'oidcProviders', arn);
      return record && { type, record };
    }
    default:
      return undefined;
  }
}

type Tagged = readonly Tag[] | Readonly<Records['clusters']['tags']>;

/** Records are frozen, so their tags' keys are put in lower case once. */
const lowered = new WeakMap<object, ReadonlyMap<string, readonly string[]>>();

/**
 * Tag values by the key in lower case. Clusters may have tags whose keys differ in case only; conditions cannot tell them
 * apart, so the key then has several values and no variable can choose one.
 */
export function tagValues(tags: Tagged): ReadonlyMap<string, readonly string[]> {
  let values = lowered.get(tags);
  if (!values) {
    const pairs = Array.isArray(tags)
      ? tags.map(({ Key, Value }: Tag) => [Key, Value] as const)
      : Object.entries(tags as Records['clusters']['tags']);
    const made = new Map<string, string[]>();
    for (const [key, value] of pairs) made.set(key.toLowerCase(), [...(made.get(key.toLowerCase()) ?? []), value]);
    values = made;
    lowered.set(tags, values);
  }
  return values;
}

export function tagsOf({ record }: Resource): Tagged {
  return 'tags' in record ? (record.tags as Tagged) : NO_TAGS;
}

const NO_TAGS: Tagged = [];
