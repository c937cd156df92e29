import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { pino } from 'pino';
import type { Engine } from '../port.ts';
import { createEmbeddedHost } from './host.ts';

const MODULES = fileURLToPath(new URL('../../../node_modules', import.meta.url));

/** Shared by all test files, so that initdb runs once. */
export const TEST_CACHE = mayWrite(MODULES)
  ? join(MODULES, '.cache', 'postern')
  : join(tmpdir(), `postern-test-cache-${process.geteuid!()}`);

export const silent = pino({ level: 'silent' });

export interface TestEngine extends Engine {
  folder: string;
  /** Starts the server again on the same data; `socketPath` and `pid` are then new. */
  restart(): Promise<void>;
  /** Runs SQL as the superuser on a session of its own and returns the last statement's rows. */
  sql<Row = Record<string, unknown>>(text: string, values?: unknown[]): Promise<Row[]>;
}

/** A PostgreSQL of its own for a test file, fast and forgetful. `stop` removes its data. */
export async function startTestEngine(options: { durable?: boolean } = {}): Promise<TestEngine> {
  const base = await mkdtemp(join(tmpdir(), 'postern-test-'));
  const host = createEmbeddedHost({ cacheFolder: TEST_CACHE, runFolder: join(base, 'run'), log: silent });
  const folder = join(base, 'data');
  const start = () => host.start({ name: 'test', folder, durable: options.durable ?? false, maxConnections: 20 });
  const first = await start();
  let running = () => first.stop();
  const engine: TestEngine = {
    ...first,
    folder,
    async restart() {
      await running();
      const next = await start();
      running = () => next.stop();
      Object.assign(engine, { socketPath: next.socketPath, pid: next.pid, ended: next.ended });
    },
    async stop() {
      await running();
      await rm(base, { recursive: true, force: true });
    },
    sql: (text, values) => ask(engine.socketPath, text, { values }),
  };
  return engine;
}

/** Runs SQL on a session of its own and returns the last statement's rows. */
export async function ask<Row = Record<string, unknown>>(
  socketPath: string,
  sql: string,
  options: { user?: string; values?: unknown[] | undefined } = {},
): Promise<Row[]> {
  const client = await connectTo(socketPath, options.user ?? 'postern');
  try {
    const results = await client.query(sql, options.values);
    return (Array.isArray(results) ? results.at(-1) : results).rows;
  } finally {
    await client.end();
  }
}

/** A session as any role; ended by whoever asked for it. */
export async function connectTo(socketPath: string, user: string): Promise<pg.Client> {
  const client = new pg.Client({
    host: socketPath.slice(0, socketPath.lastIndexOf('/')),
    port: 5432,
    user,
    database: 'postgres',
    ssl: false,
    options: '-c application_name=test',
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

function mayWrite(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
