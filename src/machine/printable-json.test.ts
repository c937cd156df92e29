import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printableJson } from './printable-json.ts';

describe('JSON for people’s terminals', () => {
  it.each([
    ['a\u009b31mb', '"a\\u009b31mb"'],
    ['\u007f\u0085\u202e\u2028\ufeff', '"\\u007f\\u0085\\u202e\\u2028\\ufeff"'],
    ['\u{e0041}', '"\\udb40\\udc41"'],
    ['\u001b[31m\n', '"\\u001b[31m\\n"'],
    ['Größe 😀 日本', '"Größe 😀 日本"'],
  ])('escapes what a terminal acts on, and nothing else: %j', (text, json) => {
    expect(printableJson(JSON.stringify(text))).toBe(json);
  });

  it('means what it meant', () => {
    fc.assert(
      fc.property(
        fc.object({ key: fc.string({ unit: 'binary' }), values: [fc.string({ unit: 'binary' })] }),
        (value) => {
          const json = printableJson(JSON.stringify(value));
          expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(value)));
          expect(json).not.toMatch(/[^\P{Cc}]|\p{Cf}/u);
        },
      ),
    );
  });
});
