/** Tokens of the signers that people use, and of those that cannot be run here, rebuilt from their source. */
import { DsqlSigner } from '@aws-sdk/dsql-signer';
import { describe, expect, test } from 'vitest';
import { presignToken } from './presign.ts';
import { fromBoto } from './testing-reference.ts';
import { parseToken } from './token.ts';
import { verifyToken } from './verify.ts';

const HOST = 'peccy.dsql.us-east-1.on.aws';
const LONG_TERM = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
const SESSION = { ...LONG_TERM, sessionToken: 'IQoJb3JpZ2luX2VjE/+==~_.-!*() '.trim().repeat(40) };

/** Signers take the clock's time; the token tells which. */
function expectAccepted(token: string, action: string): void {
  const claim = parseToken(token);
  expect(claim.action).toBe(action);
  verifyToken(claim, LONG_TERM.secretAccessKey, { now: claim.signedAt, region: 'us-east-1' });
  expect(() => verifyToken(claim, 'other', { now: claim.signedAt, region: 'us-east-1' })).toThrow('signature-mismatch');
}

describe.each([
  ['long-term', LONG_TERM],
  ['temporary', SESSION],
])('a token made with %s credentials', (_, credentials) => {
  test('by @aws-sdk/dsql-signer is accepted', async () => {
    const signer = new DsqlSigner({ hostname: HOST, region: 'us-east-1', credentials, expiresIn: 3600 });
    expectAccepted(await signer.getDbConnectAuthToken(), 'DbConnect');
    expectAccepted(await signer.getDbConnectAdminAuthToken(), 'DbConnectAdmin');
  });

  const boto = fromBoto(`
import boto3, json
c = boto3.client('dsql', region_name='us-east-1', aws_access_key_id=${JSON.stringify(credentials.accessKeyId)},
  aws_secret_access_key=${JSON.stringify(credentials.secretAccessKey)},
  aws_session_token=${'sessionToken' in credentials ? JSON.stringify(credentials.sessionToken) : 'None'})
out = []
for host in ['${HOST}', 'Peccy.DSQL.us-east-1.on.aws', '${HOST}:5432', '${HOST}:443', '127.0.0.1', 'https://${HOST}']:
  out.append(['DbConnect', c.generate_db_connect_auth_token(host, 'us-east-1', 900)])
  out.append(['DbConnectAdmin', c.generate_db_connect_admin_auth_token(host, 'us-east-1', 604800)])
print(json.dumps(out))`) as [string, string][] | undefined;
  test.skipIf(boto === undefined)('by boto3 is accepted (skipped without python3 and boto3)', () => {
    expect(boto).toHaveLength(12);
    for (const [action, token] of boto!.slice(0, -2)) expectAccepted(token, action);
    // Given a URL for a host name, botocore takes "https" for the host: no cluster can stand for that.
    for (const [action, token] of boto!.slice(-2)) expect(() => expectAccepted(token, action)).toThrow('mismatch');
  });

  const ours = presignToken({
    host: HOST,
    region: 'us-east-1',
    action: 'DbConnect',
    credentials,
    expiresIn: 900,
    now: new Date('2026-03-01T12:34:56Z'),
  });
  const parameters = ours.slice(ours.indexOf('?') + 1).split('&');
  const named = (prefixes: string[]): string[] =>
    prefixes.flatMap((prefix) => parameters.filter((parameter) => parameter.startsWith(`${prefix}=`)));

  test('by the Go SDK is accepted: sorted, the signature last, no slash', () => {
    const sorted = parameters.slice(0, -1).sort();
    expectAccepted(`${HOST}?${[...sorted, parameters.at(-1)].join('&')}`, 'DbConnect');
  });

  test('by the .NET SDK is accepted: lifetime, action and session token first', () => {
    const first = named(['X-Amz-Expires', 'Action', 'X-Amz-Security-Token']);
    const rest = parameters.filter((parameter) => !first.includes(parameter));
    expectAccepted(`${HOST}/?${[...first, ...rest].join('&')}`, 'DbConnect');
  });
});
