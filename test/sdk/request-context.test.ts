import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ApiUnderTest, CLUSTER_ARN, CLUSTER_ID, startApi } from './api-under-test.ts';
import { type RawRequest, send } from './signed-request.ts';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());
beforeEach(() => {
  api.asked.length = 0;
});

const LIST = 'Action=ListUsers&Version=2010-05-08';
const INFO = 'Action=GetAccessKeyInfo&Version=2011-06-15&AccessKeyId=AKIAAAAAAAAAAAAAAAAA';

async function asked(raw: RawRequest) {
  await send(api.port, api.root, raw);
  expect(api.asked).toHaveLength(1);
  return api.asked[0]!;
}

describe('the context of a call', () => {
  it('has what is known of every call, and nothing that is not', async () => {
    const before = Math.floor(Date.now() / 1000);
    const { context } = await asked({ body: LIST });
    expect(Object.keys(context).sort()).toEqual([
      'aws:currenttime',
      'aws:epochtime',
      'aws:requestedregion',
      'aws:securetransport',
      'aws:sourceip',
    ]);
    expect(context['aws:sourceip']).toEqual(['127.0.0.1']);
    // It is plain HTTP, whatever a header says.
    expect(context['aws:securetransport']).toEqual(['false']);
    const seconds = Number(context['aws:epochtime']![0]);
    expect(seconds).toBeGreaterThanOrEqual(before);
    expect(Math.floor(Date.parse(context['aws:currenttime']![0]!) / 1000)).toBe(seconds);
  });

  it('has the headers that are condition keys, and no others', async () => {
    const headers = {
      'User-Agent': 'curl/8',
      Referer: 'https://example.com/',
      'X-Forwarded-For': '192.0.2.1',
      'X-Forwarded-Proto': 'https',
      Via: '1.1 x',
    };
    const { context } = await asked({ body: LIST, headers });
    expect(context).toMatchObject({ 'aws:useragent': ['curl/8'], 'aws:referer': ['https://example.com/'] });
    expect(context).toMatchObject({ 'aws:sourceip': ['127.0.0.1'], 'aws:securetransport': ['false'] });
  });

  it.each([
    ['of the signature for STS', { service: 'sts', region: 'ap-south-1', body: INFO }, 'ap-south-1'],
    ['of IAM itself for IAM', { service: 'iam', region: 'ap-south-1', body: LIST }, 'us-east-1'],
    [
      'of the clusters for DSQL',
      { service: 'dsql', region: 'eu-west-1', method: 'GET', target: '/cluster' },
      'eu-west-1',
    ],
  ] as [string, RawRequest, string][])('has the region %s', async (_, raw, region) => {
    expect((await asked(raw)).context['aws:requestedregion']).toEqual([region]);
  });

  it('goes with the actions of DSQL on their clusters', async () => {
    const dsql = { service: 'dsql', region: 'eu-west-1', method: 'GET' };
    const { action, resource } = await asked({ ...dsql, target: `/cluster/${CLUSTER_ID}` });
    expect([action, resource]).toEqual(['dsql:GetCluster', CLUSTER_ARN]);
    api.asked.length = 0;
    const list = await asked({ ...dsql, target: '/cluster' });
    expect([list.action, list.resource]).toEqual(['dsql:ListClusters', '*']);
  });
});
