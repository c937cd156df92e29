import { randomUUID } from 'node:crypto';
import {
  type ColumnType,
  type Generated,
  Kysely,
  type Migration,
  type MigrationProvider,
  Migrator,
  PostgresAdapter,
  PostgresDialect,
  sql,
} from 'kysely';
import { jsonArrayFrom } from 'kysely/helpers/postgres';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { makePool } from './pool.ts';
import { withRetry } from './retry.ts';

interface Schema {
  owner: { id: Generated<string>; name: string; city: string | null; born: ColumnType<Date | null, string | null> };
  pet: { id: Generated<string>; owner_id: string; name: string; tags: unknown };
  account: { id: number; balance: number };
}

/** PostgreSQL's dialect without the advisory lock, which the service does not have. */
class DsqlDialect extends PostgresDialect {
  override createAdapter() {
    return new (class extends PostgresAdapter {
      override get supportsTransactionalDdl() {
        return false;
      }
      override async acquireMigrationLock() {}
      override async releaseMigrationLock() {}
    })();
  }
}

/** The usual first migration, one DDL statement a time. */
const first: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('owner')
      .addColumn('id', 'uuid', (column) => column.primaryKey().defaultTo(sql`gen_random_uuid()`))
      .addColumn('name', 'varchar(255)', (column) => column.notNull())
      .addColumn('city', 'text')
      .addColumn('born', 'timestamptz')
      .execute();
    await db.schema
      .createTable('pet')
      .ifNotExists()
      .addColumn('id', 'uuid', (column) => column.primaryKey().defaultTo(sql`gen_random_uuid()`))
      .addColumn('owner_id', 'uuid', (column) => column.notNull().references('owner.id').onDelete('cascade'))
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('tags', 'jsonb')
      .execute();
    await db.schema
      .createTable('account')
      .addColumn('id', 'integer', (column) => column.primaryKey())
      .addColumn('balance', 'integer', (column) => column.notNull())
      .execute();
    await sql`CREATE INDEX ASYNC pet_owner ON pet (owner_id)`.execute(db);
  },
  async down(db: Kysely<unknown>) {
    for (const table of ['account', 'pet', 'owner']) await db.schema.dropTable(table).execute();
  },
};
/** One that changes what is there, and rows beside. */
const second: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.alterTable('owner').addColumn('email', 'text').execute();
    await db.schema
      .createView('owners_of_pets')
      .as((db as Kysely<Schema>).selectFrom('owner').innerJoin('pet', 'owner_id', 'owner.id').select(['owner.name']))
      .execute();
    await sql`INSERT INTO account VALUES (1, 100), (2, 100)`.execute(db);
  },
  async down(db: Kysely<unknown>) {
    await db.schema.dropView('owners_of_pets').execute();
    await db.schema.alterTable('owner').dropColumn('email').execute();
  },
};
const provider = (migrations: Record<string, Migration>): MigrationProvider => ({
  getMigrations: async () => migrations,
});

let postern: TestServer;
let pool: pg.Pool;
let db: Kysely<Schema>;
beforeAll(async () => {
  postern = await startTestServer();
  pool = makePool(postern, 4);
  db = new Kysely({ dialect: new DsqlDialect({ pool }) });
});
afterAll(async () => {
  await db?.destroy();
  await postern?.stop();
});

const migrator = (disableTransactions: boolean) =>
  new Migrator({ db, provider: provider({ '1_first': first, '2_second': second }), disableTransactions });

describe('Kysely as it comes', () => {
  it('is refused the lock that its migrator asks for', async () => {
    const stock = new Kysely<Schema>({
      dialect: new PostgresDialect({ pool: makePool(postern, 1) }),
    });
    const { error } = await new Migrator({ db: stock, provider: provider({}) }).migrateToLatest();
    // It tells only what came of letting the lock go.
    expect(error).toMatchObject({ code: '0A000', message: 'function pg_advisory_unlock not supported' });
    await expect(
      stock.connection().execute((connection) => new PostgresAdapter().acquireMigrationLock(connection, {} as never)),
    ).rejects.toMatchObject({
      code: '0A000',
      message: 'setting configuration parameter "lock_timeout" not supported',
    });
    await stock.destroy();
  });

  it('is refused a migration of several DDL statements in one transaction, of which nothing stays', async () => {
    const { error } = await db
      .transaction()
      .execute((transaction) => first.up(transaction))
      .then(
        () => ({ error: undefined }),
        (raised: unknown) => ({ error: raised }),
      );
    expect(error).toMatchObject({ code: '0A000', message: 'multiple ddl statements not supported in a transaction' });
    expect((await db.introspection.getTables()).map(({ name }) => name)).not.toContain('owner');
  });

  it('is refused an index that is made at once', async () => {
    await db.schema.createTable('indexed').addColumn('n', 'integer').execute();
    await expect(db.schema.createIndex('indexed_n').on('indexed').column('n').execute()).rejects.toMatchObject({
      code: '0A000',
      message: 'unsupported mode. please use CREATE INDEX ASYNC.',
    });
    await db.schema.dropTable('indexed').execute();
  });
});

