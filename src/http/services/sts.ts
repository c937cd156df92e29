import { ASSUME_ROLE, assumeRole, type Sts } from '../../sts/assume-role.ts';
import { GET_ACCESS_KEY_INFO, GET_CALLER_IDENTITY, getAccessKeyInfo, getCallerIdentity } from '../../sts/caller.ts';
import { operation, type Service } from '../operation.ts';
import { createQueryService } from '../protocols/query.ts';

/** AWS Security Token Service, API version 2011-06-15. */
export function createStsService(sts: Sts): Service {
  return createQueryService({
    version: '2011-06-15',
    namespace: 'https://sts.amazonaws.com/doc/2011-06-15/',
    operations: {
      // The role's trust policy has a say in it, so the operation decides for itself.
      AssumeRole: operation(
        ASSUME_ROLE,
        () => [],
        (input, caller) => assumeRole(sts, input, caller),
      ),
      // No permission is needed, and none can be denied (STS API reference).
      GetCallerIdentity: operation(
        GET_CALLER_IDENTITY,
        () => [],
        (_, caller) => getCallerIdentity(caller),
      ),
      GetAccessKeyInfo: operation(
        GET_ACCESS_KEY_INFO,
        () => [{ action: 'sts:GetAccessKeyInfo', resource: '*' }],
        (input) => getAccessKeyInfo(sts, input),
      ),
    },
  });
}
