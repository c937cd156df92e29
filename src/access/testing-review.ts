import { Attempts } from '../attempts/attempts.ts';
import type { AwakeCluster } from '../clusters/cluster.ts';
import { createClusterDirectory } from '../clusters/directory.ts';
import { ACCOUNT, type Account, ID, makeAccount, NOW, REGION } from '../iam/testing-account.ts';
import type { CatalogRows, GrantRow, MembershipRow, RoleRow } from './database.ts';
import { DatabaseFacts } from './database.ts';
import type { AccessQuestion, AccessReview } from './report.ts';
import { reviewAccess } from './review.ts';

/** A catalog as data: roles by name, in place of oids. */
export interface TestingCatalog {
  roles?: Record<string, Partial<RoleRow>>;
  /** member, role, and how. */
  memberships?: readonly [member: string, role: string, how?: Partial<MembershipRow>][];
  mappings?: readonly [arn: string, role: string][];
  grants?: readonly [grantee: string, grant: Partial<GrantRow>][];
  owned?: readonly [owner: string, object: Partial<GrantRow>][];
  cut?: boolean;
}

export function catalogRows(catalog: TestingCatalog): CatalogRows {
  const oids = new Map([['PUBLIC', 0]]);
  const named: Record<string, Partial<RoleRow>> = { admin: { attributes: ['CREATEROLE'] }, ...catalog.roles };
  const roles = Object.entries(named).map(([name, role], index): RoleRow => {
    oids.set(name, 100 + index);
    return { oid: 100 + index, name, kind: 'client', canLogin: true, attributes: [], ...role };
  });
  const oid = (name: string) => {
    const found = oids.get(name);
    if (found === undefined) throw new Error(`the test names no role ${name}`);
    return found;
  };
  const table = { kind: 'table', schema: 'app', name: 't' } as const;
  return {
    roles,
    memberships: (catalog.memberships ?? []).map(([member, role, how]) => ({
      member: oid(member),
      role: oid(role),
      admin: false,
      inherit: true,
      set: true,
      ...how,
    })),
    mappings: (catalog.mappings ?? []).map(([arn, role]) => ({ arn, role: oid(role) })),
    grants: (catalog.grants ?? []).map(([grantee, grant]) => ({
      ...table,
      privileges: ['SELECT'],
      grantable: [],
      ...grant,
      grantee: oid(grantee),
    })),
    owned: (catalog.owned ?? []).map(([owner, object]) => ({ ...table, ...object, owner: oid(owner) })),
    cut: catalog.cut ?? false,
  };
}

/** Reviews of an account in memory, whose clusters all have the same catalog. */
export async function reviewing(catalog: TestingCatalog = {}) {
  const account: Account = await makeAccount();
  const { store, keyUses } = account.iam;
  await store.change((draft) => {
    const cluster = draft.get('clusters', ID)!;
    draft.put('clusters', ID, { ...cluster, status: 'ACTIVE' });
  });
  const calls: string[] = [];
  const attempts = new Attempts();
  const state = { awake: true, fails: undefined as Error | undefined, at: NOW };
  const fleet = {
    isAwake: () => state.awake,
    use: (database: string) => {
      calls.push(`use ${database}`);
      return { release: () => void calls.push(`release ${database}`) };
    },
    async wake(database: string): Promise<AwakeCluster> {
      calls.push(`wake ${database}`);
      if (state.fails) throw state.fails;
      return {} as AwakeCluster;
    },
  };
  const clusters = createClusterDirectory({
    store,
    fleet,
    account: ACCOUNT,
    regions: [REGION],
    defaultClusterId: ID,
    aliases: new Map(),
  });
  const ask = (question: Partial<AccessQuestion> = {}): Promise<AccessReview> =>
    reviewAccess(
      { cluster: undefined, principal: undefined, role: undefined, wake: true, ...question },
      {
        store,
        account: ACCOUNT,
        clusters,
        fleet,
        readDatabase: async () => new DatabaseFacts(catalogRows(catalog)),
        keyUses,
        attempts,
        now: () => state.at,
        since: NOW,
      },
    );
  return { ...account, store, keyUses, attempts, state, calls, ask };
}
