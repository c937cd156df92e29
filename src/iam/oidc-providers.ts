import { Refused } from '../refused.ts';
import type { OidcProviderRecord } from '../state/records.ts';
import { oidcProviderArn } from './arn.ts';
import { changeEntity, find, OIDC_PROVIDER } from './entities.ts';
import { entityExists, type Iam, invalidInput } from './iam.ts';
import { type InputOf, required } from './input.ts';
import { checkQuota } from './quotas.ts';
import { arn, clientId, providerUrl, tagList, thumbprint } from './shapes.ts';
import { tagsMember, withTags } from './tags.ts';

/** Longer lists are told as too long by their quotas. */
const MAX_LISTED = 1000;
const MAX_THUMBPRINTS = 5;

const clientIdList = { type: 'list', of: clientId, max: MAX_LISTED } as const;
const thumbprintList = { type: 'list', of: thumbprint, max: MAX_LISTED } as const;
const provider = { OpenIDConnectProviderArn: required(arn) } as const;

export const CREATE_OIDC_PROVIDER = {
  Url: required(providerUrl),
  ClientIDList: clientIdList,
  ThumbprintList: thumbprintList,
  Tags: tagList,
} as const;
export const GET_OIDC_PROVIDER = provider;
export const LIST_OIDC_PROVIDERS = {} as const;
export const DELETE_OIDC_PROVIDER = provider;
export const ADD_CLIENT_ID = { ...provider, ClientID: required(clientId) } as const;
export const REMOVE_CLIENT_ID = { ...provider, ClientID: required(clientId) } as const;
export const UPDATE_THUMBPRINT = { ...provider, ThumbprintList: required(thumbprintList) } as const;

/**
 * The provider is not asked for anything, so a left-out ThumbprintList stays empty. Throws Refused `validation` for the
 * URL, `entity-exists`, `limit-exceeded` or `invalid-input`.
 */
export function createOidcProvider(iam: Iam, input: InputOf<typeof CREATE_OIDC_PROVIDER>) {
  const arn = oidcProviderArn(iam.account, checkedUrl(input.Url));
  return iam.store.change((draft) => {
    if (draft.get('oidcProviders', arn)) throw entityExists(`Provider with url ${input.Url} already exists.`);
    checkQuota('OpenIdConnectProvidersPerAccount', draft.all('oidcProviders').length + 1);
    const made: OidcProviderRecord = {
      url: input.Url,
      createdAt: iam.now().toISOString(),
      clientIds: checkedClientIds(input.ClientIDList ?? []),
      thumbprints: checkedThumbprints(input.ThumbprintList ?? []),
      tags: withTags([], input.Tags ?? [], 'TagsPerOpenIdConnectProvider'),
    };
    draft.put('oidcProviders', arn, made);
    return { OpenIDConnectProviderArn: arn, ...tagsMember(made) };
  });
}

/** The URL comes without its scheme, as the service gives it. Throws Refused `no-such-entity`. */
export async function getOidcProvider(iam: Iam, input: InputOf<typeof GET_OIDC_PROVIDER>) {
  const found = find(OIDC_PROVIDER, iam.store, input.OpenIDConnectProviderArn);
  return {
    Url: found.url.replace(/^https?:\/\//, ''),
    ClientIDList: found.clientIds,
    ThumbprintList: found.thumbprints,
    CreateDate: new Date(found.createdAt),
    ...tagsMember(found),
  };
}

export async function listOidcProviders(iam: Iam) {
  const providers = iam.store.all('oidcProviders');
  return { OpenIDConnectProviderList: providers.map(({ url }) => ({ Arn: oidcProviderArn(iam.account, url) })) };
}

/** Roles that trust the provider stay, and trust nobody by it. One that is not there is no error (API reference). */
export async function deleteOidcProvider(iam: Iam, input: InputOf<typeof DELETE_OIDC_PROVIDER>) {
  await iam.store.change((draft) => draft.delete('oidcProviders', input.OpenIDConnectProviderArn));
}

/** One that is there already stays so. Throws Refused `no-such-entity` or `limit-exceeded`. */
export async function addClientId(iam: Iam, input: InputOf<typeof ADD_CLIENT_ID>) {
  await changeEntity(iam, OIDC_PROVIDER, input.OpenIDConnectProviderArn, ({ clientIds }) => ({
    clientIds: checkedClientIds([...clientIds, input.ClientID]),
  }));
}

/** One that is not there stays so. Throws Refused `no-such-entity`. */
export async function removeClientId(iam: Iam, input: InputOf<typeof REMOVE_CLIENT_ID>) {
  await changeEntity(iam, OIDC_PROVIDER, input.OpenIDConnectProviderArn, ({ clientIds }) => ({
    clientIds: clientIds.filter((id) => id !== input.ClientID),
  }));
}

/** Puts the whole list. Throws Refused `no-such-entity` or `invalid-input`. */
export async function updateThumbprint(iam: Iam, input: InputOf<typeof UPDATE_THUMBPRINT>) {
  await changeEntity(iam, OIDC_PROVIDER, input.OpenIDConnectProviderArn, () => ({
    thumbprints: checkedThumbprints(input.ThumbprintList),
  }));
}

/**
 * `https://` with a host and maybe a path, compared as it is written: tokens name their issuer so, and trust policies
 * the provider. Plain `http://`, and a port, only on the loopback interface: for tests with a provider of their own, where nobody can listen in.
 */
function checkedUrl(text: string): string {
  const parts = /^(https?):\/\/([A-Za-z0-9.-]+)(:\d{1,5})?((?:\/[\w.=%-]*)*)$/.exec(text);
  const host = parts?.[2] ?? '';
  const loopback = /^(?:localhost|127(?:\.\d{1,3}){3})$/i.test(host);
  const plain = parts?.[1] === 'http' || parts?.[3] !== undefined;
  if (parts && URL.canParse(text) && (loopback || !plain)) return text;
  const say = 'Invalid Open ID Connect Provider URL';
  throw new Refused('validation', { say, detail: `${say}: ${text}` });
}

function checkedClientIds(ids: readonly string[]): string[] {
  const unique = [...new Set(ids)];
  checkQuota('ClientIdsPerOpenIdConnectProvider', unique.length);
  return unique;
}

function checkedThumbprints(thumbprints: readonly string[]): string[] {
  if (thumbprints.length > MAX_THUMBPRINTS) {
    throw invalidInput(`Thumbprint list must contain at most ${MAX_THUMBPRINTS} entries.`);
  }
  return [...thumbprints];
}
