import { describe, expect, it } from 'vitest';
import type { Attempt } from '../attempts/attempt.ts';
import type { AwakeCluster, Cluster } from '../clusters/cluster.ts';
import type { Decision, Identity, KeyLookup } from '../iam/identity.ts';
import { cstring, message } from '../pgwire/messages.ts';
import { presignToken } from '../sigv4/presign.ts';
import type { Client } from './client.ts';
import { login } from './login.ts';
import type { SessionRequest } from './settings.ts';

const NOW = new Date('2026-03-01T12:00:00Z');
const REGION = 'us-east-1';
const HOST = 'localhost';
const credentials = { accessKeyId: 'AKIAEXAMPLEEXAMPLE00', secretAccessKey: 'secret' };
const ARN = 'arn:aws:iam::123456789012:user/ann';
const identity: Identity = {
  kind: 'user',
  account: '123456789012',
  arn: ARN,
  principalArn: ARN,
  userId: 'AIDA',
  accessKeyId: credentials.accessKeyId,
  session: undefined,
};

const decision = (allowed: boolean) =>
  ({ allowed, effect: allowed ? 'allowed' : 'implicit-deny', limit: undefined, because: 'so' }) as Decision;

/** A client that sends a good token at once. */
function client(): Client {
  const token = presignToken({
    host: HOST,
    region: REGION,
    action: 'DbConnect',
    credentials,
    expiresIn: 900,
    now: NOW,
  });
  let bytes = message('p', cstring(token));
  const reader = {
    async read(length: number) {
      const taken = bytes.subarray(0, length);
      bytes = bytes.subarray(length);
      return taken;
    },
  };
  return { encrypted: { write: () => true }, reader, remoteAddress: '127.0.0.1' } as unknown as Client;
}

/** What stands when the login begins, and what somebody changes while the cluster is being woken. */
function setup(meanwhile: (state: { allowed: boolean; active: boolean; now: Date }) => void) {
  const state = { allowed: true, active: true, now: NOW };
  const cluster = { id: 'c', arn: 'arn', region: REGION, database: 'c', isKnownAs: () => true } as unknown as Cluster;
  const catalog = { facts: async () => ({ oid: 7, canLogin: true, mapped: true }) };
  const attempt: Attempt = { connectionId: 'id', at: NOW, sourceAddress: '127.0.0.1' };
  const find = (): KeyLookup => ({
    secret: credentials.secretAccessKey,
    verdict: state.active ? { valid: true, identity } : { valid: false, kind: 'inactive-key', detail: 'inactive' },
  });
  const run = () =>
    login(
      client(),
      { user: 'reader' } as SessionRequest,
      cluster,
      {
        keys: { find },
        authority: {
          decide: () => decision(state.allowed),
          decideTrust: () => decision(false),
        },
        now: () => state.now,
        checkFailures: () => undefined,
        admitPrincipal: () => undefined,
        passed: () => undefined,
        wake: async () => {
          meanwhile(state);
          return { catalog } as unknown as AwakeCluster;
        },
      },
      attempt,
    );
  return { run, attempt };
}

describe('a login that had to wait for its cluster', () => {
  it('is let in when all still stands', async () => {
    const { run } = setup(() => undefined);
    expect(await run()).toMatchObject({ role: 'reader', roleOid: 7 });
  });

  it.each<[string, Parameters<typeof setup>[0], string]>([
    ['the policy was deleted', (state) => Object.assign(state, { allowed: false }), 'action-denied'],
    ['the key was deactivated', (state) => Object.assign(state, { active: false }), 'inactive-key'],
    [
      'the token ran out',
      (state) => Object.assign(state, { now: new Date(NOW.getTime() + 901_000) }),
      'signature-expired',
    ],
  ])('is refused when meanwhile %s', async (_, meanwhile, kind) => {
    const { run, attempt } = setup(meanwhile);
    await expect(run()).rejects.toMatchObject({ kind });
    expect(attempt.role).toBeUndefined();
  });
});
