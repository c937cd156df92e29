import { Refused } from '../refused.ts';
import type { ClusterRecord } from '../state/records.ts';
import type { Store } from '../state/store.ts';
import type { ClusterOperations } from './clusters.ts';

/** What can be declared of clusters while there is one: its tags and its protection. */
export function defaultClusterOnly(store: Store): ClusterOperations {
  const change = (id: string, changes: Partial<ClusterRecord>) =>
    store.change((draft) => {
      const cluster = draft.get('clusters', id);
      if (cluster) draft.put('clusters', id, { ...cluster, ...changes });
    });
  return {
    async create() {
      throw unsupported('Only the cluster `default` can be declared.');
    },
    async settled() {},
    protect: ({ id }, deletionProtection) => change(id, { deletionProtection }),
    tag: ({ id, tags: old }, tags) => change(id, { tags: { ...old, ...tags } }),
    async putPolicy() {
      throw unsupported('Policies of clusters cannot be declared.');
    },
  };
}

function unsupported(say: string): Refused<'unsupported-operation'> {
  return new Refused('unsupported-operation', { say, detail: say });
}
