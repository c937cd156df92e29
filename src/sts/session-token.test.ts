import { randomBytes } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PLAIN_GRANT, type SessionGrant } from '../iam/identity.ts';
import type { SessionSubject } from '../iam/keys.ts';
import { Refused } from '../refused.ts';
import { createSealer } from '../state/sealing.ts';
import { MAX_SESSION_TOKEN } from './packed-size.ts';
import { createSessionMaker } from './session-token.ts';

const NOW = new Date('2026-03-01T12:00:00.900Z');
const sealer = createSealer(randomBytes(32));
const maker = () => createSessionMaker({ sealer, random: randomBytes });
const role: SessionSubject = { kind: 'role', name: 'R'.repeat(64), id: 'AROA', sessionName: 's'.repeat(64) };
const subjects: SessionSubject[] = [
  role,
  { kind: 'user', id: 'AIDA', name: 'ann' },
  { kind: 'root' },
  { kind: 'federated-user', name: 'Bob', issuer: { kind: 'user', id: 'AIDA', name: 'ann' } },
  { kind: 'federated-user', name: 'Bob', issuer: { kind: 'root' } },
];
/** Characters that nothing makes shorter. */
const noise = (length: number) => randomBytes(length).toString('base64').slice(0, length);

const full: SessionGrant = {
  policies: [noise(2048)],
  policyArns: ['arn:aws:iam::aws:policy/AdministratorAccess'],
  tags: [{ Key: 'k', Value: noise(256) }],
  transitiveTagKeys: ['k'],
  sourceIdentity: noise(64),
  federatedProvider: `arn:aws:iam::123456789012:oidc-provider/${noise(255)}`,
  claims: { [`${noise(255)}:sub`]: [noise(255)], 'a:aud': [noise(500)] },
};

describe('a session token', () => {
  it.each(subjects)('opens for its key, in another process too: $kind', (subject) => {
    const made = maker().issue(subject, PLAIN_GRANT, 900, NOW);
    expect(made.Expiration).toEqual(new Date('2026-03-01T12:15:00Z'));
    const expected = {
      subject,
      facts: { ...PLAIN_GRANT, issuedAt: new Date('2026-03-01T12:00:00Z'), expiresAt: made.Expiration },
      secret: made.SecretAccessKey,
    };
    const other = maker();
    expect(other.open(made.AccessKeyId, made.SessionToken)).toEqual(expected);
    expect(other.open(made.AccessKeyId, made.SessionToken)).toEqual(expected);
    expect(made.SessionToken.length).toBeLessThan(600);
  });

  it('carries everything that the session was given, and fits a connection token', () => {
    const made = maker().issue(role, full, 900, NOW);
    expect(maker().open(made.AccessKeyId, made.SessionToken)?.facts).toMatchObject(full);
    expect(made.SessionToken.length).toBeLessThanOrEqual(MAX_SESSION_TOKEN);
  });

  it('does not grow beyond its limit', () => {
    const tags = Array.from({ length: 50 }, (_, i) => ({ Key: `k${i}`, Value: noise(256) }));
    expect(() => maker().issue(role, { ...full, tags }, 900, NOW)).toThrow(
      expect.objectContaining({
        kind: 'packed-policy-too-large',
        say: expect.stringMatching(/^Packed policy consumes \d{3}%/),
      }),
    );
    const huge = { ...PLAIN_GRANT, tags: [{ Key: 'k', Value: 'a'.repeat(300 * 1024) }] };
    expect(() => maker().issue(role, huge, 900, NOW)).toThrow(Refused);
  });

  it('does not open when it inflates to more than any of ours', () => {
    const payload = { version: 2, subject: role, grant: PLAIN_GRANT, issuedAt: 0, expiresAt: 1, nonce: 'n' };
    const sealed = (content: object) => sealer.seal(deflateRawSync(JSON.stringify(content)), 'session-token:2:ASIAX');
    expect(maker().open('ASIAX', sealed(payload))).toBeDefined();
    expect(maker().open('ASIAX', sealed({ ...payload, nonce: 'n'.repeat(300 * 1024) }))).toBeUndefined();
  });

  it.each([
    ['of another version', { version: 3 }],
    ['without a subject', { subject: undefined }],
    ['without times', { issuedAt: undefined }],
  ])('does not open %s', (_, change) => {
    const payload = { version: 2, subject: role, grant: PLAIN_GRANT, issuedAt: 0, expiresAt: 1, nonce: 'n', ...change };
    const token = sealer.seal(deflateRawSync(JSON.stringify(payload)), 'session-token:2:ASIAX');
    expect(maker().open('ASIAX', token)).toBeUndefined();
  });

  it('of version 1 does not open', () => {
    const payload = {
      version: 1,
      roleId: 'AROA',
      roleName: 'R',
      sessionName: 's',
      issuedAt: 0,
      expiresAt: 1,
      nonce: 'n',
    };
    expect(maker().open('ASIAX', sealer.seal(JSON.stringify(payload), 'session-token:ASIAX'))).toBeUndefined();
    expect(maker().open('ASIAX', sealer.seal(JSON.stringify(payload), 'session-token:2:ASIAX'))).toBeUndefined();
  });

  it('does not open for another key, also after it was opened for its own', () => {
    const sessions = maker();
    const [one, two] = [sessions.issue(role, PLAIN_GRANT, 900, NOW), sessions.issue(role, PLAIN_GRANT, 900, NOW)];
    expect(one.SecretAccessKey).not.toBe(two.SecretAccessKey);
    expect(sessions.open(one.AccessKeyId, one.SessionToken)).toBeDefined();
    expect(sessions.open(two.AccessKeyId, one.SessionToken)).toBeUndefined();
    expect(sessions.open('', one.SessionToken)).toBeUndefined();
  });

  it('does not open when a character of it is changed, lost or added', () => {
    const sessions = maker();
    const { AccessKeyId, SessionToken } = sessions.issue(role, PLAIN_GRANT, 900, NOW);
    const at = fc.nat(SessionToken.length - 1);
    const mark = fc.constantFrom('', 'A', 'B', '-', '_', '=', '+', ' ', '\0', 'é');
    fc.assert(
      fc.property(at, mark, fc.boolean(), (index, character, replace) => {
        const changed = SessionToken.slice(0, index) + character + SessionToken.slice(index + (replace ? 1 : 0));
        fc.pre(changed !== SessionToken);
        expect(sessions.open(AccessKeyId, changed)).toBeUndefined();
      }),
      { numRuns: 1000 },
    );
    expect(sessions.open(AccessKeyId, SessionToken + SessionToken.repeat(100))).toBeUndefined();
  });
});
