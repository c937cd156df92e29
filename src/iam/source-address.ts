import { isIPv6 } from 'node:net';

/** Of this machine's own clients, as the system names them. */
export function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}

/** Whoever has one IPv6 address has the 2^64 of its network: they count as one. */
export function sourceOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.toLowerCase().split('%', 1)[0]?.split('::') ?? [];
  const first = head.split(':').filter((group) => group !== '');
  const last = tail === undefined ? [] : tail.split(':').filter((group) => group !== '');
  // An IPv4 address at the end stands for two groups; it is never among the first four of what has none left out.
  const length = first.length + last.length + (last.at(-1)?.includes('.') ? 1 : 0);
  const groups = [...first, ...new Array<string>(Math.max(0, 8 - length)).fill('0'), ...last];
  const network = groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(':')}::/64`;
}
