import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silent, startTestEngine, type TestEngine } from '../engine/embedded/test-engine.ts';
import { openStore } from './control-store.ts';
import { createMemoryStore } from './memory-store.ts';
import { type ClusterRecord, TABLES, type TableName } from './records.ts';
import type { Store } from './store.ts';
import { clusterRecord } from './testing-records.ts';

let engine: TestEngine;
beforeAll(async () => {
  engine = await startTestEngine();
});
afterAll(() => engine.stop());

const connection = () => ({ socketPath: engine.socketPath, user: 'postern', database: 'postgres' });
const openControl = () => openStore({ connection: connection(), log: silent });
const cluster = (id: string, tags: Record<string, string> = {}) => clusterRecord(id, { tags });

describe.each<{ name: string; make: () => Promise<Store & { close?: () => Promise<void> }> }>([
  { name: 'memory store', make: async () => createMemoryStore() },
  {
    name: 'control store',
    make: async () => {
      await engine.sql('drop schema if exists postern cascade');
      return openControl();
    },
  },
])('$name', ({ make }) => {
  const withStore = async (test: (store: Store) => Promise<void>) => {
    const store = await make();
    try {
      await test(store);
    } finally {
      await store.close?.();
    }
  };

  it('shows a change after its promise resolves, and its own writes to the draft before', () =>
    withStore(async (store) => {
      const result = await store.change((draft) => {
        draft.put('clusters', 'b', cluster('b'));
        draft.put('clusters', 'a', cluster('a'));
        draft.put('clusters', 'gone', cluster('gone'));
        draft.delete('clusters', 'gone');
        expect(store.get('clusters', 'a')).toBeUndefined();
        expect(draft.get('clusters', 'gone')).toBeUndefined();
        return draft.all('clusters').map(({ id }) => id);
      });
      expect(result).toEqual(['a', 'b']);
      expect(store.get('clusters', 'b')).toEqual(cluster('b'));
      await store.change((draft) => draft.delete('clusters', 'a'));
      expect(store.all('clusters')).toEqual([cluster('b')]);
    }));

  it('orders rows by code unit', () =>
    withStore(async (store) => {
      const keys = ['ä', 'Z', 'a', '\u{1f600}', '\uffee', '10', '9'];
      await store.change((draft) => keys.map((key) => draft.put('clusters', key, cluster(key))));
      expect(store.all('clusters').map(({ id }) => id)).toEqual([...keys].sort());
    }));

  it('changes nothing when the work throws, and goes on with the next change', () =>
    withStore(async (store) => {
      const failed = store.change((draft) => {
        draft.put('clusters', 'x', cluster('x'));
        throw new RangeError('no');
      });
      const next = store.change((draft) => draft.put('clusters', 'y', cluster('y')));
      await expect(failed).rejects.toThrow(RangeError);
      await next;
      expect(store.all('clusters')).toEqual([cluster('y')]);
    }));

  it('refuses a record that is too large, as a limit and not as a fault of its own', () =>
    withStore(async (store) => {
      const large = store.change((draft) => draft.put('clusters', 'x', cluster('x', { tag: 'x'.repeat(4_194_304) })));
      await expect(large).rejects.toMatchObject({ kind: 'limit-exceeded' });
      expect(store.all('clusters')).toEqual([]);
    }));

  it('runs changes one after the other: none is lost between reading and writing', () =>
    withStore(async (store) => {
      await store.change((draft) => draft.put('clusters', 'n', cluster('n', { n: '0' })));
      const add = () =>
        store.change((draft) => {
          const count = Number(draft.get('clusters', 'n')?.tags.n);
          draft.put('clusters', 'n', cluster('n', { n: String(count + 1) }));
        });
      await Promise.all(Array.from({ length: 20 }, add));
      expect(store.get('clusters', 'n')?.tags).toEqual({ n: '20' });
    }));

  it('keeps copies that nobody can change', () =>
    withStore(async (store) => {
      const mine = cluster('m', { a: '1' });
      await store.change((draft) => draft.put('clusters', 'm', mine));
      mine.tags.a = '2';
      const theirs = store.get('clusters', 'm')!;
      expect(theirs.tags).toEqual({ a: '1' });
      expect(() => {
        (theirs.tags as Record<string, string>).a = '3';
      }).toThrow(TypeError);
      expect(() => (store.all('clusters') as ClusterRecord[]).pop()).toThrow(TypeError);
    }));

  it('keeps members whatever their name', () =>
    withStore(async (store) => {
      const tags = Object.fromEntries([
        ['__proto__', 'a'],
        ['constructor', 'b'],
        ['', 'c'],
      ]);
      await store.change((draft) => draft.put('clusters', '__proto__', cluster('p', tags)));
      expect(Object.entries(store.get('clusters', '__proto__')!.tags)).toEqual([
        ['', 'c'],
        ['__proto__', 'a'],
        ['constructor', 'b'],
      ]);
    }));

  it.each([
    ['an empty key', '', 'x'],
    ['a key too long', 'k'.repeat(1025), 'x'],
    ['a key with NUL', 'a\0b', 'x'],
    ['a text with NUL', 'k', 'a\0b'],
    ['half a surrogate pair', 'k', '\ud800'],
    ['a row too long', 'k', 'x'.repeat(4 * 1024 * 1024)],
  ])('refuses %s before anything is written', (_, key, text) =>
    withStore(async (store) => {
      await expect(
        store.change((draft) => {
          draft.put('clusters', 'before', cluster('before'));
          draft.put('clusters', key, cluster('x', { text }));
        }),
      ).rejects.toThrow();
      expect(store.all('clusters')).toEqual([]);
    }));

  it('refuses a draft that outlives its change, and work that is asynchronous', () =>
    withStore(async (store) => {
      const draft = await store.change((draft) => ({ draft }));
      expect(() => draft.draft.put('clusters', 'late', cluster('late'))).toThrow('after its change');
      await expect(store.change(async (draft) => draft.put('clusters', 'async', cluster('async')))).rejects.toThrow(
        TypeError,
      );
      expect(store.all('clusters')).toEqual([]);
    }));
});

