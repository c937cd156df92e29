import { policyOf } from '../../clusters/cluster-policies.ts';
import { listTags, tagResource, untagResource } from '../../clusters/cluster-tags.ts';
import { vpcEndpointNames } from '../../clusters/descriptions.ts';
import type { Lifecycle } from '../../clusters/lifecycle.ts';
import { clusterArn, isClusterId } from '../../clusters/names.ts';
import { invalid } from '../../clusters/refusals.ts';
import * as shapes from '../../clusters/shapes.ts';
import type { InputOf } from '../../iam/input.ts';
import { operation, type Service } from '../operation.ts';
import { createRestService, type Route } from '../protocols/rest-json.ts';
import * as needs from './dsql-needs.ts';

/** Amazon Aurora DSQL's control plane of one region, API version 2018-05-10. */
export interface Dsql {
  lifecycle: Lifecycle;
  region: string;
  account: string;
}

const DEFAULT_RESULTS = 100;

export function createDsqlService(dsql: Dsql): Service {
  return createRestService(dsqlRoutes(dsql));
}

export function dsqlRoutes(dsql: Dsql): readonly Route[] {
  return [...clusterRoutes(dsql), ...policyRoutes(dsql), ...tagRoutes(dsql), ...streamRoutes()];
}

function clusterRoutes(dsql: Dsql): Route[] {
  const { lifecycle, region } = dsql;
  const cluster = '/cluster/{identifier}';
  return [
    {
      name: 'CreateCluster',
      method: 'POST',
      path: '/cluster',
      operation: operation(
        shapes.CREATE_CLUSTER,
        (input) => needs.needsToCreate(dsql, input),
        (input, caller, context) => lifecycle.createCluster(region, input, { caller, context }),
      ),
    },
    {
      name: 'GetCluster',
      method: 'GET',
      path: cluster,
      operation: operation(shapes.GET_CLUSTER, needs.onCluster(dsql, 'GetCluster'), async ({ identifier }) => {
        const found = lifecycle.find(region, identifier);
        return { ...lifecycle.describe(found), tags: found.tags };
      }),
    },
    {
      name: 'ListClusters',
      method: 'GET',
      path: '/cluster',
      query: { 'max-results': 'maxResults', 'next-token': 'nextToken' },
      operation: operation(
        shapes.LIST_CLUSTERS,
        () => [needs.need('ListClusters', '*')],
        async (input) => listClusters(dsql, input),
      ),
    },
    {
      name: 'UpdateCluster',
      method: 'POST',
      path: cluster,
      operation: operation(
        shapes.UPDATE_CLUSTER,
        (input) => needs.needsToUpdate(dsql, input),
        (input) => lifecycle.updateCluster(region, input),
      ),
    },
    {
      name: 'DeleteCluster',
      method: 'DELETE',
      path: cluster,
      query: { 'client-token': 'clientToken' },
      operation: operation(shapes.DELETE_CLUSTER, needs.onCluster(dsql, 'DeleteCluster'), (input) =>
        lifecycle.deleteCluster(region, input),
      ),
    },
    {
      name: 'GetVpcEndpointServiceName',
      method: 'GET',
      // The model has the plural here.
      path: '/clusters/{identifier}/vpc-endpoint-service-name',
      operation: operation(
        shapes.GET_CLUSTER,
        needs.onCluster(dsql, 'GetVpcEndpointServiceName'),
        async ({ identifier }) => vpcEndpointNames(lifecycle.find(region, identifier)),
      ),
    },
  ];
}

function policyRoutes(dsql: Dsql): Route[] {
  const { lifecycle, region } = dsql;
  const path = '/cluster/{identifier}/policy';
  return [
    {
      name: 'PutClusterPolicy',
      method: 'POST',
      path,
      operation: operation(
        shapes.PUT_CLUSTER_POLICY,
        ({ identifier }) => needs.needsToPutPolicy(clusterArn(identifier, dsql)),
        (input, caller, context) => lifecycle.putPolicy(region, input, { caller, context }),
      ),
    },
    {
      name: 'GetClusterPolicy',
      method: 'GET',
      path,
      operation: operation(shapes.GET_CLUSTER, needs.onCluster(dsql, 'GetClusterPolicy'), async ({ identifier }) => {
        const { document, version } = policyOf(lifecycle.find(region, identifier));
        return { policy: document, policyVersion: version };
      }),
    },
    {
      name: 'DeleteClusterPolicy',
      method: 'DELETE',
      path,
      query: { 'expected-policy-version': 'expectedPolicyVersion', 'client-token': 'clientToken' },
      operation: operation(shapes.DELETE_CLUSTER_POLICY, needs.onCluster(dsql, 'DeleteClusterPolicy'), (input) =>
        lifecycle.deletePolicy(region, input),
      ),
    },
  ];
}

function tagRoutes(dsql: Dsql): Route[] {
  const path = '/tags/{resourceArn}';
  return [
    {
      name: 'TagResource',
      method: 'POST',
      path,
      operation: operation(
        shapes.TAG_RESOURCE,
        ({ resourceArn, tags }) => [needs.need('TagResource', resourceArn, needs.requestTags(tags))],
        (input) => tagResource(dsql, input),
      ),
    },
    {
      name: 'UntagResource',
      method: 'DELETE',
      path,
      query: { tagKeys: 'tagKeys' },
      operation: operation(
        shapes.UNTAG_RESOURCE,
        ({ resourceArn, tagKeys }) => [needs.need('UntagResource', resourceArn, needs.tagKeys(tagKeys))],
        (input) => untagResource(dsql, input),
      ),
    },
    {
      name: 'ListTagsForResource',
      method: 'GET',
      path,
      operation: operation(
        shapes.LIST_TAGS_FOR_RESOURCE,
        ({ resourceArn }) => [needs.need('ListTagsForResource', resourceArn)],
        (input) => listTags(dsql, input),
      ),
    },
  ];
}

function streamRoutes(): Route[] {
  const ofCluster = '/stream/{clusterIdentifier}';
  const one = `${ofCluster}/{streamIdentifier}`;
  const route = (name: string, method: Route['method'], path: string): Route => ({
    name,
    method,
    path,
    operation: `The operation ${name} is not supported: this server does not implement streams (change data capture).`,
  });
  return [
    route('CreateStream', 'POST', ofCluster),
    route('ListStreams', 'GET', ofCluster),
    route('GetStream', 'GET', one),
    route('DeleteStream', 'DELETE', one),
  ];
}

/** The token is the last identifier of the page before. */
function listClusters({ lifecycle, region }: Dsql, input: InputOf<typeof shapes.LIST_CLUSTERS>) {
  const after = input.nextToken === undefined ? '' : Buffer.from(input.nextToken, 'base64url').toString();
  if (after !== '' && !isClusterId(after)) throw invalid('nextToken', 'The value of nextToken is not valid.');
  const rest = lifecycle.list(region).filter(({ id }) => id > after);
  const page = rest.slice(0, input.maxResults ?? DEFAULT_RESULTS);
  const last = page.at(-1);
  return {
    clusters: page.map((cluster) => {
      const { identifier, arn } = lifecycle.describe(cluster);
      return { identifier, arn };
    }),
    ...(last && page.length < rest.length && { nextToken: Buffer.from(last.id).toString('base64url') }),
  };
}
