import { describe, expect, it } from 'vitest';
import type { Attempt } from '../attempts/attempt.ts';
import type { Identity } from '../iam/identity.ts';
import { ACCOUNT, allow, arn, CLUSTER, deny, document, ID, type Member, NOW, when } from '../iam/testing-account.ts';
import { clusterRecord } from '../state/testing-records.ts';
import { inPieces } from './pieces.ts';
import type { AccessReview, Login } from './report.ts';
import { reviewing, type TestingCatalog } from './testing-review.ts';

const ADMIN = 'dsql:DbConnectAdmin';
const CONNECT = 'dsql:DbConnect';
const ADDRESS = when('IpAddress', 'aws:SourceIp', '10.0.0.0/8');

/** One login a line: who, as whom, and the answer. */
const summary = ({ clusters }: AccessReview) =>
  clusters.flatMap(({ logins }) =>
    logins.map(({ principal, role, answer }) => `${principal.split(':').at(-1)} ${role ?? '?'} ${answer}`),
  );
const ROOT = 'root admin allowed';

async function account(users: Record<string, Member>, catalog?: TestingCatalog, roles: Record<string, Member> = {}) {
  const made = await reviewing(catalog);
  for (const [name, member] of Object.entries(users)) await made.add('user', name, member);
  for (const [name, member] of Object.entries(roles)) await made.add('role', name, member);
  return made;
}

const inline = (...statements: Parameters<typeof document>) => ({ policies: { p: document(...statements) } });

interface Case {
  name: string;
  member: Member;
  answer: Login['answer'] | undefined;
  conditions?: string[];
  unless?: string[];
}

const CASES: Case[] = [
  { name: 'without any policy', member: {}, answer: undefined },
  { name: 'who is allowed it', member: inline(allow(ADMIN, CLUSTER)), answer: 'allowed', conditions: [] },
  { name: 'who is allowed it on another cluster', member: inline(allow(ADMIN, `${CLUSTER}x`)), answer: undefined },
  {
    name: 'who is allowed it from some addresses',
    member: inline(allow(ADMIN, '*', ADDRESS)),
    answer: 'conditional',
    conditions: ['IpAddress aws:SourceIp 10.0.0.0/8'],
  },
  {
    name: 'who is allowed it anyway beside that',
    member: inline(allow(ADMIN, '*', ADDRESS), allow(ADMIN)),
    answer: 'allowed',
    conditions: [],
  },
  {
    name: 'who is denied it from other addresses',
    member: inline(allow(ADMIN), deny(ADMIN, '*', when('NotIpAddress', 'aws:SourceIp', '10.0.0.0/8'))),
    answer: 'conditional',
    conditions: [],
    unless: ['NotIpAddress aws:SourceIp 10.0.0.0/8'],
  },
  { name: 'who is denied it', member: inline(allow(ADMIN, '*', ADDRESS), deny(ADMIN)), answer: undefined },
  {
    name: 'whose condition is known not to hold',
    member: inline(allow(ADMIN, '*', when('StringEquals', 'aws:PrincipalTag/team', 'blue'))),
    answer: undefined,
  },
  {
    name: 'whose condition is known to hold',
    member: {
      ...inline(allow(ADMIN, '*', when('StringEquals', 'aws:PrincipalTag/team', 'blue'))),
      tags: [{ Key: 'team', Value: 'blue' }],
    },
    answer: 'allowed',
  },
  {
    name: 'whose time is over',
    member: inline(allow(ADMIN, '*', when('DateLessThan', 'aws:CurrentTime', '2026-01-01T00:00:00Z'))),
    answer: undefined,
  },
  {
    name: 'whose time ends one day',
    member: inline(allow(ADMIN, '*', when('DateLessThan', 'aws:CurrentTime', '2027-01-01T00:00:00Z'))),
    answer: 'conditional',
  },
  {
    name: 'whose time has begun for good',
    member: inline(allow(ADMIN, '*', when('DateGreaterThan', 'aws:CurrentTime', '2026-01-01T00:00:00Z'))),
    answer: 'allowed',
  },
  {
    name: 'who needs a key that logins never have',
    member: inline(allow(ADMIN, '*', when('Bool', 'aws:MultiFactorAuthPresent', 'true'))),
    answer: undefined,
  },
  {
    name: 'whose policy cannot be read',
    member: { policies: { p: '{' } },
    answer: undefined,
  },
];

