import type pg from 'pg';
import type { Protocol } from '../dialect/session.ts';
import type { TestServer } from '../harness/server.ts';

/** How a statement is sent; `prepared`: by the extended protocol, under a name that stays. */
export type Way = Protocol | 'prepared';
export const WAYS: readonly Way[] = ['simple', 'extended', 'prepared'];

/** What one statement of a schedule was answered: its tag and rows, or its error as `SQLSTATE message`. */
export type Outcome = string;

/** In ms: what nothing takes that waits for nobody. */
const BOUND = 20_000;

/** Sessions by name, which are opened when they are first used. */
export class Schedule {
  readonly #server: TestServer;
  readonly #setUp: readonly string[];
  readonly #sessions = new Map<string, Promise<{ client: pg.Client; tag: () => string }>>();
  readonly #names = new Map<string, string>();

  /** `setUp`: what every session does first. */
  constructor(server: TestServer, setUp: readonly string[] = []) {
    this.#server = server;
    this.#setUp = setUp;
  }

  /** Runs `session: statement`. Rejects where it has no answer in time. */
  async run(line: string, way: Way = 'simple'): Promise<Outcome> {
    const [, name = '', text = ''] = /^(\w+): (.*)$/s.exec(line) ?? [];
    const { client, tag } = await this.#session(name);
    const query: pg.QueryArrayConfig & { queryMode?: string } = { text, rowMode: 'array', values: [] };
    if (way === 'extended') query.queryMode = 'extended';
    if (way === 'prepared') query.name = this.#name(text);
    try {
      const result = await inTime(client.query(query), line);
      const rows = Array.isArray(result) ? result.flatMap((one) => one.rows) : result.rows;
      return [tag(), ...rows.map((row) => `(${row.join(',')})`)].join(' ');
    } catch (error) {
      const { code, message } = error as pg.DatabaseError;
      if (code === undefined) throw error;
      return `${code} ${message}`;
    }
  }

  /** Every session is in no transaction afterwards. */
  async rollback(): Promise<void> {
    for (const session of this.#sessions.values()) await (await session).client.query('ROLLBACK');
  }

  /** The connection of a session goes without a word. */
  async kill(name: string): Promise<void> {
    const session = await this.#sessions.get(name);
    this.#sessions.delete(name);
    // Not in the declarations: pg's own socket.
    (
      session?.client as unknown as { connection: { stream: { destroy(): void } } } | undefined
    )?.connection.stream.destroy();
  }

  async end(): Promise<void> {
    for (const session of this.#sessions.values()) await (await session).client.end();
    this.#sessions.clear();
  }

  #name(text: string): string {
    const name = this.#names.get(text) ?? `s${this.#names.size}`;
    this.#names.set(text, name);
    return name;
  }

  #session(name: string): Promise<{ client: pg.Client; tag: () => string }> {
    const known = this.#sessions.get(name);
    if (known) return known;
    const made = this.#open();
    this.#sessions.set(name, made);
    return made;
  }

  async #open(): Promise<{ client: pg.Client; tag: () => string }> {
    const client = await this.#server.connect();
    let tag = '';
    // Not in the declarations: pg's own stream of messages.
    const { connection } = client as unknown as { connection: NodeJS.EventEmitter };
    connection.on('commandComplete', (message: { text: string }) => {
      tag = message.text;
    });
    for (const sql of this.#setUp) await client.query(sql);
    return { client, tag: () => tag };
  }
}

async function inTime<Result>(work: Promise<Result>, what: string): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer to ${what.slice(0, 200)}`)), BOUND);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
