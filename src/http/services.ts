import { createClusterDescriptions } from '../clusters/descriptions.ts';
import type { Iam } from '../iam/iam.ts';
import type { Authority } from '../iam/identity.ts';
import type { SessionMaker } from '../sts/session-token.ts';
import type { DispatchDeps } from './dispatch.ts';
import { createDsqlService } from './services/dsql.ts';
import { createIamService } from './services/iam.ts';
import { createStsService } from './services/sts.ts';

/** The services of one account, by the names that credential scopes have for them. */
export function createServices(deps: {
  iam: Iam;
  authority: Authority;
  sessions: SessionMaker;
  region: string;
}): DispatchDeps['services'] {
  const { iam, authority, sessions, region } = deps;
  const { store, account } = iam;
  return {
    iam: createIamService(iam),
    sts: createStsService({ store, authority, sessions, account, now: iam.now }),
    dsql: createDsqlService({ clusters: createClusterDescriptions(store, region, account), region, account }),
  };
}