const texts = (statements: Login['through']) =>
  statements.flatMap(({ conditions }) =>
    conditions.map(({ operator, key, wanted }) => `${operator} ${key} ${wanted.join(',')}`),
  );

describe('who may be admin', () => {
  it.each(CASES)('answers for a user $name', async ({ member, answer, conditions, unless }) => {
    const { ask } = await account({ alice: member });
    const review = await ask();
    const login = review.clusters[0]?.logins.find(({ principal }) => principal === arn('user/alice'));
    expect(login?.answer).toBe(answer);
    if (conditions) expect(texts(login!.through)).toEqual(conditions);
    if (unless) expect(texts(login!.unless)).toEqual(unless);
    expect(summary(review)).toContain(ROOT);
  });

  it('names the statement, the group and the boundary', async () => {
    const made = await reviewing();
    const boundary = await made.addPolicy('fence', document(allow('dsql:*')));
    await made.add('group', 'devs', inline({ Sid: 'In', ...allow(ADMIN) }));
    await made.add('user', 'alice', { groups: ['devs'], boundary });
    const review = await made.ask({ principal: arn('user/alice') });
    expect(review.clusters[0]?.logins[0]?.through).toMatchObject([
      { kind: 'identity', policy: 'p', origin: 'group devs', statement: 'In' },
      { kind: 'boundary', origin: boundary, statement: '#1' },
    ]);
    expect(review.principals).toMatchObject([{ kind: 'user', groups: ['devs'], boundary }]);
  });

  it('denies what the boundary does not allow', async () => {
    const made = await reviewing();
    const boundary = await made.addPolicy('fence', document(allow(CONNECT)));
    await made.add('user', 'alice', { ...inline(allow('dsql:*')), boundary });
    expect(summary(await made.ask())).toEqual([ROOT]);
  });
});

/** A role with a trust policy of these statements. */
async function withTrust(statements: object[], member: Member, catalog?: TestingCatalog) {
  const made = await reviewing(catalog);
  await made.add('role', 'app', member);
  await made.store.change((draft) => {
    const role = draft.get('roles', 'app')!;
    draft.put('roles', 'app', { ...role, trustPolicy: document(...(statements as Parameters<typeof document>)) });
  });
  return made;
}
const trusts = (Action: unknown, Principal: unknown = { AWS: arn('root') }, more: object = {}) => ({
  Effect: 'Allow',
  Principal,
  Action,
  ...more,
});

describe('sessions of roles', () => {
  const byTag = inline(allow(ADMIN, '*', when('StringEquals', 'aws:PrincipalTag/team', 'blue')));

  it('have no tags that the trust policy does not let be given', async () => {
    const { ask } = await withTrust([trusts('sts:AssumeRole')], byTag);
    expect(summary(await ask())).toEqual([ROOT]);
  });

  it('may have tags that it lets be given', async () => {
    const { ask } = await withTrust([trusts(['sts:AssumeRole', 'sts:TagSession'])], byTag);
    const review = await ask();
    expect(summary(review)).toEqual([ROOT, 'role/app admin conditional']);
    expect(review.principals.at(-1)?.trust).toMatchObject([{ principals: [arn('root')], statement: '#1' }]);
  });

  it('are asked about by the name that a policy of the cluster has', async () => {
    const { ask, store } = await withTrust([trusts('sts:AssumeRole')], {});
    const session = `arn:aws:sts::${ACCOUNT}:assumed-role/app/deploy`;
    await store.change((draft) => {
      const policy = document({ Effect: 'Allow', Principal: { AWS: session }, Action: ADMIN, Resource: '*' });
      draft.put('clusters', ID, { ...draft.get('clusters', ID)!, policy: { document: policy, version: '1' } });
    });
    expect(summary(await ask())).toEqual([ROOT, 'assumed-role/app/deploy admin allowed']);
  });

  it('take a policy variable in a resource for whatever it could be', async () => {
    const member = inline(allow(ADMIN, `arn:aws:dsql:*:*:cluster/\${aws:PrincipalTag/cluster}`));
    const { ask } = await withTrust([trusts(['sts:AssumeRole', 'sts:TagSession'])], member);
    const [, login] = (await ask()).clusters[0]!.logins;
    expect(texts(login!.through)).toEqual([
      `Resource aws:PrincipalTag/cluster arn:aws:dsql:*:*:cluster/\${aws:PrincipalTag/cluster}`,
    ]);
  });
});

