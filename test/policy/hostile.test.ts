import { describe, expect, it } from 'vitest';
import { compileIdentityPolicy } from '../../src/iam/policy/compile.ts';
import { contextKeysOf } from '../../src/iam/policy/context-keys.ts';
import { parseIdentityPolicy, parseResourcePolicy, parseTrustPolicy } from '../../src/iam/policy/parse.ts';
import { type Reach, wildcardMatcher } from '../../src/iam/policy/wildcard.ts';
import { Refused } from '../../src/refused.ts';
import { decideCase, type Group } from './tables.ts';

/** The most characters that a document may have. */
const MAX = 131_072;
const statement = { Effect: 'Allow', Action: '*', Resource: '*' };
const document = (more: object) => JSON.stringify({ Version: '2012-10-17', Statement: { ...statement, ...more } });

/** A text that counts how often somebody looks at one of its characters. */
function counted(text: string): { text: string; steps: () => number } {
  let steps = 0;
  const wrapped = Object.assign(Object(text) as string, {
    charCodeAt(at: number) {
      steps += 1;
      return text.charCodeAt(at);
    },
  });
  return { text: wrapped, steps: () => steps };
}

describe('wildcards made to be slow', () => {
  it.each<[string, string, Reach]>([
    ['?*a'.repeat(300), 'a'.repeat(600), 'free'],
    [`${'*a?'.repeat(300)}b`, 'a'.repeat(2000), 'free'],
    [`${'*?'.repeat(500)}b`, 'a'.repeat(2000), 'free'],
    [`*${'a?'.repeat(400)}b`, 'a'.repeat(2000), 'free'],
    [`arn:aws:s3:${'*a?'.repeat(200)}:x`, `arn:aws:s3:${'a'.repeat(1000)}`, 'segments'],
    [`arn:${'*a*?'.repeat(200)}:b`, `arn:${'a'.repeat(1000)}`, 'resource'],
    [`${'*:a?'.repeat(200)}!`, ':a'.repeat(1000), 'resource'],
  ])('%.20s… take a few looks at each character of the text', (pattern, text, reach) => {
    const watched = counted(text);
    wildcardMatcher([pattern], reach)(watched.text);
    expect(watched.steps()).toBeGreaterThan(0);
    // Each of them in turn, then all at once: the second takes one look at each character.
    expect(watched.steps()).toBeLessThanOrEqual(4 * (pattern.length + text.length) + text.length);
  });
});

