import { Refused } from '../refused.ts';

/* How the control plane says no, with the members that its service model gives to each exception. */

export function noSuchCluster(identifier: string): Refused<'resource-not-found'> {
  return notFound('cluster', identifier, `Cluster with id ${identifier} was not found.`);
}

export function notFound(resourceType: string, resourceId: string, say: string): Refused<'resource-not-found'> {
  return new Refused('resource-not-found', { say, detail: say, fields: { resourceId, resourceType } });
}

export function conflict(identifier: string, say: string): Refused<'conflict'> {
  return new Refused('conflict', { say, detail: say, fields: { resourceId: identifier, resourceType: 'cluster' } });
}

/** `name` is the parameter. */
export function invalid(name: string, say: string): Refused<'validation'> {
  return new Refused('validation', { say, detail: say, fieldList: [{ name, message: say }] });
}

export function deletionProtected(identifier: string): Refused<'validation'> {
  const say = `Cluster ${identifier} has deletion protection enabled. Disable it before deleting the cluster.`;
  return new Refused('validation', { say, detail: say, fields: { reason: 'deletionProtectionEnabled' } });
}

export function quotaExceeded(
  say: string,
  fields: { resourceId: string; resourceType: string; quotaCode: string },
): Refused<'quota-exceeded'> {
  return new Refused('quota-exceeded', { say, detail: say, fields: { ...fields, serviceCode: 'dsql' } });
}
