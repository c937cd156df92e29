import { clusterArn } from '../../clusters/names.ts';
import type { CREATE_CLUSTER, UPDATE_CLUSTER } from '../../clusters/shapes.ts';
import type { InputOf } from '../../iam/input.ts';
import type { Need } from '../operation.ts';

/*
 * Actions, resources and condition keys are those of the Service Authorization Reference, "Actions, resources, and
 * condition keys for Amazon Aurora DSQL", and of "Required permissions" in the API reference of the operations.
 */

export interface Place {
  region: string;
  account: string;
}

type Context = NonNullable<Need['context']>;

export function need(action: string, resource: string, context: Context = {}): Need {
  return { action: `dsql:${action}`, resource, context };
}

export function onCluster(place: Place, action: string) {
  return ({ identifier }: { readonly identifier: string }) => [need(action, clusterArn(identifier, place))];
}

/** Without a cluster yet, the resource is all of them. */
export function needsToCreate(place: Place, input: InputOf<typeof CREATE_CLUSTER>): Need[] {
  const local = clusterArn('*', place);
  const { tags, multiRegionProperties, policy } = input;
  const tagged = requestTags(tags);
  const witness = witnessContext(multiRegionProperties);
  return [
    need('CreateCluster', local, { ...tagged, ...witness }),
    ...(tags && Object.keys(tags).length > 0 ? [need('TagResource', local, tagged)] : []),
    ...needsForProperties(local, multiRegionProperties),
    ...(policy === undefined ? [] : needsToPutPolicy(local)),
  ];
}

/** With peers, adding and removing both are asked for; the second on a wildcard, as the API reference has it. */
export function needsToUpdate(place: Place, input: InputOf<typeof UPDATE_CLUSTER>): Need[] {
  const local = clusterArn(input.identifier, place);
  const { multiRegionProperties } = input;
  return [
    need('UpdateCluster', local, witnessContext(multiRegionProperties)),
    ...(multiRegionProperties ? [need('GetCluster', local)] : []),
    ...needsForProperties(local, multiRegionProperties),
    ...(multiRegionProperties?.clusters ? [need('RemovePeerCluster', clusterArn('*', { ...place, region: '*' }))] : []),
  ];
}

/** It takes the place of the policy that there was, so it needs the permission to delete that one too. */
export function needsToPutPolicy(resource: string): Need[] {
  return [need('PutClusterPolicy', resource), need('DeleteClusterPolicy', resource)];
}

function needsForProperties(
  local: string,
  properties: InputOf<typeof CREATE_CLUSTER>['multiRegionProperties'],
): Need[] {
  if (!properties) return [];
  const { witnessRegion, clusters } = properties;
  const witness = witnessContext(properties);
  return [
    need('PutMultiRegionProperties', local, witness),
    ...(witnessRegion === undefined
      ? []
      : [
          need('PutWitnessRegion', local, witness),
          // Asked in the witness Region too.
          need('PutWitnessRegion', local, { ...witness, 'aws:requestedregion': [witnessRegion] }),
        ]),
    ...(clusters ? [local, ...clusters].map((resource) => need('AddPeerCluster', resource)) : []),
  ];
}

function witnessContext(properties: { readonly witnessRegion?: string } | undefined): Context {
  return properties?.witnessRegion === undefined ? {} : { 'dsql:witnessregion': [properties.witnessRegion] };
}

/** `aws:RequestTag/…` and `aws:TagKeys`. Two keys that differ in their case only are one condition key with two values. */
export function requestTags(tags: Readonly<Record<string, string>> = {}): Context {
  const values: Record<string, string[]> = {};
  for (const [key, value] of Object.entries(tags)) {
    const name = `aws:requesttag/${key.toLowerCase()}`;
    values[name] = [...(values[name] ?? []), value];
  }
  return { ...values, ...tagKeys(Object.keys(tags)) };
}

export function tagKeys(keys: readonly string[]): Context {
  return keys.length === 0 ? {} : { 'aws:tagkeys': keys };
}
