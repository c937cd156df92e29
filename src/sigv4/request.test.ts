import { describe, expect, test } from 'vitest';
import { Refused } from '../refused.ts';
import { parseRequestClaim, type SignedHttpRequest, verifyRequest } from './request.ts';

/** The worked example of the AWS General Reference, "Signature Version 4 signing process". */
const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
const NOW = new Date('2015-08-30T12:36:00Z');
const CREDENTIAL = 'AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request';
const SIGNATURE = '5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7';
const EXAMPLE: SignedHttpRequest = {
  method: 'GET',
  target: '/?Action=ListUsers&Version=2010-05-08',
  headers: [
    ['Host', 'iam.amazonaws.com'],
    ['Content-Type', 'application/x-www-form-urlencoded; charset=utf-8'],
    ['X-Amz-Date', '20150830T123600Z'],
    [
      'Authorization',
      `AWS4-HMAC-SHA256 Credential=${CREDENTIAL}, SignedHeaders=content-type;host;x-amz-date, Signature=${SIGNATURE}`,
    ],
  ],
  body: Buffer.alloc(0),
};

function withHeader(name: string, ...values: string[]): SignedHttpRequest {
  const others = EXAMPLE.headers.filter(([known]) => known.toLowerCase() !== name.toLowerCase());
  return { ...EXAMPLE, headers: [...others, ...values.map((value) => [name, value] as const)] };
}

function authorized(text: string): SignedHttpRequest {
  return withHeader('Authorization', text);
}

function check(request: SignedHttpRequest, now = NOW, secret = SECRET): string {
  try {
    const claim = parseRequestClaim(request);
    if (claim === undefined) return 'unsigned';
    verifyRequest(claim, secret, { now });
    return 'verified';
  } catch (error) {
    if (error instanceof Refused) return error.kind;
    throw error;
  }
}

const HEADER = EXAMPLE.headers[3]![1];

