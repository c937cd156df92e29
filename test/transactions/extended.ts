/** The messages of the extended query protocol, and what is said to them in short. */
import { decodeFields } from '../../src/pgwire/fields.ts';
import { cstring, int32, message } from '../../src/pgwire/messages.ts';
import type { Frame, WireClient } from '../harness/wire.ts';

const none = Buffer.alloc(2);

export const parse = (sql: string, name = '') => message('P', cstring(name), cstring(sql), none);
export const bind = (name = '', portal = '') => message('B', cstring(portal), cstring(name), none, none, none);
export const execute = (rows = 0, portal = '') => message('E', cstring(portal), int32(rows));
export const close = (name: string) => message('C', Buffer.from('S'), cstring(name));
export const copied = (data: string) => message('d', Buffer.from(data));
export const copyDone = message('c');
export const flush = message('H');
export const sync = message('S');
export const query = (sql: string) => message('Q', cstring(sql));
export const run = (sql: string) => [parse(sql), bind(), execute()];

/** Command tags, errors, and what ReadyForQuery says. */
function describe({ type, body }: Frame): string | undefined {
  if (type === 'C') return body.toString('latin1', 0, body.length - 1);
  if (type === 'E') return [decodeFields(body).get('C'), decodeFields(body).get('M')].join(' ');
  if (type === 'Z') return body.toString('latin1');
  if (type === 'G') return 'copy in';
  return undefined;
}

/** What comes up to the next message of this type. */
export async function heard(client: WireClient, type: string): Promise<string[]> {
  return (await client.until(type)).flatMap((frame) => describe(frame) ?? []);
}

/** The tags and errors of a request, and the status after it. */
export function ask(client: WireClient, ...messages: Buffer[]): Promise<string[]> {
  client.send(...messages);
  return heard(client, 'Z');
}
