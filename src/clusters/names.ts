import { isIP } from 'node:net';

/** Names of a cluster: Amazon Aurora DSQL API reference, shapes ClusterId, ClusterArn and Endpoint. */

const CLUSTER_ID = /^[a-z0-9]{26}$/;

export function isClusterId(text: string): boolean {
  return CLUSTER_ID.test(text);
}

/** A new id: 26 of [a-z0-9], about 129 bits. `random` gives as many bytes as it is asked for. */
export function newClusterId(random: (bytes: number) => Buffer): string {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789';
  let id = '';
  while (id.length < 26) {
    // 252 is the largest multiple of 36 in a byte: the rest would make some letters likelier than others.
    for (const byte of random(32)) if (byte < 252 && id.length < 26) id += alphabet[byte % 36];
  }
  return id;
}

export function clusterArn(id: string, { region, account }: { region: string; account: string }): string {
  return `arn:aws:dsql:${region}:${account}:cluster/${id}`;
}

/** The public endpoint: a host name in lower case. */
export function clusterEndpoint(id: string, region: string): string {
  return `${id}.dsql.${region}.on.aws`;
}

const HOST_NAME = /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/;

/** Why a name cannot be a further one of the default cluster, or of another one; undefined: it can. */
export function aliasComplaint(name: string, of: 'default' | 'another'): string | undefined {
  if (isIP(name) === 0 && !HOST_NAME.test(name)) return `${JSON.stringify(name)} is no host name or address`;
  if (of === 'default') return undefined;
  // Everything that this server tells its operator takes these for the default cluster.
  if (/^(localhost|127\..*|::1)$/i.test(name)) return `${name} always means the default cluster`;
  return clusterOfHost(name.toLowerCase()) ? `${name} is an endpoint already` : undefined;
}

const ENDPOINT = /^([a-z0-9]{26})\.dsql(?:-[a-z0-9]{1,12})?\.([a-z0-9-]{1,20})\.on\.aws$/;

/**
 * The cluster that a host name means: the public endpoint, or the private DNS name of a VPC endpoint,
 * `<id>.dsql-<suffix>.<region>.on.aws`. `host` is in lower case. Undefined for every other name.
 */
export function clusterOfHost(host: string): { id: string; region: string } | undefined {
  const [, id, region] = ENDPOINT.exec(host) ?? [];
  return id !== undefined && region !== undefined ? { id, region } : undefined;
}
