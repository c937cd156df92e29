import { oidcProviderArn } from '../../iam/arn.ts';
import { OIDC_PROVIDER } from '../../iam/entities.ts';
import type { Iam } from '../../iam/iam.ts';
import * as providers from '../../iam/oidc-providers.ts';
import { type Operations, operation } from '../operation.ts';
import { tagOperations } from './iam-entities.ts';
import { need, needsToCreate } from './iam-needs.ts';

export function oidcProviderOperations(iam: Iam): Operations {
  const on = (action: string) => (input: { readonly OpenIDConnectProviderArn: string }) => [
    need(action, input.OpenIDConnectProviderArn),
  ];
  return {
    CreateOpenIDConnectProvider: operation(
      providers.CREATE_OIDC_PROVIDER,
      (input) => needsToCreate('OpenIDConnectProvider', oidcProviderArn(iam.account, input.Url), input),
      (input) => providers.createOidcProvider(iam, input),
    ),
    GetOpenIDConnectProvider: operation(providers.GET_OIDC_PROVIDER, on('GetOpenIDConnectProvider'), (input) =>
      providers.getOidcProvider(iam, input),
    ),
    ListOpenIDConnectProviders: operation(
      providers.LIST_OIDC_PROVIDERS,
      () => [need('ListOpenIDConnectProviders', '*')],
      () => providers.listOidcProviders(iam),
    ),
    DeleteOpenIDConnectProvider: operation(providers.DELETE_OIDC_PROVIDER, on('DeleteOpenIDConnectProvider'), (input) =>
      providers.deleteOidcProvider(iam, input),
    ),
    AddClientIDToOpenIDConnectProvider: operation(
      providers.ADD_CLIENT_ID,
      on('AddClientIDToOpenIDConnectProvider'),
      (input) => providers.addClientId(iam, input),
    ),
    RemoveClientIDFromOpenIDConnectProvider: operation(
      providers.REMOVE_CLIENT_ID,
      on('RemoveClientIDFromOpenIDConnectProvider'),
      (input) => providers.removeClientId(iam, input),
    ),
    UpdateOpenIDConnectProviderThumbprint: operation(
      providers.UPDATE_THUMBPRINT,
      on('UpdateOpenIDConnectProviderThumbprint'),
      (input) => providers.updateThumbprint(iam, input),
    ),
    ...tagOperations(iam, OIDC_PROVIDER),
  };
}