describe('control store and database', () => {
  it('has a table for every kind of record', async () => {
    await engine.sql('drop schema if exists postern cascade');
    const store = await openControl();
    for (const table of TABLES) expect(store.all(table)).toEqual([]);
    await store.close();
  });

  it('finds in the database what memory shows, after any changes by two stores', async () => {
    const names = fc.constantFrom<TableName>('users', 'roles', 'clusters');
    const text = fc.string({ unit: 'grapheme', maxLength: 8 }).filter((value) => !/[\0\p{Surrogate}]/u.test(value));
    const write = fc.record({
      table: names,
      key: fc.constantFrom('a', 'B', 'ü', '__proto__', "'); --"),
      body: fc.option(fc.dictionary(text, text, { maxKeys: 3 })),
    });
    const changes = fc.array(
      fc.record({ first: fc.boolean(), fails: fc.boolean(), writes: fc.array(write, { maxLength: 4 }) }),
      { maxLength: 12 },
    );
    await fc.assert(
      fc.asyncProperty(changes, async (list) => {
        await engine.sql('drop schema if exists postern cascade');
        const stores = [await openControl(), await openControl()] as const;
        const model = createMemoryStore();
        const outcomes = [];
        for (const { first, fails, writes } of list) {
          const work = (draft: Parameters<Parameters<Store['change']>[0]>[0]) => {
            for (const { table, key, body } of writes) {
              if (body === null) draft.delete(table, key);
              else draft.put(table, key, body as never);
            }
            if (fails) throw new Error('as planned');
          };
          const run = (store: Store) =>
            store.change(work).then(
              () => 'done',
              (error) => (error as Error).message,
            );
          outcomes.push([await run(stores[first ? 0 : 1]), await run(model)]);
        }
        for (const [real, expected] of outcomes) expect(real).toBe(expected);
        const contents = (store: Store) => JSON.stringify(TABLES.map((table) => store.all(table)));
        // A change brings a store's memory up to date, also one that writes nothing.
        for (const store of stores) await store.change(() => undefined);
        const reopened = await openControl();
        for (const store of [...stores, reopened]) expect(contents(store)).toBe(contents(model));
        for (const store of [...stores, reopened]) await store.close();
      }),
      { numRuns: 25 },
    );
  });
});
