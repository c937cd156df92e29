import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { createMemoryStore } from '../state/memory-store.ts';
import { createSealer } from '../state/sealing.ts';
import type { Store } from '../state/store.ts';
import { createSessionMaker, type SessionCredentials, type SessionMaker } from '../sts/session-token.ts';
import { newAccessKey } from './access-keys.ts';
import { createAuthority } from './authority.ts';
import { AccountMismatch, bootstrapAccount, rootCredentials } from './bootstrap.ts';
import { type Identity, type KeyRing, PLAIN_GRANT } from './identity.ts';
import { createKeyRing, type SessionSubject } from './keys.ts';

const ACCOUNT = '123456789012';
const NOW = new Date('2026-03-01T12:00:00Z');
const CLUSTER = 'abcdefghijklmnopqrstuvwxyz';
const setup = { account: ACCOUNT, region: 'us-east-1', clusterId: CLUSTER, now: NOW, random: randomBytes };
const policy = (effect: string, action: string) =>
  JSON.stringify({ Statement: { Effect: effect, Action: action, Resource: '*' } });

const sealer = createSealer(randomBytes(32));
let store: Store;
let sessions: SessionMaker;
let keys: KeyRing;
let userKey: { id: string; secret: string };
let session: SessionCredentials;

beforeEach(async () => {
  store = createMemoryStore();
  sessions = createSessionMaker({ sealer, random: randomBytes });
  keys = createKeyRing({ store, sealer, sessions });
  await bootstrapAccount(store, sealer, setup);
  const { record, secret } = newAccessKey(sealer, randomBytes, 'ann', NOW);
  userKey = { id: record.id, secret };
  const entity = { createdAt: NOW.toISOString(), tags: [], attached: [], boundary: null };
  await store.change((draft) => {
    draft.put('accessKeys', record.id, record);
    draft.put('users', 'ann', {
      ...entity,
      name: 'Ann',
      id: 'AIDAANN',
      path: '/p/',
      groups: [],
      policies: { p: policy('Allow', 'dsql:DbConnect') },
    });
    draft.put('roles', 'worker', {
      ...entity,
      name: 'Worker',
      id: 'AROAWORKER',
      path: '/app/',
      description: '',
      maxSessionDuration: 3600,
      trustPolicy: '{}',
      trustPrincipals: {},
      policies: { p: policy('Allow', 'dsql:DbConnectAdmin') },
    });
  });
  session = begin(JOB);
});

const JOB: SessionSubject = { kind: 'role', id: 'AROAWORKER', name: 'Worker', sessionName: 'job' };
const ANN = { kind: 'user', id: 'AIDAANN', name: 'Ann' } as const;

function begin(subject: SessionSubject, maker = sessions): SessionCredentials {
  return maker.issue(subject, PLAIN_GRANT, 900, NOW);
}

const openAs = ({ AccessKeyId, SessionToken }: SessionCredentials) => identityOf(AccessKeyId, SessionToken);
const verdictOn = ({ AccessKeyId, SessionToken }: SessionCredentials) => refusalOf(AccessKeyId, SessionToken);

function identityOf(id: string, token?: string, now = NOW): Identity {
  const { verdict } = keys.find(id, token, now);
  if (!verdict.valid) throw new Error(verdict.detail);
  return verdict.identity;
}

function refusalOf(id: string, token?: string, now = NOW): string {
  const { verdict } = keys.find(id, token, now);
  return verdict.valid ? 'valid' : verdict.kind;
}

