import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createMemoryStore } from '../state/memory-store.ts';
import { createSealer } from '../state/sealing.ts';
import { clusterRecord } from '../state/testing-records.ts';
import { bootstrapAccount, rootCredentials } from './bootstrap.ts';

const [A, B, C] = ['a', 'b', 'c'].map((letter) => letter.repeat(26)) as [string, string, string];

function setUp() {
  const store = createMemoryStore();
  const sealer = createSealer(randomBytes(32));
  const start = (clusterId: string, changes: object = {}) =>
    bootstrapAccount(store, sealer, {
      account: '123456789012',
      region: 'us-east-1',
      clusterId,
      now: new Date(),
      random: randomBytes,
      ...changes,
    });
  return { store, sealer, start };
}

describe('the account', () => {
  it('is made once, with a root key and a default cluster', async () => {
    const { store, sealer, start } = setUp();
    expect((await start(A)).defaultClusterId).toBe(A);
    const key = rootCredentials(store, sealer);
    expect((await start(B)).defaultClusterId).toBe(A);
    expect(rootCredentials(store, sealer)).toEqual(key);
    expect(store.all('clusters').map(({ id, status }) => [id, status])).toEqual([[A, 'ACTIVE']]);
  });

  it('of another number or region is refused, and nothing is changed', async () => {
    const { store, start } = setUp();
    await start(A);
    await store.change((draft) => draft.delete('clusters', A));
    await expect(start(A, { account: '111122223333' })).rejects.toMatchObject({ option: '--account' });
    await expect(start(A, { region: 'eu-west-1' })).rejects.toMatchObject({ option: '--region' });
    expect(store.all('clusters')).toEqual([]);
  });

  it.each([
    ['was deleted', undefined],
    ['is being deleted', 'DELETING' as const],
  ])('gets a new default cluster when the old one %s', async (_, status) => {
    const { store, start } = setUp();
    await start(A);
    await store.change((draft) => {
      if (status) draft.put('clusters', A, { ...draft.get('clusters', A)!, status });
      else draft.delete('clusters', A);
    });
    expect((await start(B)).defaultClusterId).toBe(B);
    expect((await start(C)).defaultClusterId).toBe(B);
    expect(store.get('clusters', B)).toMatchObject({ status: 'ACTIVE', deletionProtection: true });
  });

  it('never takes another cluster for the default one', async () => {
    const { store, start } = setUp();
    await start(A);
    const other = clusterRecord(B, { tags: { kept: 'yes' } });
    await store.change((draft) => {
      draft.delete('clusters', A);
      draft.put('clusters', B, other);
    });
    const { defaultClusterId } = await start(B);
    expect([A, B]).not.toContain(defaultClusterId);
    expect(store.get('clusters', B)).toEqual(other);
  });
});
