import pg from 'pg';
import type { Engine } from '../engine/port.ts';
import { socketClientConfig } from '../state/socket-client.ts';

export interface Job {
  id: string;
  /** As clients have it. */
  jobId: string;
  type: 'INDEX_BUILD' | 'VALIDATE_CONSTRAINT';
  /** Oid of the table. */
  relation: number;
  /** Of its submitter's session. */
  searchPath: string;
  /** How often it has been begun. */
  attempts: number;
}

/** What there is of a job's object now. Undefined: its table is gone. */
export interface Target {
  /** Names of roles. Null: it is gone. */
  loginRole: string | null;
  actingRole: string | null;
  /** Whether the role may log in, and neither is a superuser. */
  canLogIn: boolean;
  /** Statements, every name with its schema. Null: the constraint is gone. */
  work: string | null;
  /** Removes what an earlier attempt has left. */
  undo: string;
  /** The index that has the job's name, on the job's table. */
  index: number | null;
  /** Whether the work is done: the index valid, the constraint validated. */
  done: boolean;
  /** Whether the index was dropped by somebody else since the job was submitted. */
  dropped: boolean;
}

/** In ms. */
export const CONNECT_TIME = 10_000;
const STATEMENT_TIME = 30_000;
const ANSWER_TIME = 40_000;

/** In minutes, for finished jobs (user guide, "Asynchronous indexes"): they go when another job comes. */
const KEPT = 30;

/** Has a row when there is a job to do; jobs that have been finished for long go. */
export const LOOK_FOR_JOBS = `
  WITH gone AS (
    DELETE FROM postern.job WHERE status IN ('completed', 'failed')
    AND update_time < pg_catalog.clock_timestamp() - pg_catalog.make_interval(mins => ${KEPT})
  )
  SELECT FROM postern.job WHERE status IN ('submitted', 'processing') LIMIT 1`;

/** The oldest of each table, which is all that can run; a client may submit as many as it likes. */
const NEXT = `
  SELECT * FROM (
    SELECT DISTINCT ON (relation_id) job_id AS id, sys.uuid_to_base32_str(job_id) AS "jobId", job_type AS type,
      relation_id AS relation, search_path AS "searchPath", attempts, start_time
    FROM postern.job WHERE status IN ('submitted', 'processing') ORDER BY relation_id, start_time, job_id
  ) oldest ORDER BY start_time LIMIT 100`;
const BEGIN = `
  UPDATE postern.job SET status = 'processing', attempts = attempts + 1, update_time = pg_catalog.clock_timestamp()
  WHERE job_id = $1`;
const POSTPONE = `
  UPDATE postern.job SET status = 'submitted', attempts = attempts - 1, update_time = pg_catalog.clock_timestamp()
  WHERE job_id = $1`;
const FINISH = `
  UPDATE postern.job SET status = $2, details = $3, object_id = coalesce($4::pg_catalog.oid, object_id),
    update_time = pg_catalog.clock_timestamp()
  WHERE job_id = $1`;
const TARGET = `
  SELECT l.rolname AS "loginRole", a.rolname AS "actingRole", coalesce(l.rolcanlogin AND NOT l.rolsuper AND NOT a.rolsuper, false) AS "canLogIn",
    CASE j.job_type
      WHEN 'INDEX_BUILD' THEN pg_catalog.format('CREATE %sINDEX CONCURRENTLY %I ON %I.%I %s',
        CASE WHEN j.is_unique THEN 'UNIQUE ' END, j.object_name, n.nspname, t.relname, j.definition)
      ELSE pg_catalog.format('ALTER TABLE %I.%I VALIDATE CONSTRAINT ', n.nspname, t.relname)
        || pg_catalog.quote_ident(k.conname)
    END AS work,
    pg_catalog.format('DROP INDEX CONCURRENTLY %I.%I', n.nspname, j.object_name) AS undo,
    i.indexrelid AS index, coalesce(i.indisvalid, k.convalidated, false) AS done,
    EXISTS (
      SELECT FROM postern.job d
      WHERE d.job_type = 'DROP' AND d.object_schema = n.nspname AND d.object_name = j.object_name
        AND d.start_time > j.start_time
    ) AS dropped
  FROM postern.job j
  JOIN pg_catalog.pg_class t ON t.oid = j.relation_id
  JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
  LEFT JOIN pg_catalog.pg_roles l ON l.oid = j.login_role
  LEFT JOIN pg_catalog.pg_roles a ON a.oid = j.acting_role
  LEFT JOIN pg_catalog.pg_constraint k ON k.oid = j.constraint_id AND k.conrelid = t.oid
  LEFT JOIN pg_catalog.pg_class c ON j.job_type = 'INDEX_BUILD' AND c.relnamespace = n.oid AND c.relname = j.object_name
  LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid AND i.indrelid = t.oid
  WHERE j.job_id = $1`;

/** The jobs of a cluster, in its own database, over a session of the superuser. Methods throw what `pg` throws. */
export class JobStore {
  readonly #client: pg.Client;

  private constructor(client: pg.Client) {
    this.#client = client;
  }

  static async open(engine: Engine): Promise<JobStore> {
    const client = new pg.Client({
      ...socketClientConfig({ socketPath: engine.socketPath, user: engine.superuser, database: 'postgres' }),
      application_name: 'postern jobs',
      connectionTimeoutMillis: CONNECT_TIME,
      // What is not answered by then never will be: a statement has less time.
      query_timeout: ANSWER_TIME,
      options: `-c search_path=pg_catalog -c statement_timeout=${STATEMENT_TIME}`,
    });
    // Whoever asks next is told.
    client.on('error', () => undefined);
    await client.connect();
    return new JobStore(client);
  }

  /** Unfinished jobs, one of each table. */
  async next(): Promise<Job[]> {
    return (await this.#client.query<Job>(NEXT)).rows;
  }

  async target({ id }: Job): Promise<Target | undefined> {
    return (await this.#client.query<Target>(TARGET, [id])).rows[0];
  }

  async begin({ id }: Job): Promise<void> {
    await this.#client.query(BEGIN, [id]);
  }

  /** It was begun in vain, through no fault of its own. */
  async postpone({ id }: Job): Promise<void> {
    await this.#client.query(POSTPONE, [id]);
  }

  async finish({ id }: Job, { details, index }: Outcome): Promise<void> {
    await this.#client.query(FINISH, [id, details === undefined ? 'completed' : 'failed', details, index]);
  }

  /** Nobody needs to wait for its end. */
  close(): void {
    void this.#client.end().catch(() => undefined);
  }
}

export interface Outcome {
  /** Why it failed. Undefined: it did not. */
  details?: string | undefined;
  /** Oid of the index. */
  index?: number | null | undefined;
}
