import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Log } from '../audit/log.ts';
import type { Identity } from '../iam/identity.ts';
import { Refused } from '../refused.ts';
import { createMemoryStore } from '../state/memory-store.ts';
import type { ClusterStatus } from '../state/records.ts';
import { clusterRecord } from '../state/testing-records.ts';
import { Lifecycle, type LifecycleOptions } from './lifecycle.ts';
import { TestingFleet } from './testing-fleet.ts';

const ACCOUNT = '123456789012';
const [EAST, OHIO, WITNESS] = ['us-east-1', 'us-east-2', 'us-west-2'];
const silent = { debug() {}, info() {}, warn() {}, error() {} } as unknown as Log;

const root: Identity = {
  kind: 'root',
  account: ACCOUNT,
  arn: `arn:aws:iam::${ACCOUNT}:root`,
  principalArn: `arn:aws:iam::${ACCOUNT}:root`,
  userId: ACCOUNT,
  accessKeyId: 'AKIAAAAAAAAAAAAAAAAA',
  session: undefined,
};
const asker = { caller: root, context: {} };

function setUp(changes: Partial<LifecycleOptions> = {}) {
  const store = createMemoryStore();
  const fleet = new TestingFleet();
  const waits: number[] = [];
  const sessionsEnded: string[] = [];
  const make = () =>
    new Lifecycle({
      store,
      fleet,
      endSessions: (clusterId) => void sessionsEnded.push(clusterId),
      account: ACCOUNT,
      regions: [EAST, OHIO],
      quotas: { singleRegion: 3, multiRegion: 2 },
      log: silent,
      now: () => new Date('2026-01-02T03:04:05.678Z'),
      random: randomBytes,
      pause: async (ms) => void waits.push(ms),
      ...changes,
    });
  const create = async (lifecycle: Lifecycle, input: object = {}, region = EAST) => {
    const made = await lifecycle.createCluster(region, { deletionProtectionEnabled: false, ...input }, asker);
    return made.identifier;
  };
  const statusOf = (id: string) => store.get('clusters', id)?.status;
  return { store, fleet, waits, sessionsEnded, make, create, statusOf, lifecycle: make() };
}

async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => new Error('it was accepted'),
    (reason: unknown) => reason,
  );
  if (error instanceof Refused) return `${error.kind}: ${error.say}`;
  throw error;
}

