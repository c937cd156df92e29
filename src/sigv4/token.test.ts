import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Refused } from '../refused.ts';
import { presignToken } from './presign.ts';
import { LIFETIME_HINT, parseToken } from './token.ts';

const TOKEN = presignToken({
  host: 'peccy.dsql.us-east-1.on.aws',
  region: 'us-east-1',
  action: 'DbConnect',
  credentials: { accessKeyId: 'akid', secretAccessKey: 'secret', sessionToken: 'a/b+c==' },
  expiresIn: 450,
  now: new Date('2024-08-27T00:00:00Z'),
});

function refusal(text: string): Refused {
  try {
    parseToken(text);
  } catch (error) {
    if (error instanceof Refused) return error;
    throw error;
  }
  throw new Error('not refused');
}

/** The token with one parameter's raw value replaced. */
function withParameter(name: string, raw: string): string {
  const changed = TOKEN.replace(new RegExp(`(?<=[?&])${name}=[^&]*`), () => `${name}=${raw}`);
  expect(changed).not.toBe(TOKEN);
  return changed;
}

describe('parseToken', () => {
  test('reads every part of a token', () => {
    expect(parseToken(TOKEN)).toMatchObject({
      host: 'peccy.dsql.us-east-1.on.aws',
      action: 'DbConnect',
      accessKeyId: 'akid',
      scopeDate: '20240827',
      region: 'us-east-1',
      signedAt: new Date('2024-08-27T00:00:00Z'),
      expiresIn: 450,
      sessionToken: 'a/b+c==',
    });
  });

  test('leaves the session token undefined where there is none', () => {
    expect(parseToken(TOKEN.replace(/&X-Amz-Security-Token=[^&]*/, '')).sessionToken).toBeUndefined();
  });

  const same: [string, string][] = [
    ['with a scheme', `https://${TOKEN}`],
    ['without the slash', TOKEN.replace('/?', '?')],
    ['with lower-case escapes', TOKEN.replace(/%../g, (c) => c.toLowerCase())],
    ['with escapes that were not needed', TOKEN.replace('=DbConnect&', '=DbC%6Fnnect&')],
    ['with an unescaped session token', withParameter('X-Amz-Security-Token', 'a/b+c==')],
    ['in any order', TOKEN.replace(/\?(.*)/, (_, query: string) => `?${query.split('&').reverse().join('&')}`)],
  ];
  test.each(same)('reads a token %s as the same claim', (_, text) => {
    expect(parseToken(text)).toEqual(parseToken(TOKEN));
  });

  test.each([
    'localhost',
    '127.0.0.1:5432',
    '[::1]',
    '[::1]:5432',
    '::1',
    'A.b-c',
    'a'.repeat(255),
  ])('takes %s for a host', (host) => {
    expect(parseToken(TOKEN.replace('peccy.dsql.us-east-1.on.aws', host)).host).toBe(host);
  });

  const malformed: [string, string][] = [
    ['nothing', ''],
    ['an ordinary password', 'secret'],
    ['no query', 'peccy.dsql.us-east-1.on.aws/'],
    ['an empty query', 'peccy.dsql.us-east-1.on.aws/?'],
    ['another scheme', `http://${TOKEN}`],
    ['a scheme in capitals', `HTTPS://${TOKEN}`],
    ['two schemes', `https://https://${TOKEN}`],
    ['no host', TOKEN.slice(TOKEN.indexOf('/'))],
    ['a path', TOKEN.replace('/?', '/x?')],
    ['two slashes', TOKEN.replace('/?', '//?')],
    ['a user name', `u@${TOKEN}`],
    ['a user name and password', `u:p@${TOKEN}`],
    ['an encoded host', TOKEN.replace('peccy', 'pecc%79')],
    ['a host of 256 characters', TOKEN.replace('peccy.dsql.us-east-1.on.aws', 'a'.repeat(256))],
    ['a host in open brackets', TOKEN.replace('peccy.dsql.us-east-1.on.aws', '[::1')],
    ['a fragment', `${TOKEN}#x`],
    ['a fragment in the middle', TOKEN.replace('&X-Amz-Date', '#&X-Amz-Date')],
    ['a line feed at the end', `${TOKEN}\n`],
    ['a blank in front', ` ${TOKEN}`],
    ['a NUL', TOKEN.replace('akid', 'ak\0id')],
    ['an encoded NUL', TOKEN.replace('akid', 'ak%00id')],
    ['an encoded line feed', TOKEN.replace('akid', 'ak%0Aid')],
    ['an encoded blank', TOKEN.replace('akid', 'ak%20id')],
    ['encoded UTF-8', TOKEN.replace('akid', 'ak%C3%A9id')],
    ['a byte that is no UTF-8', TOKEN.replace('akid', 'ak%FFid')],
    ['a letter outside ASCII', TOKEN.replace('akid', 'akïd')],
    ['half an escape', TOKEN.replace('akid', 'akid%4')],
    ['an escape that is none', TOKEN.replace('akid', 'ak%zzid')],
    ['an escaped escape', TOKEN.replace(/%2F/g, '%252F')],
    ['a plus for a blank', TOKEN.replace('akid', 'ak+id')],
    ['an unknown parameter', `${TOKEN}&x=y`],
    ['a parameter of S3', `${TOKEN}&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD`],
    ['an empty parameter', `${TOKEN}&`],
    ['a parameter without a value', TOKEN.replace('Action=DbConnect', 'Action')],
    ['an encoded parameter name', TOKEN.replace('Action=', '%41ction=')],
    ['a parameter named like a property of every object', `${TOKEN}&constructor=y`],
    ['a parameter of the prototype', `${TOKEN}&__proto__=y`],
    ...['Action', 'X-Amz-Algorithm', 'X-Amz-Credential', 'X-Amz-Date', 'X-Amz-Expires', 'X-Amz-SignedHeaders'].flatMap(
      (name): [string, string][] => {
        const pair = new RegExp(`[?&](${name}=[^&]*)`).exec(TOKEN)![1]!;
        return [
          [`${name} twice`, `${TOKEN}&${pair}`],
          [`${name} twice, once in lower case`, `${TOKEN}&${pair.replace(name, name.toLowerCase())}`],
          [`${name} in capitals`, TOKEN.replace(`${name}=`, `${name.toUpperCase()}=`)],
          [`${name} left out`, TOKEN.replace(pair, '').replace('&&', '&').replace('?&', '?')],
          [`${name} empty`, TOKEN.replace(pair, `${name}=`)],
        ];
      },
    ),
    ['two signatures', `${TOKEN}&X-Amz-Signature=${'0'.repeat(64)}`],
    ['no signature', TOKEN.replace(/&X-Amz-Signature=.*/, '')],
    ['two session tokens', `${TOKEN}&X-Amz-Security-Token=x`],
    ['an empty session token', withParameter('X-Amz-Security-Token', '')],
    ['a session token of 8193 characters', withParameter('X-Amz-Security-Token', 'x'.repeat(8193))],
    ['another action', withParameter('Action', 'GetCluster')],
    ['an action in another case', withParameter('Action', 'dbconnect')],
    ['another algorithm', withParameter('X-Amz-Algorithm', 'AWS4-HMAC-SHA1')],
    ['an asymmetric algorithm', withParameter('X-Amz-Algorithm', 'AWS4-ECDSA-P256-SHA256')],
    ['more signed headers', withParameter('X-Amz-SignedHeaders', 'host%3Bx-y')],
    ['signed headers in capitals', withParameter('X-Amz-SignedHeaders', 'Host')],
    ['a credential of four parts', withParameter('X-Amz-Credential', 'akid%2F20240827%2Fus-east-1%2Fdsql')],
    [
      'a credential of six parts',
      withParameter('X-Amz-Credential', 'a%2Fb%2F20240827%2Fus-east-1%2Fdsql%2Faws4_request'),
    ],
    ['a credential of RDS', withParameter('X-Amz-Credential', 'akid%2F20240827%2Fus-east-1%2Frds-db%2Faws4_request')],
    [
      'a credential of version 5',
      withParameter('X-Amz-Credential', 'akid%2F20240827%2Fus-east-1%2Fdsql%2Faws5_request'),
    ],
    ['a credential without a key', withParameter('X-Amz-Credential', '%2F20240827%2Fus-east-1%2Fdsql%2Faws4_request')],
    [
      'a credential of another day',
      withParameter('X-Amz-Credential', 'akid%2F20240828%2Fus-east-1%2Fdsql%2Faws4_request'),
    ],
    ['30 February', TOKEN.replaceAll('20240827', '20240230')],
    ['29 February of a common year', TOKEN.replaceAll('20240827', '20230229')],
    ['month 13', TOKEN.replaceAll('20240827', '20241301')],
    ['day 0', TOKEN.replaceAll('20240827', '20240800')],
    ['year 0', TOKEN.replaceAll('20240827', '00000827')],
    ['hour 24', withParameter('X-Amz-Date', '20240827T240000Z')],
    ['second 60', withParameter('X-Amz-Date', '20240827T235960Z')],
    ['a date with hyphens', withParameter('X-Amz-Date', '2024-08-27T00:00:00Z')],
    ['a local time', withParameter('X-Amz-Date', '20240827T000000')],
    ...['0', '00', '0900', '+1', '-1', '1e3', '1.5', '0x10', '1_000', '%20900', '٩'].map(
      (expires): [string, string] => [`a lifetime of ${expires}`, withParameter('X-Amz-Expires', expires)],
    ),
    ['a signature of 63 digits', TOKEN.slice(0, -1)],
    ['a signature of 65 digits', `${TOKEN}0`],
    ['a signature in capitals', withParameter('X-Amz-Signature', 'A'.repeat(64))],
    ['a signature that is not hex', withParameter('X-Amz-Signature', 'g'.repeat(64))],
    ['a megabyte', `${TOKEN}&${'x'.repeat(1 << 20)}`],
  ];
  test.each(malformed)('refuses %s', (_, text) => {
    expect(refusal(text).kind).toBe('signature-malformed');
  });

  test('accepts 29 February of a leap year and the longest lifetime', () => {
    const leap = TOKEN.replaceAll('20240827', '20240229');
    expect(parseToken(leap).signedAt).toEqual(new Date('2024-02-29T00:00:00Z'));
    expect(parseToken(withParameter('X-Amz-Expires', '604800')).expiresIn).toBe(604_800);
  });

  test.each([
    '604801',
    '99999999999999999999',
  ])('refuses a lifetime of %s seconds with the hint of the service', (s) => {
    const refused = refusal(withParameter('X-Amz-Expires', s));
    expect(refused.kind).toBe('lifetime-too-long');
    expect(refused.hint).toBe('X-Amz-Expires must be less than a week (in seconds)');
    expect(refused.hint).toBe(LIFETIME_HINT);
  });

  test('says nothing of what was shown as a password', () => {
    for (const text of ['hunter2', `${TOKEN}&hunter2=x`, `${TOKEN}&x=hunter2`, `hunter2${TOKEN.slice(1)}x`]) {
      expect(refusal(text).message).not.toContain('hunter2');
    }
  });

  test('throws nothing but Refused, whatever the text', () => {
    const parameter = fc.constantFrom(...TOKEN.slice(TOKEN.indexOf('?') + 1).split('&'));
    const piece = fc.oneof(
      parameter,
      fc.string({ unit: 'binary' }),
      fc.constantFrom('?', '&', '=', '%', '/', '%2f', '#'),
    );
    fc.assert(
      fc.property(fc.array(piece), fc.boolean(), (pieces, joined) => {
        const text = joined ? `host/?${pieces.join('&')}` : pieces.join('');
        try {
          parseToken(text);
        } catch (error) {
          expect(error).toBeInstanceOf(Refused);
        }
      }),
    );
  });
});
