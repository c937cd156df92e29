/**
 * IPv4 and IPv6 addresses and CIDR ranges. An IPv6 address that only carries an IPv4 address (`::ffff:a.b.c.d`, what a
 * dual-stack listener sees) is that IPv4 address: otherwise a range of the one family could be evaded through the other.
 */
export type Address = { family: 4; value: number } | { family: 6; value: bigint };

export type Range =
  | { family: 4; value: number; shift: number; all: boolean }
  | { family: 6; value: bigint; shift: bigint };

/** Longest text that is looked at: eight groups, an IPv4 tail, and the zone of a link-local address. */
const MAX_LENGTH = 80;
const MAPPED_PREFIX = 0xffffn;

/** Undefined for what is no address. A zone (`fe80::1%eth0`) is left out. */
export function readAddress(text: string): Address | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  if (!text.includes(':')) {
    const value = readV4(text);
    return value === undefined ? undefined : { family: 4, value };
  }
  const zone = text.indexOf('%');
  const value = readV6(zone === -1 ? text : text.slice(0, zone));
  return value === undefined ? undefined : unmapped(value);
}

/** `a.b.c.d`, `a.b.c.d/n`, and the same for IPv6. Bits behind the prefix do not count. */
export function readRange(text: string): Range | undefined {
  const [address = '', prefix, ...more] = text.split('/');
  if (more.length > 0 || address.includes('%') || (prefix !== undefined && !/^(?:0|[1-9]\d{0,2})$/.test(prefix))) {
    return undefined;
  }
  if (!address.includes(':')) return v4Range(readV4(address), prefix === undefined ? 32 : Number(prefix));
  const value = address.length > MAX_LENGTH ? undefined : readV6(address);
  const bits = prefix === undefined ? 128 : Number(prefix);
  if (value === undefined || bits > 128) return undefined;
  if (value >> 32n === MAPPED_PREFIX && bits >= 96) return v4Range(Number(value & 0xffffffffn), bits - 96);
  const shift = BigInt(128 - bits);
  return { family: 6, value: value >> shift, shift };
}

export function isWithin(range: Range, address: Address): boolean {
  if (range.family === 4) {
    return address.family === 4 && (range.all || address.value >>> range.shift === range.value);
  }
  return address.family === 6 && address.value >> range.shift === range.value;
}

function v4Range(value: number | undefined, bits: number): Range | undefined {
  if (value === undefined || bits > 32) return undefined;
  // A shift by 32 bits is a shift by none.
  return { family: 4, value: value >>> (32 - bits), shift: 32 - bits, all: bits === 0 };
}

function unmapped(value: bigint): Address {
  return value >> 32n === MAPPED_PREFIX ? { family: 4, value: Number(value & 0xffffffffn) } : { family: 6, value };
}

/** Four decimal numbers without leading zeros, which some take for octal. */
function readV4(text: string): number | undefined {
  let value = 0;
  let octet = -1;
  let dots = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 46 /* . */) {
      if (octet === -1 || ++dots > 3) return undefined;
      value = value * 256 + octet;
      octet = -1;
    } else {
      const digit = code - 48;
      if (digit < 0 || digit > 9 || octet === 0) return undefined;
      octet = octet === -1 ? digit : octet * 10 + digit;
      if (octet > 255) return undefined;
    }
  }
  return dots === 3 && octet !== -1 ? value * 256 + octet : undefined;
}

function readV6(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = groupsOf(halves[0]!, halves.length === 1);
  const tail = halves.length === 2 ? groupsOf(halves[1]!, true) : [];
  if (!head || !tail) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  return groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n);
}

/** `mayEndInV4`: the last 32 bits may be written as an IPv4 address, at the end of the whole address only. */
function groupsOf(text: string, mayEndInV4: boolean): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const words = text.split(':');
  for (const [index, word] of words.entries()) {
    if (word.includes('.')) {
      const value = mayEndInV4 && index === words.length - 1 ? readV4(word) : undefined;
      if (value === undefined) return undefined;
      groups.push(value >>> 16, value & 0xffff);
    } else {
      if (!/^[0-9a-f]{1,4}$/i.test(word)) return undefined;
      groups.push(Number.parseInt(word, 16));
    }
  }
  return groups;
}
