import { setTimeout as pause } from 'node:timers/promises';
import { tagResource } from '../clusters/cluster-tags.ts';
import type { Lifecycle } from '../clusters/lifecycle.ts';
import { clusterArn } from '../clusters/names.ts';
import { CREATE_CLUSTER, PUT_CLUSTER_POLICY, TAG_RESOURCE, UPDATE_CLUSTER } from '../clusters/shapes.ts';
import { rootArn } from '../iam/arn.ts';
import type { Iam } from '../iam/iam.ts';
import { checkInput } from '../iam/input.ts';
import { namedIdentity } from '../iam/named-identity.ts';
import { requestContext } from '../iam/request-facts.ts';
import { Refused } from '../refused.ts';
import type { ClusterOperations } from './clusters.ts';

/** In ms: making a cluster takes a tenth of it on a slow machine. */
const PATIENCE = 60_000;
const LOOK_AGAIN = 20;

/** The operations of the DSQL API, asked for by the account root user. */
export function controlPlane(lifecycle: Lifecycle, { store, account, now }: Iam): ClusterOperations {
  const asker = (region: string) => {
    const caller = namedIdentity(store, account, rootArn(account), now());
    if (!caller) throw new Error('the account has no root user');
    return { caller, context: requestContext({ sourceAddress: undefined, encrypted: true, now: now(), region }) };
  };
  const isUnsettled = (id: string) => {
    const status = store.get('clusters', id)?.status;
    return status === 'CREATING' || status === 'DELETING';
  };
  return {
    async create(region, { clientToken, deletionProtection }) {
      const input = checkInput(CREATE_CLUSTER, {
        clientToken,
        ...(deletionProtection !== undefined && { deletionProtectionEnabled: deletionProtection }),
      });
      return (await lifecycle.createCluster(region, input, asker(region))).identifier;
    },
    async settled(id) {
      for (let waited = 0; isUnsettled(id); waited += LOOK_AGAIN) {
        if (waited >= PATIENCE) {
          const detail = `cluster ${id} is ${store.get('clusters', id)?.status} for too long: the log says why`;
          throw new Refused('engine-unavailable', { detail });
        }
        await pause(LOOK_AGAIN);
      }
    },
    async protect({ id, region }, deletionProtectionEnabled) {
      await lifecycle.updateCluster(region, checkInput(UPDATE_CLUSTER, { identifier: id, deletionProtectionEnabled }));
    },
    async tag({ id, region }, tags) {
      const input = checkInput(TAG_RESOURCE, { resourceArn: clusterArn(id, { region, account }), tags: { ...tags } });
      await tagResource({ lifecycle, region, account }, input);
    },
    async putPolicy({ id, region }, policy) {
      await lifecycle.putPolicy(region, checkInput(PUT_CLUSTER_POLICY, { identifier: id, policy }), asker(region));
    },
  };
}
