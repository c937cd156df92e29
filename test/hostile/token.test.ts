/**
 * Known wounds of logins by presigned URL (aws-iam-authenticator, RDS IAM, Vault's AWS login), each by its name. Whoever
 * attacks has a key of his own that is good: everything here is rightly signed, or was before it was changed.
 * What tokens look like that are no tokens stands in src/sigv4/token.test.ts.
 */
import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Refused } from '../../src/refused.ts';
import { sha256Hex, uriEncode } from '../../src/sigv4/encoding.ts';
import { parseToken } from '../../src/sigv4/token.ts';
import { verifyToken } from '../../src/sigv4/verify.ts';

const HOST = 'abcdefghijklmnopqrstuvwxyz.dsql.us-east-1.on.aws';
const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
const NOW = new Date('2026-03-01T12:00:00Z');
const SCOPE = '20260301/us-east-1/dsql/aws4_request';

type Parameter = [name: string, value: string];
const PARAMETERS: readonly Parameter[] = [
  ['Action', 'DbConnect'],
  ['X-Amz-Algorithm', 'AWS4-HMAC-SHA256'],
  ['X-Amz-Credential', `AKIAIOSFODNN7EXAMPLE/${SCOPE}`],
  ['X-Amz-Date', '20260301T120000Z'],
  ['X-Amz-Expires', '900'],
  ['X-Amz-SignedHeaders', 'host'],
];

interface Signing {
  host?: string;
  method?: string;
  path?: string;
  /** Canonical headers and their names, as they are signed. */
  headers?: readonly Parameter[];
  scope?: string;
  payload?: string;
}

/** Signs any parameters at all, as AWS's General Reference says: independent of the code under test but for encodings. */
function signed(parameters: readonly Parameter[], signing: Signing = {}): string {
  const { host = HOST, method = 'GET', path = '/', scope = SCOPE, payload = '' } = signing;
  const headers = signing.headers ?? [['host', host]];
  const pairs = parameters.map(([name, value]) => `${uriEncode(name)}=${uriEncode(value)}`);
  const canonical = [
    method,
    path,
    [...pairs].sort().join('&'),
    ...headers.map(([name, value]) => `${name}:${value}`),
    '',
    headers.map(([name]) => name).join(';'),
    payload === 'UNSIGNED-PAYLOAD' ? payload : sha256Hex(payload),
  ].join('\n');
  const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
  const date = parameters.find(([name]) => name === 'X-Amz-Date')?.[1] ?? '';
  const key = scope.split('/').reduce<string | Buffer>((derived, part) => hmac(derived, part), `AWS4${SECRET}`);
  const text = `AWS4-HMAC-SHA256\n${date}\n${scope}\n${sha256Hex(canonical)}`;
  return `${host}${path}?${pairs.join('&')}&X-Amz-Signature=${hmac(key, text).toString('hex')}`;
}

function outcome(token: string): string {
  try {
    const claim = parseToken(token);
    verifyToken(claim, SECRET, { now: NOW, region: 'us-east-1' });
    return `${claim.action} ${claim.host}`;
  } catch (error) {
    if (error instanceof Refused) return error.kind;
    throw error;
  }
}

const changed = (name: string, value: string): Parameter[] =>
  PARAMETERS.map((pair) => (pair[0] === name ? [name, value] : pair));
const more = (...pairs: Parameter[]): Parameter[] => [...PARAMETERS, ...pairs];

it('is a token as long as nothing is wrong with it', () => {
  expect(outcome(signed(PARAMETERS))).toBe(`DbConnect ${HOST}`);
});

