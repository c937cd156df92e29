import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RoleRecord } from '../state/records.ts';
import { createSealer } from '../state/sealing.ts';
import { createSessionMaker } from './session-token.ts';

const NOW = new Date('2026-03-01T12:00:00.900Z');
const master = randomBytes(32);
const maker = () => createSessionMaker({ sealer: createSealer(master), random: randomBytes });
const role = { name: 'R'.repeat(64), id: 'AROA' } as RoleRecord;

describe('a session token', () => {
  it('opens for its key, in another process too', () => {
    const made = maker().issue(role, 's'.repeat(64), 900, NOW);
    expect(made.Expiration).toEqual(new Date('2026-03-01T12:15:00Z'));
    const expected = {
      roleName: role.name,
      roleId: 'AROA',
      sessionName: 's'.repeat(64),
      expiresAt: made.Expiration,
      secret: made.SecretAccessKey,
    };
    const other = maker();
    expect(other.open(made.AccessKeyId, made.SessionToken)).toEqual(expected);
    expect(other.open(made.AccessKeyId, made.SessionToken)).toEqual(expected);
    expect(made.SessionToken.length).toBeLessThan(600);
  });

  it('does not open for another key, also after it was opened for its own', () => {
    const sessions = maker();
    const [one, two] = [sessions.issue(role, 'se', 900, NOW), sessions.issue(role, 'se', 900, NOW)];
    expect(one.SecretAccessKey).not.toBe(two.SecretAccessKey);
    expect(sessions.open(one.AccessKeyId, one.SessionToken)).toBeDefined();
    expect(sessions.open(two.AccessKeyId, one.SessionToken)).toBeUndefined();
    expect(sessions.open('', one.SessionToken)).toBeUndefined();
  });

  it('does not open when a character of it is changed, lost or added', () => {
    const sessions = maker();
    const { AccessKeyId, SessionToken } = sessions.issue(role, 'se', 900, NOW);
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
