import { beforeAll, describe, expect, it } from 'vitest';
import { Refused } from '../refused.ts';
import { createMemoryStore } from '../state/memory-store.ts';
import { clusterRecord } from '../state/testing-records.ts';
import type { AwakeCluster, ClusterAddress } from './cluster.ts';
import { createClusterDirectory, deadEnds } from './directory.ts';

const id = (letter: string) => letter.repeat(26);
/** d: the default cluster; e: in another region; f: in one that is not served; c, p, g, q: not to be connected to. */
const RECORDS = [
  clusterRecord(id('d')),
  clusterRecord(id('e'), { region: 'eu-west-1', database: id('d') }),
  clusterRecord(id('f'), { region: 'ap-south-1' }),
  clusterRecord(id('c'), { status: 'CREATING' }),
  clusterRecord(id('p'), { status: 'PENDING_SETUP' }),
  clusterRecord(id('g'), { status: 'DELETING' }),
  clusterRecord(id('q'), { status: 'PENDING_DELETE' }),
];
const store = createMemoryStore();
const woken: string[] = [];
const directory = createClusterDirectory({
  store,
  fleet: {
    async wake(database) {
      woken.push(database);
      return {} as AwakeCluster;
    },
  },
  account: '123456789012',
  regions: ['us-east-1', 'eu-west-1'],
  defaultClusterId: id('d'),
  aliases: new Map([
    ['db.internal', undefined],
    ['orders.internal', id('e')],
    ['10.0.0.1', undefined],
    ['10.0.0.2', id('e')],
    ['gone.internal', id('z')],
  ]),
});
beforeAll(() =>
  store.change((draft) => {
    for (const record of RECORDS) draft.put('clusters', record.id, record);
  }),
);

const address = (changes: Partial<ClusterAddress>): ClusterAddress => ({
  serverName: undefined,
  clusterId: undefined,
  localAddress: '192.0.2.1',
  ...changes,
});

function refusal(changes: Partial<ClusterAddress>): string {
  try {
    directory.resolve(address(changes));
  } catch (error) {
    if (error instanceof Refused) return error.kind;
    throw error;
  }
  throw new Error('the connection was not refused');
}

