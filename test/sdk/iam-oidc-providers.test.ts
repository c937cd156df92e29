import * as iam from '@aws-sdk/client-iam';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNT, type ApiUnderTest, refusal, startApi } from './api-under-test.ts';

let api: ApiUnderTest;
let root: iam.IAMClient;

beforeAll(async () => {
  api = await startApi();
  root = api.iam();
});
afterAll(() => api.close());

const THUMBPRINT = 'a'.repeat(40);
const arnOf = (name: string) => `arn:aws:iam::${ACCOUNT}:oidc-provider/${name}`;
const make = (Url: string, more: Partial<iam.CreateOpenIDConnectProviderCommandInput> = {}) =>
  root.send(new iam.CreateOpenIDConnectProviderCommand({ Url, ...more }));
const read = (OpenIDConnectProviderArn: string) =>
  root.send(new iam.GetOpenIDConnectProviderCommand({ OpenIDConnectProviderArn }));

describe('OpenID Connect providers', () => {
  it('are created, read, listed, changed and deleted', async () => {
    const Tags = [{ Key: 'env', Value: 'ci' }];
    const made = await make('https://token.example.com/oidc', {
      ClientIDList: ['sts.amazonaws.com', 'app', 'app'],
      ThumbprintList: [THUMBPRINT],
      Tags,
    });
    const OpenIDConnectProviderArn = arnOf('token.example.com/oidc');
    expect(made).toMatchObject({ OpenIDConnectProviderArn, Tags });
    expect(await read(OpenIDConnectProviderArn)).toMatchObject({
      Url: 'token.example.com/oidc',
      ClientIDList: ['sts.amazonaws.com', 'app'],
      ThumbprintList: [THUMBPRINT],
      CreateDate: expect.any(Date),
      Tags,
    });
    const listed = await root.send(new iam.ListOpenIDConnectProvidersCommand({}));
    expect(listed.OpenIDConnectProviderList).toEqual([{ Arn: OpenIDConnectProviderArn }]);

    const add = (ClientID: string) =>
      root.send(new iam.AddClientIDToOpenIDConnectProviderCommand({ OpenIDConnectProviderArn, ClientID }));
    const drop = (ClientID: string) =>
      root.send(new iam.RemoveClientIDFromOpenIDConnectProviderCommand({ OpenIDConnectProviderArn, ClientID }));
    await add('web');
    await add('web');
    await drop('app');
    await drop('app');
    const ThumbprintList = ['b'.repeat(40), 'c'.repeat(40)];
    const update = { OpenIDConnectProviderArn, ThumbprintList };
    await root.send(new iam.UpdateOpenIDConnectProviderThumbprintCommand(update));
    expect(await read(OpenIDConnectProviderArn)).toMatchObject({
      ClientIDList: ['sts.amazonaws.com', 'web'],
      ThumbprintList,
    });
    const remove = new iam.DeleteOpenIDConnectProviderCommand({ OpenIDConnectProviderArn });
    await root.send(remove);
    await root.send(remove);
    expect(await refusal(read(OpenIDConnectProviderArn))).toEqual({
      code: 'NoSuchEntity',
      status: 404,
      text: `OpenIDConnect Provider not found for arn ${OpenIDConnectProviderArn}`,
    });
    expect(await refusal(add('web'))).toMatchObject({ code: 'NoSuchEntity' });
    expect(await refusal(drop('web'))).toMatchObject({ code: 'NoSuchEntity' });
    const gone = new iam.UpdateOpenIDConnectProviderThumbprintCommand(update);
    expect(await refusal(root.send(gone))).toMatchObject({ code: 'NoSuchEntity' });
  });

  it('exist once', async () => {
    await make('https://once.example.com');
    expect(await refusal(make('https://once.example.com'))).toEqual({
      code: 'EntityAlreadyExists',
      status: 409,
      text: 'Provider with url https://once.example.com already exists.',
    });
    expect(await read(arnOf('once.example.com'))).toMatchObject({ ClientIDList: [], ThumbprintList: [] });
  });

  it.each([
    ['http://127.0.0.1:8080/issuer', '127.0.0.1:8080/issuer'],
    ['http://localhost:9', 'localhost:9'],
    ['https://Tenant.example.com/', 'Tenant.example.com/'],
  ])('may be at %s', async (url, name) => {
    expect((await make(url)).OpenIDConnectProviderArn).toBe(arnOf(name));
  });

  it.each([
    'http://example.com',
    'http://127.0.0.1.example.com',
    'http://localhost.example.com:80',
    'https://example.com:8443',
    'https://user@example.com',
    'https://example.com/?a=b',
    'https://example.com/#f',
    'https://exa mple.com',
    'https://',
    'ftp://example.com',
    'example.com',
  ])('may not be at %s', async (url) => {
    expect(await refusal(make(url))).toEqual({
      code: 'ValidationError',
      status: 400,
      text: 'Invalid Open ID Connect Provider URL',
    });
  });

  it('have at most 100 client ids and five thumbprints', async () => {
    const ClientIDList = Array.from({ length: 101 }, (_, i) => `app${i}`);
    expect(await refusal(make('https://many.example.com', { ClientIDList }))).toEqual({
      code: 'LimitExceeded',
      status: 409,
      text: 'Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100',
    });
    const ThumbprintList = Array.from({ length: 6 }, () => THUMBPRINT);
    expect(await refusal(make('https://many.example.com', { ThumbprintList }))).toMatchObject({ code: 'InvalidInput' });
    const short = { ThumbprintList: ['abc'] };
    expect(await refusal(make('https://many.example.com', short))).toMatchObject({ code: 'ValidationError' });
    await make('https://full.example.com', { ClientIDList: ClientIDList.slice(1) });
    const add = { OpenIDConnectProviderArn: arnOf('full.example.com'), ClientID: 'one-too-many' };
    const command = new iam.AddClientIDToOpenIDConnectProviderCommand(add);
    expect(await refusal(root.send(command))).toMatchObject({ code: 'LimitExceeded' });
  });

  it('are at most 100', async () => {
    await api.store.change((draft) => {
      for (let i = draft.all('oidcProviders').length; i < 100; i++) {
        const url = `https://filler${i}.example.com`;
        const createdAt = '2026-01-01T00:00:00Z';
        draft.put('oidcProviders', arnOf(url.slice(8)), { url, createdAt, clientIds: [], thumbprints: [], tags: [] });
      }
    });
    expect(await refusal(make('https://one-too-many.example.com'))).toMatchObject({ code: 'LimitExceeded' });
    const listed = await root.send(new iam.ListOpenIDConnectProvidersCommand({}));
    expect(listed.OpenIDConnectProviderList).toHaveLength(100);
    await api.store.change((draft) => {
      for (const { url } of draft.all('oidcProviders')) {
        if (url.includes('filler')) draft.delete('oidcProviders', arnOf(url.slice(8)));
      }
    });
  });

  it('have tags', async () => {
    await make('https://tagged.example.com');
    const OpenIDConnectProviderArn = arnOf('tagged.example.com');
    const Tags = ['b', 'a', 'c'].map((Key) => ({ Key, Value: '' }));
    await root.send(new iam.TagOpenIDConnectProviderCommand({ OpenIDConnectProviderArn, Tags }));
    await root.send(new iam.UntagOpenIDConnectProviderCommand({ OpenIDConnectProviderArn, TagKeys: ['A'] }));
    const list = (rest: { MaxItems?: number; Marker?: string | undefined }) =>
      root.send(new iam.ListOpenIDConnectProviderTagsCommand({ OpenIDConnectProviderArn, ...rest }));
    const first = await list({ MaxItems: 1 });
    expect(first).toMatchObject({ Tags: [{ Key: 'b', Value: '' }], IsTruncated: true });
    expect((await list({ Marker: first.Marker })).Tags).toEqual([{ Key: 'c', Value: '' }]);
    const missing = { OpenIDConnectProviderArn: arnOf('nothing'), Tags };
    const tag = new iam.TagOpenIDConnectProviderCommand(missing);
    expect(await refusal(root.send(tag))).toMatchObject({ code: 'NoSuchEntity' });
  });
});
