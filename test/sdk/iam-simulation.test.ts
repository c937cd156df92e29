import * as iam from '@aws-sdk/client-iam';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ACCOUNT,
  type ApiUnderTest,
  allow,
  CLUSTER_ARN,
  makeUserWithKey,
  refusal,
  startApi,
} from './api-under-test.ts';

let api: ApiUnderTest;
let root: iam.IAMClient;

const BOUNDARY = `arn:aws:iam::${ACCOUNT}:policy/limit`;
const ANN = `arn:aws:iam::${ACCOUNT}:user/team/ann`;
const DSQL = ['dsql:DbConnect', 'dsql:DbConnectAdmin', 'iam:GetUser'];

beforeAll(async () => {
  api = await startApi();
  root = api.iam();
  await root.send(new iam.CreatePolicyCommand({ PolicyName: 'limit', PolicyDocument: allow('dsql:*') }));
  const ann = { UserName: 'ann', Path: '/team/', PermissionsBoundary: BOUNDARY };
  await root.send(new iam.CreateUserCommand(ann));
  const document = allow(['dsql:DbConnect', 'iam:*']);
  await root.send(new iam.PutUserPolicyCommand({ UserName: 'ann', PolicyName: 'p', PolicyDocument: document }));
});
afterAll(() => api.close());

describe('the simulation of a principal', () => {
  it('has its policies and its boundary', async () => {
    const input = { PolicySourceArn: ANN, ActionNames: DSQL, ResourceArns: [CLUSTER_ARN] };
    const { EvaluationResults, IsTruncated } = await root.send(new iam.SimulatePrincipalPolicyCommand(input));
    expect(IsTruncated).toBe(false);
    const matched = {
      SourcePolicyId: 'user_ann_p',
      SourcePolicyType: 'user',
      StartPosition: { Line: 1, Column: 38 },
      EndPosition: { Line: 1, Column: 107 },
    };
    const facts = (allowed: boolean, MatchedStatements: object[]) => ({
      MatchedStatements,
      MissingContextValues: [],
      PermissionsBoundaryDecisionDetail: { AllowedByPermissionsBoundary: allowed },
    });
    const result = (name: string, decision: string, allowed: boolean, statements: object[]) => ({
      EvalActionName: name,
      EvalResourceName: CLUSTER_ARN,
      EvalDecision: decision,
      ...facts(allowed, statements),
      EvalDecisionDetails: {},
      ResourceSpecificResults: [
        { EvalResourceName: CLUSTER_ARN, EvalResourceDecision: decision, ...facts(allowed, statements) },
      ],
    });
    expect(EvaluationResults).toEqual([
      result('dsql:DbConnect', 'allowed', true, [matched]),
      result('dsql:DbConnectAdmin', 'implicitDeny', true, []),
      result('iam:GetUser', 'implicitDeny', false, [matched]),
    ]);
  });

  it('comes in pages', async () => {
    const input = { PolicySourceArn: ANN, ActionNames: DSQL };
    const found: (string | undefined)[][] = [];
    for await (const page of iam.paginateSimulatePrincipalPolicy({ client: root, pageSize: 2 }, input)) {
      found.push(page.EvaluationResults!.map((each) => each.EvalActionName));
    }
    expect(found).toEqual([DSQL.slice(0, 2), DSQL.slice(2)]);
  });

  it('needs permission on the principal', async () => {
    const only = allow('iam:SimulatePrincipalPolicy', `arn:aws:iam::${ACCOUNT}:user/team/*`);
    const asked = api.iam(await makeUserWithKey(root, 'asker', only));
    const simulate = (PolicySourceArn: string) =>
      asked.send(new iam.SimulatePrincipalPolicyCommand({ PolicySourceArn, ActionNames: ['dsql:DbConnect'] }));
    expect((await simulate(ANN)).EvaluationResults).toHaveLength(1);
    expect(await refusal(simulate(`arn:aws:iam::${ACCOUNT}:user/asker`))).toMatchObject({
      code: 'AccessDenied',
      status: 403,
    });
    const custom = new iam.SimulateCustomPolicyCommand({ PolicyInputList: [only], ActionNames: ['dsql:DbConnect'] });
    expect(await refusal(asked.send(custom))).toMatchObject({ code: 'AccessDenied', status: 403 });
  });
});

