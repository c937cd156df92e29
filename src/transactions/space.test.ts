import { describe, expect, it } from 'vitest';
import { Share, Space } from './space.ts';

const KIB = 1024;

describe('a share of a space', () => {
  it('has a bound of its own', () => {
    const share = new Share(new Space(1_000 * KIB), 100 * KIB);
    expect(share.take(100 * KIB)).toBe(true);
    expect(share.take(1)).toBe(false);
    expect(share.held).toBe(100 * KIB);
  });

  it('ends where all together have as much as they may, and goes on when one of them gives back', () => {
    const space = new Space(100 * KIB);
    const [first, second] = [new Share(space, 1_000 * KIB), new Share(space, 1_000 * KIB)];
    expect(first.take(80 * KIB)).toBe(true);
    expect(second.take(80 * KIB)).toBe(false);
    expect(second.held).toBe(0);
    first.giveBack(40 * KIB);
    expect(second.take(80 * KIB)).toBe(true);
    first.end();
    second.end();
    expect([space.held, first.held, second.held]).toEqual([0, 0, 0]);
  });

  it('may always hold a little, whatever others do', () => {
    const space = new Space(100 * KIB);
    expect(new Share(space, 1_000 * KIB).take(116 * KIB)).toBe(true);
    const late = new Share(space, 1_000 * KIB);
    expect([late.take(16 * KIB), late.take(1)]).toEqual([true, false]);
  });

  it('holds as much as it is told to', () => {
    const space = new Space(100 * KIB);
    const share = new Share(space, 1_000 * KIB);
    expect([share.hold(50 * KIB), share.held]).toEqual([true, 50 * KIB]);
    expect([share.hold(200 * KIB), share.held]).toEqual([false, 50 * KIB]);
    expect([share.hold(10), share.held, space.held]).toEqual([true, 10, 0]);
  });

  it('is counted to the byte, in whatever pieces it is taken and given back', () => {
    const space = new Space(1_000 * KIB);
    const share = new Share(space, 1_000 * KIB);
    const pieces = [1, 15 * KIB, 3 * KIB, 10, 40 * KIB];
    for (const bytes of pieces) expect(share.take(bytes)).toBe(true);
    expect(space.held).toBe(share.held - 16 * KIB);
    for (const bytes of pieces) share.giveBack(bytes);
    expect([space.held, share.held]).toEqual([0, 0]);
  });
});