describe('who may be another database role', () => {
  const catalog: TestingCatalog = {
    roles: { reader: {}, closed: { canLogin: false }, spare: {} },
    mappings: [
      [arn('user/alice'), 'reader'],
      [arn('user/alice'), 'closed'],
      [arn('user/bob'), 'reader'],
      [arn('user/gone'), 'reader'],
    ],
  };
  const users = { alice: inline(allow(CONNECT, CLUSTER)), bob: {}, eve: inline(allow(CONNECT, CLUSTER)) };

  it('needs the policy, the mapping and LOGIN', async () => {
    const { ask } = await account(users, catalog);
    expect(summary(await ask())).toEqual([
      ROOT,
      'user/alice reader allowed',
      'user/alice closed denied',
      'user/bob reader denied',
    ]);
  });

  it('shows one role, or one principal, and what is about it', async () => {
    const { ask } = await account(users, catalog);
    const ofRole = await ask({ role: 'closed' });
    expect(summary(ofRole)).toEqual(['user/alice closed denied']);
    expect(ofRole.clusters[0]?.roles.map(({ name }) => name)).toEqual(['closed']);
    expect(ofRole.warnings.map(({ id }) => id)).toEqual(['mapping-without-login']);
    const ofBob = await ask({ principal: arn('user/bob') });
    expect(summary(ofBob)).toEqual(['user/bob reader denied']);
    expect(ofBob.warnings.map(({ id }) => id)).toEqual(['mapping-denied']);
    expect((await ask({ principal: arn('user/gone') })).warnings.map(({ id }) => id)).toEqual([
      'mapping-identity-gone',
    ]);
  });

  it('refuses what is nowhere', async () => {
    const { ask } = await account(users, catalog);
    await expect(ask({ cluster: 'x' })).rejects.toThrow('there is no cluster x');
    await expect(ask({ role: 'x' })).rejects.toThrow('there is no database role x');
    await expect(ask({ principal: arn('user/x') })).rejects.toThrow('is no user, role or root user');
  });
});

describe('clusters', () => {
  it('are woken and kept awake while they are read, once for all that share a database', async () => {
    const { ask, store, calls } = await account({});
    await store.change((draft) =>
      draft.put('clusters', 'b'.repeat(26), clusterRecord('b'.repeat(26), { database: ID, region: 'us-east-1' })),
    );
    const { clusters } = await ask();
    expect(clusters.map(({ state }) => state)).toEqual(['read', 'read']);
    expect(calls).toEqual([`use ${ID}`, `wake ${ID}`, `release ${ID}`]);
  });

  it('are left asleep when that is asked, and then it is unknown who may connect as whom', async () => {
    const { ask, state, calls } = await account({ alice: inline(allow(CONNECT)) });
    state.awake = false;
    const review = await ask({ wake: false });
    expect(summary(review)).toEqual([ROOT, 'user/alice ? allowed']);
    expect(review.clusters[0]).toMatchObject({ state: 'unknown', roles: [] });
    expect(review.warnings).toMatchObject([{ id: 'wildcard-resource' }, { id: 'cluster-asleep', level: 'info' }]);
    expect(calls).toEqual([]);
  });

  it('that cannot be read are a warning, and are let go', async () => {
    const { ask, state, calls } = await account({});
    state.fails = new Error('disk full');
    expect((await ask()).warnings).toMatchObject([
      { id: 'database-unread', text: expect.stringContaining('disk full') },
    ]);
    expect(calls.at(-1)).toBe(`release ${ID}`);
  });

  it('that take no connections let nobody in', async () => {
    const { ask, store, calls } = await account({});
    await store.change((draft) => draft.put('clusters', ID, { ...draft.get('clusters', ID)!, status: 'DELETING' }));
    expect((await ask()).clusters).toMatchObject([{ state: 'closed', logins: [], reason: expect.any(String) }]);
    expect(calls).toEqual([]);
  });
});

