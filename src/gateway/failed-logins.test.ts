import { beforeEach, describe, expect, it } from 'vitest';
import { sourceOf } from '../iam/source-address.ts';
import { FailedLogins } from './failed-logins.ts';

let now: number;
beforeEach(() => {
  now = 1_000_000;
});
const throttle = (rate: number, burst: number, capacity?: number) =>
  new FailedLogins({ rate, burst }, () => now, capacity);

/** How many of so many logins that fail are looked at. */
function fail(of: FailedLogins, count: number, address: string, key?: string): number {
  for (let i = 0; i < count; i++) {
    try {
      of.check(address);
      if (key !== undefined) of.check(address, key);
    } catch (error) {
      expect(error).toMatchObject({ kind: 'failed-logins-exceeded' });
      return i;
    }
    of.note(address, key, 'signature-mismatch');
  }
  return count;
}

describe('failed logins', () => {
  it('are looked at in a burst, then so many a second, up to a burst again', () => {
    const of = throttle(10, 100);
    expect(fail(of, 200, '192.0.2.1')).toBe(100);
    now += 500;
    expect(fail(of, 200, '192.0.2.1')).toBe(5);
    now += 60_000;
    expect(fail(of, 200, '192.0.2.1')).toBe(100);
  });

  it('of one address do not hold up another', () => {
    const of = throttle(10, 100);
    fail(of, 200, '192.0.2.1');
    expect(fail(of, 1, '192.0.2.2')).toBe(1);
  });

  it('with one key leave room for the other keys of the address, and for the key from elsewhere', () => {
    const of = throttle(10, 100);
    expect(fail(of, 200, '192.0.2.1', 'AKIAWRONG')).toBe(50);
    expect(() => of.check('192.0.2.1', 'AKIAWRONG')).toThrow('failed-logins-exceeded');
    of.check('192.0.2.1');
    of.check('192.0.2.1', 'AKIARIGHT');
    of.check('192.0.2.2', 'AKIAWRONG');
  });

  it('that were all let in at once are looked at no more than if they had come one after the other', () => {
    const of = throttle(1, 10);
    for (let i = 0; i < 50; i++) of.check('192.0.2.1');
    let looked = 0;
    for (let i = 0; i < 50; i++) {
      try {
        of.check('192.0.2.1', `AKIA${i}`);
      } catch {
        continue;
      }
      looked++;
      of.note('192.0.2.1', `AKIA${i}`, 'unknown-key');
    }
    expect(looked).toBe(10);
  });

  it('with many keys are those of one address', () => {
    const of = throttle(1, 10);
    let looked = 0;
    for (let i = 0; i < 50; i++) looked += fail(of, 1, '192.0.2.1', `AKIA${i}`);
    expect(looked).toBe(10);
  });

  it.each([
    'action-denied',
    'no-mapping',
    'unknown-role',
    'tls-required',
    'failed-logins-exceeded',
  ] as const)('are not those that are refused for another reason: %s', (kind) => {
    const of = throttle(1, 1);
    for (let i = 0; i < 10; i++) of.note('192.0.2.1', undefined, kind);
    of.check('192.0.2.1');
    expect(of.size).toBe(0);
  });

  it('of this machine are not counted, and nobody’s where there is no limit', () => {
    expect(fail(throttle(1, 1), 50, '127.0.0.1')).toBe(50);
    expect(fail(throttle(1, 1), 50, '::1')).toBe(50);
    expect(fail(throttle(0, 1), 50, '192.0.2.1')).toBe(50);
  });

  it('are remembered of a bounded number of sources, the newest', () => {
    const of = throttle(1, 1, 10);
    for (let i = 0; i < 100; i++) fail(of, 1, `192.0.2.${i}`);
    expect(of.size).toBe(10);
    expect(fail(of, 1, '192.0.2.99')).toBe(0);
    expect(fail(of, 1, '192.0.2.0')).toBe(1);
  });
});

describe('a source', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:DB8:0:0:ffff::2', '2001:db8:0:0::/64'],
    ['2001:db8:0:1::1', '2001:db8:0:1::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
    ['1:2:3:4:5:6:7:8', '1:2:3:4::/64'],
    ['1::', '1:0:0:0::/64'],
  ])('%s is %s', (address, source) => {
    expect(sourceOf(address)).toBe(source);
  });
});
