import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eq, relations, sql } from 'drizzle-orm';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import {
  bigint,
  boolean,
  index,
  integer,
  jsonb,
  numeric,
  pgTable,
  text,
  timestamp,
  uuid,
  varchar,
} from 'drizzle-orm/pg-core';
import { drizzle as drizzlePostgresJs } from 'drizzle-orm/postgres-js';
import type pg from 'pg';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { makePool } from './pool.ts';
import { isConflict, withRetry } from './retry.ts';

const users = pgTable('users', {
  id: uuid().primaryKey().defaultRandom(),
  name: varchar({ length: 100 }).notNull(),
  email: text().notNull().unique(),
  active: boolean().notNull().default(true),
  settings: jsonb(),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
});
const posts = pgTable(
  'posts',
  {
    id: bigint({ mode: 'number' }).primaryKey().generatedAlwaysAsIdentity({ cache: 65536 }),
    authorId: uuid('author_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    title: text().notNull(),
    price: numeric({ precision: 10, scale: 2 }),
  },
  (table) => [index('posts_author').on(table.authorId)],
);
const accounts = pgTable('accounts', { id: integer().primaryKey(), balance: integer().notNull() });
const usersRelations = relations(users, ({ many }) => ({ posts: many(posts) }));
const postsRelations = relations(posts, ({ one }) => ({
  author: one(users, { fields: [posts.authorId], references: [users.id] }),
}));
const schema = { users, posts, accounts, usersRelations, postsRelations };

/** What `drizzle-kit generate` makes of the tables above. */
const GENERATED = `CREATE TABLE "users" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" varchar(100) NOT NULL,
	"email" text NOT NULL,
	"active" boolean DEFAULT true NOT NULL,
	"settings" jsonb,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "users_email_unique" UNIQUE("email")
);
--> statement-breakpoint
CREATE TABLE "posts" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "posts_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 65536),
	"author_id" uuid NOT NULL,
	"title" text NOT NULL,
	"price" numeric(10, 2)
);
--> statement-breakpoint
CREATE TABLE "accounts" (
	"id" integer PRIMARY KEY NOT NULL,
	"balance" integer NOT NULL
);
--> statement-breakpoint
ALTER TABLE "posts" ADD CONSTRAINT "posts_author_id_users_id_fk" FOREIGN KEY ("author_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "posts_author" ON "posts" USING btree ("author_id");`;

/** Edited as the service needs it: an index in the background, a foreign key that does not look at the rows there are. */
const EDITED = GENERATED.replace('ON UPDATE no action', 'ON UPDATE no action NOT VALID').replace(
  /CREATE INDEX (".*") ON (".*") USING btree/,
  'CREATE INDEX ASYNC $1 ON $2',
);

/** A folder as drizzle-kit leaves it. */
async function migrationsFolder(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'postern-drizzle-'));
  await mkdir(join(folder, 'meta'));
  await writeFile(join(folder, '0000_first.sql'), text);
  const entries = [{ idx: 0, version: '7', when: 1_760_000_000_000, tag: '0000_first', breakpoints: true }];
  await writeFile(
    join(folder, 'meta', '_journal.json'),
    JSON.stringify({ version: '7', dialect: 'postgresql', entries }),
  );
  return folder;
}

/** A migrator for the service: each statement in a transaction of its own, and a table of migrations without a serial. */
async function migrateByStatement(db: NodePgDatabase<typeof schema>, folder: string): Promise<number> {
  await db.execute(
    sql`CREATE TABLE IF NOT EXISTS migrations (hash text PRIMARY KEY, created_at timestamptz DEFAULT now())`,
  );
  let done = 0;
  for (const migration of readMigrationFiles({ migrationsFolder: folder })) {
    const { rows } = await db.execute(sql`SELECT 1 FROM migrations WHERE hash = ${migration.hash}`);
    if (rows.length > 0) continue;
    for (const statement of migration.sql) await db.execute(sql.raw(statement));
    await db.execute(sql`INSERT INTO migrations (hash) VALUES (${migration.hash})`);
    done++;
  }
  return done;
}

