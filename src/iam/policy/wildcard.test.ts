import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { automaton } from './automaton.ts';
import { actionMatcher, marksOf, type Reach, wildcardMatcher } from './wildcard.ts';

const resourceMatcher = (pattern: string) => wildcardMatcher([pattern], 'resource');

const CLUSTER = 'arn:aws:dsql:us-east-1:123456789012:cluster/abcdefghijklmnopqrstuvwxyz';

describe('actions', () => {
  it.each([
    ['*', 'dsql:DbConnect', true],
    ['*:*', 'dsql:DbConnect', true],
    ['dsql:DbConnect', 'dsql:DbConnect', true],
    ['DSQL:dbconnect', 'dsql:DbConnect', true],
    ['dsql:DbConnect', 'dsql:DbConnectAdmin', false],
    ['dsql:DbConnect*', 'dsql:DbConnectAdmin', true],
    ['dsql:*Admin', 'dsql:DbConnectAdmin', true],
    ['dsql:*Admin', 'dsql:DbConnect', false],
    ['dsql:DbConnect?dmin', 'dsql:DbConnectAdmin', true],
    ['dsql:DbConnect?', 'dsql:DbConnect', false],
    ['iam:*', 'dsql:DbConnect', false],
    ['iam:*User*', 'iam:PutUserPolicy', true],
  ])('%s names %s: %s', (pattern, action, expected) => {
    expect(actionMatcher(pattern)(action.toLowerCase())).toBe(expected);
  });
});

describe('resources', () => {
  it.each([
    ['*', CLUSTER, true],
    [CLUSTER, CLUSTER, true],
    [CLUSTER, CLUSTER.toUpperCase(), false],
    ['arn:aws:dsql:us-east-1:123456789012:cluster/*', CLUSTER, true],
    ['arn:aws:dsql:us-east-1:123456789012:*', CLUSTER, true],
    ['arn:aws:dsql:*:*:cluster/abc*xyz', CLUSTER, true],
    ['arn:aws:dsql:us-*-1:123456789012:cluster/*', CLUSTER, true],
    ['arn:aws:dsql:us-????-1:123456789012:cluster/*', CLUSTER, true],
    ['arn:aws:dsql:eu-*-1:123456789012:cluster/*', CLUSTER, false],
    // A star at the end of a segment may run on over the colon …
    ['arn:aws:dsql:*:cluster/*', CLUSTER, true],
    ['arn:aws:dsql:us-*:cluster/*', CLUSTER, true],
    ['arn:aws:dsql:*', CLUSTER, true],
    // … one before other characters of its segment may not.
    ['arn:aws:dsql:us-*2:cluster/*', CLUSTER, false],
    ['arn:aws:dsql:us-east-1?123456789012:cluster/*', CLUSTER, false],
    ['arn:aws:iam::123456789012:role/*', 'arn:aws:iam::123456789012:role/a/b', true],
    ['arn:aws:iam::123456789012:role/?', 'arn:aws:iam::123456789012:role/ab', false],
    ['arn:aws:s3:::a*c:d?f', 'arn:aws:s3:::abb:c:d:f', true],
    ['arn:aws:dsql:us-east-1:123456789012:cluster/*', '*', false],
  ])('%s names %s: %s', (pattern, resource, expected) => {
    expect(resourceMatcher(pattern)(resource)).toBe(expected);
  });

  it('agrees with regular expressions', () => {
    const letters = fc.array(fc.constantFrom('a', 'b', '*', '?'), { maxLength: 12 });
    const text = fc.array(fc.constantFrom('a', 'b', ':'), { maxLength: 16 });
    fc.assert(
      fc.property(letters, text, (pattern, value) => {
        const body = pattern.map((mark) => (mark === '*' ? '[^]*' : mark === '?' ? '[^]' : mark)).join('');
        const resource = `arn:aws:s3:::${value.join('')}`;
        expect(resourceMatcher(`arn:aws:s3:::${pattern.join('')}`)(resource)).toBe(
          new RegExp(`^arn:aws:s3:::${body}$`).test(resource),
        );
      }),
      { numRuns: 2000 },
    );
  });

  it('agrees with regular expressions within the segments of an ARN', () => {
    const pattern = fc.array(fc.constantFrom('a', ':', '*', '?'), { maxLength: 8 });
    const text = fc.array(fc.constantFrom('a', ':'), { maxLength: 10 });
    fc.assert(
      fc.property(pattern, text, (marks, value) => {
        // At most four colons follow, so all but what stands after the fifth is in a segment.
        fc.pre(marks.filter((mark) => mark === ':').length < 5);
        const body = marks.map((mark, i) => {
          const crosses = marks[i + 1] === undefined || marks[i + 1] === ':';
          return mark === '*' ? (crosses ? '[^]*' : '[^:]*') : mark === '?' ? '[^:]' : mark;
        });
        expect(resourceMatcher(marks.join(''))(value.join(''))).toBe(
          new RegExp(`^${body.join('')}$`).test(value.join('')),
        );
      }),
      { numRuns: 2000 },
    );
  });
});

it('all places at once and one after the other come to the same', () => {
  const pattern = fc.array(fc.constantFrom('a', 'b', ':', '*', '?'), { maxLength: 80 });
  const text = fc.array(fc.constantFrom('a', 'b', ':'), { maxLength: 100 });
  const reach = fc.constantFrom<Reach>('free', 'resource', 'segments');
  const cut = fc.nat(80);
  fc.assert(
    fc.property(pattern, text, reach, cut, fc.boolean(), (marks, letters, how, at, fitting) => {
      const parts = [marks.slice(0, at).join(''), { literal: 'a*' }, marks.slice(at).join('')];
      // A text that is made from the pattern, so that it often matches.
      const made = marks.map((mark, i) =>
        mark === '*' ? letters.slice(i, i + 3).join('') : mark === '?' ? 'b' : mark,
      );
      made.splice(at, 0, 'a*');
      const value = (fitting ? made : letters).join('');
      expect(automaton(marksOf(parts, how), 0)(value)).toBe(wildcardMatcher(parts, how)(value));
    }),
    { numRuns: 4000 },
  );
});
