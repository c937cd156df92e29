import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { assertNoSecrets, keepSecret } from './harness/no-secrets.ts';
import { startTestServer } from './harness/server.ts';

const TEST = fileURLToPath(new URL('.', import.meta.url));

describe('the search for secrets in the logs of every server that a test starts', () => {
  it('finds what was kept, in every form in which a log has it', () => {
    const secret = 'wJalr/XUtnFEMI+K7MDENG"bPxRfi';
    keepSecret(secret);
    for (const text of [secret, encodeURIComponent(secret), JSON.stringify({ msg: secret })]) {
      expect(() => assertNoSecrets(`{"msg":"before ${text} after"}`, 'the log')).toThrow(/^the log: a secret is in it/);
    }
    expect(() => assertNoSecrets(secret.slice(1), 'the log')).not.toThrow();
  });

  it.each([
    ['a token', `X-Amz-Signature=${'0a'.repeat(32)}`],
    ['an encoded token', `X-Amz-Signature%3D${'0a'.repeat(32)}`],
    ['a signed request', `AWS4-HMAC-SHA256 Credential=x, SignedHeaders=host, Signature=${'0a'.repeat(32)}`],
    ['a session token', `X-Amz-Security-Token=${'aB%2F'.repeat(40)}`],
    ['a private key', '-----BEGIN EC PRIVATE KEY-----'],
    ['a web identity token', `eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJ4IiwiYXVkIjoieCJ9.${'A'.repeat(86)}`],
    ['the hash of a password', 'SCRAM-SHA-256$4096:x'],
  ])('finds %s by its looks, and does not repeat it', (_, text) => {
    const found = () => assertNoSecrets(`before ${text}`, 'the log');
    expect(found).toThrow(/^the log: (?:the|a) .* is in it/);
    expect(found).not.toThrow(text);
  });

  it('is made when a server stops, and fails the test whose server has written one', async () => {
    const server = await startTestServer();
    const token = server.token('admin');
    server.log.push({ event: 'careless', msg: `got ${token.slice(-64)}` });
    await expect(server.stop()).rejects.toThrow(/^the server’s log: a secret is in it/);
  });

  it('is made for every way in which a test starts a server', () => {
    const starters = readdirSync(TEST, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && path !== 'no-secrets.test.ts')
      .filter((path) =>
        /\b(?:startServer|createApiServer)\(|MAIN, 'start'/.test(readFileSync(join(TEST, path), 'utf8')),
      )
      .sort();
    const searching = starters.filter((path) => readFileSync(join(TEST, path), 'utf8').includes('assertNoSecrets('));
    expect(searching).toContain('harness/server.ts');
    expect(starters.filter((path) => !searching.includes(path))).toEqual([]);
  });
});
