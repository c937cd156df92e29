/** Inputs that are nearly right, from a seed: the same seed makes the same inputs. */

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 to below `limit` (mulberry32). */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
}

export interface Material {
  /** What inputs are made of; never empty. */
  pool: readonly string[];
  vocabulary: readonly string[];
  maxLength: number;
}

/** Where numbers end, and where they have been known to wrap. */
const NUMBERS = [
  '0',
  '-1',
  '1',
  '9',
  '255',
  '256',
  '65535',
  '65536',
  '604800',
  '604801',
  '2147483647',
  '2147483648',
].concat('4294967295', '4294967296', '9007199254740993', '99999999999999999999', '1e9', '0x10', '٩');
const WORDS = [
  '\0\0\0\0',
  '\0\0\0\x03',
  '\0\0\0\x04',
  '\0\0\0\x05',
  '\x7f\xff\xff\xff',
  '\x80\0\0\0',
  '\xff\xff\xff\xff',
];
const ODD = [
  '\0',
  '\n',
  '\r\n',
  '\t',
  ' ',
  '"',
  "'",
  '\\',
  '%00',
  '%',
  '\xff',
  '\xc0\x80',
  '\xed\xa0\x80',
  '\xe2\x80\xae',
].concat('__proto__', 'constructor', '\\u0000');
/** What most formats part things with. */
const PARTS = /([&=?;,:{}[\]()"'/ \n\0|.@-])/;

type Mutator = (text: string, random: Random, material: Material) => string;

function place(text: string, random: Random): number {
  return random.below(text.length + 1);
}

function span(text: string, random: Random): [number, number] {
  const from = place(text, random);
  return [from, Math.min(text.length, from + 1 + random.below(random.of([1, 4, 64])))];
}

function put(text: string, at: number, piece: string, instead = 0): string {
  return text.slice(0, at) + piece + text.slice(at + instead);
}

const MUTATORS: readonly Mutator[] = [
  function remove(text, random) {
    const [from, to] = span(text, random);
    return put(text, from, '', to - from);
  },
  function repeat(text, random) {
    const [from, to] = span(text, random);
    return put(text, to, text.slice(from, to).repeat(random.of([1, 1, 2, 50])));
  },
  (text, random, { vocabulary }) => put(text, place(text, random), random.of(vocabulary)),
  (text, random, { vocabulary }) => put(text, place(text, random), random.of(vocabulary), random.below(8)),
  (text, random) => put(text, place(text, random), String.fromCharCode(random.below(256))),
  (text, random) => put(text, place(text, random), String.fromCharCode(random.below(256)), 1),
  (text, random) => put(text, place(text, random), random.of(ODD)),
  (text, random) => put(text, place(text, random), random.of(WORDS), 4),
  function spliceOther(text, random, { pool }) {
    const other = random.of(pool);
    return text.slice(0, place(text, random)) + other.slice(place(other, random));
  },
  function borrow(text, random, { pool }) {
    const other = random.of(pool).split(PARTS);
    const parts = text.split(PARTS);
    parts[random.below(parts.length)] = random.of(other);
    return parts.join('');
  },
  function exchange(text, random) {
    const parts = text.split(PARTS);
    const [a, b] = [random.below(parts.length), random.below(parts.length)];
    [parts[a], parts[b]] = [parts[b] as string, parts[a] as string];
    return parts.join('');
  },
  function renumber(text, random) {
    const numbers = [...text.matchAll(/\d+/g)];
    if (numbers.length === 0) return text;
    const { 0: digits, index } = random.of(numbers);
    return put(text, index, random.of(NUMBERS), digits.length);
  },
  function changeCase(text, random) {
    const [from, to] = span(text, random);
    const piece = text.slice(from, to);
    return put(text, from, piece === piece.toLowerCase() ? piece.toUpperCase() : piece.toLowerCase(), to - from);
  },
  function encode(text, random) {
    const at = place(text, random);
    const code = text.charCodeAt(at) || 0;
    const escaped = random.of([`%${code.toString(16).padStart(2, '0')}`, `\\u00${code.toString(16).padStart(2, '0')}`]);
    return put(text, at, escaped, 1);
  },
];

/** One to four changes of something from the pool. */
export function mutate(random: Random, material: Material): string {
  let text = random.of(material.pool);
  for (let changes = 1 + random.below(4); changes > 0; changes--) text = random.of(MUTATORS)(text, random, material);
  // UTF-8 as bytes: a piece of the vocabulary may have characters beyond one byte.
  if (/[^\0-\xff]/.test(text)) text = Buffer.from(text, 'utf8').toString('latin1');
  return text.slice(0, material.maxLength);
}

/** A smaller input that still `fails`: pieces are left out, large ones first. */
export async function shrink(input: string, fails: (input: string) => Promise<boolean>): Promise<string> {
  let smallest = input;
  for (let size = smallest.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at < smallest.length; ) {
      const candidate = put(smallest, at, '', size);
      if (await fails(candidate)) smallest = candidate;
      else at += size;
    }
  }
  return smallest;
}
