import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Malformed } from './malformed.ts';
import { cancelRequest, cstring, int32, startupMessage } from './messages.ts';
import { decodeInitialPacket, initialPacketLength, splitOptions } from './startup.ts';

const packet = (...parts: Buffer[]) => {
  const body = Buffer.concat(parts);
  return Buffer.concat([int32(body.length + 4), body]);
};
const v3 = int32(3 << 16);

describe('decodeInitialPacket', () => {
  it('reads the encryption requests', () => {
    expect(decodeInitialPacket(packet(int32(80877103)))).toEqual({ kind: 'ssl-request' });
    expect(decodeInitialPacket(packet(int32(80877104)))).toEqual({ kind: 'gssenc-request' });
  });

  it('reads a cancel request with the key lengths of protocol 3.0 and 3.2', () => {
    for (const length of [4, 32, 256]) {
      const key = Buffer.alloc(length, 7);
      expect(decodeInitialPacket(cancelRequest(-5, key))).toEqual({ kind: 'cancel', processId: -5, secretKey: key });
    }
  });

  it('gives back the parameters of any startup message', () => {
    const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }).filter((s) => !s.includes('\0'));
    fc.assert(
      fc.property(fc.dictionary(text, text, { maxKeys: 8 }), (object) => {
        const pairs = Object.entries(object).filter(([k]) => k.isWellFormed() && object[k]?.isWellFormed());
        const decoded = decodeInitialPacket(startupMessage(pairs));
        expect(decoded).toEqual({ kind: 'startup', major: 3, minor: 0, parameters: new Map(pairs) });
      }),
    );
  });

  it.each([
    ['a length that is not its own', Buffer.concat([packet(v3, Buffer.from([0])), Buffer.from([0])])],
    ['a length below the minimum', Buffer.from([0, 0, 0, 7, 0, 3, 0])],
    ['an encryption request with a body', packet(int32(80877103), Buffer.from([0]))],
    ['a cancel request without a whole key', packet(int32(80877102), int32(1), Buffer.from([1, 2]))],
    ['a cancel request with an endless key', packet(int32(80877102), int32(1), Buffer.alloc(257))],
    ['no terminator', packet(v3, cstring('user'), cstring('a'))],
    ['bytes behind the terminator', packet(v3, cstring('user'), cstring('a'), Buffer.from([0, 65]))],
    ['a name without a value', packet(v3, Buffer.from('user\0', 'latin1'))],
    [
      'the same parameter twice',
      packet(v3, cstring('user'), cstring('a'), cstring('user'), cstring('admin'), Buffer.from([0])),
    ],
    ['text that is no UTF-8', packet(v3, cstring('user'), Buffer.from([0xff, 0xfe, 0, 0]))],
  ])('refuses %s', (_, bytes) => {
    expect(() => decodeInitialPacket(bytes)).toThrow(Malformed);
  });

  it.each([0, 7, 10_001, 0xffffffff, 0x80000000])('refuses a packet that announces %i bytes', (length) => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(length);
    expect(() => initialPacketLength(head)).toThrow(Malformed);
  });

  it('throws nothing but Malformed for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (body) => {
        for (const bytes of [Buffer.from(body), packet(v3, Buffer.from(body))]) {
          try {
            decodeInitialPacket(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(Malformed);
          }
        }
      }),
    );
  });
});

describe('splitOptions', () => {
  it.each<[string, [string, string][]]>([
    ['', []],
    ['-c amzn-cluster-id=abc', [['amzn_cluster_id', 'abc']]],
    [
      '-csearch_path=a,b  --timezone=UTC',
      [
        ['search_path', 'a,b'],
        ['timezone', 'UTC'],
      ],
    ],
    ['-c application_name=two\\ words', [['application_name', 'two words']]],
    ['-c a=b=c', [['a', 'b=c']]],
    ['-c a=', [['a', '']]],
  ])('reads %j', (text, expected) => {
    expect(splitOptions(text)).toEqual(expected);
  });

  it.each(['-c', '-c role', 'role=x', '-d 5', '-c =x', '--'])('refuses %j', (text) => {
    expect(() => splitOptions(text)).toThrow(Malformed);
  });
});