describe('the simulation of given policies', () => {
  it('knows nothing of the call but what the call says', async () => {
    const PolicyInputList = [
      JSON.stringify({
        Version: '2012-10-17',
        Statement: {
          Effect: 'Allow',
          Action: 'dsql:*',
          Resource: '*',
          Condition: { IpAddress: { 'aws:SourceIp': '127.0.0.0/8' } },
        },
      }),
    ];
    const simulate = async (ContextEntries: iam.ContextEntry[]) => {
      const input = { PolicyInputList, ActionNames: ['dsql:GetCluster'], ContextEntries };
      const [result] = (await root.send(new iam.SimulateCustomPolicyCommand(input))).EvaluationResults!;
      return result;
    };
    expect(await simulate([])).toEqual({
      EvalActionName: 'dsql:GetCluster',
      EvalResourceName: '*',
      EvalDecision: 'implicitDeny',
      MatchedStatements: [],
      MissingContextValues: ['aws:SourceIp'],
    });
    const entry: iam.ContextEntry = { ContextKeyName: 'aws:SourceIp', ContextKeyType: 'ip' };
    expect(await simulate([{ ...entry, ContextKeyValues: ['127.0.0.1'] }])).toMatchObject({
      EvalDecision: 'allowed',
      MatchedStatements: [{ SourcePolicyId: 'PolicyInputList.1', SourcePolicyType: 'none' }],
      MissingContextValues: [],
    });
  });

  it('tells over accounts what each policy says', async () => {
    const ResourcePolicy = JSON.stringify({
      Version: '2012-10-17',
      Statement: { Effect: 'Allow', Principal: { AWS: ANN }, Action: 's3:*', Resource: 'arn:aws:s3:::bucket/*' },
    });
    const input = {
      PolicyInputList: [allow('iam:*')],
      ActionNames: ['s3:PutObject'],
      ResourceArns: ['arn:aws:s3:::bucket/x'],
      ResourcePolicy,
      CallerArn: ANN,
    };
    const own = await root.send(new iam.SimulateCustomPolicyCommand(input));
    expect(own.EvaluationResults).toMatchObject([{ EvalDecision: 'allowed', EvalDecisionDetails: {} }]);
    const foreign = { ...input, ResourceOwner: 'arn:aws:iam::210987654321:root' };
    const EvalDecisionDetails = { 'IAM Policy': 'implicitDeny', 'Resource Policy': 'allowed' };
    expect((await root.send(new iam.SimulateCustomPolicyCommand(foreign))).EvaluationResults).toMatchObject([
      {
        EvalDecision: 'implicitDeny',
        EvalDecisionDetails,
        ResourceSpecificResults: [{ EvalResourceDecision: 'implicitDeny', EvalDecisionDetails }],
      },
    ]);
  });

  it.each<[string, Partial<iam.SimulateCustomPolicyCommandInput>, string, RegExp]>([
    ['a malformed policy', { PolicyInputList: ['{'] }, 'InvalidInput', /Syntax errors in policy/],
    [
      'a scenario of Amazon EC2',
      { ResourceHandlingOption: 'EC2-VPC-EBS' },
      'ValidationError',
      /The parameter resourceHandlingOption is not supported/,
    ],
    [
      'a type of context keys that there is not',
      { ContextEntries: [{ ContextKeyName: 'a:bcd', ContextKeyType: 'word' as 'string', ContextKeyValues: ['x'] }] },
      'ValidationError',
      /Member must satisfy enum value set: \[string, stringList, numeric,/,
    ],
    [
      'a short name of a context key',
      { ContextEntries: [{ ContextKeyName: 'a:b' }] },
      'ValidationError',
      /length greater/,
    ],
  ])('refuses %s', async (_, more, code, text) => {
    const input = { PolicyInputList: [allow('*')], ActionNames: ['s3:GetObject'], ...more };
    const refused = await refusal(root.send(new iam.SimulateCustomPolicyCommand(input)));
    expect(refused).toEqual({ code, status: 400, text: expect.stringMatching(text) });
  });
});