/** The driver's error, which Drizzle wraps. */
const refusal = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: Error) => {
      const { code, message } = (error.cause ?? error) as pg.DatabaseError;
      return { code, message };
    },
  );

let postern: TestServer;
let pool: pg.Pool;
let db: NodePgDatabase<typeof schema>;
const folders: string[] = [];
beforeAll(async () => {
  postern = await startTestServer();
  pool = makePool(postern, 4);
  db = drizzle(pool, { schema });
});
afterAll(async () => {
  await pool?.end();
  await postern?.stop();
  for (const folder of folders) await rm(folder, { recursive: true });
});

async function folderOf(text: string): Promise<string> {
  const folder = await migrationsFolder(text);
  folders.push(folder);
  return folder;
}

describe("Drizzle's own migrator", () => {
  it('is refused the serial column of its table of migrations', async () => {
    const folder = await folderOf(EDITED);
    expect(await refusal(migrate(db, { migrationsFolder: folder }))).toEqual({
      code: '42704',
      message: 'type "serial" does not exist',
    });
  });

  it('makes SQL of which the foreign key and the index are refused', async () => {
    const [first = '', , , foreignKey = '', madeAtOnce = ''] = GENERATED.split('--> statement-breakpoint');
    expect(
      await refusal(
        db.transaction(async (transaction) => {
          await transaction.execute(sql.raw(first));
          await transaction.execute(sql.raw('CREATE TABLE more (n int)'));
        }),
      ),
    ).toEqual({ code: '0A000', message: 'multiple ddl statements not supported in a transaction' });
    await db.execute(sql`CREATE TABLE posts (author_id uuid)`);
    expect(await refusal(db.execute(sql.raw(foreignKey)))).toEqual({
      code: '0A000',
      message: 'unsupported ALTER TABLE ADD CONSTRAINT statement',
    });
    expect(await refusal(db.execute(sql.raw(madeAtOnce)))).toMatchObject({ code: '0A000' });
    await db.execute(sql`DROP TABLE posts`);
  });
});

