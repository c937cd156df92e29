import { describe, expect, it } from 'vitest';
import type { Attempt } from './attempt.ts';
import { Attempts } from './attempts.ts';

const attempt = (connectionId: string): Attempt => ({ connectionId, at: new Date(0), sourceAddress: '127.0.0.1' });

describe('Attempts', () => {
  it('keeps the newest and drops the oldest', () => {
    const attempts = new Attempts(2);
    for (const id of ['a', 'b', 'c']) attempts.add(attempt(id));
    expect(attempts.find('a')).toBeUndefined();
    expect(attempts.find('b')?.connectionId).toBe('b');
    expect(attempts.newest?.connectionId).toBe('c');
  });

  it('takes an attempt that is added again, when it has ended, for the newest and keeps it once', () => {
    const attempts = new Attempts(2);
    const first = attempt('a');
    for (const each of [first, attempt('b'), first]) attempts.add(each);
    expect(attempts.newest).toBe(first);
    attempts.add(attempt('c'));
    expect(attempts.find('b')).toBeUndefined();
    expect(attempts.find('a')).toBe(first);
  });
});
