/** PostgreSQL's protocol: the first packet, the frames behind it, and the fields of an error. */

import { readSessionRequest } from '../../../src/gateway/settings.ts';
import { decodeFields } from '../../../src/pgwire/fields.ts';
import { type FrameRule, FrameScanner, PASS, READ } from '../../../src/pgwire/frame-scanner.ts';
import { Malformed } from '../../../src/pgwire/malformed.ts';
import { cstring, int32 } from '../../../src/pgwire/messages.ts';
import { decodeInitialPacket, splitOptions } from '../../../src/pgwire/startup.ts';
import { Refused } from '../../../src/refused.ts';
import { allowing, hashOf, must, same, type Target } from '../target.ts';

function initialPacket(code: number, ...strings: string[]): string {
  const body = Buffer.concat(strings.map(cstring));
  return Buffer.concat([int32(body.length + 8), int32(code), body]).toString('latin1');
}

const WORDS = ['\0', '\0\0', '\0\0\0\x04', '\xff\xff\xff\xff', '\x7f\xff\xff\xff', '\x80\0\0\0'];

/** Settings that would change who a session is. */
const NEVER = ['user', 'database', 'role', 'session_authorization', 'replication', 'session_replication_role'];

export const startup: Target = {
  seeds: [
    initialPacket(196_608, 'user', 'admin', 'database', 'postgres', 'options', '-c a=b --search-path=x', ''),
    initialPacket(196_608, 'user', 'x', 'application_name', 'psql', 'client_encoding', 'UTF8', ''),
    initialPacket(196_610, 'user', 'x', '_pq_.a', 'b', ''),
    initialPacket(80_877_103),
    initialPacket(80_877_102, '1234567'),
  ],
  vocabulary: [
    ...WORDS,
    'user\0',
    'USER\0',
    'options\0',
    '-c role=postern\0',
    '\\',
    'replication\0',
    'amzn-cluster-id\0',
  ],
  maxLength: 12_000,
  check(text) {
    const read = allowing(Malformed, () => decodeInitialPacket(Buffer.from(text, 'latin1')));
    if (read?.kind !== 'startup') return;
    for (const value of read.parameters.values()) allowing(Malformed, () => splitOptions(value));
    for (const dialect of ['dsql', 'postgres'] as const) {
      const session = allowing(Refused, () => readSessionRequest(read.parameters, dialect));
      if (!session) continue;
      must(session.user === read.parameters.get('user'), 'a session is of the user that the packet names');
      for (const name of session.settings.keys()) {
        must(!NEVER.includes(name.toLowerCase()), 'no setting changes who a session is');
      }
    }
  },
};

const RULES = new Map<string, FrameRule>([
  ['Q', { treatment: READ, maxLength: 64 }],
  ['B', { treatment: PASS, maxLength: 64 }],
  ['N', { treatment: READ, maxLength: 64, readUpTo: 8 }],
]);

/** What a scanner makes of a stream that comes in these chunks. */
function scan(chunks: readonly Buffer[]): { forwarded: string; read: string[]; malformed: boolean } {
  const forwarded: Buffer[] = [];
  const read: string[] = [];
  const scanner = new FrameScanner(RULES, {
    forward: (part) => void forwarded.push(Buffer.from(part)),
    read: (type, chunk, start, end) => void read.push(`${type} ${chunk.toString('hex', start, end)}`),
  });
  const whole = allowing(Malformed, () => {
    for (const chunk of chunks) scanner.push(chunk);
    return true;
  });
  return { forwarded: Buffer.concat(forwarded).toString('hex'), read, malformed: whole === undefined };
}

/** Cut into single bytes, or in three by the input's own numbers. */
function cut(stream: Buffer, text: string): Buffer[] {
  const hash = hashOf(text);
  if (hash % 2 === 0) return Array.from({ length: stream.length }, (_, at) => stream.subarray(at, at + 1));
  const at = [0, (hash >>> 1) % (stream.length + 1), (hash >>> 9) % (stream.length + 1), stream.length];
  at.sort((a, b) => a - b);
  return at.slice(1).map((end, i) => stream.subarray(at[i], end));
}

export const frames: Target = {
  seeds: ['Q\0\0\0\x08abcB\0\0\0\x06xyQ\0\0\0\x05z', 'B\0\0\0\x04Q\0\0\0\x04', 'N\0\0\0\x08abcdN\0\0\0\x0c01234567'],
  vocabulary: [...WORDS, 'Q', 'B', 'N', 'Q\0\0\0\x04'],
  maxLength: 512,
  check(text) {
    const stream = Buffer.from(text, 'latin1');
    const whole = scan([stream]);
    const parts = scan(cut(stream, text));
    must(same(whole.read, parts.read), 'the same messages are read, however the stream is cut');
    must(whole.malformed === parts.malformed, 'the same streams are refused, however they are cut');
    must(
      whole.malformed || whole.forwarded === parts.forwarded || parts.forwarded.startsWith(whole.forwarded),
      'the same bytes go on',
    );
    must(stream.toString('hex').startsWith(parts.forwarded), 'nothing is added or changed');
  },
};

export const fields: Target = {
  seeds: ['SERROR\0C42601\0Mx\0\0', 'SFATAL\0VFATAL\0C08006\0Munable\0Hwhy\0P12\0\0'],
  vocabulary: [...WORDS, 'C', 'M'],
  check: (text) => void allowing(Malformed, () => decodeFields(Buffer.from(text, 'latin1'))),
};
