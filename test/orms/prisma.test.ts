import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { withRetry } from './retry.ts';

/**
 * Prisma's engine of migrations is a program of its own, which is no part of the tests: what it sends stands here, and is
 * sent as it sends it, a migration as one string in the simple protocol.
 */

/** Of `prisma migrate diff --from-empty --to-schema-datamodel … --script`. */
const GENERATED = `-- CreateTable
CREATE TABLE "User" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "email" TEXT NOT NULL,
    "name" VARCHAR(100),
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "settings" JSONB,

    CONSTRAINT "User_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "Post" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "title" TEXT NOT NULL,
    "published" BOOLEAN NOT NULL DEFAULT false,
    "price" DECIMAL(65,30),
    "authorId" UUID NOT NULL,

    CONSTRAINT "Post_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "User_email_key" ON "User"("email");

-- CreateIndex
CREATE INDEX "Post_authorId_idx" ON "Post"("authorId");

-- AddForeignKey
ALTER TABLE "Post" ADD CONSTRAINT "Post_authorId_fkey" FOREIGN KEY ("authorId") REFERENCES "User"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
`;

/** As it is rewritten for the service: each statement in a transaction of its own, indexes in the background, foreign keys not validated. */
const REWRITTEN = GENERATED.split(/(?<=;\n)\n/)
  .map((statement) =>
    statement
      .replace(/INDEX (?=")/, 'INDEX ASYNC ')
      .replace(/;\n$/, '')
      .trimEnd(),
  )
  .map((statement) => (statement.includes('ADD CONSTRAINT') ? `${statement} NOT VALID` : statement))
  .map((statement) => `BEGIN;\n${statement};\nCOMMIT;\n`)
  .join('\n');

const BOOKKEEPING = `CREATE TABLE "_prisma_migrations" (
    "id"                    VARCHAR(36) PRIMARY KEY NOT NULL,
    "checksum"              VARCHAR(64) NOT NULL,
    "finished_at"           TIMESTAMPTZ,
    "migration_name"        VARCHAR(255) NOT NULL,
    "logs"                  TEXT,
    "rolled_back_at"        TIMESTAMPTZ,
    "started_at"            TIMESTAMPTZ NOT NULL DEFAULT now(),
    "applied_steps_count"   INTEGER NOT NULL DEFAULT 0
);`;

let postern: TestServer;
let client: pg.Client;
beforeAll(async () => {
  postern = await startTestServer();
  client = await postern.connect();
});
afterAll(() => postern?.stop());

const refusal = (sql: string, values?: unknown[]) =>
  client.query(sql, values).then(
    () => undefined,
    ({ code, message }: pg.DatabaseError) => ({ code, message }),
  );
const tables = async () => {
  const { rows } = await client.query(
    "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1",
  );
  return rows.map(({ name }) => name);
};

describe("Prisma's migrations as they come", () => {
  it('are refused the advisory lock, which its environment can turn off', async () => {
    expect(await refusal('SELECT pg_advisory_lock(72707369)')).toEqual({
      code: '0A000',
      message: 'function pg_advisory_lock not supported',
    });
  });

  it('are refused as one string, of which nothing stays', async () => {
    expect(await refusal(GENERATED.slice(0, GENERATED.indexOf('-- CreateIndex')))).toEqual({
      code: '0A000',
      message: 'multiple ddl statements not supported in a transaction',
    });
    expect(await refusal(GENERATED)).toMatchObject({ code: '0A000' });
    expect(await tables()).toEqual([]);
  });
});

describe('Prisma with migrations that are rewritten', () => {
  it('makes its bookkeeping and runs a migration that is one string of transactions', async () => {
    await client.query(BOOKKEEPING);
    const insert = `INSERT INTO "_prisma_migrations" ("id","checksum","started_at","migration_name") VALUES ($1,$2,$3,$4)`;
    await client.query(insert, ['1', 'f00', new Date(), '0001_first']);
    const results = (await client.query(REWRITTEN)) as unknown as pg.QueryResult[];
    expect(results.map(({ command }) => command)).toEqual(
      ['CREATE', 'CREATE', 'CREATE', 'CREATE', 'ALTER'].flatMap((command) => ['BEGIN', command, 'COMMIT']),
    );
    const update = `UPDATE "_prisma_migrations" SET "applied_steps_count" = "applied_steps_count" + 1, "finished_at" = $1 WHERE "id" = $2`;
    expect((await client.query(update, [new Date(), '1'])).rowCount).toBe(1);
    expect(await tables()).toEqual(['Post', 'User', '_prisma_migrations']);
  });

  it('reads the catalogs', async () => {
    const { rows } = await client.query(
      `SELECT EXISTS(SELECT 1 FROM pg_namespace WHERE nspname = $1), version(), current_setting('server_version_num')::integer as numeric_version;`,
      ['public'],
    );
    expect(rows).toEqual([{ exists: true, version: 'PostgreSQL 16', numeric_version: 160015 }]);
    const described = await client.query(
      `SELECT tbl.relname AS table_name, namespace.nspname as namespace,
          (tbl.relhassubclass and tbl.relkind = 'p') as is_partition,
          (tbl.relhassubclass and tbl.relkind = 'r') as has_subclass, tbl.relrowsecurity as has_row_level_security,
          reloptions, obj_description(tbl.oid, 'pg_class') as description
        FROM pg_class AS tbl INNER JOIN pg_namespace AS namespace ON namespace.oid = tbl.relnamespace
        WHERE (tbl.relkind = 'r' AND tbl.relispartition = 't') OR (tbl.relkind = 'r' AND tbl.relispartition = 'f')
          AND namespace.nspname = ANY ( $1 ) ORDER BY namespace, table_name;`,
      [['public']],
    );
    expect(described.rows.map(({ table_name }) => table_name)).toEqual(['Post', 'User', '_prisma_migrations']);
    const keys = await client.query(
      `SELECT con.conname AS name, con.confdeltype AS on_delete FROM pg_constraint con
        JOIN pg_class tbl ON tbl.oid = con.conrelid WHERE con.contype = 'f' AND tbl.relname = $1`,
      ['Post'],
    );
    expect(keys.rows).toEqual([{ name: 'Post_authorId_fkey', on_delete: 'r' }]);
  });

  it('runs the statements of a nested write, and is refused what the keys forbid', async () => {
    const { result, attempts } = await withRetry(async () => {
      await client.query('BEGIN');
      const { rows } = await client.query(
        'INSERT INTO "public"."User" ("email","name","settings") VALUES ($1,$2,$3) RETURNING "public"."User"."id"',
        ['ada@example.com', 'Ada', { dark: true }],
      );
      const posts = await client.query(
        'INSERT INTO "public"."Post" ("title","price","authorId") VALUES ($1,$2,$4), ($3,$2,$4)',
        ['one', '9.95', 'two', rows[0].id],
      );
      await client.query('COMMIT');
      return posts.rowCount;
    });
    expect({ result, attempts }).toEqual({ result: 2, attempts: 1 });
    const { rows } = await client.query(
      `SELECT "t1"."email", COALESCE("j"."posts", '[]') AS "posts" FROM "public"."User" AS "t1"
        LEFT JOIN LATERAL (SELECT JSONB_AGG("p"."title" ORDER BY "p"."title") AS "posts" FROM "public"."Post" AS "p"
          WHERE "p"."authorId" = "t1"."id") AS "j" ON TRUE WHERE "t1"."email" = $1 LIMIT $2 OFFSET $3`,
      ['ada@example.com', 1, 0],
    );
    expect(rows).toEqual([{ email: 'ada@example.com', posts: ['one', 'two'] }]);
    expect(await refusal('DELETE FROM "public"."User" WHERE "email" = $1', ['ada@example.com'])).toMatchObject({
      code: '23503',
    });
  });

  it('is refused the isolation levels that it sets', async () => {
    await client.query('BEGIN');
    expect(await refusal('SET TRANSACTION ISOLATION LEVEL SERIALIZABLE')).toEqual({
      code: '0A000',
      message: 'Unsupported isolation level: SERIALIZABLE',
    });
    await client.query('ROLLBACK');
  });
});
