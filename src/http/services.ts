import { createClusterDescriptions } from '../clusters/descriptions.ts';
import type { Iam } from '../iam/iam.ts';
import type { Authority } from '../iam/identity.ts';
import type { OidcKeys } from '../sts/oidc-keys.ts';
import type { SessionMaker } from '../sts/session-token.ts';
import type { DispatchDeps } from './dispatch.ts';
import { createDsqlService } from './services/dsql.ts';
import { createIamService } from './services/iam.ts';
import { createStsService, createUnsignedOperation } from './services/sts.ts';

/** The services of one account, by the names that credential scopes have for them, and what needs no signature. */
export function createServices(deps: {
  iam: Iam;
  authority: Authority;
  sessions: SessionMaker;
  oidcKeys: OidcKeys;
  region: string;
}): Pick<DispatchDeps, 'services' | 'assumeRoleWithWebIdentity'> {
  const { iam, authority, sessions, oidcKeys, region } = deps;
  const { store, account } = iam;
  const sts = { store, authority, sessions, oidcKeys, account, now: iam.now };
  return {
    services: {
      iam: createIamService(iam),
      sts: createStsService(sts),
      dsql: createDsqlService({ clusters: createClusterDescriptions(store, region, account), region, account }),
    },
    assumeRoleWithWebIdentity: createUnsignedOperation(sts),
  };
}
