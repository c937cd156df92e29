import { describe, expect, it } from 'vitest';
import { sessionsByCluster } from './server-metrics.ts';

describe('sessions by cluster', () => {
  it('names the clusters with the most sessions, and counts the rest together', () => {
    const sessions = ['a', 'b', 'b', 'c', 'c', 'c', 'd'].map((clusterId) => ({ clusterId }));
    expect(sessionsByCluster(sessions, 2)).toEqual([
      [{ cluster: 'c' }, 3],
      [{ cluster: 'b' }, 2],
      [{ cluster: 'other' }, 2],
    ]);
    expect(sessionsByCluster([], 2)).toEqual([]);
  });
});