/** Lets promises that are due be resolved. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('a cluster', () => {
  it('is CREATING until its database is there, then ACTIVE, and IDLE while that sleeps', async () => {
    const { lifecycle, fleet, statusOf } = setUp();
    const made = await lifecycle.createCluster(EAST, {}, asker);
    expect(made).toMatchObject({ status: 'CREATING', deletionProtectionEnabled: true });
    const id = made.identifier;
    await lifecycle.settled();
    expect(statusOf(id)).toBe('ACTIVE');
    expect(fleet.calls).toEqual([`wake ${id}`]);
    expect(lifecycle.describe(lifecycle.find(EAST, id)).status).toBe('ACTIVE');
    fleet.awake.clear();
    expect(lifecycle.describe(lifecycle.find(EAST, id)).status).toBe('IDLE');
    expect(await lifecycle.updateCluster(EAST, { identifier: id })).toMatchObject({ status: 'ACTIVE' });
    expect(fleet.awake).toEqual(new Set([id]));
  });

  it('is DELETING until its data are removed, and then gone', async () => {
    const { lifecycle, fleet, create, store } = setUp();
    const id = await create(lifecycle);
    await lifecycle.settled();
    expect(await lifecycle.deleteCluster(EAST, { identifier: id })).toMatchObject({ status: 'DELETING' });
    expect(await lifecycle.deleteCluster(EAST, { identifier: id })).toMatchObject({ status: 'DELETING' });
    await lifecycle.settled();
    expect(store.all('clusters')).toEqual([]);
    expect(fleet.made).toEqual(new Set());
    expect(await refusal(lifecycle.deleteCluster(EAST, { identifier: id }))).toMatch(/^resource-not-found/);
  });

  it('that is deleted while it is made is made, and then deleted', async () => {
    const { lifecycle, fleet, create, store } = setUp();
    const id = await create(lifecycle);
    await lifecycle.deleteCluster(EAST, { identifier: id });
    await lifecycle.settled();
    expect(store.all('clusters')).toEqual([]);
    expect(fleet.calls.at(-1)).toBe(`remove ${id}`);
    expect(fleet.made).toEqual(new Set());
  });

  it('with deletion protection is not deleted', async () => {
    const { lifecycle, create, statusOf } = setUp();
    const id = await create(lifecycle, { deletionProtectionEnabled: true });
    await lifecycle.settled();
    const error = await lifecycle.deleteCluster(EAST, { identifier: id }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ kind: 'validation', fields: { reason: 'deletionProtectionEnabled' } });
    expect(statusOf(id)).toBe('ACTIVE');
    await lifecycle.updateCluster(EAST, { identifier: id, deletionProtectionEnabled: false });
    await lifecycle.deleteCluster(EAST, { identifier: id });
    await lifecycle.settled();
    expect(statusOf(id)).toBeUndefined();
  });

  it('is seen in its own region only', async () => {
    const { lifecycle, create } = setUp();
    const id = await create(lifecycle);
    expect(() => lifecycle.find(OHIO, id)).toThrow(/was not found/);
    expect(lifecycle.list(OHIO)).toEqual([]);
    expect(await refusal(lifecycle.updateCluster(OHIO, { identifier: id }))).toMatch(/^resource-not-found/);
    expect(await refusal(lifecycle.deleteCluster(OHIO, { identifier: id }))).toMatch(/^resource-not-found/);
  });

  it('that is being deleted cannot be changed', async () => {
    const { lifecycle, fleet, create } = setUp();
    const id = await create(lifecycle);
    await lifecycle.settled();
    fleet.trouble.push('hangs');
    await lifecycle.deleteCluster(EAST, { identifier: id });
    for (const call of [
      lifecycle.updateCluster(EAST, { identifier: id }),
      lifecycle.putPolicy(EAST, { identifier: id, policy: '{}' }, asker),
      lifecycle.deletePolicy(EAST, { identifier: id }),
    ]) {
      expect(await refusal(call)).toBe(`conflict: Cluster ${id} is DELETING.`);
    }
  });

  it('is told that it was encrypted with the key that was asked for', async () => {
    const { lifecycle } = setUp();
    const details = async (kmsEncryptionKey: string) =>
      (await lifecycle.createCluster(EAST, { kmsEncryptionKey }, asker)).encryptionDetails;
    expect(await details('AWS_OWNED_KMS_KEY')).toEqual({
      encryptionType: 'AWS_OWNED_KMS_KEY',
      encryptionStatus: 'ENABLED',
    });
    const arn = `arn:aws:kms:${EAST}:${ACCOUNT}:`;
    expect((await details(`${arn}key/1`)).kmsKeyArn).toBe(`${arn}key/1`);
    expect((await details('alias/mine')).kmsKeyArn).toBe(`${arn}alias/mine`);
  });
});

describe('quotas', () => {
  it('count the clusters of one region and kind that are not being deleted', async () => {
    const { lifecycle, create } = setUp();
    const ids = await Promise.all([create(lifecycle), create(lifecycle), create(lifecycle)]);
    const error = await lifecycle.createCluster(EAST, {}, asker).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      kind: 'quota-exceeded',
      say: 'You have reached the cluster limit.',
      fields: { resourceType: 'cluster', serviceCode: 'dsql', resourceId: '*', quotaCode: 'single-region-clusters' },
    });
    await create(lifecycle, {}, OHIO);
    const multi = { multiRegionProperties: { witnessRegion: WITNESS } };
    await create(lifecycle, multi);
    await create(lifecycle, multi);
    expect(await refusal(create(lifecycle, multi))).toMatch(/^quota-exceeded/);
    await lifecycle.deleteCluster(EAST, { identifier: ids[0] });
    await create(lifecycle);
  });
});

describe('a client token', () => {
  it('makes one cluster, however often and from however many it is asked for', async () => {
    const { lifecycle, store, make } = setUp();
    const input = { clientToken: 't', tags: { a: '1', b: '2' } };
    const [first, second] = await Promise.all([
      lifecycle.createCluster(EAST, input, asker),
      lifecycle.createCluster(EAST, { tags: { b: '2', a: '1' }, clientToken: 't' }, asker),
    ]);
    expect(second).toEqual(first);
    await lifecycle.settled();
    expect(await lifecycle.createCluster(EAST, input, asker)).toEqual(first);
    expect(await make().createCluster(EAST, input, asker)).toEqual(first);
    expect(store.all('clusters')).toHaveLength(1);
    expect(await refusal(lifecycle.createCluster(EAST, { ...input, tags: {} }, asker))).toBe(
      'conflict: The client token was used before, with other parameters.',
    );
    await lifecycle.createCluster(OHIO, input, asker);
    expect(store.all('clusters')).toHaveLength(2);
  });

  it('of an update or a deletion has one effect and the same answer', async () => {
    const { lifecycle, create, store } = setUp();
    const identifier = await create(lifecycle);
    await lifecycle.settled();
    const off = { identifier, clientToken: 'u', deletionProtectionEnabled: false };
    const answer = await lifecycle.updateCluster(EAST, off);
    await lifecycle.updateCluster(EAST, { identifier, deletionProtectionEnabled: true });
    expect(await lifecycle.updateCluster(EAST, off)).toEqual(answer);
    expect(store.get('clusters', identifier)!.deletionProtection).toBe(true);
    expect(await refusal(lifecycle.updateCluster(EAST, { ...off, deletionProtectionEnabled: true }))).toMatch(
      /^conflict/,
    );
    // What was refused may be tried again.
    expect(await refusal(lifecycle.deleteCluster(EAST, { identifier, clientToken: 'd' }))).toMatch(/^validation/);
    await lifecycle.updateCluster(EAST, { identifier, deletionProtectionEnabled: false });
    const deleted = await lifecycle.deleteCluster(EAST, { identifier, clientToken: 'd' });
    await lifecycle.settled();
    expect(store.get('clusters', identifier)).toBeUndefined();
    expect(await lifecycle.deleteCluster(EAST, { identifier, clientToken: 'd' })).toEqual(deleted);
  });

  it('is forgotten after a day', async () => {
    let now = Date.parse('2026-01-01T00:00:00Z');
    const { lifecycle, create, store } = setUp({ now: () => new Date(now) });
    const identifier = await create(lifecycle);
    await lifecycle.updateCluster(EAST, { identifier, clientToken: 'u', deletionProtectionEnabled: false });
    now += 24 * 60 * 60 * 1000;
    await lifecycle.updateCluster(EAST, { identifier, clientToken: 'u', deletionProtectionEnabled: true });
    expect(store.get('clusters', identifier)!.deletionProtection).toBe(true);
  });
});

describe('peers', () => {
  const properties = (...clusters: string[]) => ({ multiRegionProperties: { witnessRegion: WITNESS, clusters } });
  const arn = (id: string, region: string) => `arn:aws:dsql:${region}:${ACCOUNT}:cluster/${id}`;

  async function pair() {
    const all = setUp();
    const { lifecycle, create } = all;
    const a = await create(lifecycle, { multiRegionProperties: { witnessRegion: WITNESS } });
    const b = await create(lifecycle, properties(arn(a, EAST)), OHIO);
    return { ...all, a, b };
  }

  it('are PENDING_SETUP until both name each other, and then one database', async () => {
    const { lifecycle, fleet, statusOf, store, a, b } = await pair();
    await lifecycle.settled();
    expect([statusOf(a), statusOf(b), fleet.calls]).toEqual(['PENDING_SETUP', 'PENDING_SETUP', []]);
    const answer = await lifecycle.updateCluster(EAST, { identifier: a, ...properties(arn(b, OHIO)) });
    expect(answer.status).toBe('CREATING');
    await lifecycle.settled();
    expect([statusOf(a), statusOf(b)]).toEqual(['ACTIVE', 'ACTIVE']);
    const { database } = store.get('clusters', a)!;
    expect(store.get('clusters', b)!.database).toBe(database);
    expect(fleet.calls).toEqual([`wake ${database}`]);
    expect(lifecycle.describe(lifecycle.find(OHIO, b)).multiRegionProperties).toEqual({
      witnessRegion: WITNESS,
      clusters: [arn(b, OHIO), arn(a, EAST)],
    });
    // As Terraform sends it back, with whatever else it updates.
    await lifecycle.updateCluster(EAST, { identifier: a, ...properties(arn(a, EAST), arn(b, OHIO)) });
    expect(
      await refusal(lifecycle.updateCluster(EAST, { identifier: a, multiRegionProperties: { clusters: [] } })),
    ).toBe('validation: The witness Region and the peer cluster cannot be changed any more.');
  });

  it('may be named one after the other by updates', async () => {
    const { lifecycle, create, statusOf } = setUp();
    const multi = { multiRegionProperties: {} };
    const [a, b] = [await create(lifecycle, multi), await create(lifecycle, multi, OHIO)];
    await lifecycle.updateCluster(EAST, { identifier: a, multiRegionProperties: { witnessRegion: WITNESS } });
    await lifecycle.updateCluster(OHIO, { identifier: b, multiRegionProperties: { witnessRegion: WITNESS } });
    await lifecycle.updateCluster(EAST, { identifier: a, multiRegionProperties: { clusters: [arn(b, OHIO)] } });
    expect(statusOf(a)).toBe('PENDING_SETUP');
    await lifecycle.updateCluster(OHIO, { identifier: b, multiRegionProperties: { clusters: [arn(a, EAST)] } });
    await lifecycle.settled();
    expect([statusOf(a), statusOf(b)]).toEqual(['ACTIVE', 'ACTIVE']);
  });

  it('are PENDING_DELETE until both are deleted, and keep their data until then', async () => {
    const { lifecycle, fleet, store, statusOf, sessionsEnded, a, b } = await pair();
    await lifecycle.updateCluster(EAST, { identifier: a, ...properties(arn(b, OHIO)) });
    await lifecycle.settled();
    expect(await lifecycle.deleteCluster(EAST, { identifier: a })).toMatchObject({ status: 'PENDING_DELETE' });
    expect(sessionsEnded).toEqual([a]);
    await lifecycle.settled();
    expect([statusOf(a), statusOf(b)]).toEqual(['PENDING_DELETE', 'ACTIVE']);
    expect(fleet.made.size).toBe(1);
    expect(await lifecycle.deleteCluster(OHIO, { identifier: b })).toMatchObject({ status: 'DELETING' });
    await lifecycle.settled();
    expect(store.all('clusters')).toEqual([]);
    expect(fleet.made.size).toBe(0);
  });

  it('that are not set up are deleted at once', async () => {
    const { lifecycle, statusOf, a, b } = await pair();
    expect(await lifecycle.deleteCluster(EAST, { identifier: a })).toMatchObject({ status: 'DELETING' });
    await lifecycle.settled();
    expect([statusOf(a), statusOf(b)]).toEqual([undefined, 'PENDING_SETUP']);
    // What named it can still be changed, and named again.
    await lifecycle.updateCluster(OHIO, { identifier: b, deletionProtectionEnabled: true });
  });

  const absent = 'z'.repeat(26);
  it.each([
    [{ witnessRegion: 'nowhere' }, /^validation: "nowhere" is not the name of a Region/],
    [{ witnessRegion: EAST }, /^validation: The witness Region cannot be the same as the cluster's Region\.$/],
    [{ witnessRegion: WITNESS, clusters: [arn(absent, OHIO)] }, /^validation: The peer cluster .* does not exist/],
    [{ witnessRegion: WITNESS, clusters: [arn(absent, EAST)] }, /^validation: Peer clusters must be in different/],
    [
      { witnessRegion: WITNESS, clusters: [arn(absent, WITNESS)] },
      /^validation: A peer cluster cannot be in the witness/,
    ],
    [
      { witnessRegion: WITNESS, clusters: [arn(absent, 'eu-west-1')] },
      /^validation: This server has no clusters in eu-west-1/,
    ],
    [
      { witnessRegion: WITNESS, clusters: [arn(absent, OHIO).replace(ACCOUNT, '111122223333')] },
      /^validation: The peer cluster .* is not of account/,
    ],
    [{ clusters: [arn(absent, OHIO), arn('y'.repeat(26), OHIO)] }, /^validation: A multi-Region cluster has one peer/],
    [{ witnessRegion: WITNESS, clusters: [arn('s'.repeat(26), OHIO)] }, /^validation: .* is a single-Region cluster/],
    [
      { witnessRegion: 'us-west-1', clusters: [arn('p'.repeat(26), OHIO)] },
      /^validation: Peer clusters must have the same/,
    ],
    [{ clusters: [arn('p'.repeat(26), OHIO)] }, /^validation: Peer clusters must have the same witness/],
    [{ witnessRegion: WITNESS, clusters: [arn('p'.repeat(26), OHIO)] }, /^conflict: .* has named another peer/],
    [{ witnessRegion: WITNESS, clusters: [arn('q'.repeat(26), OHIO)] }, /^conflict: .* is ACTIVE, not PENDING_SETUP/],
  ])('cannot be asked for with %j', async (multiRegionProperties, expected) => {
    const { lifecycle, store, create } = setUp();
    const multiRegion = { witnessRegion: WITNESS, clusters: [arn(absent, EAST)] };
    await store.change((draft) => {
      const put = (id: string, changes: object) =>
        draft.put('clusters', id, clusterRecord(id, { region: OHIO, ...changes }));
      put('s'.repeat(26), {});
      put('p'.repeat(26), { status: 'PENDING_SETUP', multiRegion });
      put('q'.repeat(26), { multiRegion });
    });
    expect(await refusal(create(lifecycle, { multiRegionProperties }))).toMatch(expected);
    expect(lifecycle.list(EAST)).toEqual([]);
  });

  it('are not for a single-Region cluster', async () => {
    const { lifecycle, create } = setUp();
    const identifier = await create(lifecycle);
    expect(
      await refusal(lifecycle.updateCluster(EAST, { identifier, multiRegionProperties: { witnessRegion: WITNESS } })),
    ).toBe('validation: A single-Region cluster cannot become a multi-Region cluster.');
  });
});

describe('after a crash', () => {
  const statuses: [ClusterStatus, ClusterStatus | undefined, string[]][] = [
    ['CREATING', 'ACTIVE', ['wake']],
    ['DELETING', undefined, ['remove']],
    ['ACTIVE', 'ACTIVE', []],
    ['PENDING_SETUP', 'PENDING_SETUP', []],
    ['PENDING_DELETE', 'PENDING_DELETE', []],
  ];
  it.each(statuses)('a cluster that was %s becomes %s', async (before, after, calls) => {
    const { store, make, fleet, statusOf } = setUp();
    const id = 'a'.repeat(26);
    await store.change((draft) => draft.put('clusters', id, clusterRecord(id, { status: before })));
    const lifecycle = make();
    lifecycle.recover();
    await lifecycle.settled();
    expect(statusOf(id)).toBe(after);
    expect(fleet.calls).toEqual(calls.map((call) => `${call} ${id}`));
  });

  it('while its database was made, a cluster is finished at the next start', async () => {
    const { lifecycle, make, fleet, create, statusOf } = setUp();
    fleet.trouble.push('hangs');
    const id = await create(lifecycle);
    await turn();
    expect(statusOf(id)).toBe('CREATING');
    const next = make();
    next.recover();
    await next.settled();
    expect(statusOf(id)).toBe('ACTIVE');
  });

  it('while data were removed, or before the record was, the deletion is finished at the next start', async () => {
    const { lifecycle, make, fleet, create, statusOf } = setUp();
    const id = await create(lifecycle);
    await lifecycle.settled();
    fleet.trouble.push('hangs');
    await lifecycle.deleteCluster(EAST, { identifier: id });
    await turn();
    expect(statusOf(id)).toBe('DELETING');
    const next = make();
    next.recover();
    await next.settled();
    expect(statusOf(id)).toBeUndefined();
    expect(fleet.calls).toEqual([`wake ${id}`, `remove ${id}`, `remove ${id}`]);
  });

  it('while peers were made, both are finished, once for their one database', async () => {
    const { store, make, fleet, statusOf } = setUp();
    const [a, b] = ['a'.repeat(26), 'b'.repeat(26)];
    await store.change((draft) => {
      for (const id of [a, b]) draft.put('clusters', id, clusterRecord(id, { status: 'CREATING', database: a }));
    });
    const lifecycle = make();
    lifecycle.recover();
    await lifecycle.settled();
    expect([statusOf(a), statusOf(b)]).toEqual(['ACTIVE', 'ACTIVE']);
    expect(fleet.calls).toEqual([`wake ${a}`]);
  });

  it('never removes a database that another cluster has', async () => {
    const { store, make, fleet, statusOf } = setUp();
    const [a, b] = ['a'.repeat(26), 'b'.repeat(26)];
    await store.change((draft) => {
      draft.put('clusters', a, clusterRecord(a, { status: 'DELETING' }));
      draft.put('clusters', b, clusterRecord(b, { database: a }));
    });
    const lifecycle = make();
    lifecycle.recover();
    await lifecycle.settled();
    expect([statusOf(a), statusOf(b), fleet.calls]).toEqual(['DELETING', 'ACTIVE', []]);
  });
});

describe('what fails', () => {
  it.each(['CREATING', 'DELETING'] as const)('while %s is tried again, ever more rarely', async (status) => {
    const { store, make, fleet, waits, statusOf } = setUp();
    const id = 'a'.repeat(26);
    await store.change((draft) => draft.put('clusters', id, clusterRecord(id, { status })));
    fleet.trouble.push(...Array.from({ length: 9 }, () => 'fails' as const));
    const lifecycle = make();
    lifecycle.recover();
    await lifecycle.settled();
    expect(statusOf(id)).toBe(status === 'CREATING' ? 'ACTIVE' : undefined);
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  });

  it('waits no longer when the server stops', async () => {
    const { lifecycle, fleet, create, statusOf } = setUp({
      pause: (_, signal) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted')))),
    });
    fleet.trouble.push('fails');
    const id = await create(lifecycle);
    await turn();
    await lifecycle.close();
    expect([statusOf(id), fleet.calls.length]).toEqual(['CREATING', 1]);
  });
});
