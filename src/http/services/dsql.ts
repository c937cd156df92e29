import type { ClusterDescriptions } from '../../clusters/descriptions.ts';
import { clusterArn } from '../../clusters/names.ts';
import { type IntegerShape, required, type StringShape } from '../../iam/input.ts';
import { Refused } from '../../refused.ts';
import { operation, type Service } from '../operation.ts';
import { createRestService } from '../protocols/rest-json.ts';

/** Amazon Aurora DSQL's control plane, API version 2018-05-10: what reads clusters. */
export interface Dsql {
  clusters: ClusterDescriptions;
  region: string;
  account: string;
}

const clusterId = { type: 'string', min: 26, max: 26, pattern: /[a-z0-9]{26}/ } as const satisfies StringShape;
const maxResults = { type: 'integer', min: 1, max: 100 } as const satisfies IntegerShape;
const nextToken = { type: 'string', min: 1, max: 1024 } as const satisfies StringShape;
const DEFAULT_RESULTS = 100;

export function createDsqlService(dsql: Dsql): Service {
  return createRestService([
    {
      name: 'GetCluster',
      method: 'GET',
      path: /^\/cluster\/(?<identifier>[^/]+)$/,
      query: {},
      operation: operation(
        { identifier: required(clusterId) },
        ({ identifier }) => [{ action: 'dsql:GetCluster', resource: clusterArn(identifier, dsql) }],
        async ({ identifier }) => {
          const cluster = dsql.clusters.get(identifier);
          if (!cluster) throw noSuchCluster(identifier);
          return cluster;
        },
      ),
    },
    {
      name: 'ListClusters',
      method: 'GET',
      path: /^\/cluster\/?$/,
      query: { 'max-results': 'maxResults', 'next-token': 'nextToken' },
      operation: operation(
        { maxResults, nextToken },
        () => [{ action: 'dsql:ListClusters', resource: '*' }],
        async (input) => listClusters(dsql, input),
      ),
    },
  ]);
}

/** The token is the last identifier of the page before. */
function listClusters(dsql: Dsql, input: { readonly maxResults?: number; readonly nextToken?: string }) {
  const all = dsql.clusters.list();
  const after = input.nextToken === undefined ? undefined : Buffer.from(input.nextToken, 'base64url').toString();
  const rest = after === undefined ? all : all.filter(({ identifier }) => identifier > after);
  const clusters = rest.slice(0, input.maxResults ?? DEFAULT_RESULTS);
  const last = clusters.at(-1);
  return {
    clusters: clusters.map(({ identifier, arn }) => ({ identifier, arn })),
    ...(last && clusters.length < rest.length && { nextToken: Buffer.from(last.identifier).toString('base64url') }),
  };
}

function noSuchCluster(identifier: string): Refused<'resource-not-found'> {
  const say = `Cluster with id ${identifier} was not found.`;
  return new Refused('resource-not-found', {
    say,
    detail: say,
    fields: { resourceId: identifier, resourceType: 'cluster' },
  });
}