describe('what roles may do', () => {
  it('comes from themselves, from roles whose privileges they inherit, and from those they can become', async () => {
    const { ask } = await account(
      {},
      {
        roles: { a: {}, b: {}, c: {}, d: {}, pg_read_all_data: { kind: 'predefined' } },
        memberships: [
          ['a', 'b'],
          ['b', 'pg_read_all_data'],
          ['a', 'c', { inherit: false }],
          ['c', 'd', { set: false }],
          ['admin', 'a', { admin: true, inherit: false, set: false }],
        ],
        grants: [
          ['a', { privileges: ['INSERT', 'SELECT'], grantable: ['SELECT'] }],
          ['PUBLIC', { kind: 'schema', schema: null, name: 'public', privileges: ['USAGE'] }],
        ],
        owned: [['b', { name: 'u' }]],
      },
    );
    const { roles, public: everybody } = (await ask()).clusters[0]!;
    const [admin, a, b] = roles;
    expect(roles.map(({ name }) => name)).toEqual(['admin', 'a', 'b', 'c', 'd']);
    expect(admin).toMatchObject({ administers: ['a'], inherits: [], maySet: [], attributes: ['CREATEROLE'] });
    expect(a).toMatchObject({
      inherits: ['b', 'pg_read_all_data'],
      maySet: ['c', 'd'],
      privileges: [
        { kind: 'table', schema: 'app', name: 't', privileges: ['INSERT', 'SELECT'], grantable: ['SELECT'] },
      ],
    });
    expect(b?.owns).toEqual([{ kind: 'table', schema: 'app', name: 'u' }]);
    expect(everybody).toMatchObject([{ kind: 'schema', name: 'public', privileges: ['USAGE'] }]);
  });
});

const DAY = 24 * 60 * 60 * 1000;
const OLD = new Date(NOW.getTime() - 100 * DAY).toISOString();
const RECENT = new Date(NOW.getTime() - 5 * DAY);

/** What each warning is raised for. */
const WARNED: [
  id: string,
  level: string,
  text: RegExp,
  prepare: () => Promise<Awaited<ReturnType<typeof reviewing>>>,
][] = [
  [
    'wildcard-resource',
    'medium',
    /Statement #1 of policy p of user alice lets/,
    () => account({ alice: inline(allow(CONNECT)) }),
  ],
  ...[
    { Effect: 'Allow', NotAction: 'iam:*', Resource: '*' },
    { Effect: 'Allow', Action: '*', Resource: 'arn:aws:dsql:*:*:*' },
    { Effect: 'Allow', Action: '*', Resource: '*', Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } } },
    { Effect: 'Allow', Action: 'dsql:*', NotResource: 'arn:aws:s3:::*' },
  ].map((statement): (typeof WARNED)[number] => [
    'wildcard-resource',
    'medium',
    /lets .*user\/alice connect to every cluster/,
    () => account({ alice: inline(statement) }),
  ]),
  [
    'wide-policy-admin',
    'medium',
    /AdministratorAccess/,
    () => account({ alice: { attached: ['arn:aws:iam::aws:policy/AdministratorAccess'] } }),
  ],
  ['wide-policy-admin', 'low', /role\/app may do everything/, () => account({}, {}, { app: inline(allow('*')) })],
  ['unusable-policy', 'low', /is denied everything/, () => account({ alice: { attached: [arn('policy/gone')] } })],
  ['open-trust', 'high', /lets everybody become it/, () => withTrust([trusts('sts:AssumeRole', '*')], {})],
  [
    'open-trust',
    'high',
    /lets everybody whom .*example\.com knows become it/,
    () => withTrust([trusts('sts:AssumeRoleWithWebIdentity', { Federated: arn('oidc-provider/example.com') })], {}),
  ],
  ['role-without-mapping', 'low', /Role spare .* has LOGIN/, () => account({}, { roles: { spare: {} } })],
  [
    'grant-to-public',
    'medium',
    /has SELECT on table t, u in schema app/,
    () =>
      account(
        {},
        {
          grants: [
            ['PUBLIC', {}],
            ['PUBLIC', { name: 'u' }],
          ],
        },
      ),
  ],
  [
    'public-create',
    'high',
    /has CREATE on schema public/,
    () =>
      account(
        {},
        { grants: [['PUBLIC', { kind: 'schema', schema: null, name: 'public', privileges: ['CREATE', 'USAGE'] }]] },
      ),
  ],
  ['review-cut', 'medium', /is not whole/, () => account({}, { cut: true })],
  ['root-key', 'medium', /AKIAROOT/, () => withKey('AKIAROOT', null, OLD)],
  ['key-unused', 'low', /100 days old, and no use .* not remembered/, () => withKey('AKIAOLD', 'alice', OLD)],
  [
    'key-unused',
    'medium',
    /AKIAOLD .* was not used for 90 days/,
    async () => {
      const made = await withKey('AKIAOLD', 'alice', OLD);
      made.state.at = new Date(NOW.getTime() + 91 * DAY);
      return made;
    },
  ],
  [
    'long-term-key-in-use',
    'low',
    /AKIAUSED .* last seen 2026-02-24/,
    async () => {
      const made = await withKey('AKIAUSED', 'alice', OLD);
      made.keyUses.note('AKIAUSED', { at: RECENT, service: 'iam', region: 'us-east-1' });
      return made;
    },
  ],
  ['admin-in-use', 'medium', /user\/alice logged in as admin/, () => withLogin(arn('user/alice'), 'admin')],
];