describe('the cluster that a connection means', () => {
  it.each<[string, Partial<ClusterAddress>, string]>([
    ['its endpoint', { serverName: `${id('d')}.dsql.us-east-1.on.aws` }, 'd'],
    ['the endpoint of another region', { serverName: `${id('e')}.dsql.eu-west-1.on.aws` }, 'e'],
    ['its private name', { serverName: `${id('e')}.dsql-fnh4.eu-west-1.on.aws` }, 'e'],
    ['localhost', { serverName: 'localhost' }, 'd'],
    ['a loopback address', { localAddress: '127.0.0.9' }, 'd'],
    ['the other loopback address', { localAddress: '::1' }, 'd'],
    ['an alias', { serverName: 'db.internal' }, 'd'],
    ['an alias that is an address', { localAddress: '10.0.0.1' }, 'd'],
    ['an alias for a cluster', { serverName: 'orders.internal' }, 'e'],
    ['an address for a cluster', { localAddress: '10.0.0.2' }, 'e'],
    ['the option without a name', { clusterId: id('e') }, 'e'],
    ['the option with a name that says nothing', { serverName: 'localhost', clusterId: id('e') }, 'e'],
    ['the option with an alias that says nothing', { serverName: 'db.internal', clusterId: id('e') }, 'e'],
    [
      'the option and an endpoint that say the same',
      { serverName: `${id('e')}.dsql.eu-west-1.on.aws`, clusterId: id('e') },
      'e',
    ],
    [
      'the option through a VPC endpoint',
      { serverName: 'vpce-1.dsql-fnh4.eu-west-1.vpce.amazonaws.com', clusterId: id('e') },
      'e',
    ],
  ])('is found by %s', (_, changes, letter) => {
    expect(directory.resolve(address(changes)).id).toBe(id(letter));
  });

  it.each<[string, Partial<ClusterAddress>, string]>([
    ['without any name', {}, 'server-name-missing'],
    ['by a VPC endpoint alone', { serverName: 'vpce-1.dsql-fnh4.eu-west-1.vpce.amazonaws.com' }, 'unknown-cluster'],
    ['by a foreign name', { serverName: 'example.com' }, 'unknown-cluster'],
    ['by a foreign name with the option', { serverName: 'example.com', clusterId: id('d') }, 'unknown-cluster'],
    ['by an id that nobody has', { clusterId: id('z') }, 'unknown-cluster'],
    ['by what is no id', { clusterId: '../x' }, 'unknown-cluster'],
    ['by an alias of a cluster that is gone', { serverName: 'gone.internal' }, 'unknown-cluster'],
    ['by its name in another region', { serverName: `${id('d')}.dsql.eu-west-1.on.aws` }, 'unknown-cluster'],
    ['in a region that is not served', { serverName: `${id('f')}.dsql.ap-south-1.on.aws` }, 'unknown-cluster'],
    ['in a region that is not served, by the option', { clusterId: id('f') }, 'unknown-cluster'],
    [
      'by a name and an option that contradict',
      { serverName: `${id('d')}.dsql.us-east-1.on.aws`, clusterId: id('e') },
      'unknown-cluster',
    ],
    [
      'by an alias and an option that contradict',
      { serverName: 'orders.internal', clusterId: id('d') },
      'unknown-cluster',
    ],
    [
      'by an address and an option that contradict',
      { localAddress: '10.0.0.2', clusterId: id('d') },
      'unknown-cluster',
    ],
    ['while it is made', { clusterId: id('c') }, 'cluster-not-ready'],
    ['until it has its peer', { clusterId: id('p') }, 'cluster-not-ready'],
    ['while it is deleted', { clusterId: id('g') }, 'cluster-deleting'],
    ['while its peers are deleted', { clusterId: id('q') }, 'cluster-deleting'],
  ])('is refused %s', (_, changes, kind) => {
    expect(refusal(changes)).toBe(kind);
  });

  it('says where it is and wakes the PostgreSQL that it shares with its peer', async () => {
    const cluster = directory.resolve(address({ clusterId: id('e') }));
    expect(cluster).toMatchObject({
      region: 'eu-west-1',
      arn: `arn:aws:dsql:eu-west-1:123456789012:cluster/${id('e')}`,
      database: id('d'),
    });
    await cluster.wake();
    expect(woken).toEqual([id('d')]);
  });

  it('has its dead ends told at the start', () => {
    const aliases = new Map([
      ['db.internal', undefined],
      ['gone.internal', id('z')],
    ]);
    expect(deadEnds({ store, regions: ['us-east-1', 'eu-west-1'], aliases })).toEqual([
      `cluster ${id('f')} is in ap-south-1: --additional-region ap-south-1 opens it`,
      `--cluster-alias gone.internal=${id('z')}: there is no such cluster`,
    ]);
  });

  it.each([
    [
      'd',
      [
        `${id('d')}.dsql.us-east-1.on.aws`,
        `${id('D')}.DSQL-fnh4.us-east-1.on.aws`,
        'localhost',
        '[::1]',
        'db.internal',
      ],
    ],
    ['e', [`${id('e')}.dsql.eu-west-1.on.aws`, 'orders.internal', '10.0.0.2']],
  ])('takes tokens for its own names only: %s', (letter, names) => {
    const cluster = directory.resolve(address({ clusterId: id(letter) }));
    expect(names.filter((name) => !cluster.isKnownAs(name))).toEqual([]);
    const others = [
      `${id(letter === 'd' ? 'e' : 'd')}.dsql.us-east-1.on.aws`,
      `${id(letter)}.dsql.${letter === 'd' ? 'eu-west-1' : 'us-east-1'}.on.aws`,
      letter === 'd' ? 'orders.internal' : 'localhost',
      'vpce-1.dsql-fnh4.eu-west-1.vpce.amazonaws.com',
    ];
    expect(others.filter((name) => cluster.isKnownAs(name))).toEqual([]);
  });
});
