import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkInput, required } from '../../iam/input.ts';
import { Refused } from '../../refused.ts';
import { operation } from '../operation.ts';
import { createRestService, REST_JSON } from './rest-json.ts';

const text = { type: 'string', max: 64 } as const;
const thing = operation(
  {
    identifier: required(text),
    limit: { type: 'integer', min: 1, max: 100 },
    keys: { type: 'list', of: text, max: 3 },
    on: { type: 'boolean' },
    tags: { type: 'map', key: text, value: text, max: 2 },
    nested: { type: 'structure', members: { names: { type: 'list', of: text, max: 2 } } },
  },
  () => [],
  async () => undefined,
);
const service = createRestService([
  { name: 'ListThings', method: 'GET', path: '/thing', query: { limit: 'limit', key: 'keys' }, operation: thing },
  { name: 'PutThing', method: 'POST', path: '/thing/{identifier}', query: { limit: 'limit' }, operation: thing },
  { name: 'GetTags', method: 'GET', path: '/tags/{resourceArn}', operation: thing },
  { name: 'Dream', method: 'GET', path: '/dream', operation: 'Dreams are not implemented.' },
]);

const ask = (method: string, target: string, body: string | Buffer = '') =>
  service.ask({ method, target, headers: [], body: Buffer.from(body) });
const put = (body: unknown, target = '/thing/a') => ask('POST', target, JSON.stringify(body)).input;

function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof Refused) return `${error.fields['reason'] ?? error.kind}: ${error.say}`;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('REST JSON', () => {
  it('reads members from path, query and body', () => {
    const body = { on: false, tags: { a: 'b', ['__proto__']: 'c' }, nested: { names: ['x', 'y'] }, keys: null };
    const input = put(body, '/thing/a%2Fb?limit=7');
    expect(input).toEqual({
      identifier: 'a/b',
      limit: 7,
      on: false,
      tags: JSON.parse('{"a": "b", "__proto__": "c"}'),
      nested: { names: ['x', 'y'] },
    });
    expect(checkInput(thing.input, input)).toBe(input);
    expect(ask('GET', '/thing?key=a&key=b%20c&X-Amz-Date=x').input).toEqual({ keys: ['a', 'b c'] });
    expect(ask('GET', '/thing/').name).toBe('ListThings');
    expect(ask('POST', '/thing/a').input).toEqual({ identifier: 'a' });
  });

  it('takes an ARN in a path with its slash encoded or plain', () => {
    const arn = 'arn:aws:dsql:us-east-1:123456789012:cluster/abc';
    for (const path of [encodeURIComponent(arn), arn]) {
      expect(ask('GET', `/tags/${path}`).input).toEqual({ resourceArn: arn });
    }
  });

  it.each([
    ['/thing/%ff', '{}', 'cannotParse: The path of PutThing is not encoded as a URL requires.'],
    ['/thing/a?limit=%', '{}', 'cannotParse: The query of PutThing is not encoded as a URL requires.'],
    ['/thing/a?limit=1.5', '{}', 'cannotParse: The parameter limit is not an integer.'],
    ['/thing/a?limit=1&limit=2', '{}', 'cannotParse: The parameter limit is given twice.'],
    ['/thing/a?other=1', '{}', 'fieldValidationFailed: PutThing has no parameter other.'],
    ['/thing/a', '{"other": 1}', 'fieldValidationFailed: PutThing has no member other.'],
    ['/thing/a', '{"identifier": "b"}', 'fieldValidationFailed: PutThing has no member identifier.'],
    ['/thing/a', '{"limit": 3}', 'fieldValidationFailed: PutThing has no member limit.'],
    ['/thing/a', '{"nested": {"x": 1}}', 'fieldValidationFailed: PutThing.nested has no member x.'],
    ['/thing/a', '{"__proto__": 1}', 'fieldValidationFailed: PutThing has no member __proto__.'],
    ['/thing/a', '{', 'cannotParse: The body of PutThing is not JSON in UTF-8.'],
    ['/thing/a', Buffer.from('{"on": "\xff"}', 'latin1'), 'cannotParse: The body of PutThing is not JSON in UTF-8.'],
    ['/thing/a', 'null', 'cannotParse: PutThing must not be null.'],
    ['/thing/a', '{"keys": [null]}', 'cannotParse: PutThing.keys[] must not be null.'],
    ['/thing/a', '{"keys": ["\\ud800"]}', 'cannotParse: PutThing.keys[] is no Unicode text.'],
    ['/thing/a', '{"tags": {"a": 1}}', 'cannotParse: PutThing.tags is a map of texts.'],
    ['/nothing', '{}', 'unknown-operation: The operation POST /nothing is not supported.'],
  ])('refuses %s with %s', (target, body, expected) => {
    expect(refusal(() => ask('POST', target, body))).toBe(expected);
  });

  it.each([
    [{ on: 'true' }, /'on' failed to satisfy constraint: Member must be a boolean/],
    [{ on: { x: 1 } }, /'on' failed to satisfy constraint: Member must be a boolean/],
    [{ keys: 'a' }, /'keys' failed to satisfy constraint: Member must be a list/],
    [{ keys: ['a', 'b', 'c', 'd'] }, /'keys' .* less than or equal to 3/],
    [{ tags: ['a'] }, /'tags' failed to satisfy constraint: Member must be a map/],
    [{ tags: { a: '1', b: '2', c: '3' } }, /'tags' .* less than or equal to 2/],
    [{ tags: { a: 'x'.repeat(65) } }, /'tags.value' .* less than or equal to 64/],
    [{ nested: [] }, /'nested' failed to satisfy constraint: Member must be a structure/],
  ])('leaves %j to the constraints of the shape', (body, expected) => {
    expect(refusal(() => checkInput(thing.input, put(body)))).toMatch(expected);
  });

  it('tells of an operation that this server has not', () => {
    expect(refusal(() => ask('GET', '/dream'))).toBe('unknown-operation: Dreams are not implemented.');
  });

  it('makes nothing but an input or a refusal of any body, however deep', () => {
    const deep = `{"keys": ${'['.repeat(200_000)}${']'.repeat(200_000)}}`;
    expect(refusal(() => checkInput(thing.input, ask('POST', '/thing/a', deep).input))).toMatch(/must be a string/);
    fc.assert(
      fc.property(fc.json(), fc.constantFrom('on', 'tags', 'nested', 'keys', ''), (value, member) => {
        try {
          checkInput(thing.input, ask('POST', '/thing/a', member ? `{"${member}": ${value}}` : value).input);
        } catch (error) {
          expect(error).toBeInstanceOf(Refused);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('answers with timestamps in seconds and errors with their type in a header', () => {
    const when = new Date('2026-01-02T03:04:05.678Z');
    expect(REST_JSON.answer('X', { when, none: undefined, list: [{ when }] }, 'id').body).toBe(
      '{"when":1767323045.678,"list":[{"when":1767323045.678}]}',
    );
    expect(REST_JSON.answer('X', undefined, 'id').body).toBe('{}');
    const fault = { status: 409, code: 'ConflictException', message: 'm', fields: { resourceId: 'r' } };
    expect(REST_JSON.fault(fault, 'id')).toMatchObject({
      status: 409,
      headers: { 'x-amzn-ErrorType': 'ConflictException' },
      body: '{"message":"m","resourceId":"r"}',
    });
  });
});
