/** Whole conversations that are nearly right, against a server: nothing of it is a bug, and every answer is well-formed. */
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeFields } from '../../src/pgwire/fields.ts';
import { cancelRequest, cstring, int32, message, startupMessage } from '../../src/pgwire/messages.ts';
import { mutate, Random } from '../fuzz/mutation.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { SSL_REQUEST } from '../harness/wire.ts';

let postern: TestServer;
beforeAll(async () => {
  postern = await startTestServer();
});
afterAll(() => postern?.stop());

const STARTUP = startupMessage([
  ['user', 'admin'],
  ['database', 'postgres'],
]);
const TERMINATE = message('X');
const query = (sql: string) => message('Q', cstring(sql));
const zeros = (count: number) => Buffer.alloc(count);
const CONVERSATIONS = [
  [query('SELECT 1; SELECT 2'), query('BEGIN'), query('SELECT nothing_there'), query('ROLLBACK')],
  [
    message('P', cstring('s'), cstring('SELECT $1::int'), zeros(2)),
    message('D', Buffer.from('Ss\0')),
    message('B', cstring(''), cstring('s'), Buffer.from([0, 0, 0, 1]), int32(1), Buffer.from('7'), zeros(2)),
    message('E', cstring(''), int32(0)),
    message('C', Buffer.from('Ss\0')),
    message('H'),
    message('S'),
  ],
  [query('CREATE TABLE IF NOT EXISTS copied (a int PRIMARY KEY)'), query('COPY copied FROM STDIN')],
  [message('d', Buffer.from('1\n')), message('c'), message('f', cstring('no')), query('SHOW search_path')],
  [query("AWS IAM GRANT app TO 'arn:aws:iam::123456789012:user/x'"), query('VACUUM'), query('SELECT version()')],
  [message('F', int32(1598), zeros(6)), query('DISCARD ALL'), message('S')],
].map((messages) => Buffer.concat([...messages, TERMINATE]).toString('latin1'));
const VOCABULARY = [
  ...'QPBDECHSFXdcfp!',
  '\0\0\0\x04',
  '\0\0\0\x05',
  '\xff\xff\xff\xff',
  '\0',
  'SELECT',
  ';',
  '\x7f\xff\xff\xff',
];

/** Sends bytes as they are behind a login, or before one, and collects what comes until the server closes. */
async function converse(bytes: Buffer, { encrypted }: { encrypted: boolean }): Promise<Buffer> {
  const socket = connectTcp({ host: '127.0.0.1', port: postern.server.pgPort });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  let stream: NodeJS.ReadWriteStream = socket;
  if (encrypted) {
    socket.write(SSL_REQUEST);
    await once(socket, 'data');
    const secure = connectTls({ socket, ca: postern.ca, servername: 'localhost' });
    secure.on('error', () => undefined);
    await once(secure, 'secureConnect');
    stream = secure;
  }
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.end(bytes);
  if (!socket.destroyed) await once(socket, 'close');
  return Buffer.concat(chunks);
}

/** Throws where the bytes are not whole messages with whole errors. Returns their types. */
function typesIn(bytes: Buffer): string {
  let types = '';
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + bytes.readInt32BE(at + 1);
    if (end > bytes.length || end < at + 5) throw new Error(`half a message behind ${types}`);
    const type = String.fromCharCode(bytes[at] as number);
    if (type === 'E') {
      const fields = decodeFields(bytes.subarray(at + 5, end));
      expect(fields.get('C')).toMatch(/^[0-9A-Z]{5}$/);
      expect(fields.get('M')).not.toBe('');
    }
    types += type;
    at = end;
  }
  return types;
}

/** So many at once. */
const WIDTH = 8;

async function tryAll(streams: readonly Buffer[], encrypted: boolean): Promise<string[]> {
  const answers: string[] = [];
  const queue = streams.values();
  const lane = async () => {
    for (const bytes of queue) answers.push(typesIn(await converse(bytes, { encrypted })));
  };
  await Promise.all(Array.from({ length: WIDTH }, lane));
  return answers;
}

function drawn(seed: number, count: number, pool: readonly string[]): Buffer[] {
  const random = new Random(seed);
  const material = { pool, vocabulary: VOCABULARY, maxLength: 20_000 };
  return Array.from({ length: count }, () => Buffer.from(mutate(random, material), 'latin1'));
}

const bugs = () => postern.log.filter(({ event }) => event === 'connection.failed');

describe('a conversation that is nearly right', () => {
  it('behind a login is answered, refused or ended, and none is a bug', async () => {
    const login = Buffer.concat([STARTUP, message('p', cstring(postern.token('admin')))]);
    const streams = drawn(1, 150, CONVERSATIONS).map((bytes) => Buffer.concat([login, bytes]));
    const answers = await tryAll(streams, true);
    expect(answers.length).toBe(150);
    expect(answers.every((types) => types.startsWith('R'))).toBe(true);
    expect(answers.filter((types) => types.includes('E')).length).toBeGreaterThan(30);
    expect(bugs()).toEqual([]);
  });

  it('before a login is refused or ended, and none is a bug', async () => {
    const login = Buffer.concat([STARTUP, message('p', cstring(postern.token('admin')))]).toString('latin1');
    const cancel = cancelRequest(1, zeros(4)).toString('latin1');
    const answers = await tryAll(drawn(2, 150, [login, cancel, `${login}${CONVERSATIONS[0]}`]), true);
    expect(answers.length).toBe(150);
    expect(bugs()).toEqual([]);
  });

  it('in the clear is never asked for a password', async () => {
    const answers = await tryAll(
      drawn(3, 150, [STARTUP.toString('latin1'), cancelRequest(1, zeros(4)).toString('latin1')]),
      false,
    );
    expect(answers.filter((types) => types !== '' && types !== 'E')).toEqual([]);
    expect(bugs()).toEqual([]);
    const client = await postern.connect();
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await client.end();
  });
});
