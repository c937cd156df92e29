import pg from 'pg';
import type { TestServer } from '../harness/server.ts';

/** A pool of `pg`, as admin. Its `end` does not wait for sessions to be closed, so the server may still tell them of its own end. */
export function makePool(postern: TestServer, max: number): pg.Pool {
  const pool = new pg.Pool({ ...postern.login('admin'), max });
  pool.on('error', () => undefined);
  return pool;
}
