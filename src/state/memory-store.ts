import type { Store } from './store.ts';
import { drafted, Tables } from './tables.ts';

/** A store without a database: the same semantics, gone with the process. */
export function createMemoryStore(): Store {
  const tables = new Tables();
  let last: Promise<unknown> = Promise.resolve();
  return {
    get: (table, key) => tables.get(table, key),
    all: (table) => tables.all(table),
    change(work) {
      const run = last.then(() => {
        const { result, writes } = drafted(tables, work);
        tables.apply(writes);
        return result;
      });
      last = run.catch(() => undefined);
      return run;
    },
  };
}
