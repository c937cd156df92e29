import { describe, expect, test } from 'vitest';
import { type RefusalKind, Refused } from '../refused.ts';
import { presignToken, type TokenOrder } from './presign.ts';
import { smithySigner } from './testing-reference.ts';
import { parseToken } from './token.ts';
import { verifyToken } from './verify.ts';

const HOST = 'peccy.dsql.us-east-1.on.aws';
const SIGNED_AT = new Date('2024-08-27T00:00:00Z');
const HERE = { now: SIGNED_AT, region: 'us-east-1' };

function order(changes: Partial<TokenOrder> = {}): TokenOrder {
  return {
    host: HOST,
    region: 'us-east-1',
    action: 'DbConnect',
    credentials: { accessKeyId: 'akid', secretAccessKey: 'secret' },
    expiresIn: 450,
    now: SIGNED_AT,
    ...changes,
  };
}

function refusal(text: string, secret = 'secret', expected: Parameters<typeof verifyToken>[2] = HERE): Refused {
  try {
    verifyToken(parseToken(text), secret, expected);
  } catch (error) {
    if (error instanceof Refused) return error;
    throw error;
  }
  throw new Error('not refused');
}

function at(seconds: number): { now: Date; region: string } {
  return { now: new Date(SIGNED_AT.getTime() + seconds * 1000), region: 'us-east-1' };
}

// awslabs/aws-sdk-rust, sdk/dsql/src/auth_token.rs
const VECTORS = [
  ['DbConnect', 'f5f2ad764ca5df44045d4ab6ccecba0eef941b0007e5765885a0b6ed3702a3f8'],
  ['DbConnectAdmin', '267cf8d04d84444f7a62d5bdb40c44bfc6cb13dd6c64fa7f772df6bbaa90fff1'],
] as const;

function vector(action: string, signature: string): string {
  return `${HOST}/?Action=${action}&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=akid%2F20240827%2Fus-east-1%2Fdsql%2Faws4_request&X-Amz-Date=20240827T000000Z&X-Amz-Expires=450&X-Amz-SignedHeaders=host&X-Amz-Signature=${signature}`;
}

