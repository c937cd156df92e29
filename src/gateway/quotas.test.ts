import { beforeEach, describe, expect, it } from 'vitest';
import { type QuotaLimits, Quotas } from './quotas.ts';

let now: number;
beforeEach(() => {
  now = 1_000_000;
});
const quotas = (limits: Partial<QuotaLimits>) =>
  new Quotas({ maxConnections: 0, rate: 0, burst: 1, ...limits }, () => now);

/** How many of so many connections at once are let in, and why the first of the others is not. */
function attempt(of: Quotas, clusterId: string, count: number): { admitted: number; refused: string | undefined } {
  let admitted = 0;
  let refused: string | undefined;
  for (let i = 0; i < count; i++) {
    try {
      of.admit(clusterId);
      admitted++;
    } catch (error) {
      refused ??= (error as { kind: string }).kind;
    }
  }
  return { admitted, refused };
}

describe('the rate of new connections', () => {
  it('is a burst first, then so many a second, up to a burst again', () => {
    const of = quotas({ rate: 100, burst: 1_000 });
    expect(attempt(of, 'a', 1_100)).toEqual({ admitted: 1_000, refused: 'rate-exceeded' });
    now += 10;
    expect(attempt(of, 'a', 5)).toEqual({ admitted: 1, refused: 'rate-exceeded' });
    now += 1_000;
    expect(attempt(of, 'a', 200).admitted).toBe(100);
    now += 1_000_000;
    expect(attempt(of, 'a', 2_000).admitted).toBe(1_000);
  });

  it('is each cluster’s own', () => {
    const of = quotas({ rate: 1, burst: 2 });
    expect(attempt(of, 'a', 5).admitted).toBe(2);
    expect(attempt(of, 'b', 5).admitted).toBe(2);
  });

  it('does not come back with a connection that ends', () => {
    const of = quotas({ rate: 1, burst: 1 });
    of.admit('a').release();
    expect(attempt(of, 'a', 1).refused).toBe('rate-exceeded');
  });

  it('counts those that are refused for their number', () => {
    const of = quotas({ rate: 1, burst: 3, maxConnections: 1 });
    expect(attempt(of, 'a', 3)).toEqual({ admitted: 1, refused: 'too-many-connections' });
    expect(attempt(of, 'a', 1)).toEqual({ admitted: 0, refused: 'rate-exceeded' });
  });

  it('has no limit when it is 0', () => {
    expect(attempt(quotas({}), 'a', 5_000).admitted).toBe(5_000);
  });
});

describe('the number of open connections', () => {
  it('is limited, and falls when one ends, once', () => {
    const of = quotas({ maxConnections: 2 });
    const first = of.admit('a');
    of.admit('a');
    expect(attempt(of, 'a', 1).refused).toBe('too-many-connections');
    expect(attempt(of, 'b', 1).admitted).toBe(1);
    first.release();
    first.release();
    expect(attempt(of, 'a', 2)).toEqual({ admitted: 1, refused: 'too-many-connections' });
  });
});

it('remembers nothing of clusters that are quiet again', () => {
  const of = quotas({ rate: 100, burst: 100 });
  for (let i = 0; i < 50; i++) {
    of.admit(`cluster ${i}`).release();
    now += 1_000;
  }
  expect(of.size).toBe(1);
});
