import { describe, expect, test } from 'vitest';
import { Lexer } from './lexer.ts';
import { identifierValue, isUnicodeEscapeCharacter, LexicalError, stringValue } from './lexical-values.ts';

const bytesOf = (text: string): string => Buffer.from(text).toString('latin1');

function first(text: string, standardConformingStrings = true): [kind: Lexer['kind'], bytes: string] {
  const lexer = new Lexer(bytesOf(text), { standardConformingStrings });
  const kind = lexer.next();
  return [kind, lexer.sql.slice(0, lexer.end)];
}

describe('identifierValue', () => {
  const cases: [string, string][] = [
    ['Example', 'example'],
    ['ÄBC', 'Äbc'],
    ['"Example"', 'Example'],
    ['"a""b"', 'a"b'],
    ['U&"d\\0061t\\+000061"', 'data'],
    ['u&"\\\\x"', '\\x'],
    ['U&"\\D83D\\DE00"', '😀'],
    ['x'.repeat(70), 'x'.repeat(63)],
    [`"${'x'.repeat(62)}é"`, 'x'.repeat(62)],
    [`${'x'.repeat(61)}é`, `${'x'.repeat(61)}é`],
    [`"${'x'.repeat(60)}😀"`, 'x'.repeat(60)],
  ];
  test.each(cases)('of %s is %s', (text, value) => {
    expect(identifierValue(...first(text))).toBe(value);
  });

  test('takes another escape character', () => {
    expect(identifierValue(...first('U&"d!0061t!!\\"'), '!')).toBe('dat!\\');
  });

  const bad: [string, string, string][] = [
    ['""', 'zero-length delimited identifier', '42601'],
    ['U&""', 'zero-length delimited identifier', '42601'],
    ['U&"\\00"', 'invalid Unicode escape', '42601'],
    ['U&"\\0000"', 'invalid Unicode escape value', '42601'],
    ['U&"\\+110000"', 'invalid Unicode escape value', '42601'],
    ['U&"\\D83D"', 'invalid Unicode surrogate pair', '42601'],
    ['U&"\\DE00\\D83D"', 'invalid Unicode surrogate pair', '42601'],
  ];
  test.each(bad)('refuses %s', (text, message, sqlstate) => {
    expect(() => identifierValue(...first(text))).toThrow(expect.objectContaining({ message, sqlstate }));
  });

  test('refuses bytes that are no UTF-8', () => {
    expect(() => identifierValue('identifier', 'a\xff')).toThrow('invalid byte sequence');
  });
});

describe('stringValue', () => {
  const cases: [string, string | undefined][] = [
    [`''`, ''],
    [`'it''s'`, `it's`],
    [`'é\\n'`, 'é\\n'],
    [`'a' -- it's\n\n  'b''c'\n'd'`, `ab'cd`],
    [`E'a''b\\'c\\\\'`, `a'b'c\\`],
    [`E'\\b\\f\\n\\r\\t\\v\\q'`, '\b\f\n\r\t\vq'],
    [`E'\\101\\x42\\x4\\xzz'`, 'AB\x04xzz'],
    [`E'\\u00e9\\U0001F600\\uD83D\\uDE00'`, 'é😀😀'],
    [`E'\\303\\251\\xc3\\xa9'`, 'éé'],
    [`E'a\\\nb'`, 'a\nb'],
    [`E'x'\n'\\'y'`, `x'y`],
    [`U&'d\\0061t''\\\\'`, `dat'\\`],
    [`U&'\\D83D'\n'\\DE00'`, '😀'],
    ["$$it's\\$$", `it's\\`],
    ['$a$ $$ é $a$', ' $$ é '],
    [`B'01'`, undefined],
    ['abc', undefined],
    ['$1', undefined],
  ];
  test.each(cases)('of %j is %j', (text, value) => {
    expect(stringValue(...first(text))).toBe(value);
  });

  test('reads a plain string with backslashes when standard_conforming_strings is off', () => {
    expect(stringValue(...first(`'a\\'\\n'`, false))).toBe(`a'\n`);
  });

  const bad: [string, string, string][] = [
    [`E'\\u12'`, 'invalid Unicode escape', '22025'],
    [`E'\\uD83D'`, 'invalid Unicode surrogate pair', '42601'],
    [`E'\\uD83Dx\\uDE00'`, 'invalid Unicode surrogate pair', '42601'],
    [`E'\\uD83D\\n\\uDE00'`, 'invalid Unicode surrogate pair', '42601'],
    [`E'\\000'`, 'invalid byte sequence for encoding "UTF8": 0x00', '22021'],
    [`E'\\xff'`, 'invalid byte sequence for encoding "UTF8"', '22021'],
    [`U&'\\zzzz'`, 'invalid Unicode escape', '42601'],
  ];
  test.each(bad)('refuses %j', (text, message, sqlstate) => {
    expect(() => stringValue(...first(text))).toThrow(new LexicalError(message, sqlstate));
  });

  test('knows which characters may stand in UESCAPE', () => {
    expect(['!', '\\', '|', 'z'].filter(isUnicodeEscapeCharacter)).toHaveLength(4);
    expect(['', '!!', 'a', 'F', '0', '+', "'", '"', ' ', '\n', 'é'].filter(isUnicodeEscapeCharacter)).toEqual([]);
  });
});
