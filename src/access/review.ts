import { setImmediate } from 'node:timers/promises';
import type { Attempts } from '../attempts/attempts.ts';
import type { Cluster, ClusterDirectory } from '../clusters/cluster.ts';
import type { Fleet } from '../clusters/fleet.ts';
import { clusterArn } from '../clusters/names.ts';
import type { Engine } from '../engine/port.ts';
import type { KeyUses } from '../iam/key-uses.ts';
import { Refused } from '../refused.ts';
import type { ClusterRecord } from '../state/records.ts';
import type { Store } from '../state/store.ts';
import { accountWarnings } from './account-warnings.ts';
import type { DatabaseFacts } from './database.ts';
import { databaseWarnings } from './database-warnings.ts';
import { loginsOf } from './logins.ts';
import { namedSessions, type Party, partiesOf, unreviewed } from './parties.ts';
import { databaseRoles, PUBLIC, privilegesOf } from './privileges.ts';
import type { AccessQuestion, AccessReview, ClusterAccess, Warning } from './report.ts';
import { chosen, ordered } from './selection.ts';
import { useWarnings } from './use-warnings.ts';

export interface ReviewDependencies {
  store: Pick<Store, 'get' | 'all'>;
  account: string;
  clusters: ClusterDirectory;
  fleet: Pick<Fleet, 'use' | 'isAwake'>;
  readDatabase: (engine: Engine) => Promise<DatabaseFacts>;
  keyUses: Pick<KeyUses, 'last'>;
  attempts: Pick<Attempts, 'all'>;
  now: () => Date;
  /** When this server began: of what was before, neither uses of keys nor logins are known. */
  since: Date;
}

/** So many principals are asked about before logins get their turn. */
const AT_ONCE = 16;

/**
 * Who can log in as which database role of which cluster, and what that role may do there: decided as logins are, by what
 * is in force meanwhile. Throws an Error for a cluster, principal or role that is nowhere.
 */
export async function reviewAccess(question: AccessQuestion, deps: ReviewDependencies): Promise<AccessReview> {
  const { store, account, now, since } = deps;
  const at = now();
  const records = store.all('clusters').filter(({ id }) => question.cluster === undefined || id === question.cluster);
  if (question.cluster !== undefined && records.length === 0)
    throw new Error(`there is no cluster ${question.cluster}`);
  const clusters: ClusterAccess[] = [];
  const warnings: Warning[] = [...useWarnings(deps, at)];
  const everybody = partiesOf(store, account, at);
  const parties = new Map(everybody.map((party) => [party.facts.arn, party]));
  const databases = new Map<string, Promise<DatabaseFacts | string>>();
  for (const record of records) {
    const named = namedSessions(store, account, record, at);
    for (const party of named) parties.set(party.facts.arn, party);
    const read = await reviewCluster(record, [...everybody, ...named], at, question, deps, databases);
    clusters.push(read.access);
    warnings.push(...read.warnings);
  }
  await setImmediate();
  warnings.push(...accountWarnings(store, account, [...parties.values()], clusters));
  const notes = [
    ...NOTES,
    `Logins and uses of access keys are known since ${since.toISOString()}, when the server was started.`,
    ...records.flatMap((record) => unreviewed(record)),
  ];
  const principals = [...parties.values()].map(({ facts }) => facts);
  const whole = { version: 1, at: at.toISOString(), account, since: since.toISOString() } as const;
  return chosen({ ...whole, clusters, principals, warnings: ordered(warnings), notes }, question);
}

const NOTES = [
  'A mapping keeps the ARN of an IAM user or role only: whether it was deleted and made again since cannot be known.',
  'Sessions of roles are taken as plain ones: session policies can only take away from what stands here.',
];

async function reviewCluster(
  record: Readonly<ClusterRecord>,
  parties: readonly Party[],
  at: Date,
  question: AccessQuestion,
  deps: ReviewDependencies,
  databases: Map<string, Promise<DatabaseFacts | string>>,
): Promise<{ access: ClusterAccess; warnings: Warning[] }> {
  const { store, account } = deps;
  const { id, region } = record;
  const head = { id, region, arn: clusterArn(id, { region, account }) };
  const cluster = resolved(id, deps.clusters);
  if (typeof cluster === 'string') {
    const access: ClusterAccess = { ...head, state: 'closed', reason: cluster, logins: [], roles: [], public: [] };
    return { access, warnings: [] };
  }
  let reading = databases.get(cluster.database);
  if (!reading) {
    reading = read(cluster, question.wake, deps);
    databases.set(cluster.database, reading);
  }
  const facts = await reading;
  const known = typeof facts === 'string' ? undefined : facts;
  const mapped = known?.mappedRoles();
  const access: ClusterAccess = {
    ...head,
    state: known ? 'read' : 'unknown',
    ...(typeof facts === 'string' && { reason: facts }),
    logins: [],
    roles: known ? databaseRoles(known) : [],
    public: known ? privilegesOf(known, PUBLIC) : [],
  };
  for (const [index, party] of parties.entries()) {
    if (index % AT_ONCE === AT_ONCE - 1) await setImmediate();
    access.logins.push(...loginsOf(party, cluster, mapped, { store, account, at }));
  }
  await setImmediate();
  return { access, warnings: databaseWarnings(access, known, { store, account, at, wake: question.wake }) };
}

/** A text: why it takes no connections. */
function resolved(clusterId: string, clusters: ClusterDirectory): Cluster | string {
  try {
    return clusters.resolve({ serverName: undefined, clusterId, localAddress: '127.0.0.1' });
  } catch (error) {
    if (error instanceof Refused) return error.detail;
    throw error;
  }
}

/** A text: why it cannot be read. Its PostgreSQL does not sleep meanwhile. Never rejects. */
async function read(
  cluster: Cluster,
  wake: boolean,
  { fleet, readDatabase }: ReviewDependencies,
): Promise<DatabaseFacts | string> {
  if (!wake && !fleet.isAwake(cluster.database)) return 'it sleeps, and was not to be woken';
  const use = fleet.use(cluster.database);
  try {
    return await readDatabase((await cluster.wake()).engine);
  } catch (error) {
    return error instanceof Refused ? error.detail : (error as Error).message;
  } finally {
    use.release();
  }
}
