import { describe, expect, it } from 'vitest';
import { reviewing } from '../access/testing-review.ts';
import { allow, arn, CLUSTER, deny, document, when } from '../iam/testing-account.ts';
import { formatReview } from './access-table.ts';

async function smallAccount() {
  const made = await reviewing({
    roles: { reader: {}, writer: { attributes: ['BYPASSRLS'] }, team: { canLogin: false }, 'od\u0007d': {} },
    memberships: [
      ['writer', 'team'],
      ['reader', 'team', { inherit: false }],
      ['admin', 'reader', { admin: true, inherit: false, set: false }],
    ],
    mappings: [
      [arn('user/alice'), 'writer'],
      [arn('role/app'), 'reader'],
      [arn('user/bob'), 'reader'],
    ],
    grants: [
      ['reader', { kind: 'column', name: 'orders.item' }],
      ['team', { name: 'orders', privileges: ['INSERT', 'SELECT'], grantable: ['SELECT'] }],
      ...['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => ['writer', { name }] as const),
      ['PUBLIC', { kind: 'database', schema: null, name: 'postgres', privileges: ['CONNECT', 'TEMPORARY'] }],
      ['PUBLIC', { name: 'open' }],
    ].map(([grantee, grant]) => [grantee, grant] as [string, object]),
    owned: [['admin', { name: 'orders' }]],
  });
  const boundary = await made.addPolicy('fence', document(allow('dsql:*', CLUSTER)));
  await made.add('group', 'devs', {
    policies: {
      connect: document({
        Sid: 'Office',
        ...allow('dsql:DbConnect', CLUSTER, when('IpAddress', 'aws:SourceIp', '10.0.0.0/8')),
      }),
    },
  });
  await made.add('user', 'alice', { groups: ['devs'], boundary });
  await made.add('user', 'bob');
  await made.add('role', 'app', {
    policies: {
      connect: document(
        allow('dsql:DbConnect', CLUSTER),
        deny('*', '*', when('DateGreaterThan', 'aws:CurrentTime', '2027-01-01T00:00:00Z')),
      ),
    },
  });
  await made.store.change((draft) => {
    const trust = { Effect: 'Allow', Principal: { AWS: arn('root') }, Action: 'sts:AssumeRole' };
    draft.put('roles', 'app', { ...draft.get('roles', 'app')!, trustPolicy: document(trust) });
  });
  return made;
}

describe('the table of a review', () => {
  it('reads as it did for a small account', async () => {
    const { ask } = await smallAccount();
    await expect(formatReview(await ask())).toMatchFileSnapshot('access-table.golden.txt');
  });

  it('says so where there is nothing', async () => {
    const { ask, store, state } = await reviewing();
    state.awake = false;
    const text = formatReview(await ask({ wake: false }));
    expect(text).toContain('database unknown: it sleeps, and was not to be woken');
    await store.change((draft) => {
      for (const { id } of draft.all('clusters'))
        draft.put('clusters', id, { ...draft.get('clusters', id)!, status: 'CREATING' });
    });
    const closed = formatReview(await ask());
    expect(closed).toContain('takes no connections');
    expect(closed).toContain('No warnings');
  });
});