describe('CVE-2022-2385: a parameter twice, of which the signature counts one and the server reads the other', () => {
  it.each([
    ['by case', more(['action', 'DbConnectAdmin'])],
    ['by case, in front', [['ACTION', 'DbConnectAdmin'], ...PARAMETERS]],
    ['in the same case', more(['Action', 'DbConnectAdmin'])],
    ['a second key', more(['x-amz-credential', `AKIAROOT/${SCOPE}`])],
    ['a second lifetime', more(['x-amz-expires', '604800'])],
    ['a second date', more(['X-AMZ-DATE', '20270101T000000Z'])],
    ['a second list of headers', more(['X-Amz-Signedheaders', 'host;x-cluster'])],
    ['by a letter that folds to another (U+017F)', more(['X-Amz-\u017fignedHeaders', 'host'])],
    ['by a letter that folds to another (U+212A)', more(['X-Amz-To\u212aen', 'x'])],
  ] as [string, Parameter[]][])('%s is refused, though it is signed', (_, parameters) => {
    expect(outcome(signed(parameters))).toBe('signature-malformed');
  });

  it.each([
    'action=DbConnectAdmin',
    'Action=DbConnectAdmin',
    'X-Amz-Expires=604800',
    'x=y',
    '',
  ])('a parameter that is not signed is refused: %j', (parameter) => {
    const token = signed(PARAMETERS);
    for (const put of [`${token}&${parameter}`, token.replace('?', `?${parameter}&`)]) {
      expect(outcome(put)).toBe('signature-malformed');
    }
  });

  it('a parameter that is set apart in another way is not read', () => {
    const token = signed(PARAMETERS);
    for (const mark of [';', '%26', '\u0026amp;', '&amp;', '\n', '#']) {
      expect(outcome(token.replace('Action=DbConnect', `Action=DbConnectAdmin${mark}Action=DbConnect`))).toMatch(
        /^signature-/,
      );
    }
  });
});

describe('a URL that was signed for something else', () => {
  it.each<[string, string]>([
    ['GetCallerIdentity of STS, which servers of others ask for', 'sts'],
    ['RDS', 'rds-db'],
    ['ElastiCache', 'elasticache'],
    ['S3', 's3'],
    ['EKS', 'eks'],
    ['a service that begins alike', 'dsql-admin'],
    ['no service', ''],
  ])('is refused: %s', (_, service) => {
    const scope = `20260301/us-east-1/${service}/aws4_request`;
    const parameters = changed('X-Amz-Credential', `AKIAIOSFODNN7EXAMPLE/${scope}`);
    expect(outcome(signed(parameters, { scope }))).toBe('signature-malformed');
  });

  it('is refused: another region', () => {
    const scope = SCOPE.replace('us-east-1', 'eu-west-1');
    const parameters = changed('X-Amz-Credential', `AKIAIOSFODNN7EXAMPLE/${scope}`);
    expect(outcome(signed(parameters, { scope }))).toBe('scope-mismatch');
  });

  it.each<[string, Signing]>([
    ['another method', { method: 'POST' }],
    ['a body', { payload: 'x' }],
    ['any body', { payload: 'UNSIGNED-PAYLOAD' }],
  ])('is refused: for %s', (_, signing) => {
    expect(outcome(signed(PARAMETERS, signing))).toBe('signature-mismatch');
  });

  it.each(['/x', '//', '/.', '/%2e', '/?'])('is refused: another path, %s', (path) => {
    expect(outcome(signed(PARAMETERS, { path }))).toBe('signature-malformed');
  });

  it('keeps its meaning when it is signed for a day and dated on another', () => {
    const parameters = changed('X-Amz-Date', '20260302T000000Z');
    expect(outcome(signed(parameters))).toBe('signature-malformed');
  });
});

describe('a signature that leaves the host out', () => {
  it.each<[string, string, readonly Parameter[]]>([
    ['no header', '', []],
    ['another header', 'x-host', [['x-host', HOST]]],
    [
      'the host twice',
      'host;host',
      [
        ['host', HOST],
        ['host', HOST],
      ],
    ],
    [
      'the host and another',
      'host;x-cluster',
      [
        ['host', HOST],
        ['x-cluster', 'evil'],
      ],
    ],
    ['the host in capitals', 'Host', [['Host', HOST]]],
    ['the host with a blank', 'host ', [['host ', HOST]]],
  ])('is refused: %s', (_, names, headers) => {
    expect(outcome(signed(changed('X-Amz-SignedHeaders', names), { headers }))).toBe('signature-malformed');
  });

  it.each([
    'evil.example',
    `${HOST}.evil.example`,
    `evil-${HOST}`,
    HOST.replace('a', 'b'),
  ])('does not count for a host that was written in afterwards: %s', (host) => {
    expect(outcome(signed(PARAMETERS).replace(HOST, host))).toBe('signature-mismatch');
  });

  it.each([
    `evil@${HOST}`,
    `${HOST}\\@evil`,
    `${HOST}%00.evil`,
    `${HOST}\u3002evil`,
    ` ${HOST}`,
    `${HOST}#`,
    `[${HOST}]`,
  ])('cannot be of a host that readers of URLs take for another: %j', (host) => {
    expect(outcome(signed(PARAMETERS, { host }))).toBe('signature-malformed');
  });
});