describe('Drizzle with a migrator that takes a transaction a statement', () => {
  it('runs the first migration once', async () => {
    const folder = await folderOf(EDITED);
    expect(await migrateByStatement(db, folder)).toBe(1);
    expect(await migrateByStatement(db, folder)).toBe(0);
    const { rows } = await db.execute<{ name: string }>(
      sql`SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1`,
    );
    expect(rows.map(({ name }) => name)).toEqual(['accounts', 'migrations', 'posts', 'users']);
  });

  it('writes and reads rows with relations', async () => {
    const [ada] = await db
      .insert(users)
      .values({ name: 'Ada', email: 'ada@example.com', settings: { dark: true } })
      .returning();
    const made = await db
      .insert(posts)
      .values(['one', 'two'].map((title) => ({ authorId: ada!.id, title, price: '9.95' })))
      .returning({ id: posts.id });
    expect(made[1]!.id).toBeGreaterThan(made[0]!.id);
    const found = await db.query.users.findFirst({
      with: { posts: { columns: { title: true, price: true }, orderBy: posts.id } },
      where: eq(users.email, 'ada@example.com'),
    });
    expect(found).toMatchObject({
      name: 'Ada',
      active: true,
      settings: { dark: true },
      posts: [
        { title: 'one', price: '9.95' },
        { title: 'two', price: '9.95' },
      ],
    });
    expect(found!.createdAt).toBeInstanceOf(Date);

    expect(
      await refusal(Promise.resolve(db.insert(users).values({ name: 'Eve', email: 'ada@example.com' }))),
    ).toMatchObject({ code: '23505' });
    await db
      .insert(users)
      .values({ name: 'Ada L.', email: 'ada@example.com' })
      .onConflictDoUpdate({ target: users.email, set: { name: 'Ada L.' } });
    const joined = await db.select().from(users).leftJoin(posts, eq(posts.authorId, users.id)).orderBy(posts.id);
    expect(joined.map((row) => [row.users.name, row.posts?.title])).toEqual([
      ['Ada L.', 'one'],
      ['Ada L.', 'two'],
    ]);
    await db.delete(users).where(eq(users.id, ada!.id));
    expect(await db.$count(posts)).toBe(0);
  });

  it('runs named prepared statements, in blocks and outside, and from one session after the other', async () => {
    await db.insert(accounts).values({ id: 10, balance: 1 });
    const byId = db
      .select()
      .from(accounts)
      .where(eq(accounts.id, sql.placeholder('id')))
      .prepare('account_by_id');
    const add = db
      .update(accounts)
      .set({ balance: sql`${accounts.balance} + 1` })
      .where(eq(accounts.id, sql.placeholder('id')))
      .prepare('account_add');
    for (let n = 0; n < 5; n++) await Promise.all([byId.execute({ id: 10 }), byId.execute({ id: 10 })]);
    for (let n = 0; n < 5; n++) await add.execute({ id: 10 });
    expect(await byId.execute({ id: 10 })).toEqual([{ id: 10, balance: 6 }]);
    await db.transaction(async (transaction) => {
      const inside = transaction
        .select()
        .from(accounts)
        .where(eq(accounts.id, sql.placeholder('id')))
        .prepare('account_by_id');
      expect(await inside.execute({ id: 10 })).toEqual([{ id: 10, balance: 6 }]);
    });
    await db.delete(accounts);
  });

  it('does conflicting transactions again until each has been done once', async () => {
    await db.insert(accounts).values([
      { id: 1, balance: 100 },
      { id: 2, balance: 100 },
    ]);
    const done = await Promise.all(
      [1, 2, 3, 4, 5].map(() =>
        withRetry(() =>
          db.transaction(async (transaction) => {
            const rows = await transaction.select().from(accounts).orderBy(accounts.id).for('update');
            for (const { id, balance } of rows) {
              const change = id === 1 ? -1 : 1;
              await transaction
                .update(accounts)
                .set({ balance: balance + change })
                .where(eq(accounts.id, id));
            }
          }),
        ),
      ),
    );
    expect(done.some(({ attempts }) => attempts > 1)).toBe(true);
    expect(await db.select().from(accounts).orderBy(accounts.id)).toEqual([
      { id: 1, balance: 95 },
      { id: 2, balance: 105 },
    ]);
  });

  it('rolls back, and is refused a transaction in a transaction, which is a savepoint', async () => {
    await expect(
      db.transaction(async (transaction) => {
        await transaction.delete(accounts);
        transaction.rollback();
      }),
    ).rejects.toThrow('Rollback');
    expect(await db.$count(accounts)).toBe(2);
    expect(await refusal(db.transaction((transaction) => transaction.transaction(async () => undefined)))).toEqual({
      code: '0A000',
      message: 'unsupported transaction statement: SAVEPOINT',
    });
  });
});

describe('Drizzle over postgres.js', () => {
  it('writes and reads in transactions, and conflicts where they commit', async () => {
    const login = postern.login('admin');
    const client = postgres({
      host: 'localhost',
      port: postern.server.pgPort,
      user: 'admin',
      database: 'postgres',
      password: login.password as string,
      ssl: { ca: postern.ca },
      max: 4,
      onnotice: () => undefined,
    });
    const other = drizzlePostgresJs(client, { schema });
    await other.insert(accounts).values({ id: 20, balance: 0 });
    const done = await Promise.all(
      [1, 2, 3, 4].map(() =>
        withRetry(() =>
          other.transaction(async (transaction) => {
            const [row] = await transaction.select().from(accounts).where(eq(accounts.id, 20));
            await transaction
              .update(accounts)
              .set({ balance: row!.balance + 1 })
              .where(eq(accounts.id, 20));
          }),
        ),
      ),
    );
    expect(done.some(({ attempts }) => attempts > 1)).toBe(true);
    expect(await other.select().from(accounts).where(eq(accounts.id, 20))).toEqual([{ id: 20, balance: 4 }]);
    expect(isConflict(new Error('other'))).toBe(false);
    await client.end();
  });
});
