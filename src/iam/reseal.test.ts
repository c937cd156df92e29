import { describe, expect, it } from 'vitest';
import { createMemoryStore } from '../state/memory-store.ts';
import { createSealer } from '../state/sealing.ts';
import { secretContext } from './access-keys.ts';
import { assertSecretsOpen, resealSecrets } from './reseal.ts';

const [old, fresh, foreign] = [1, 2, 3].map((byte) => createSealer(Buffer.alloc(32, byte))) as [
  ReturnType<typeof createSealer>,
  ReturnType<typeof createSealer>,
  ReturnType<typeof createSealer>,
];

async function storeOf(sealers: readonly ReturnType<typeof createSealer>[]) {
  const store = createMemoryStore();
  await store.change((draft) => {
    for (const [index, sealer] of sealers.entries()) {
      const id = `AKIA${index}`;
      const sealedSecret = sealer.seal(`secret ${index}`, secretContext(id));
      draft.put('accessKeys', id, { id, user: null, sealedSecret, active: true, createdAt: '2026-01-01T00:00:00Z' });
    }
  });
  return store;
}

describe('sealing the secrets anew', () => {
  it('leaves every secret what it is, under the new key only, and does nothing the second time', async () => {
    const store = await storeOf([old, old, fresh]);
    expect(await resealSecrets(store, old, fresh)).toBe(2);
    for (const [index, { id, sealedSecret }] of store.all('accessKeys').entries()) {
      expect(fresh.open(sealedSecret, secretContext(id))).toBe(`secret ${index}`);
      expect(old.open(sealedSecret, secretContext(id))).toBeUndefined();
    }
    expect(await resealSecrets(store, old, fresh)).toBe(0);
  });

  it('is possible only while each secret opens with one of the keys', async () => {
    const store = await storeOf([old, fresh]);
    assertSecretsOpen(store, [old, fresh]);
    expect(() => assertSecretsOpen(store, [old])).toThrow('access key AKIA1 does not open');
  });

  it('changes nothing when one secret opens with neither key', async () => {
    const store = await storeOf([old, foreign]);
    const before = JSON.stringify(store.all('accessKeys'));
    await expect(resealSecrets(store, old, fresh)).rejects.toThrow('AKIA1 opens neither');
    expect(JSON.stringify(store.all('accessKeys'))).toBe(before);
  });
});
