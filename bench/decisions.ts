/** Runs in a process of its own: how long one core takes to decide. Prints one JSON line, in µs for each decision. */
import { createAuthority } from '../src/iam/authority.ts';
import type { AccessRequest, Identity } from '../src/iam/identity.ts';
import { createMemoryStore } from '../src/state/memory-store.ts';
import type { ManagedPolicyRecord } from '../src/state/records.ts';
import { cpuTime } from './cpu-time.ts';

const ACCOUNT = '123456789012';
const REGION = 'us-east-1';
const CLUSTER = 'a'.repeat(26);
const OTHERS = ['b'.repeat(26), 'c'.repeat(26)];
const RESOURCE = `arn:aws:dsql:${REGION}:${ACCOUNT}:cluster/${CLUSTER}`;
const createdAt = '2026-01-01T00:00:00.000Z';

// biome-ignore lint/suspicious/noTemplateCurlyInString: a policy variable.
const OWN_TEAM = '${aws:PrincipalTag/team}';

/**
 * Five statements, all of them about the action and the resource, so that every condition is looked at. Only the last one
 * allows, and only where `team` is the principal's.
 */
function document(team: string): string {
  const on = { Action: ['dsql:DbConnect', 'dsql:Get*'], Resource: `arn:aws:dsql:*:${ACCOUNT}:cluster/*` };
  const deny = (Condition: object) => ({ Effect: 'Deny', ...on, Condition });
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      deny({ NotIpAddress: { 'aws:SourceIp': ['10.0.0.0/8', '192.168.0.0/16', '127.0.0.0/8'] } }),
      deny({ Bool: { 'aws:SecureTransport': 'false' } }),
      deny({ DateGreaterThan: { 'aws:CurrentTime': '2030-01-01T00:00:00Z' } }),
      deny({ ArnNotLike: { 'aws:PrincipalArn': `arn:aws:iam::${ACCOUNT}:role/*` } }),
      {
        Effect: 'Allow',
        ...on,
        Condition: {
          StringEquals: { 'aws:PrincipalTag/team': team, 'aws:ResourceTag/team': OWN_TEAM },
        },
      },
    ],
  });
}

const arnOf = (name: string) => `arn:aws:iam::${ACCOUNT}:policy/${name}`;
function managed(name: string, team: string): ManagedPolicyRecord {
  return {
    name,
    id: `ANPA${name}`,
    path: '/',
    description: '',
    createdAt,
    updatedAt: createdAt,
    tags: [],
    versions: [{ id: 'v1', document: document(team), createdAt }],
    defaultVersion: 'v1',
    lastVersion: 1,
  };
}

/** Eight attached policies, of which the last one allows, a boundary and a session policy: ten. */
const attached = Array.from({ length: 8 }, (_, i) => `p${i}`);
const store = createMemoryStore();
await store.change((draft) => {
  draft.put('account', 'this', {
    account: ACCOUNT,
    region: REGION,
    createdAt,
    rootAccessKeyId: 'AKIA',
    defaultClusterId: CLUSTER,
  });
  for (const [i, name] of attached.entries()) {
    draft.put('managedPolicies', arnOf(name), managed(name, i === attached.length - 1 ? 'payments' : 'others'));
  }
  draft.put('managedPolicies', arnOf('boundary'), managed('boundary', 'payments'));
  draft.put('roles', 'reader', {
    name: 'reader',
    id: 'AROAEXAMPLEEXAMPLE00',
    path: '/',
    createdAt,
    description: '',
    maxSessionDuration: 3600,
    trustPolicy: '{}',
    trustPrincipals: {},
    tags: [{ Key: 'team', Value: 'payments' }],
    policies: {},
    attached: attached.map(arnOf),
    boundary: arnOf('boundary'),
  });
  for (const id of [CLUSTER, ...OTHERS]) {
    draft.put('clusters', id, {
      id,
      region: REGION,
      createdAt,
      status: 'ACTIVE',
      deletionProtection: false,
      tags: { team: 'payments' },
      policy: null,
      kmsKey: null,
      multiRegion: null,
      database: id,
      madeBy: null,
    });
  }
});

const role = `arn:aws:iam::${ACCOUNT}:role/reader`;
const session: Identity = {
  kind: 'role-session',
  account: ACCOUNT,
  arn: `arn:aws:sts::${ACCOUNT}:assumed-role/reader/session`,
  principalArn: role,
  userId: 'AROAEXAMPLEEXAMPLE00:session',
  accessKeyId: 'ASIA',
  session: {
    issuedAt: new Date(createdAt),
    expiresAt: new Date('2027-01-01T00:00:00Z'),
    policies: [document('payments')],
    policyArns: [],
    tags: [],
    transitiveTagKeys: [],
    sourceIdentity: undefined,
    federatedProvider: undefined,
    claims: {},
    issuer: undefined,
  },
};
const authority = createAuthority({ store, account: ACCOUNT });
const asked = (action: string): AccessRequest => ({
  action,
  resource: RESOURCE,
  context: {
    'aws:sourceip': ['10.1.2.3'],
    'aws:securetransport': ['true'],
    'aws:currenttime': ['2026-11-01T12:00:00.000Z'],
    'aws:epochtime': ['1793534400'],
  },
});
const elsewhere = OTHERS.map((id) => ({ ...asked('dsql:DbConnect'), resource: RESOURCE.replace(CLUSTER, id) }));
let turn = 0;
const connect = asked('dsql:DbConnect');
const drop = asked('dsql:DeleteCluster');
if (!authority.decide(session, connect).allowed) throw new Error(authority.decide(session, connect).because);
for (const each of elsewhere) if (!authority.decide(session, each).allowed) throw new Error('not allowed elsewhere');
if (authority.decide(session, drop).allowed) throw new Error('DeleteCluster is allowed');

const result = {
  allowed: cpuTime(() => authority.decide(session, connect)),
  elsewhere: cpuTime(() => authority.decide(session, elsewhere[turn++ & 1]!)),
  refused: cpuTime(() => authority.decide(session, drop)),
  explained: cpuTime(() => authority.decide(session, connect).explain()),
};
console.log(JSON.stringify(result));
