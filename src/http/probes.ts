import { BlockList, isIP, isIPv4 } from 'node:net';

/*
 * What monitoring asks for without a signature: exactly `GET /metrics`, `/healthz` and `/readyz`. They are answered to
 * clients on this machine and to the networks that the operator names; to everybody else these paths are like any other,
 * refused for the missing signature.
 */

export interface ProbeAnswer {
  status: number;
  contentType: string;
  body: string;
}

export interface Probes {
  /** In the text format of Prometheus. */
  metrics: () => ProbeAnswer;
  /** Why no client should be sent here; empty when all is well. */
  unready: () => readonly string[];
  /** What is wrong although clients may come. */
  ailing: () => readonly string[];
  /** Whose questions are answered. */
  from: BlockList;
}

/** A network: an address and the length of its prefix in bits. */
export interface Network {
  address: string;
  prefix: number;
}

const PLAIN = 'text/plain; charset=utf-8';

/** Clients on this machine, and those of the networks. */
export function answeredNetworks(networks: readonly Network[]): BlockList {
  const list = new BlockList();
  list.addSubnet('127.0.0.0', 8, 'ipv4');
  list.addAddress('::1', 'ipv6');
  for (const { address, prefix } of networks) list.addSubnet(address, prefix, isIPv4(address) ? 'ipv4' : 'ipv6');
  return list;
}

interface Question {
  method?: string | undefined;
  url?: string | undefined;
  headers: NodeJS.Dict<string | string[]>;
  source: string | undefined;
}

/** Undefined for every other request. */
export function answerProbe(probes: Probes, { method, url, headers, source }: Question): ProbeAnswer | undefined {
  const answer = url !== undefined && Object.hasOwn(PATHS, url) ? PATHS[url as Path] : undefined;
  if (!answer || method !== 'GET') return undefined;
  // A signed request is one of a service's, and one with a body is none of ours.
  if (['authorization', 'content-length', 'transfer-encoding'].some((name) => headers[name] !== undefined))
    return undefined;
  if (!isAmong(probes.from, source)) return undefined;
  // A web page whose name was made to lead to this machine would else read them in its operator's browser.
  if (isAmong(THIS_MACHINE, source) && !isOwnHost(headers['host'])) return undefined;
  return answer(probes);
}

const THIS_MACHINE = answeredNetworks([]);

/** An address, or a name that leads to no other machine (RFC 6761, 6.3). */
function isOwnHost(header: string | string[] | undefined): boolean {
  if (typeof header !== 'string') return false;
  const host = header.replace(/:\d{1,5}$/, '').toLowerCase();
  return isIP(host.replace(/^\[(.*)\]$/, '$1')) !== 0 || host === 'localhost' || host.endsWith('.localhost');
}

function isAmong(list: BlockList, source: string | undefined): boolean {
  if (source === undefined) return false;
  // As a listener for both kinds of addresses names the older kind.
  const plain = source.startsWith('::ffff:') ? source.slice(7) : source;
  return list.check(plain, isIPv4(plain) ? 'ipv4' : 'ipv6');
}

const PATHS = {
  '/metrics': (probes: Probes) => probes.metrics(),
  '/healthz': () => ({ status: 200, contentType: PLAIN, body: 'ok\n' }),
  '/readyz': (probes: Probes) => {
    const reasons = probes.unready();
    const [status, first] = reasons.length === 0 ? [200, 'ready'] : [503, 'not ready'];
    const lines = [first, ...[...reasons, ...probes.ailing()].map((reason) => `- ${reason}`)];
    return { status, contentType: PLAIN, body: lines.map((line) => `${line}\n`).join('') };
  },
} as const satisfies Record<string, (probes: Probes) => ProbeAnswer>;

type Path = keyof typeof PATHS;
