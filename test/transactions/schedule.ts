import type pg from 'pg';
import type { Protocol } from '../dialect/session.ts';
import type { TestServer } from '../harness/server.ts';

/** What one statement of a schedule was answered: its tag and rows, or its error as `SQLSTATE message`. */
export type Outcome = string;

/** Sessions by name, which are opened when they are first used. */
export class Schedule {
  readonly #server: TestServer;
  readonly #sessions = new Map<string, Promise<{ client: pg.Client; tag: () => string }>>();

  constructor(server: TestServer) {
    this.#server = server;
  }

  /** Runs `session: statement`. */
  async run(line: string, protocol: Protocol = 'simple'): Promise<Outcome> {
    const [, name = '', text = ''] = /^(\w+): (.*)$/s.exec(line) ?? [];
    const { client, tag } = await this.#session(name);
    const query: pg.QueryArrayConfig & { queryMode?: string } = { text, rowMode: 'array', values: [] };
    if (protocol === 'extended') query.queryMode = 'extended';
    try {
      const result = await client.query(query);
      const rows = Array.isArray(result) ? result.flatMap((one) => one.rows) : result.rows;
      return [tag(), ...rows.map((row) => `(${row.join(',')})`)].join(' ');
    } catch (error) {
      const { code, message } = error as pg.DatabaseError;
      return `${code} ${message}`;
    }
  }

  async end(): Promise<void> {
    for (const session of this.#sessions.values()) await (await session).client.end();
    this.#sessions.clear();
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
    return { client, tag: () => tag };
  }
}
