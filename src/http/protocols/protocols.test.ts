import fc from 'fast-check';
import { XMLParser } from 'fast-xml-parser';
import { describe, expect, it } from 'vitest';
import { checkInput, type Members, required } from '../../iam/input.ts';
import { roleName, tagKeyList, tagList } from '../../iam/shapes.ts';
import { Refused } from '../../refused.ts';
import type { HttpRequest } from '../operation.ts';
import { readParameters } from './form.ts';
import { queryProtocol } from './query.ts';
import { unflatten } from './unflatten.ts';
import { escapeXml } from './xml.ts';

const members = { RoleName: required(roleName), Tags: tagList, TagKeys: tagKeyList } satisfies Members;
const post = (body: string, more: Partial<HttpRequest> = {}): HttpRequest => ({
  method: 'POST',
  target: '/',
  headers: [['Content-Type', 'application/x-www-form-urlencoded; charset=utf-8']],
  body: Buffer.from(body),
  ...more,
});
const read = (body: string) => unflatten(readParameters(post(body)), members);

function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof Refused) return error.say ?? error.detail;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('parameters', () => {
  it('become the input that the operation describes', () => {
    expect(
      read('RoleName=a%2Bb&Tags.member.2.Key=k2&Tags.member.2.Value=&Tags.member.1.Key=k+1&Tags.member.1.Value=%C3%BC'),
    ).toEqual({
      RoleName: 'a+b',
      Tags: [
        { Key: 'k 1', Value: 'ü' },
        { Key: 'k2', Value: '' },
      ],
    });
    expect(read('Tags=&TagKeys.member.1=x')).toEqual({ Tags: [], TagKeys: ['x'] });
  });

  it.each([
    ['RoleName=a&RoleName=a', /RoleName is given twice/],
    ['RoleName=a&%52oleName=b', /RoleName is given twice/],
    ['Role=a', /Role is not one of this operation/],
    ['__proto__=a', /__proto__ is not one/],
    ['constructor.x=a', /constructor is not one/],
    ['RoleName.x=a', /RoleName has no members/],
    ['Tags=x', /Tags is a list/],
    ['Tags.entry.1.Key=x', /Tags is a list/],
    ['Tags.member.2.Key=x', /not numbered from 1/],
    ['Tags.member.0.Key=x', /not numbered from 1/],
    ['Tags.member.1e0.Key=x', /not numbered from 1/],
    ['Tags.member.1=x', /is a structure/],
    ['Tags.member.1.Other=x', /Other is not one/],
    [`${'a.'.repeat(20)}b=x`, /nested too deeply/],
    [`${'a'.repeat(300)}=x`, /more than 256 characters/],
    [Array.from({ length: 1001 }, (_, i) => `p${i}=x`).join('&'), /more than 1000 parameters/],
    ['RoleName=%', /not encoded/],
    ['RoleName=%ff', /not encoded/],
    ['RoleName=ü', /not encoded/],
  ])('refuses %.80j', (body, expected) => {
    expect(refusal(() => read(body))).toMatch(expected);
  });

  it('are read from query and body together, the signature aside', () => {
    const request = post('B=2', { target: '/?A=1&X-Amz-Date=x&x-amz-signature=y' });
    expect([...readParameters(request)]).toEqual([
      ['A', '1'],
      ['B', '2'],
    ]);
    expect(refusal(() => readParameters(post('A=2', { target: '/?A=1' })))).toMatch(/twice/);
    expect(refusal(() => readParameters(post('{}', { headers: [['content-type', 'application/json']] })))).toMatch(
      /must be of type/,
    );
  });

  it('may be booleans', () => {
    const flags = { Flag: { type: 'boolean' } } satisfies Members;
    const flag = (text: string) => unflatten(new Map([['Flag', text]]), flags);
    expect([flag('true'), flag('False')]).toEqual([{ Flag: true }, { Flag: false }]);
    for (const text of ['', '1', 'yes', 'true ']) expect(refusal(() => flag(text))).toMatch(/is not a boolean/);
    expect(refusal(() => checkInput(flags, { Flag: 'true' }))).toMatch(/must be a boolean/);
  });

  it('never make anything but an input or a refusal', () => {
    const name = fc.array(fc.constantFrom('Tags', 'member', '1', '2', 'Key', 'RoleName', '__proto__', ''), {
      minLength: 1,
      maxLength: 6,
    });
    const pairs = fc.array(fc.tuple(name, fc.string({ unit: 'binary' })), { maxLength: 8 });
    fc.assert(
      fc.property(pairs, (list) => {
        try {
          checkInput(members, unflatten(new Map(list.map(([path, value]) => [path.join('.'), value])), members));
        } catch (error) {
          expect(error).toBeInstanceOf(Refused);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('constraints', () => {
  it('are all told at once, with the parameter and the value', () => {
    const input = { RoleName: '', Tags: [{ Key: 'a', Value: 'b' }, { Key: '' }] };
    expect(refusal(() => checkInput(members, input))).toBe(
      "3 validation errors detected: Value '' at 'roleName' failed to satisfy constraint: Member must have length greater than or equal to 1; " +
        "Value '' at 'tags.2.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1; " +
        "Value null at 'tags.2.member.value' failed to satisfy constraint: Member must not be null",
    );
  });

  it('hold for the whole value', () => {
    for (const RoleName of ['a\nb', 'a\n', 'ä', 'a/b', 'x'.repeat(65)]) {
      expect(refusal(() => checkInput(members, { RoleName }))).toMatch(/^1 validation error detected/);
    }
    expect(refusal(() => checkInput(members, { RoleName: '<'.repeat(9999) })).length).toBeLessThan(500);
  });
});

describe('answers in XML', () => {
  const parser = new XMLParser({ parseTagValue: false, trimValues: false });

  it('carry any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const value = `a${text.replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '')}z`;
        const { body } = queryProtocol('urn:x').answer('GetX', { Text: value, Dropped: undefined }, 'id');
        const parsed = parser.parse(body) as { GetXResponse: { GetXResult: { Text: string } } };
        expect(decodeEntities(parsed.GetXResponse.GetXResult.Text)).toBe(value);
      }),
    );
    expect(escapeXml('<a>&"\'\0\ud800\r')).toBe('&lt;a&gt;&amp;&quot;&apos;\uFFFD\uFFFD&#xD;');
  });

  // The parser resolves named entities but not numeric ones.
  const decodeEntities = (text: string) => text.replaceAll('&#xD;', '\r');

  it('have the shape of the Query protocol', () => {
    const output = {
      When: new Date('2026-01-02T03:04:05.678Z'),
      List: [{ A: 1 }, { A: false }],
      Counts: new Map([['<a>', 1]]),
      PolicyDocument: '{ "a*"}',
    };
    expect(queryProtocol('urn:x').answer('GetX', output, 'id').body).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n<GetXResponse xmlns="urn:x"><GetXResult><When>2026-01-02T03:04:05Z</When>' +
        '<List><member><A>1</A></member><member><A>false</A></member></List><Counts><entry><key>&lt;a&gt;</key><value>1</value></entry></Counts><PolicyDocument>%7B%20%22a%2A%22%7D</PolicyDocument>' +
        '</GetXResult><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></GetXResponse>\n',
    );
    expect(queryProtocol('urn:x').answer('PutX', undefined, 'id').body).toContain(
      '<PutXResponse xmlns="urn:x"><ResponseMetadata>',
    );
    const fault = { status: 400, code: 'C', message: '<m>', fields: {} };
    expect(queryProtocol().fault(fault, 'id').body).toContain(
      '<ErrorResponse><Error><Type>Sender</Type><Code>C</Code><Message>&lt;m&gt;</Message></Error><RequestId>id</RequestId></ErrorResponse>',
    );
  });
});
