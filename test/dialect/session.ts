import type pg from 'pg';
import type { TestServer } from '../harness/server.ts';

/** A session of which the command tags are seen. */
export interface TaggedSession {
  client: pg.Client;
  /** Runs one text in a protocol and tells the last command tag and the rows. Rejects as `pg` does. */
  run(sql: string, protocol: Protocol): Promise<{ tag: string; rows: unknown[][] }>;
}

/** The simple protocol sends a text, the extended one Parse, Bind, Describe, Execute and Sync. */
export const PROTOCOLS = ['simple', 'extended'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

export async function openTagged(
  server: TestServer,
  ...who: Parameters<TestServer['connect']>
): Promise<TaggedSession> {
  const client = await server.connect(...who);
  let tag = '';
  // Not in the declarations: pg's own stream of messages.
  const { connection } = client as unknown as { connection: NodeJS.EventEmitter };
  connection.on('commandComplete', (message: { text: string }) => {
    tag = message.text;
  });
  return {
    client,
    async run(text, protocol) {
      tag = '';
      const query: pg.QueryArrayConfig & { queryMode?: string } = { text, rowMode: 'array', values: [] };
      if (protocol === 'extended') query.queryMode = 'extended';
      const { rows } = await client.query(query);
      return { tag, rows };
    },
  };
}