describe('the key ring', () => {
  it('knows the root key', () => {
    const { accessKeyId, secretAccessKey } = rootCredentials(store, sealer);
    expect(keys.find(accessKeyId, undefined, NOW).secret).toBe(secretAccessKey);
    const arn = `arn:aws:iam::${ACCOUNT}:root`;
    expect(identityOf(accessKeyId)).toEqual({
      kind: 'root',
      account: ACCOUNT,
      arn,
      principalArn: arn,
      userId: ACCOUNT,
      accessKeyId,
      session: undefined,
    });
  });

  it('knows the key of a user', () => {
    expect(keys.find(userKey.id, undefined, NOW).secret).toBe(userKey.secret);
    expect(identityOf(userKey.id)).toMatchObject({
      kind: 'user',
      arn: `arn:aws:iam::${ACCOUNT}:user/p/Ann`,
      principalArn: `arn:aws:iam::${ACCOUNT}:user/p/Ann`,
      userId: 'AIDAANN',
    });
  });

  it('knows the key of a session, and keeps role and session apart', () => {
    expect(keys.find(session.AccessKeyId, session.SessionToken, NOW).secret).toBe(session.SecretAccessKey);
    expect(identityOf(session.AccessKeyId, session.SessionToken)).toMatchObject({
      kind: 'role-session',
      arn: `arn:aws:sts::${ACCOUNT}:assumed-role/Worker/job`,
      principalArn: `arn:aws:iam::${ACCOUNT}:role/app/Worker`,
      userId: 'AROAWORKER:job',
    });
  });

  it('knows the sessions of a user and of the root user as the user and the root user', () => {
    const [user, root] = [begin(ANN), begin({ kind: 'root' })];
    expect(keys.find(user.AccessKeyId, user.SessionToken, NOW).secret).toBe(user.SecretAccessKey);
    expect(openAs(user)).toEqual({
      ...identityOf(userKey.id),
      accessKeyId: user.AccessKeyId,
      session: { ...PLAIN_GRANT, issuedAt: NOW, expiresAt: user.Expiration, issuer: undefined },
    });
    expect(openAs(root)).toMatchObject({ kind: 'root', arn: `arn:aws:iam::${ACCOUNT}:root`, userId: ACCOUNT });
  });

  it('knows a federated user, and who vouched for it', () => {
    const arn = `arn:aws:sts::${ACCOUNT}:federated-user/Bob`;
    expect(openAs(begin({ kind: 'federated-user', name: 'Bob', issuer: ANN }))).toMatchObject({
      kind: 'federated-user',
      arn,
      principalArn: arn,
      userId: `${ACCOUNT}:Bob`,
      session: { issuer: `arn:aws:iam::${ACCOUNT}:user/p/Ann` },
    });
    const byRoot = openAs(begin({ kind: 'federated-user', name: 'Bob', issuer: { kind: 'root' } }));
    expect(byRoot.session?.issuer).toBe(`arn:aws:iam::${ACCOUNT}:root`);
  });

  it('tells what a session was given', () => {
    const grant = {
      policies: [policy('Allow', 'dsql:*')],
      policyArns: ['arn:aws:iam::aws:policy/AdministratorAccess'],
      tags: [{ Key: 'Team', Value: 'a' }],
      transitiveTagKeys: ['Team'],
      sourceIdentity: 'Ann',
      federatedProvider: `arn:aws:iam::${ACCOUNT}:oidc-provider/token.example.com`,
      claims: { 'token.example.com:sub': ['me'] },
    };
    const made = sessions.issue(JOB, grant, 900, NOW);
    const facts = { ...grant, issuedAt: NOW, expiresAt: made.Expiration, issuer: undefined };
    expect(openAs(made).session).toEqual(facts);
  });

  it('lets the sessions of a user end with the user, not with its key or its name', async () => {
    const made = [begin(ANN), begin({ kind: 'federated-user', name: 'Bob', issuer: ANN })];
    const ann = store.get('users', 'ann')!;
    await store.change((draft) => draft.delete('accessKeys', userKey.id));
    expect(made.map(verdictOn)).toEqual(['valid', 'valid']);
    await store.change((draft) => {
      draft.delete('users', 'ann');
      draft.put('users', 'anna', { ...ann, name: 'Anna' });
      draft.put('users', 'ann', { ...ann, id: 'AIDAOTHER' });
    });
    expect(made.map((session) => openAs(session).session?.issuer ?? openAs(session).arn)).toEqual(
      Array(2).fill(`arn:aws:iam::${ACCOUNT}:user/p/Anna`),
    );
    await store.change((draft) => draft.delete('users', 'anna'));
    expect(made.map(verdictOn)).toEqual(['session-token-invalid', 'session-token-invalid']);
  });

  it('has a steady secret for unknown keys that is no secret of anybody', () => {
    const first = keys.find('AKIAUNKNOWN', undefined, NOW);
    expect(first.verdict).toMatchObject({ valid: false, kind: 'unknown-key' });
    expect(first.secret).toHaveLength(40);
    expect(keys.find('AKIAUNKNOWN', undefined, NOW).secret).toBe(first.secret);
    expect(keys.find('AKIAUNKNOWM', undefined, NOW).secret).not.toBe(first.secret);
    const other = createKeyRing({ store, sealer: createSealer(randomBytes(32)), sessions });
    expect(other.find('AKIAUNKNOWN', undefined, NOW).secret).not.toBe(first.secret);
  });

  it('refuses a session from its last second on', () => {
    const last = new Date(session.Expiration.getTime() - 1);
    expect(refusalOf(session.AccessKeyId, session.SessionToken, last)).toBe('valid');
    expect(refusalOf(session.AccessKeyId, session.SessionToken, session.Expiration)).toBe('session-token-expired');
    expect(refusalOf(session.AccessKeyId, session.SessionToken, new Date(Number.NaN))).toBe('session-token-expired');
  });

  it('refuses keys and tokens that do not belong together', () => {
    const other = begin(JOB);
    expect(refusalOf(session.AccessKeyId)).toBe('session-token-invalid');
    expect(refusalOf(session.AccessKeyId, other.SessionToken)).toBe('session-token-invalid');
    expect(refusalOf(userKey.id, session.SessionToken)).toBe('session-token-invalid');
    expect(refusalOf(session.AccessKeyId, 'x'.repeat(10_000))).toBe('session-token-invalid');
    expect(refusalOf(`ASIA${'A'.repeat(10_000)}`, session.SessionToken)).toBe('session-token-invalid');
    const foreign = createSessionMaker({ sealer: createSealer(randomBytes(32)), random: randomBytes });
    const forged = begin(JOB, foreign);
    expect(refusalOf(forged.AccessKeyId, forged.SessionToken)).toBe('session-token-invalid');
  });

  it('follows every change at once', async () => {
    const record = store.get('accessKeys', userKey.id)!;
    await store.change((draft) => draft.put('accessKeys', record.id, { ...record, active: false }));
    expect(refusalOf(userKey.id)).toBe('inactive-key');
    await store.change((draft) => draft.put('accessKeys', record.id, { ...record, active: true }));
    expect(refusalOf(userKey.id)).toBe('valid');
    const role = store.get('roles', 'worker')!;
    await store.change((draft) => draft.put('roles', 'worker', { ...role, id: 'AROAANOTHER' }));
    expect(refusalOf(session.AccessKeyId, session.SessionToken)).toBe('session-token-invalid');
    await store.change((draft) => draft.delete('roles', 'worker'));
    expect(refusalOf(session.AccessKeyId, session.SessionToken)).toBe('session-token-invalid');
    await store.change((draft) => draft.delete('users', 'ann'));
    expect(refusalOf(userKey.id)).toBe('unknown-key');
    await store.change((draft) => draft.delete('accessKeys', userKey.id));
    expect(refusalOf(userKey.id)).toBe('unknown-key');
  });

  it('does not open a secret that was moved to the record of another key', async () => {
    const stolen = store.get('accessKeys', rootCredentials(store, sealer).accessKeyId)!.sealedSecret;
    const record = store.get('accessKeys', userKey.id)!;
    await store.change((draft) => draft.put('accessKeys', record.id, { ...record, sealedSecret: stolen }));
    expect(refusalOf(userKey.id)).toBe('unknown-key');
  });
});