describe('Kysely without a lock and with disableTransactions', () => {
  it('migrates up, and knows what it has done', async () => {
    const { error, results } = await migrator(true).migrateToLatest();
    expect(error).toBeUndefined();
    expect(results).toEqual([
      { migrationName: '1_first', direction: 'Up', status: 'Success' },
      { migrationName: '2_second', direction: 'Up', status: 'Success' },
    ]);
    expect((await migrator(true).migrateToLatest()).results).toEqual([]);
    expect((await migrator(true).getMigrations()).every(({ executedAt }) => executedAt instanceof Date)).toBe(true);
  });

  it('goes one step down and up again', async () => {
    expect((await migrator(true).migrateDown()).error).toBeUndefined();
    expect((await db.introspection.getTables()).find(({ name }) => name === 'owner')?.columns).toHaveLength(4);
    await db.deleteFrom('account').execute();
    expect((await migrator(true).migrateUp()).error).toBeUndefined();
  });

  it('reads the catalogs', async () => {
    const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
    const own = tables.filter(({ schema }) => schema === 'public').map(({ name }) => name);
    expect(own.sort()).toEqual([
      'account',
      'kysely_migration',
      'kysely_migration_lock',
      'owner',
      'owners_of_pets',
      'pet',
    ]);
    expect(tables.find(({ name }) => name === 'pet')?.columns[0]).toMatchObject({
      name: 'id',
      dataType: 'uuid',
      isNullable: false,
      hasDefaultValue: true,
    });
    expect((await db.introspection.getSchemas()).map(({ name }) => name)).toContain('sys');
  });

  it('writes and reads rows with relations', async () => {
    const owner = await db
      .insertInto('owner')
      .values({ name: 'Ada', city: 'London', born: '1815-12-10T00:00:00Z' })
      .returningAll()
      .executeTakeFirstOrThrow();
    expect(owner.born).toEqual(new Date('1815-12-10T00:00:00Z'));
    await db
      .insertInto('pet')
      .values(['cat', 'dog'].map((name) => ({ owner_id: owner.id, name, tags: JSON.stringify({ soft: true }) })))
      .execute();
    const found = await db
      .selectFrom('owner')
      .select((from) => [
        'name',
        jsonArrayFrom(
          from.selectFrom('pet').select(['pet.name']).whereRef('owner_id', '=', 'owner.id').orderBy('name'),
        ).as('pets'),
      ])
      .where('id', '=', owner.id)
      .execute();
    expect(found).toEqual([{ name: 'Ada', pets: [{ name: 'cat' }, { name: 'dog' }] }]);
    expect(
      await db
        .selectFrom('owners_of_pets' as never)
        .selectAll()
        .execute(),
    ).toHaveLength(2);

    await db
      .insertInto('owner')
      .values({ id: owner.id, name: 'x', city: null, born: null })
      .onConflict((conflict) => conflict.column('id').doUpdateSet({ city: 'Paris' }))
      .execute();
    const update = await db
      .updateTable('owner')
      .set({ name: 'Lady Ada' })
      .where('city', '=', 'Paris')
      .executeTakeFirst();
    expect(update.numUpdatedRows).toBe(1n);
    await expect(
      db.insertInto('pet').values({ owner_id: randomUUID(), name: 'stray', tags: null }).execute(),
    ).rejects.toMatchObject({ code: '23503' });
    await db.deleteFrom('owner').where('id', '=', owner.id).execute();
    expect(await db.selectFrom('pet').selectAll().execute()).toEqual([]);
  });

  it('does conflicting transactions again until each has been done once', async () => {
    await db.updateTable('account').set({ balance: 100 }).execute();
    const transfer = (from: number, to: number) =>
      withRetry(() =>
        db
          .transaction()
          .setIsolationLevel('repeatable read')
          .execute(async (transaction) => {
            const rows = await transaction.selectFrom('account').selectAll().where('id', 'in', [from, to]).execute();
            const balance = (id: number) => rows.find((row) => row.id === id)!.balance;
            const set = (id: number, value: number) =>
              transaction.updateTable('account').set({ balance: value }).where('id', '=', id).execute();
            await set(from, balance(from) - 1);
            await set(to, balance(to) + 1);
          }),
      );
    const done = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => (n % 3 === 0 ? transfer(2, 1) : transfer(1, 2))));
    expect(done.some(({ attempts }) => attempts > 1)).toBe(true);
    expect(await db.selectFrom('account').selectAll().orderBy('id').execute()).toEqual([
      { id: 1, balance: 98 },
      { id: 2, balance: 102 },
    ]);
  });

  it('is told of a conflict when it commits', async () => {
    const [one, two] = await Promise.all([db.startTransaction().execute(), db.startTransaction().execute()]);
    const add = sql<number>`balance + 1`;
    const set = (in_: typeof one) => in_.updateTable('account').set({ balance: add }).where('id', '=', 1);
    expect((await set(one).executeTakeFirst()).numUpdatedRows).toBe(1n);
    expect((await set(two).executeTakeFirst()).numUpdatedRows).toBe(1n);
    await one.commit().execute();
    await expect(two.commit().execute()).rejects.toMatchObject({
      code: '40001',
      message: 'change conflicts with another transaction (OC000)',
    });
    await two.rollback().execute();
  });

  it('is refused savepoints and other isolation levels', async () => {
    const transaction = await db.startTransaction().execute();
    await expect(transaction.savepoint('here').execute()).rejects.toMatchObject({
      code: '0A000',
      message: 'unsupported transaction statement: SAVEPOINT',
    });
    await transaction.rollback().execute();
    await expect(
      db
        .transaction()
        .setIsolationLevel('serializable')
        .execute(async () => undefined),
    ).rejects.toMatchObject({ code: '0A000', message: 'Unsupported isolation level: SERIALIZABLE' });
  });
});
