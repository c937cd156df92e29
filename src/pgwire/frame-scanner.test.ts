import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FrameRule, FrameScanner, PASS, READ, type Verdict } from './frame-scanner.ts';
import { Malformed } from './malformed.ts';
import { message } from './messages.ts';

const rules = new Map<string, FrameRule>([
  ['D', { treatment: PASS, maxLength: 1000 }],
  ['Q', { treatment: READ, maxLength: 1000 }],
  ['N', { treatment: READ, maxLength: 1000, readUpTo: 20 }],
]);

function scan(chunks: readonly Buffer[], answer: (frame: Buffer) => Verdict = () => undefined) {
  const forwarded: Buffer[] = [];
  const read: string[] = [];
  const scanner = new FrameScanner(rules, {
    forward: (bytes) => void forwarded.push(bytes),
    read: (_, chunk, start, end) => {
      const frame = chunk.subarray(start, end);
      read.push(frame.toString('latin1', 5));
      return answer(frame);
    },
  });
  for (const chunk of chunks) scanner.push(chunk);
  return { scanner, forwarded: Buffer.concat(forwarded).toString('latin1'), read, runs: forwarded.length };
}

const q = (text: string) => message('Q', Buffer.from(text));
const d = (text: string) => message('D', Buffer.from(text));

const frames = fc.array(
  fc
    .record({ type: fc.constantFrom('D', 'Q', 'N'), body: fc.uint8Array({ maxLength: 60 }) })
    .map((f) => message(f.type, Buffer.from(f.body))),
  { maxLength: 8 },
);

describe('FrameScanner', () => {
  it('forwards a chunk of whole messages as the one chunk it came in', () => {
    const result = scan([Buffer.concat([d('a'), q('select 1'), d('b')])]);
    expect(result.runs).toBe(1);
    expect(result.read).toEqual(['select 1']);
  });

  it('forwards the same bytes and reads the same messages wherever the stream is cut', () => {
    fc.assert(
      fc.property(frames, fc.array(fc.nat(600), { maxLength: 12 }), (list, cuts) => {
        const stream = Buffer.concat(list);
        const places = [0, ...cuts.map((c) => Math.min(c, stream.length)).sort((a, b) => a - b), stream.length];
        const chunks = places.slice(1).map((to, i) => stream.subarray(places[i], to));
        const cut = scan(chunks);
        const whole = scan([stream]);
        expect(cut.forwarded).toBe(stream.toString('latin1'));
        expect(cut.read).toEqual(whole.read);
        expect(cut.scanner.atBoundary).toBe(true);
      }),
    );
  });

  it('reads messages up to their limit and forwards longer ones unread, as they come', () => {
    const n = (length: number) => message('N', Buffer.alloc(length - 4, 'n'));
    const parts = [n(20), n(21), q('a'), n(900).subarray(0, 100)];
    const result = scan(parts);
    expect(result.read).toEqual(['n'.repeat(16), 'a']);
    expect(result.forwarded).toBe(Buffer.concat(parts).toString('latin1'));
    expect(() => scan([n(1001)])).toThrow(Malformed);
  });

  it('replaces, drops and stops in order, wherever the stream is cut', () => {
    const stream = Buffer.concat([d('1'), q('drop'), d('2'), q('swap'), d('3'), q('stop'), d('4')]);
    const answer = (frame: Buffer): Verdict => {
      const text = frame.toString('latin1', 5);
      return text === 'drop' ? Buffer.alloc(0) : text === 'swap' ? q('swapped') : 'stop';
    };
    const expected = Buffer.concat([d('1'), d('2'), q('swapped'), d('3')]).toString('latin1');
    for (let cut = 0; cut <= stream.length; cut++) {
      expect(scan([stream.subarray(0, cut), stream.subarray(cut)], answer).forwarded).toBe(expected);
    }
  });

  it('holds before a message until it is resumed, and keeps what comes meanwhile', () => {
    let holds = 1;
    const stream = Buffer.concat([d('1'), q('wait'), d('2')]);
    for (let cut = 0; cut <= stream.length; cut++) {
      holds = 1;
      const result = scan([stream.subarray(0, cut), stream.subarray(cut)], () => (holds-- > 0 ? 'hold' : undefined));
      expect(result.forwarded).toBe(d('1').toString('latin1'));
      expect(result.scanner.held).toBe(true);
    }
    const out: Buffer[] = [];
    holds = 1;
    const scanner = new FrameScanner(rules, {
      forward: (b) => void out.push(b),
      read: () => (holds-- > 0 ? 'hold' : undefined),
    });
    scanner.push(stream.subarray(0, 9));
    scanner.push(stream.subarray(9));
    scanner.resume();
    expect(Buffer.concat(out).toString('latin1')).toBe(stream.toString('latin1'));
  });

  it.each([
    ['a type without a rule', Buffer.from('Z\0\0\0\x04', 'latin1')],
    ['a length below its own size', Buffer.from('D\0\0\0\x03', 'latin1')],
    ['a negative length', Buffer.from('D\xff\xff\xff\xff', 'latin1')],
    ['a length above the rule', Buffer.from('Q\0\0\x03\xe9', 'latin1')],
  ])('refuses %s before anything of the message is forwarded', (_, bytes) => {
    const out: Buffer[] = [];
    const scanner = new FrameScanner(rules, { forward: (b) => void out.push(b), read: () => undefined });
    expect(() => scanner.push(bytes)).toThrow(Malformed);
    expect(out).toEqual([]);
  });

  it('throws nothing but Malformed for any bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 }), (chunks) => {
        try {
          scan(chunks.map((c) => Buffer.from(c)));
        } catch (error) {
          expect(error).toBeInstanceOf(Malformed);
        }
      }),
    );
  });
});
