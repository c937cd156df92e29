import pg from 'pg';
import type { Engine } from '../engine/port.ts';
import { limitOf } from '../roles/engine-limits.ts';
import { socketClientConfig } from '../state/socket-client.ts';
import { CONNECT_TIME, type Job, type JobStore, type Outcome, type Target } from './job-store.ts';
import { DUPLICATE_KEY, JOB_APPLICATION } from './jobs-sql.ts';

export interface JobWork {
  engine: Engine;
  store: JobStore;
  /** Resolves after so many ms, or when the program is closing. */
  pause: (ms: number) => Promise<void>;
  /** The program is closing: a job that is cut off is for the next one. */
  closing: AbortSignal;
}

/** A job that has been cut off as often as this, other than by a statement of a client's, will be the next time too. */
const MAX_ATTEMPTS = 5;
/** In ms, until a job is tried again that was cut off or found no place for its session. */
const AGAIN = 200;

/** SQLSTATEs. */
const UNIQUE_VIOLATION = '23505';
const NO_PLACE = new Set(['53300', '57P03']);
/** A statement of a client's needed the table. */
const CANCELED = '57014';
/** deadlock_detected, lock_not_available, and all that ends a session. */
const INTERRUPTED = /^(40P01|55P03|08...|57P0.)$/;

/** How one attempt ended: `done` and `interrupted` leave it to the catalog to say what there is now. */
type End = 'done' | 'yielded' | 'interrupted' | { details: string };

/**
 * Runs one job to its end, in a session of its submitter's. Rejects when the database is lost or the program is closing;
 * the job is then taken up again by whoever looks for jobs next.
 */
export async function runJob(job: Job, work: JobWork): Promise<Outcome> {
  const { store, pause, closing } = work;
  await store.begin(job);
  let interruptions = job.attempts;
  for (;;) {
    if (closing.aborted) await store.postpone(job);
    closing.throwIfAborted();
    const target = await store.target(job);
    const outcome = interruptions >= MAX_ATTEMPTS ? { details: 'the job was interrupted too often' } : settled(target);
    if (outcome) {
      await store.finish(job, outcome);
      return outcome;
    }
    const end = await attempt(job, target as Target, work);
    if (typeof end === 'object') {
      await store.finish(job, { ...end, index: (await store.target(job))?.index });
      return end;
    }
    if (end === 'done' && (await store.target(job))?.done) continue;
    if (end !== 'yielded') interruptions++;
    await pause(AGAIN);
  }
}

/** What the catalog says of a job for which there is nothing more to do. */
function settled(target: Target | undefined): Outcome | undefined {
  if (!target) return { details: 'the table was dropped' };
  if (target.done) return { index: target.index };
  if (target.dropped && target.index === null) return { details: 'the index was dropped' };
  if (target.work === null) return { details: 'the constraint was dropped' };
  if (!target.canLogIn || target.actingRole === null) return { details: 'the role of the job cannot log in any more' };
  return undefined;
}

async function attempt(job: Job, target: Target, { engine, closing }: JobWork): Promise<End> {
  const client = new pg.Client({
    // Names are resolved and expressions run with the submitter's rights, never with more.
    ...socketClientConfig({ socketPath: engine.socketPath, user: target.loginRole ?? '', database: 'postgres' }),
    application_name: `${JOB_APPLICATION}${job.id}`,
    connectionTimeoutMillis: CONNECT_TIME,
    // What a role has set for its sessions is not meant for these.
    options:
      '-c statement_timeout=0 -c lock_timeout=0 -c default_transaction_isolation=read\\ committed -c default_transaction_read_only=off',
  });
  // A statement that is at work is told as well.
  client.on('error', () => undefined);
  const cutOff = () => (client as unknown as { connection: pg.Connection }).connection.stream.destroy();
  closing.addEventListener('abort', cutOff);
  try {
    await client.connect();
    if (target.actingRole !== target.loginRole) {
      await client.query(`SET ROLE ${pg.escapeIdentifier(target.actingRole ?? '')}`);
    }
    // The definition is as PostgreSQL gives it back for pg_catalog alone; functions that it calls may want more.
    await client.query(
      "SELECT pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ', 'pg_catalog', nullif($1, '')), false)",
      [job.searchPath],
    );
    // Half built by an attempt that was cut off.
    if (target.index !== null) await client.query(target.undo);
    await client.query(target.work ?? '');
    return 'done';
  } catch (error) {
    return endOf(error as Error & { code?: string });
  } finally {
    closing.removeEventListener('abort', cutOff);
    void client.end().catch(() => undefined);
  }
}

function endOf({ code = '08006', message }: Error & { code?: string }): End {
  if (code === CANCELED || NO_PLACE.has(code)) return 'yielded';
  // Of the socket: it has a name in place of an SQLSTATE.
  if (INTERRUPTED.test(code) || !/^[0-9A-Z]{5}$/.test(code)) return 'interrupted';
  return { details: code === UNIQUE_VIOLATION ? DUPLICATE_KEY : (limitOf(code, message)?.message ?? message) };
}