describe('documents made to be large', () => {
  const refusal = (text: string) => {
    const texts = [parseIdentityPolicy, parseTrustPolicy, parseResourcePolicy].map((parse) => {
      try {
        parse(text);
      } catch (error) {
        if (error instanceof Refused && error.kind === 'malformed-policy') return error.say ?? '';
        throw error;
      }
      throw new Error('the policy was accepted');
    });
    // What is told to the client stays short, whatever was sent.
    for (const each of texts) expect(each.length).toBeLessThan(600);
    return texts[0]!;
  };

  it.each<[string, string, RegExp]>([
    ['longer than any', `{"Statement":"${'a'.repeat(MAX)}"}`, /longer than 131072 characters/],
    ['nested', `{"Statement":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}}`, /nested deeper than/],
    ['of many values', `{"Statement":[${'1,'.repeat(30_000)}1]}`, /more than 20000 values/],
    ['of many members', `{${Array.from({ length: 9000 }, (_, i) => `"k${i}":0`).join()}}`, /unknown element|a policy/],
    ['with a condition twice', '{"Statement":{"Condition":{"Bool":{"a:b":"true","a:b":"false"}}}}', /stands twice/],
    ['with an operator twice', '{"Statement":{"Condition":{"Bool":{},"Bool":{}}}}', /stands twice/],
    [
      'of many statements',
      `{"Statement":[${Array.from({ length: 501 }, () => '{}').join()}]}`,
      /more than 500 statements/,
    ],
    ['of many actions', document({ Action: Array.from({ length: 5001 }, () => 'a:b') }), /more than 5000 values/],
    ['of one long action', document({ Action: `a:${'b'.repeat(MAX - 200)}` }), /is not valid/],
    ['of one long operator', document({ Condition: { ['A'.repeat(MAX - 200)]: {} } }), /no condition operator/],
    [
      'of one long key',
      document({ Condition: { Bool: { [`a:${'b'.repeat(MAX - 200)}`]: 'true' } } }),
      /key .* is not valid/,
    ],
    [
      'of one long number',
      document({ Condition: { NumericEquals: { 'a:b': '1'.repeat(MAX - 200) } } }),
      /is not a value/,
    ],
    ['of one long date', document({ Condition: { DateEquals: { 'a:b': '1'.repeat(MAX - 200) } } }), /is not a value/],
    ['of one long address', document({ Condition: { IpAddress: { 'a:b': ':'.repeat(MAX - 200) } } }), /is not a value/],
    ['of one long range', document({ Condition: { IpAddress: { 'a:b': '/'.repeat(MAX - 200) } } }), /is not a value/],
    [
      'of one long binary',
      document({ Condition: { BinaryEquals: { 'a:b': `${'A'.repeat(MAX - 201)}!` } } }),
      /is not a value/,
    ],
    [
      'of an open variable',
      document({ Resource: `arn:aws:s3:::$\{${'a'.repeat(MAX - 200)}` }),
      /invalid policy variable/,
    ],
    [
      'of an open default',
      document({ Resource: `arn:aws:s3:::$\{a:b, ${"'".repeat(MAX - 200)}` }),
      /invalid policy variable/,
    ],
    [
      'of many open variables',
      document({ Resource: `arn:aws:s3:::${'${'.repeat(60_000)}` }),
      /invalid policy variable/,
    ],
  ])('%s', (_, text, expected) => {
    expect(refusal(text)).toMatch(expected);
  });

  it('names many principals', () => {
    const AWS = Array.from({ length: 201 }, () => '123456789012');
    const text = JSON.stringify({ Statement: { Effect: 'Allow', Principal: { AWS }, Action: 'sts:AssumeRole' } });
    expect(() => parseTrustPolicy(text)).toThrow(/more than 200 principals/);
  });
});

describe('documents made to be expensive are decided', () => {
  it('by many variables', () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a policy variable.
    const Resource = `arn:aws:s3:::${'${aws:username}*'.repeat(5000)}`;
    const group: Group = { about: '', identity: [{ ...statement, Resource }], cases: [] };
    const ask = (on: string) =>
      decideCase(group, { do: 's3:GetObject', on, with: { 'aws:username': 'a' }, is: 'allowed', for: '' });
    expect(ask(`arn:aws:s3:::${'a'.repeat(5000)}`).allowed).toBe(true);
    expect(ask(`arn:aws:s3:::${'a'.repeat(4999)}`).allowed).toBe(false);
    const policy = compileIdentityPolicy('p', parseIdentityPolicy(document({ Resource })));
    expect(contextKeysOf([policy])).toEqual(['aws:username']);
  });

  it('by long values of the request', () => {
    const values = ['1', ':', '/', '0x', '-', '9', 'arn:', '=', '2026-'].map((piece) => piece.repeat(20_000));
    for (const value of values) {
      for (const [operator, wanted] of Object.entries({
        NumericEquals: '1',
        DateEquals: '2026-01-01',
        IpAddress: '::/0',
        BinaryEquals: 'QQ==',
        Bool: 'true',
        ArnLike: 'arn:aws:iam::*:*',
        StringLike: '*a*b?c*',
      })) {
        const group: Group = {
          about: '',
          identity: [{ ...statement, Condition: { [operator]: { 'a:b': wanted } } }],
          cases: [],
        };
        expect(decideCase(group, { do: 'a:b', with: { 'a:b': value }, is: 'allowed', for: '' }).allowed).toBe(false);
      }
    }
  });

  it('and names from the language itself are names like others', () => {
    const Condition = { StringEquals: { 'aws:__proto__': 'x', 'aws:constructor': 'y' } };
    const group: Group = { about: '', identity: [{ ...statement, Condition }], cases: [] };
    const decision = decideCase(group, { do: 'toString', on: '__proto__', is: 'allowed', for: '' });
    expect(decision.explain().absentKeys).toEqual(['aws:__proto__', 'aws:constructor']);
    expect(decision.allowed).toBe(false);
  });
});
