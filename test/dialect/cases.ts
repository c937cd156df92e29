/** The tables of the dialect: one row a statement. */
import { readdirSync, readFileSync } from 'node:fs';

export interface Cases {
  /** Without .json. */
  name: string;
  /** With the command tag. */
  accepted: readonly [sql: string, tag: string][];
  /** 0A000 unless the row says otherwise. */
  refused: readonly [sql: string, message: string, sqlstate?: string][];
  rows: readonly [sql: string, rows: unknown[][]][];
}

const FOLDER = new URL('cases/', import.meta.url);

export const CASES: readonly Cases[] = readdirSync(FOLDER)
  .sort()
  .map((file) => ({ rows: [], name: file.slice(0, -5), ...JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) }));

/** What the statements of the tables speak of. */
export const FIXTURE: readonly string[] = [
  'CREATE ROLE member',
  'GRANT member TO admin',
  'CREATE SCHEMA d',
  `CREATE TABLE d.t (id int PRIMARY KEY, a int CONSTRAINT a_positive CHECK (a > 0), b text, c jsonb,
    g int GENERATED ALWAYS AS (id * 2) STORED)`,
  'SET disable_sync_create_index = off',
  'CREATE UNIQUE INDEX unique_a ON d.t (a)',
  'RESET disable_sync_create_index',
  'INSERT INTO d.t (id, a) VALUES (1, 1), (2, 2)',
  'CREATE TABLE d.child (n int, t int REFERENCES d.t)',
  'INSERT INTO d.child VALUES (1, 1)',
  'CREATE TABLE d.plain (a int)',
  'CREATE TABLE d.ident (id bigint GENERATED ALWAYS AS IDENTITY (CACHE 1), plain bigint NOT NULL)',
  'CREATE VIEW d.v AS SELECT a FROM d.t',
  'CREATE SEQUENCE d.s CACHE 1',
  'CREATE DOMAIN d.dom AS int CHECK (VALUE > 0)',
  'CREATE DOMAIN d.bytes AS bytea',
  'CREATE FUNCTION d.f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$',
  'CREATE STATISTICS d.st (ndistinct) ON a, b FROM d.t',
  'GRANT USAGE, CREATE ON SCHEMA d TO member',
];
