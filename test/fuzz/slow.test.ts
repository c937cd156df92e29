import { describe, expect, test } from 'vitest';
import { tryInput } from './explore.ts';
import type { Target } from './target.ts';
import { TARGETS } from './targets.ts';

/*
 * Time is looked at here, since most patterns that look again from every character are quick on short inputs: each target
 * gets its seeds with one piece repeated up to the longest input that it is given in service.
 */

/** In characters. */
const LONGEST: Readonly<Record<string, number>> = {
  startup: 10_000,
  token: 16_384,
  // Node's limit of the request line and headers together.
  request: 32_000,
  query: 1024 * 1024,
  json: 1024 * 1024,
  policy: 131_072,
  'identity-token': 20_000,
  manifest: 1024 * 1024,
  declaration: 1024 * 1024,
  'key-set': 256 * 1024,
};
const DEFAULT = 8_192;
/** In ms of processor time: what the others on this machine take does not count. Below it nobody is held up. */
const NOTICED = 40;
/** How much longer four times the length may take. Reading it once takes four times as long, looking again sixteen times. */
const GROWTH = 12;
const PIECES = [
  ' ',
  '\t',
  '\n',
  '0',
  'a',
  '"',
  "'",
  '\\',
  '%',
  '%2F',
  '.',
  ',',
  ';',
  ':',
  '-',
  '=',
  '&',
  '/',
  '(',
  '[',
  '{',
].concat('\0', '\xff', '$', '*', '?');

/** Places where a piece is repeated, from the beginning to the end; fewer in the longest inputs. */
const PLACES = 3;
const MANY_PLACES: Readonly<Record<string, number>> = { request: 16, token: 8, startup: 8 };

function* longInputs({ seeds, vocabulary }: Target, places: number): Generator<[what: string, make: Maker]> {
  for (const [n, piece] of [...new Set([...PIECES, ...vocabulary])].entries()) {
    const seed = seeds[n % seeds.length] as string;
    for (let place = 0; place <= places; place++) {
      const at = Math.floor((seed.length * place) / places);
      const make = (length: number) =>
        seed.slice(0, at) + piece.repeat(Math.max(0, (length - seed.length) / piece.length)) + seed.slice(at);
      yield [`${JSON.stringify(piece)} at ${at} of ${JSON.stringify(seed.slice(0, 20))}`, make];
    }
  }
}

/** The input of about this length. */
type Maker = (length: number) => string;

/** In ms of processor time. */
async function timeOf(target: Target, input: string): Promise<number> {
  const began = process.cpuUsage();
  const broken = await tryInput(target, input);
  const { user } = process.cpuUsage(began);
  expect(broken?.message ?? '', input.slice(0, 100)).toMatch(/^$| ms$/);
  return user / 1000;
}

describe('what reads from outside does not look again and again at the longest inputs', () => {
  test.each(Object.entries(TARGETS))('%s', async (name, target) => {
    const length = LONGEST[name] ?? DEFAULT;
    const slow: string[] = [];
    for (const [what, make] of longInputs(target, MANY_PLACES[name] ?? PLACES)) {
      if ((await timeOf(target, make(length))) < NOTICED) continue;
      // Once more, since the first time something else may have been done, such as collecting garbage.
      let whole = await timeOf(target, make(length));
      for (let again = 0; again < 2; again++) whole = Math.min(whole, await timeOf(target, make(length)));
      const part = Math.max(await timeOf(target, make(length / 4)), await timeOf(target, make(length / 4)));
      if (whole >= NOTICED && whole > GROWTH * part)
        slow.push(`${what}: ${Math.round(whole)} ms, ${Math.round(part)} ms`);
    }
    expect(slow).toEqual([]);
  });
});