describe('verifyToken', () => {
  test.each(VECTORS)('accepts the published token for %s', (action, signature) => {
    verifyToken(parseToken(vector(action, signature)), 'secret', HERE);
    expect(presignToken(order({ action }))).toBe(vector(action, signature));
  });

  test('refuses the signature of one action for the other', () => {
    expect(refusal(vector('DbConnectAdmin', VECTORS[0][1])).kind).toBe('signature-mismatch');
    expect(refusal(vector('DbConnect', VECTORS[1][1])).kind).toBe('signature-mismatch');
  });

  test('refuses a token that another key made', () => {
    expect(refusal(presignToken(order()), 'secreT').kind).toBe('signature-mismatch');
    expect(refusal(presignToken(order()), '').kind).toBe('signature-mismatch');
  });

  const hosts: [typed: string, signed: string][] = [
    ['peccy.example:5432', 'peccy.example:5432'],
    ['Peccy.Example', 'peccy.example'],
    ['Peccy.Example', 'Peccy.Example'],
    ['peccy.example:443', 'peccy.example'],
    ['peccy.example:443', 'peccy.example:443'],
    ['Peccy.Example:443', 'peccy.example'],
  ];
  test.each(hosts)('accepts %s signed as %s', async (typed, signed) => {
    verifyToken(parseToken(await tokenSignedFor(typed, signed)), 'secret', HERE);
  });

  const otherHosts: [typed: string, signed: string][] = [
    ['peccy.example', 'peccy.example:443'],
    ['peccy.example:5432', 'peccy.example'],
    ['peccy.example:4430', 'peccy.example:'],
    ['peccy.example', 'Peccy.Example'],
    ['peccy.example.', 'peccy.example'],
  ];
  test.each(otherHosts)('refuses %s signed as %s', async (typed, signed) => {
    expect(refusal(await tokenSignedFor(typed, signed)).kind).toBe('signature-mismatch');
  });

  test('holds from 15 minutes before its time to its last second', () => {
    for (const seconds of [-900, 0, 449, 450]) verifyToken(parseToken(presignToken(order())), 'secret', at(seconds));
  });

  test('refuses a token that has expired, in the words of the service', () => {
    const refused = refusal(presignToken(order()), 'secret', at(451));
    expect(refused.kind).toBe('signature-expired');
    expect(refused.hint).toBe(
      'Signature expired: 20240827T000000Z is now earlier than 20240827T000001Z (20240827T000731Z - 7.5 min.)',
    );
    expect(refusal(presignToken(order({ expiresIn: 900 })), 'secret', at(3600)).hint).toBe(
      'Signature expired: 20240827T000000Z is now earlier than 20240827T004500Z (20240827T010000Z - 15 min.)',
    );
  });

  test('refuses a token from more than 15 minutes ahead', () => {
    expect(refusal(presignToken(order()), 'secret', at(-901)).kind).toBe('signature-not-yet-valid');
  });

  test('refuses when the time is unknown', () => {
    const never = { now: new Date(Number.NaN), region: 'us-east-1' };
    expect(() => verifyToken(parseToken(presignToken(order())), 'secret', never)).toThrow();
  });

  test('refuses a token that is rightly signed for another region', () => {
    expect(refusal(presignToken(order({ region: 'eu-west-1' }))).kind).toBe('scope-mismatch');
  });

  const wrongAndUnsigned: [RefusalKind, Partial<TokenOrder>, number][] = [
    ['signature-expired', {}, 10_000],
    ['signature-not-yet-valid', {}, -10_000],
    ['scope-mismatch', { region: 'eu-west-1' }, 0],
  ];
  test.each(wrongAndUnsigned)('tells %s only to who can sign', (kind, changes, seconds) => {
    const token = presignToken(order(changes));
    expect(refusal(token, 'secret', at(seconds)).kind).toBe(kind);
    expect(refusal(token, 'other', at(seconds)).kind).toBe('signature-mismatch');
  });

  test('refuses a token with any one character changed, unless the text still means the same', () => {
    const token = presignToken(
      order({ credentials: { accessKeyId: 'ASIA0000', secretAccessKey: 'secret', sessionToken: 'Ab/+9=' } }),
    );
    const original = parseToken(token);
    const replacements = ['0', '1', 'a', 'A', 'f', '.', '/', '%', '&', '=', '?', '+', '-', ' ', '\0'];
    let verified = 0;
    for (let i = 0; i < token.length; i++) {
      for (const c of replacements) {
        if (c === token[i]) continue;
        for (const text of [token.slice(0, i) + c + token.slice(i + 1), token.slice(0, i) + c + token.slice(i)]) {
          const outcome = verdict(text);
          if (outcome === undefined) continue;
          verified++;
          expect({ ...outcome, host: outcome.host.toLowerCase() }).toEqual(original);
        }
      }
      const shorter = verdict(token.slice(0, i) + token.slice(i + 1));
      if (shorter !== undefined) expect(shorter).toEqual(original);
    }
    // The host's letters in capitals, and the slash: no other writing survives.
    expect(verified).toBeLessThan(10);
  });
});

function verdict(text: string): ReturnType<typeof parseToken> | undefined {
  try {
    const claim = parseToken(text);
    verifyToken(claim, 'secret', HERE);
    return claim;
  } catch (error) {
    expect(error).toBeInstanceOf(Refused);
    return undefined;
  }
}

/** As a signer would that writes one host and signs another; the reference implementation signs. */
async function tokenSignedFor(typed: string, signed: string): Promise<string> {
  const signer = smithySigner('dsql', { accessKeyId: 'akid', secretAccessKey: 'secret' });
  const { query } = await signer.presign(
    {
      method: 'GET',
      protocol: 'https:',
      hostname: signed,
      path: '/',
      query: { Action: 'DbConnect' },
      headers: { host: signed },
    },
    { expiresIn: 450, signingDate: SIGNED_AT },
  );
  const text = Object.entries(query ?? {}).map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
  return `${typed}/?${text.join('&')}`;
}