describe('a lifetime at its ends', () => {
  it.each([
    ['0', 'signature-malformed'],
    ['-1', 'signature-malformed'],
    ['+900', 'signature-malformed'],
    ['0900', 'signature-malformed'],
    ['900.0', 'signature-malformed'],
    ['9e2', 'signature-malformed'],
    ['Infinity', 'signature-malformed'],
    ['NaN', 'signature-malformed'],
    ['\u0669\u0660\u0660', 'signature-malformed'],
    ['900 ', 'signature-malformed'],
    ['1', `DbConnect ${HOST}`],
    ['604800', `DbConnect ${HOST}`],
    ['604801', 'lifetime-too-long'],
    ['2147483648', 'lifetime-too-long'],
    ['4294968196', 'lifetime-too-long'],
    ['18446744073709552516', 'lifetime-too-long'],
    ['99999999999999999999', 'lifetime-too-long'],
    ['999999999999999999999', 'signature-malformed'],
  ])('X-Amz-Expires=%s, rightly signed: %s', (expires, expected) => {
    expect(outcome(signed(changed('X-Amz-Expires', expires)))).toBe(expected);
  });

  it.each([
    '20260301T121600Z',
    '99991231T235959Z',
    '20260231T000000Z',
    '00000000T000000Z',
    '20260301T246060Z',
  ])('X-Amz-Date=%s, rightly signed, is refused', (date) => {
    const scope = SCOPE.replace('20260301', date.slice(0, 8));
    const parameters = changed('X-Amz-Date', date).map(
      ([name, value]): Parameter => [name, name === 'X-Amz-Credential' ? `AKIAIOSFODNN7EXAMPLE/${scope}` : value],
    );
    expect(outcome(signed(parameters, { scope }))).toMatch(/^signature-(malformed|not-yet-valid)$/);
  });
});

describe('encodings that are read twice', () => {
  const token = signed(PARAMETERS);
  it.each<[string, string]>([
    ['an escape of an escape', token.replaceAll('%2F', '%252F')],
    ['an escape of a plain letter in a name', token.replace('Action=', '%41ction=')],
    ['an escape of a parting mark', token.replace('&X-Amz-Date', '%26X-Amz-Date')],
    ['an escape of =', token.replace('Action=', 'Action%3D')],
    ['an escape that is too long for UTF-8', token.replace('Action=DbConnect', 'Action=%C1%84bConnect')],
    ['half a surrogate', token.replace('AKIA', '%ED%A0%80AKIA')],
    ['an escape of NUL behind the action', token.replace('Action=DbConnect', 'Action=DbConnect%00Admin')],
    ['a line end in the key', token.replace('AKIA', '%0D%0AAKIA')],
    ['an escape of %u', token.replace('Action=DbConnect', 'Action=%u0044bConnect')],
  ])('are refused: %s', (_, text) => {
    expect(outcome(text)).toBe('signature-malformed');
  });

  it('an escape of a letter means the letter, and what was signed', () => {
    expect(outcome(token.replace('Action=DbConnect', 'Action=%44bConnect'))).toBe(`DbConnect ${HOST}`);
    expect(outcome(token.replaceAll('%2F', '%2f'))).toBe(`DbConnect ${HOST}`);
  });
});

describe('a session token that is not signed', () => {
  it('does not count, added or taken away', () => {
    const withToken = signed(more(['X-Amz-Security-Token', 'a/b+c==']));
    expect(outcome(withToken)).toBe(`DbConnect ${HOST}`);
    expect(outcome(withToken.replace(/&X-Amz-Security-Token=[^&]*/, ''))).toBe('signature-mismatch');
    const without = signed(PARAMETERS);
    expect(outcome(without.replace('&X-Amz-Signature', '&X-Amz-Security-Token=x&X-Amz-Signature'))).toBe(
      'signature-mismatch',
    );
  });
});
