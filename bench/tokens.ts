/** Runs in a process of its own: how many tokens one core verifies a second. Prints one JSON line. */
import { randomBytes } from 'node:crypto';
import { newAccessKey } from '../src/iam/access-keys.ts';
import { createAuthority } from '../src/iam/authority.ts';
import { PLAIN_GRANT } from '../src/iam/identity.ts';
import { createKeyRing } from '../src/iam/keys.ts';
import { presignToken } from '../src/sigv4/presign.ts';
import { parseToken } from '../src/sigv4/token.ts';
import { verifyToken } from '../src/sigv4/verify.ts';
import { createMemoryStore } from '../src/state/memory-store.ts';
import type { RoleRecord, UserRecord } from '../src/state/records.ts';
import { createSealer } from '../src/state/sealing.ts';
import { createSessionMaker } from '../src/sts/session-token.ts';
import { cpuTime } from './cpu-time.ts';

const ACCOUNT = '123456789012';
const REGION = 'us-east-1';
const HOST = `${'a'.repeat(26)}.dsql.${REGION}.on.aws`;
const RESOURCE = `arn:aws:dsql:${REGION}:${ACCOUNT}:cluster/${'a'.repeat(26)}`;

const POLICY = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Sid: 'Connect', Effect: 'Allow', Action: 'dsql:DbConnect', Resource: RESOURCE }],
});

const now = new Date();
const order = { host: HOST, region: REGION, action: 'DbConnect', expiresIn: 900, now } as const;
const store = createMemoryStore();
const sealer = createSealer(randomBytes(32));
const sessions = createSessionMaker({ sealer, random: randomBytes });
const createdAt = now.toISOString();
const common = { path: '/', createdAt, tags: [], policies: { connect: POLICY }, attached: [], boundary: null };
const user: UserRecord = { ...common, groups: [], name: 'writer', id: 'AIDAEXAMPLEEXAMPLE00' };
const role: RoleRecord = {
  ...common,
  name: 'reader',
  id: 'AROAEXAMPLEEXAMPLE00',
  description: '',
  maxSessionDuration: 3600,
  trustPolicy: '{}',
  trustPrincipals: {},
};
const { record, secret } = newAccessKey(sealer, randomBytes, 'writer', now);
await store.change((draft) => {
  const clusterId = 'a'.repeat(26);
  const account = { account: ACCOUNT, region: REGION, createdAt, rootAccessKeyId: 'AKIA', defaultClusterId: clusterId };
  draft.put('account', 'this', account);
  draft.put('users', 'writer', user);
  draft.put('roles', 'reader', role);
  draft.put('accessKeys', record.id, record);
});
const keys = createKeyRing({ store, sealer, sessions });
const authority = createAuthority({ store, account: ACCOUNT });

/** As the gateway does it, without the gateway. */
function login(token: string): void {
  const claim = parseToken(token);
  const { secret: own, verdict } = keys.find(claim.accessKeyId, claim.sessionToken, now);
  verifyToken(claim, own, { now, region: REGION });
  if (!verdict.valid) throw new Error(verdict.detail);
  const request = {
    action: `dsql:${claim.action}`,
    resource: RESOURCE,
    context: { 'aws:sourceip': ['127.0.0.1'], 'aws:currenttime': [now.toISOString()] },
  };
  const decision = authority.decide(verdict.identity, request);
  if (!decision.allowed) throw new Error(decision.because);
}

const rate = (work: () => void) => 1e6 / cpuTime(work);

const longTerm = { accessKeyId: record.id, secretAccessKey: secret };
const issued = sessions.issue(
  { kind: 'role', id: role.id, name: role.name, sessionName: 'session' },
  PLAIN_GRANT,
  3600,
  now,
);
const temporary = {
  accessKeyId: issued.AccessKeyId,
  secretAccessKey: issued.SecretAccessKey,
  sessionToken: issued.SessionToken,
};
const kilobyte = { ...temporary, sessionToken: randomBytes(768).toString('base64') };
const tokens = {
  kilobyte: presignToken({ ...order, credentials: kilobyte }),
  user: presignToken({ ...order, credentials: longTerm }),
  session: presignToken({ ...order, credentials: temporary }),
};
const result = {
  signature: rate(() => verifyToken(parseToken(tokens.kilobyte), kilobyte.secretAccessKey, { now, region: REGION })),
  user: rate(() => login(tokens.user)),
  session: rate(() => login(tokens.session)),
};
console.log(JSON.stringify(result));