describe('the authority', () => {
  const ask = (identity: Identity, action: string) =>
    createAuthority({ store, account: ACCOUNT }).decide(identity, { action, resource: '*', context: {} });

  it('allows the root user everything, of its own account', () => {
    const root = identityOf(rootCredentials(store, sealer).accessKeyId);
    expect(ask(root, 'dsql:DbConnectAdmin').allowed).toBe(true);
    expect(ask({ ...root, account: '999999999999' }, 'dsql:DbConnectAdmin').allowed).toBe(false);
  });

  it('decides by the policies of the user or of the role, as they stand now', async () => {
    const ann = identityOf(userKey.id);
    const job = identityOf(session.AccessKeyId, session.SessionToken);
    expect([ask(ann, 'dsql:DbConnect').allowed, ask(ann, 'dsql:DbConnectAdmin').allowed]).toEqual([true, false]);
    expect([ask(job, 'dsql:DbConnect').allowed, ask(job, 'dsql:DbConnectAdmin').allowed]).toEqual([false, true]);
    const user = store.get('users', 'ann')!;
    await store.change((draft) =>
      draft.put('users', 'ann', { ...user, policies: { ...user.policies, n: policy('Deny', '*') } }),
    );
    expect(ask(ann, 'dsql:DbConnect').effect).toBe('explicit-deny');
    await store.change((draft) => draft.put('users', 'ann', { ...user, policies: {} }));
    expect(ask(ann, 'dsql:DbConnect').effect).toBe('implicit-deny');
  });

  it('denies a user or role that is gone or was made again', async () => {
    const ann = identityOf(userKey.id);
    const job = identityOf(session.AccessKeyId, session.SessionToken);
    const [user, role] = [store.get('users', 'ann')!, store.get('roles', 'worker')!];
    await store.change((draft) => {
      draft.put('users', 'ann', { ...user, id: 'AIDAOTHER' });
      draft.put('roles', 'worker', { ...role, id: 'AROAOTHER' });
    });
    expect(ask(ann, 'dsql:DbConnect').allowed).toBe(false);
    expect(ask(job, 'dsql:DbConnectAdmin').allowed).toBe(false);
    await store.change((draft) => draft.delete('users', 'ann'));
    expect(ask(ann, 'dsql:DbConnect').because).toContain('does not exist any more');
  });

  it('denies everything where a stored policy cannot be read', async () => {
    const user = store.get('users', 'ann')!;
    await store.change((draft) =>
      draft.put('users', 'ann', { ...user, policies: { ...user.policies, broken: '{"Statement":' } }),
    );
    expect(ask(identityOf(userKey.id), 'dsql:DbConnect').allowed).toBe(false);
  });
});

describe('the account', () => {
  it('is made once', async () => {
    const first = rootCredentials(store, sealer);
    await bootstrapAccount(store, sealer, { ...setup, clusterId: 'z'.repeat(26) });
    expect(rootCredentials(store, sealer)).toEqual(first);
    expect(store.all('clusters').map(({ id }) => id)).toEqual([CLUSTER]);
    expect(JSON.stringify([store.all('accessKeys'), store.all('account')])).not.toContain(first.secretAccessKey);
  });

  it('is not taken for another one', async () => {
    const other = bootstrapAccount(store, sealer, { ...setup, account: '999999999999' });
    await expect(other).rejects.toThrow(AccountMismatch);
    await expect(other).rejects.toThrow('--account 999999999999: the data directory was made for 123456789012');
    await expect(bootstrapAccount(store, sealer, { ...setup, region: 'eu-west-1' })).rejects.toThrow(
      '--region eu-west-1: the data directory was made for us-east-1',
    );
  });

  it('does not open with another sealing key', () => {
    expect(() => rootCredentials(store, createSealer(randomBytes(32)))).toThrow(/sealing key/);
  });
});
