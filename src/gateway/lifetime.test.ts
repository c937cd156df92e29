import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { limitTime } from './lifetime.ts';

const HOUR = 3_600_000;
let said: string[];
const relay = { expire: () => void said.push('expire'), expireNow: () => void said.push('expire now') };

beforeEach(() => {
  vi.useFakeTimers();
  said = [];
});
afterEach(() => {
  vi.useRealTimers();
});

it('lets a session end after its time, and ends it when a transaction has used up its own five minutes', () => {
  limitTime(relay, HOUR);
  vi.advanceTimersByTime(HOUR - 1);
  expect(said).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(said).toEqual(['expire']);
  vi.advanceTimersByTime(299_999);
  expect(said).toEqual(['expire']);
  vi.advanceTimersByTime(1);
  expect(said).toEqual(['expire', 'expire now']);
});

it.each([
  ['before', HOUR - 1, []],
  ['after', HOUR, ['expire']],
])('does nothing more for a session that is over %s its time', (_, passed, before) => {
  const unlimit = limitTime(relay, HOUR);
  vi.advanceTimersByTime(passed);
  unlimit();
  vi.advanceTimersByTime(2 * HOUR);
  expect(said).toEqual(before);
  expect(vi.getTimerCount()).toBe(0);
});

it('sets no limit when it is 0', () => {
  limitTime(relay, 0);
  expect(vi.getTimerCount()).toBe(0);
});
