import * as iam from '@aws-sdk/client-iam';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UNSUPPORTED_OPERATIONS } from '../../src/http/services/iam-unsupported.ts';
import { HAS_BOTO3 } from '../harness/programs.ts';
import { ACCOUNT, type ApiUnderTest, startApi } from './api-under-test.ts';
import { runBoto3 } from './boto3.ts';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const SUPPORTED = Object.keys(iam)
  .filter((name) => name.endsWith('Command') && name !== '$Command')
  .map((name) => name.slice(0, -'Command'.length))
  .filter((name) => !UNSUPPORTED_OPERATIONS.has(name))
  .sort();

describe.skipIf(!HAS_BOTO3)('boto3', () => {
  it('gets of each IAM operation what the service model has', async () => {
    const steps = await runBoto3(api, 'boto3-iam.py', {
      POSTERN_ACCOUNT_ID: ACCOUNT,
    });
    const own = `arn:aws:iam::${ACCOUNT}:policy/app/Own`;
    const tags = [
      { Key: 'n', Value: '1' },
      { Key: 'team', Value: 'ä: b' },
    ];
    const conflict = ['DeleteConflict', 409];
    const exists = ['EntityAlreadyExists', 409];
    expect(steps).toEqual([
      {
        step: 'policy',
        arn: own,
        default: true,
        same: true,
        versions: ['v2', 'v1'],
        tags,
        description: 'é & <b>',
        listed: ['Own'],
        administrator: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] },
        exists,
        default_version: conflict,
        aws: ['AccessDenied', 403],
      },
      {
        step: 'user',
        bounded: true,
        unbounded: true,
        policy: true,
        inline: ['p'],
        attached: ['Own', 'AdministratorAccess'],
        tags,
        users: ['Ann'],
        keys: ['Inactive'],
        used: 'N/A',
        devices: [],
        certificates: [],
        ssh: [],
        credentials: [],
        conflict,
      },
      {
        step: 'group',
        members: ['Ann'],
        groups: ['Crew'],
        mine: [`arn:aws:iam::${ACCOUNT}:group/g/Crew`],
        policy: true,
        inline: ['p'],
        attached: [own],
        conflict,
        exists,
      },
      {
        step: 'role',
        description: 'd',
        trust: true,
        duration: 7200,
        bounded: true,
        roles: ['Role'],
        policy: true,
        inline: ['p'],
        attached: [own],
        tags,
        profiles: [],
        conflict,
      },
      { step: 'entities', groups: ['Crew'], roles: ['Role'], users: ['Ann'], conflict },
      {
        step: 'provider',
        arn: `arn:aws:iam::${ACCOUNT}:oidc-provider/token.example.com/x`,
        url: 'token.example.com/x',
        clients: ['b'],
        thumbprints: ['1'.repeat(40)],
        tags: ['n', 'team'],
        listed: [`arn:aws:iam::${ACCOUNT}:oidc-provider/token.example.com/x`],
        exists,
        invalid: ['ValidationError', 400],
      },
      {
        step: 'context keys',
        custom: ['aws:PrincipalTag/team', 'aws:username'],
        principal: ['aws:PrincipalTag/team', 'aws:username'],
      },
      {
        step: 'simulation',
        custom: [
          ['s3:GetObject', 'implicitDeny'],
          ['s3:PutObject', 'allowed'],
        ],
        resources: [
          ['arn:aws:s3:::home/Ann/x', 'allowed', 1],
          ['arn:aws:s3:::other', 'implicitDeny', 0],
        ],
        missing: ['aws:username', 'aws:PrincipalTag/team'],
        principal: 'implicitDeny',
        boundary: false,
        details: {
          'IAM Policy': 'allowed',
          'Resource Policy': 'allowed',
          'Permissions Boundary Policy': 'implicitDeny',
        },
        matched: [
          ['user_Ann_p', 'user', { Line: 1, Column: 41 }],
          ['Own', 'user-managed', { Line: 1, Column: 41 }],
          ['AdministratorAccess', 'aws-managed', { Line: 1, Column: 38 }],
          ['group_Crew_p', 'group', { Line: 1, Column: 41 }],
          ['ResourcePolicy', 'resource', { Line: 1, Column: 41 }],
        ],
        session: ['InvalidInput', 400],
      },
      {
        step: 'account',
        lists: [1, 1, 1, 2],
        document: true,
        inline: true,
        trust: true,
        paged: ['Role'],
        summary: [1, 1, 1, 1, 1, 5000],
        aliases: [],
      },
      { step: 'deleted', left: [0, 0, 0] },
      { step: 'model', called: SUPPORTED, wrong: [] },
    ]);
  });
});
