import { describe, expect, it } from 'vitest';
import type { AwakeCluster, Cluster } from '../clusters/cluster.ts';
import { Refused } from '../refused.ts';
import type { Gateway } from './gateway.ts';
import { wakeUp } from './wake-up.ts';

const ID = 'a'.repeat(26);
const AWAKE = {} as AwakeCluster;

/** A cluster that sleeps or not, and what happened to its database. */
function setup(state: { asleep: boolean; deleted?: boolean; broken?: boolean }, fidelity: Gateway['fidelity']) {
  const said: string[] = [];
  const cluster: Cluster = {
    id: ID,
    arn: `arn:aws:dsql:us-east-1:123456789012:cluster/${ID}`,
    region: 'us-east-1',
    database: 'the database',
    isKnownAs: () => true,
    async wake() {
      said.push('wake');
      if (state.broken) throw new Refused('engine-unavailable', { detail: 'broken' });
      return AWAKE;
    },
  };
  const gateway = {
    fidelity,
    clusters: {
      resolve() {
        if (state.deleted) throw new Refused('unknown-cluster', { detail: 'deleted' });
        return cluster;
      },
    },
    fleet: {
      isAwake: () => !state.asleep,
      use(database: string) {
        said.push(`use ${database}`);
        return { release: () => void said.push('release') };
      },
    },
  };
  return { said, wake: () => wakeUp(cluster, gateway) };
}

describe('a connection wakes its cluster', () => {
  it.each([
    ['local', true],
    ['local', false],
    ['strict', false],
  ] as const)('and uses it before it is awake, so that it cannot sleep again: %s, asleep %s', async (fidelity, asleep) => {
    const { said, wake } = setup({ asleep }, fidelity);
    const { awake, use } = wake();
    expect(await awake).toBe(AWAKE);
    expect(said).toEqual(['use the database', 'wake']);
    use.release();
    expect(said.at(-1)).toBe('release');
  });

  it('and is refused meanwhile with strict fidelity, also when it then does not wake', async () => {
    for (const broken of [false, true]) {
      const { said, wake } = setup({ asleep: true, broken }, 'strict');
      expect(wake).toThrow(expect.objectContaining({ kind: 'waking-up' }));
      expect(said).toEqual(['use the database', 'wake', 'release']);
    }
  });

  it.each(['local', 'strict'] as const)('but not one that has been deleted: %s', (fidelity) => {
    const { said, wake } = setup({ asleep: true, deleted: true }, fidelity);
    expect(wake).toThrow(expect.objectContaining({ kind: 'unknown-cluster' }));
    expect(said).toEqual([]);
  });
});
