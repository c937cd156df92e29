import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/*
 * Every server that a test starts is asked at its end whether it has written a secret into its logs: each test is a test of
 * this, whatever else it is about.
 */

const kept = new Set<string>();

/** Remembers a secret of this test file, which no log may have. */
export function keepSecret(value: string | undefined): void {
  // Shorter ones could stand anywhere by chance.
  if (value !== undefined && value.length >= 16) kept.add(value);
}

/** What is a secret by its looks, whoever made it. */
const LOOKS: readonly [what: string, pattern: RegExp][] = [
  ['the signature of a token', /X-Amz-Signature(?:=|%3D)[0-9a-f]{64}/i],
  ['the signature of a request', /Signature=[0-9a-f]{64}/],
  ['a session token', /X-Amz-Security-Token(?:=|%3D)[\w%+/=-]{100}/i],
  ['a private key', /-----BEGIN [A-Z ]*PRIVATE KEY-----/],
  ['a JSON Web Token', /\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}/],
  ['a password hash', /SCRAM-SHA-256\$\d+:/],
];

/** Throws an Error that says what stands there, and not the secret itself. `where` is for people. */
export function assertNoSecrets(text: string, where: string): void {
  for (const [what, pattern] of LOOKS) {
    const found = pattern.exec(text);
    if (found) throw new Error(`${where}: ${what} is in it, behind ${JSON.stringify(context(text, found.index))}`);
  }
  for (const secret of kept) {
    for (const form of [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]) {
      const at = text.indexOf(form);
      if (at >= 0) throw new Error(`${where}: a secret is in it, behind ${JSON.stringify(context(text, at))}`);
    }
  }
}

function context(text: string, at: number): string {
  return text.slice(Math.max(0, at - 80), at);
}

/** The same for the audit log and the statement log of a data directory, if there are any. */
export function assertNoSecretsInAuditLog(dataDir: string): void {
  for (const log of ['audit', 'statements']) {
    const folder = join(dataDir, log);
    if (!existsSync(folder)) continue;
    for (const name of readdirSync(folder)) {
      if (name.endsWith('.jsonl')) assertNoSecrets(readFileSync(join(folder, name), 'utf8'), `${log}: ${name}`);
    }
  }
}