async function withKey(id: string, user: string | null, createdAt: string) {
  const made = await account({ alice: {} });
  await made.store.change((draft) =>
    draft.put('accessKeys', id, { id, user, sealedSecret: '', active: true, createdAt }),
  );
  return made;
}

async function withLogin(principalArn: string, user: string) {
  const made = await account({ alice: {} });
  const attempt: Attempt = { connectionId: '1', at: NOW, sourceAddress: '127.0.0.1' };
  attempt.request = { user, database: 'postgres' };
  attempt.cluster = { id: ID, arn: CLUSTER };
  attempt.identity = { arn: principalArn, principalArn } as Identity;
  attempt.end = { outcome: 'accepted' };
  made.attempts.add(attempt);
  return made;
}

describe('warnings', () => {
  it.each(WARNED)('%s (%s): %s', async (id, level, text, prepare) => {
    const { warnings } = await (await prepare()).ask();
    expect(warnings).toEqual([
      expect.objectContaining({ id, level, text: expect.stringMatching(text), change: expect.stringMatching(/\.|;$/) }),
    ]);
  });

  it.each<[string, () => Promise<Awaited<ReturnType<typeof reviewing>>>]>([
    ['the root user as admin', () => withLogin(arn('root'), 'admin')],
    ['a user as another role', () => withLogin(arn('user/alice'), 'reader')],
    ['a new key that nobody has used', () => withKey('AKIANEW', 'alice', NOW.toISOString())],
    ['a policy that names the cluster', () => account({ alice: inline(allow(CONNECT, CLUSTER)) })],
    [
      'a policy that chooses clusters by tag',
      () => account({ alice: inline(allow(CONNECT, '*', when('StringEquals', 'aws:ResourceTag/x', 'y'))) }),
    ],
    [
      'what PostgreSQL gives to PUBLIC',
      () =>
        account(
          {},
          {
            grants: [
              ['PUBLIC', { kind: 'database', schema: null, name: 'postgres', privileges: ['CONNECT', 'TEMPORARY'] }],
              ['PUBLIC', { kind: 'function', name: 'f()', privileges: ['EXECUTE'] }],
            ],
          },
        ),
    ],
    ['a trust policy with a condition', () => withTrust([trusts('sts:AssumeRole', '*', ADDRESS)], {})],
  ])('are not raised for %s', async (_, prepare) => {
    expect((await (await prepare()).ask()).warnings).toEqual([]);
  });

  it('stand the gravest first', async () => {
    const { ask } = await account(
      { alice: inline(allow(CONNECT)) },
      { roles: { spare: {} }, grants: [['PUBLIC', { kind: 'schema', schema: null, privileges: ['CREATE'] }]] },
    );
    expect((await ask()).warnings.map(({ level }) => level)).toEqual(['high', 'medium', 'low']);
  });
});

describe('a large account', () => {
  it('is reviewed in pieces, so that others get their turn', async () => {
    const made = await reviewing();
    await made.store.change((draft) => {
      for (let n = 0; n < 20; n++) {
        const id = String(n).padStart(26, 'c');
        draft.put('clusters', id, clusterRecord(id));
      }
      for (let n = 0; n < 1000; n++) {
        const name = `u${n}`;
        const more = { path: '/', createdAt: OLD, tags: [], attached: [], boundary: null, groups: [] };
        draft.put('users', name, { name, id: `AIDA${n}`, ...inline(allow(ADMIN, '*', ADDRESS)), ...more });
      }
    });
    let turns = 0;
    let isOver = false;
    const count = () => {
      turns += 1;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    const review = await made.ask();
    expect(review.clusters.flatMap(({ logins }) => logins)).toHaveLength(21 * 1001);
    expect(turns).toBeGreaterThan(1000);
    turns = 0;
    let text = '';
    for await (const piece of inPieces(review)) text += piece;
    isOver = true;
    expect(turns).toBeGreaterThan(100);
    expect(JSON.parse(text)).toEqual(review);
  });
});
