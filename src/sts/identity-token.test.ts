import fc from 'fast-check';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { Refused } from '../refused.ts';
import { createMemoryStore } from '../state/memory-store.ts';
import { verifyIdentityToken } from './identity-token.ts';

const ACCOUNT = '123456789012';
const NOW = new Date('2026-03-01T12:00:00Z');
const seconds = NOW.getTime() / 1000;
const ISSUER = 'https://Token.example.com/a';
const TAGS = 'https://aws.amazon.com/tags';
const good = { iss: ISSUER, aud: 'client', sub: 'me', iat: seconds, exp: seconds + 60 };

let deps: Parameters<typeof verifyIdentityToken>[0];
let sign: (payload: object) => Promise<string>;

beforeAll(async () => {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const keySet = { keys: [{ ...(await exportJWK(publicKey)), kid: 'k' }] };
  const store = createMemoryStore();
  const row = { url: ISSUER, createdAt: NOW.toISOString(), clientIds: ['client'], thumbprints: [], tags: [] };
  const arn = `arn:aws:iam::${ACCOUNT}:oidc-provider/Token.example.com/a`;
  await store.change((draft) => draft.put('oidcProviders', arn, row));
  deps = { store, oidcKeys: { of: async () => keySet }, account: ACCOUNT, now: () => NOW };
  sign = (payload) =>
    new SignJWT(payload as Record<string, unknown>).setProtectedHeader({ alg: 'ES256', kid: 'k' }).sign(privateKey);
});

/** What became of it; throws for anything that is neither an identity nor a refusal. */
async function outcome(token: string): Promise<string> {
  try {
    await verifyIdentityToken(deps, token);
    return 'verified';
  } catch (error) {
    if (error instanceof Refused) return error.kind;
    throw error;
  }
}

describe('a web identity token', () => {
  it('tells who it is of', async () => {
    const token = await sign({
      ...good,
      amr: 'pwd',
      email: 'me@example.com',
      [TAGS]: { principal_tags: { a: ['b'] } },
    });
    expect(await verifyIdentityToken(deps, token)).toEqual({
      provider: `arn:aws:iam::${ACCOUNT}:oidc-provider/Token.example.com/a`,
      subject: 'me',
      audience: 'client',
      claims: {
        'token.example.com/a:aud': ['client'],
        'token.example.com/a:sub': ['me'],
        'token.example.com/a:amr': ['pwd'],
        'token.example.com/a:email': ['me@example.com'],
      },
      tags: [{ Key: 'a', Value: 'b' }],
      transitiveTagKeys: [],
      sourceIdentity: undefined,
    });
  });

  it('with any claims is verified or refused', async () => {
    const special = [
      'aud',
      'azp',
      'sub',
      'iat',
      'nbf',
      'exp',
      'amr',
      'email',
      'jti',
      '__proto__',
      TAGS,
      `${TAGS}/principal_tags/x`,
      `${TAGS}/transitive_tag_keys`,
      'https://aws.amazon.com/source_identity',
    ];
    const tags = fc.record({ principal_tags: fc.anything(), transitive_tag_keys: fc.anything() }, { requiredKeys: [] });
    const value = fc.oneof(fc.jsonValue(), tags, fc.constantFrom('client', 'me', seconds, -1, 1e300, ['client'], []));
    const claims = fc.dictionary(fc.constantFrom(...special), value, { maxKeys: 4 });
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(claims, async (changed) => {
        seen.add(await outcome(await sign(JSON.parse(JSON.stringify({ ...good, ...changed }, unbig)))));
      }),
      { numRuns: 500 },
    );
    for (const kind of ['verified', 'identity-token-invalid', 'identity-claim-rejected']) expect(seen).toContain(kind);
  });

  it('of any text is refused', async () => {
    const base64 = fc.string({ unit: 'binary', maxLength: 60 }).map((text) => Buffer.from(text).toString('base64url'));
    const header = fc.json().map((text) => Buffer.from(text).toString('base64url'));
    const part = fc.oneof(base64, header, fc.string());
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 5 }), async (parts) => {
        expect(await outcome(parts.join('.'))).toBe('identity-token-invalid');
      }),
      { numRuns: 500 },
    );
  });
});

function unbig(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