describe('a request signed in its Authorization header', () => {
  test('is verified as in the worked example', () => {
    expect(check(EXAMPLE)).toBe('verified');
    expect(parseRequestClaim(EXAMPLE)).toMatchObject({
      accessKeyId: 'AKIDEXAMPLE',
      scopeDate: '20150830',
      region: 'us-east-1',
      service: 'iam',
      signedAt: NOW,
      expiresIn: undefined,
      sessionToken: undefined,
      signedHeaders: ['content-type', 'host', 'x-amz-date'],
      signature: SIGNATURE,
    });
  });

  const same: [string, SignedHttpRequest][] = [
    [
      'with the parts in another order',
      authorized(
        `AWS4-HMAC-SHA256 Signature=${SIGNATURE},SignedHeaders=content-type;host;x-amz-date,Credential=${CREDENTIAL}`,
      ),
    ],
    ['with parameters in another order', { ...EXAMPLE, target: '/?Version=2010-05-08&Action=ListUsers' }],
    ['with escapes that were not needed', { ...EXAMPLE, target: '/?Action=List%55sers&Version=2010-05-08' }],
    ['with dot segments', { ...EXAMPLE, target: '/a/.././?Action=ListUsers&Version=2010-05-08' }],
    ['with blanks in a header', withHeader('content-type', ' application/x-www-form-urlencoded;  charset=utf-8\t')],
    ['with headers that are not signed', withHeader('User-Agent', 'x')],
    ['with the host in capitals', withHeader('Host', 'IAM.amazonaws.com')],
    ['with its time in Date too', withHeader('Date', 'Sat, 29 Aug 2015 00:00:00 GMT')],
  ];
  test.each(same)('is verified %s', (_, request) => {
    expect(check(request)).toBe('verified');
  });

  const mismatched: [string, SignedHttpRequest][] = [
    ['method', { ...EXAMPLE, method: 'POST' }],
    ['path', { ...EXAMPLE, target: '/x?Action=ListUsers&Version=2010-05-08' }],
    ['query', { ...EXAMPLE, target: '/?Action=ListRoles&Version=2010-05-08' }],
    ['query, by a parameter more', { ...EXAMPLE, target: `${EXAMPLE.target}&x=` }],
    ['body', { ...EXAMPLE, body: Buffer.from('Action=DeleteUser') }],
    ['host', withHeader('Host', 'iam.amazonaws.co')],
    ['signed header', withHeader('Content-Type', 'text/plain')],
    [
      'signed header, by a second value',
      withHeader('Content-Type', 'application/x-www-form-urlencoded; charset=utf-8', 'x'),
    ],
    ['time', withHeader('X-Amz-Date', '20150830T123601Z')],
    ['key', authorized(HEADER.replace('AKIDEXAMPLE', 'AKIDEXAMPLE').replace('us-east-1', 'us-east-2'))],
    ['service', authorized(HEADER.replace('/iam/', '/sts/'))],
    ['signature', authorized(HEADER.replace('5d67', '5d68'))],
  ];
  test.each(mismatched)('is refused with another %s', (_, request) => {
    expect(check(request)).toBe('signature-mismatch');
  });

  test('holds for 15 minutes either way, and what is late is said in the words of the service', () => {
    const at = (seconds: number): Date => new Date(NOW.getTime() + seconds * 1000);
    expect([-901, -900, 900, 901].map((seconds) => check(EXAMPLE, at(seconds)))).toEqual([
      'signature-not-yet-valid',
      'verified',
      'verified',
      'signature-expired',
    ]);
    expect(check(EXAMPLE, at(901), 'other')).toBe('signature-mismatch');
    const claim = parseRequestClaim(EXAMPLE)!;
    expect(() => verifyRequest(claim, SECRET, { now: at(3600) })).toThrow(
      'Signature expired: 20150830T123600Z is now earlier than 20150830T132100Z (20150830T133600Z - 15 min.)',
    );
    expect(() => verifyRequest(claim, SECRET, { now: at(-3600) })).toThrow(
      'Signature not yet current: 20150830T123600Z is still later than 20150830T115100Z (20150830T113600Z + 15 min.)',
    );
    expect(() => check(EXAMPLE, new Date(Number.NaN))).toThrow('Invalid time');
  });

  const malformed: [string, SignedHttpRequest][] = [
    ['another scheme', authorized('Basic dXNlcjpwYXNz')],
    ['an empty Authorization header', authorized('')],
    ['the algorithm alone', authorized('AWS4-HMAC-SHA256')],
    ['another algorithm', authorized(HEADER.replace('HMAC-SHA256', 'ECDSA-P256-SHA256'))],
    ['two Authorization headers', withHeader('Authorization', HEADER, HEADER)],
    ['two dates', withHeader('X-Amz-Date', '20150830T123600Z', '20150830T123600Z')],
    ['no date', withHeader('X-Amz-Date')],
    ['a date that is none', withHeader('X-Amz-Date', '20150230T123600Z')],
    ['no host', withHeader('Host')],
    ['two hosts', withHeader('Host', 'iam.amazonaws.com', 'other')],
    ['a part twice', authorized(`${HEADER}, Signature=${SIGNATURE}`)],
    ['a part too many', authorized(`${HEADER}, X=1`)],
    ['a part too few', authorized(HEADER.replace(/, Signature=.*/, ''))],
    ['a credential of another day', authorized(HEADER.replace('20150830', '20150831'))],
    ['a credential of four parts', authorized(HEADER.replace('/iam/', '/'))],
    ['a signature that is too short', authorized(HEADER.slice(0, -1))],
    ['a signature in capitals', authorized(HEADER.replace(SIGNATURE, SIGNATURE.toUpperCase()))],
    ['the host unsigned', authorized(HEADER.replace('content-type;host;', 'content-type;'))],
    ['the date unsigned', authorized(HEADER.replace(';x-amz-date', ''))],
    ['a session token unsigned', withHeader('X-Amz-Security-Token', 'x')],
    ['another header of AWS unsigned', withHeader('X-Amz-Target', 'x')],
    ['a signed header that is not there', withHeader('Content-Type')],
    ['signed headers unsorted', authorized(HEADER.replace('content-type;host', 'host;content-type'))],
    ['a signed header twice', authorized(HEADER.replace('content-type;host', 'content-type;host;host'))],
    ['signed headers in capitals', authorized(HEADER.replace('content-type;', 'Content-Type;'))],
    ['no signed headers', authorized(HEADER.replace('content-type;host;x-amz-date', ''))],
    ['an absolute target', { ...EXAMPLE, target: 'http://iam.amazonaws.com/' }],
    ['a target of *', { ...EXAMPLE, target: '*' }],
    ['a fragment', { ...EXAMPLE, target: `${EXAMPLE.target}#x` }],
    ['a bad escape in the query', { ...EXAMPLE, target: '/?Action=%zz' }],
    ['a plus in the query, which some take for a blank', { ...EXAMPLE, target: '/?Action=a+b' }],
    ['a target of 16 KiB', { ...EXAMPLE, target: `/${'x'.repeat(16_384)}` }],
    ['a thousand parameters too many', { ...EXAMPLE, target: `/?${'a&'.repeat(1001)}` }],
    ['a query signature besides', { ...EXAMPLE, target: `${EXAMPLE.target}&X-Amz-Signature=${SIGNATURE}` }],
    ['an unsigned payload', withHeader('X-Amz-Content-Sha256', 'UNSIGNED-PAYLOAD')],
  ];
  test.each(malformed)('is refused with %s', (_, request) => {
    expect(check(request)).toBe('signature-malformed');
  });

  test('is left alone where there is no authentication at all', () => {
    expect(check(withHeader('Authorization'))).toBe('unsigned');
  });
});
