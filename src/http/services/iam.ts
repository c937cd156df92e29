import type { Iam } from '../../iam/iam.ts';
import type { Service } from '../operation.ts';
import { createQueryService } from '../protocols/query.ts';
import { accountOperations } from './iam-account.ts';
import { groupOperations } from './iam-groups.ts';
import { oidcProviderOperations } from './iam-oidc-providers.ts';
import { policyOperations } from './iam-policies.ts';
import { roleOperations } from './iam-roles.ts';
import { simulationOperations } from './iam-simulation.ts';
import { UNSUPPORTED_OPERATIONS } from './iam-unsupported.ts';
import { accessKeyOperations, userOperations } from './iam-users.ts';

/** AWS Identity and Access Management, API version 2010-05-08. */
export function createIamService(iam: Iam): Service {
  return createQueryService({
    version: '2010-05-08',
    namespace: 'https://iam.amazonaws.com/doc/2010-05-08/',
    operations: {
      ...userOperations(iam),
      ...accessKeyOperations(iam),
      ...groupOperations(iam),
      ...roleOperations(iam),
      ...policyOperations(iam),
      ...oidcProviderOperations(iam),
      ...accountOperations(iam),
      ...simulationOperations(iam),
    },
    unsupported: UNSUPPORTED_OPERATIONS,
  });
}
