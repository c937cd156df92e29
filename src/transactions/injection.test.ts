import { describe, expect, it } from 'vitest';
import { Injection, parseInjection } from './injection.ts';

const orders = [{ schema: undefined, name: 'orders' }];
const others = [{ schema: undefined, name: 'others' }];

describe('an injection of conflicts', () => {
  it('hits every so manieth commit that wrote its table', () => {
    const injection = new Injection(parseInjection('table=orders,every=3'));
    const hits = [orders, others, orders, others, orders, orders, undefined, orders].map((wrote) =>
      injection.hits(wrote),
    );
    expect(hits).toEqual([false, false, false, false, true, false, false, true]);
  });

  it('hits as often as is likely, and the same ones with the same seed', () => {
    const run = (seed: number) => {
      const injection = new Injection({ probability: 0.25, seed });
      return Array.from({ length: 4_000 }, () => injection.hits(orders));
    };
    expect(run(7)).toEqual(run(7));
    expect(run(7)).not.toEqual(run(8));
    expect(run(7).filter((hit) => hit).length).toBeGreaterThan(900);
    expect(run(7).filter((hit) => hit).length).toBeLessThan(1_100);
  });

  it.each([
    ['', '"" is none of table=, every=, probability=, seed='],
    ['every=0', 'every must be 1 or more'],
    ['every=', 'every must be 1 or more'],
    ['probability=2', 'the probability must be from 0 to 1'],
    ['table=', 'the table has no name'],
    ['seed=0.5', 'the seed must be a whole number'],
    ['tables=x', '"tables=x" is none of'],
  ])('is not made from "%s"', (text, why) => {
    expect(() => parseInjection(text)).toThrow(why);
  });
});
