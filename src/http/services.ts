import type { Lifecycle } from '../clusters/lifecycle.ts';
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
  lifecycle: Lifecycle;
  /** Those that clusters can be in. */
  regions: readonly string[];
}): Pick<DispatchDeps, 'services' | 'assumeRoleWithWebIdentity'> {
  const { iam, authority, sessions, oidcKeys, lifecycle, regions } = deps;
  const { store, account } = iam;
  const sts = { store, authority, sessions, oidcKeys, account, now: iam.now };
  return {
    services: {
      iam: createIamService(iam),
      sts: createStsService(sts),
      dsql: new Map(regions.map((region) => [region, createDsqlService({ lifecycle, region, account })])),
    },
    assumeRoleWithWebIdentity: createUnsignedOperation(sts),
  };
}
