import * as absent from '../../iam/absent.ts';
import { GET_ACCOUNT_AUTHORIZATION_DETAILS, getAccountAuthorizationDetails } from '../../iam/account-details.ts';
import { getAccountSummary } from '../../iam/account-summary.ts';
import * as contextKeys from '../../iam/context-keys.ts';
import { ROLE } from '../../iam/entities.ts';
import type { Iam } from '../../iam/iam.ts';
import { type Operation, type Operations, operation } from '../operation.ts';
import { need, userOrCaller } from './iam-needs.ts';

export function accountOperations(iam: Iam): Operations {
  return {
    GetAccountSummary: operation(
      {},
      () => [need('GetAccountSummary', '*')],
      () => getAccountSummary(iam),
    ),
    GetAccountAuthorizationDetails: operation(
      GET_ACCOUNT_AUTHORIZATION_DETAILS,
      () => [need('GetAccountAuthorizationDetails', '*')],
      (input) => getAccountAuthorizationDetails(iam, input),
    ),
    GetContextKeysForCustomPolicy: operation(
      contextKeys.GET_CONTEXT_KEYS_FOR_CUSTOM_POLICY,
      () => [need('GetContextKeysForCustomPolicy', '*')],
      (input) => contextKeys.getContextKeysForCustomPolicy(input),
    ),
    GetContextKeysForPrincipalPolicy: operation(
      contextKeys.GET_CONTEXT_KEYS_FOR_PRINCIPAL_POLICY,
      (input) => [need('GetContextKeysForPrincipalPolicy', input.PolicySourceArn)],
      (input) => contextKeys.getContextKeysForPrincipalPolicy(iam, input),
    ),
    ListAccountAliases: operation(
      absent.LIST_ACCOUNT_ALIASES,
      () => [need('ListAccountAliases', '*')],
      () => absent.listAccountAliases(),
    ),
    ListInstanceProfilesForRole: operation(
      absent.LIST_INSTANCE_PROFILES_FOR_ROLE,
      (input) => [need('ListInstanceProfilesForRole', ROLE.arnOf(iam, input.RoleName))],
      (input) => absent.listInstanceProfilesForRole(iam, input),
    ),
    ListMFADevices: listOfUser(iam, 'ListMFADevices', 'MFADevices'),
    ListSigningCertificates: listOfUser(iam, 'ListSigningCertificates', 'Certificates'),
    ListSSHPublicKeys: {
      ...listOfUser(iam, 'ListSSHPublicKeys', 'SSHPublicKeys'),
      input: absent.LIST_SSH_PUBLIC_KEYS,
    },
    ListServiceSpecificCredentials: {
      ...listOfUser(iam, 'ListServiceSpecificCredentials', 'ServiceSpecificCredentials'),
      input: absent.LIST_SERVICE_SPECIFIC_CREDENTIALS,
    },
  };
}

function listOfUser(iam: Iam, action: string, list: string): Operation {
  return operation(
    absent.LIST_OF_USER,
    (input, caller) => [need(action, userOrCaller(iam, input.UserName, caller))],
    (input) => absent.listOfUser(iam, list, input),
  );
}
