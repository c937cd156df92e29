import { beforeEach, describe, expect, it } from 'vitest';
import { Refused } from '../refused.ts';
import type { Iam } from './iam.ts';
import { simulateCustomPolicy, simulatePrincipalPolicy } from './simulation.ts';
import {
  ACCOUNT,
  type Account,
  allow,
  arn,
  CLUSTER,
  deny,
  document,
  makeAccount,
  OTHER,
  type Statement,
  when,
} from './testing-account.ts';

const BUCKET = 'arn:aws:s3:::bucket/x';

let iam: Iam;
let clock: Account['clock'];
let add: Account['add'];
let addPolicy: Account['addPolicy'];
beforeEach(async () => {
  ({ iam, clock, add, addPolicy } = await makeAccount());
});

interface Result {
  EvalActionName: string;
  EvalResourceName: string;
  EvalDecision: string;
  MatchedStatements: { SourcePolicyId: string; SourcePolicyType: string }[];
  MissingContextValues: string[];
  EvalDecisionDetails?: Map<string, string>;
  PermissionsBoundaryDecisionDetail?: { AllowedByPermissionsBoundary: boolean };
  ResourceSpecificResults?: (Omit<Result, 'EvalDecision'> & { EvalResourceDecision: string })[];
}

type Custom = Parameters<typeof simulateCustomPolicy>[1];
type Principal = Parameters<typeof simulatePrincipalPolicy>[1];

const custom = async (input: Custom) => (await simulateCustomPolicy(iam, input)).EvaluationResults as Result[];
const principal = async (input: Principal) => (await simulatePrincipalPolicy(iam, input)).EvaluationResults as Result[];

async function refusalOf(call: Promise<unknown>): Promise<[string, string | undefined]> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Refused)) throw new Error('the call was not refused');
  return [error.kind, error.say];
}

describe('a simulation', () => {
  it('tells which statements decide, where they stand, and whose they are', async () => {
    const text =
      '{\n  "Version": "2012-10-17",\n  "Statement": [\n    {"Effect":"Allow","Action":"*","Resource":"*"}\n  ]\n}';
    const own = await addPolicy('own', document(allow('s3:Get*'), allow('s3:*')));
    await add('group', 'devs', { policies: { g: document(allow('s3:*')) }, attached: [own] });
    await add('user', 'ann', {
      policies: { u: text },
      attached: ['arn:aws:iam::aws:policy/AdministratorAccess', own],
      groups: ['devs'],
    });
    const [found] = await principal({
      PolicySourceArn: arn('user/ann'),
      PolicyInputList: [document(allow('s3:*'))],
      ActionNames: ['s3:GetObject'],
    });
    expect(found).toEqual({
      EvalActionName: 's3:GetObject',
      EvalResourceName: '*',
      EvalDecision: 'allowed',
      MissingContextValues: [],
      EvalDecisionDetails: undefined,
      PermissionsBoundaryDecisionDetail: undefined,
      MatchedStatements: [
        ['user_ann_u', 'user', [4, 5], [4, 51]],
        ['AdministratorAccess', 'aws-managed', expect.anything(), expect.anything()],
        // Once, though it is attached to the group too.
        ['own', 'user-managed', [1, 38], [1, 90]],
        ['own', 'user-managed', [1, 91], [1, 140]],
        ['group_devs_g', 'group', [1, 38], [1, 87]],
        ['PolicyInputList.1', 'none', [1, 38], [1, 87]],
      ].map(([SourcePolicyId, SourcePolicyType, start, end]) => {
        const place = (at: unknown) => (Array.isArray(at) ? { Line: at[0], Column: at[1] } : at);
        return { SourcePolicyId, SourcePolicyType, StartPosition: place(start), EndPosition: place(end) };
      }),
    });
  });

  it('has the policies of a role and of a group', async () => {
    await add('role', 'reader', { policies: { r: document(allow('dsql:*')) } });
    await add('group', 'devs', { policies: { g: document(deny('dsql:*')) } });
    const of = async (source: string) => {
      const [found] = await principal({ PolicySourceArn: arn(source), ActionNames: ['dsql:GetCluster'] });
      return [found!.EvalDecision, found!.MatchedStatements.map((each) => each.SourcePolicyId)];
    };
    expect(await of('role/reader')).toEqual(['allowed', ['role_reader_r']]);
    expect(await of('group/devs')).toEqual(['explicitDeny', ['group_devs_g']]);
  });

  it('tells only the Deny where there is one', async () => {
    const [found] = await custom({
      PolicyInputList: [document(allow('*'), deny('s3:*')), document(deny('iam:*'))],
      ActionNames: ['s3:GetObject'],
    });
    expect(found).toMatchObject({
      EvalDecision: 'explicitDeny',
      MatchedStatements: [{ StartPosition: { Column: 85 } }],
    });
  });

  it('has one result for an action, and in it one for each resource', async () => {
    const results = await custom({
      PolicyInputList: [
        document(allow('s3:*', 'arn:aws:s3:::a'), deny('s3:Put*', 'arn:aws:s3:::b')),
        document(allow('s3:Get*', 'arn:aws:s3:::*', when('Bool', 'aws:SecureTransport', 'true'))),
      ],
      ActionNames: ['s3:PutObject', 's3:GetObject'],
      ResourceArns: ['arn:aws:s3:::a', 'arn:aws:s3:::b'],
    });
    const told = results.map((result) => [
      result.EvalActionName,
      result.EvalResourceName,
      result.EvalDecision,
      result.MatchedStatements.length,
      result.MissingContextValues,
      [...result.EvalDecisionDetails!],
      result.ResourceSpecificResults!.map((each) => [
        each.EvalResourceName,
        each.EvalResourceDecision,
        each.MatchedStatements.length,
        each.MissingContextValues,
        each.EvalDecisionDetails,
      ]),
    ]);
    expect(told).toEqual([
      [
        's3:PutObject',
        '*',
        'explicitDeny',
        0,
        [],
        [],
        [
          ['arn:aws:s3:::a', 'allowed', 1, [], undefined],
          ['arn:aws:s3:::b', 'explicitDeny', 1, [], undefined],
        ],
      ],
      [
        's3:GetObject',
        '*',
        'implicitDeny',
        0,
        [],
        [],
        [
          ['arn:aws:s3:::a', 'allowed', 1, ['aws:SecureTransport'], undefined],
          ['arn:aws:s3:::b', 'implicitDeny', 0, ['aws:SecureTransport'], undefined],
        ],
      ],
    ]);
  });

  it('knows of the context what it is given, and tells what is missing', async () => {
    const policy = document(
      allow('s3:*', `arn:aws:s3:::\${aws:username}`, when('StringEquals', 'aws:PrincipalTag/Team', 'a')),
      allow('iam:*', '*', when('Bool', 'aws:SecureTransport', 'true')),
    );
    const ask = async (ContextEntries: Custom['ContextEntries']) => {
      const [found] = await custom({
        PolicyInputList: [policy],
        ActionNames: ['s3:GetObject'],
        ResourceArns: ['arn:aws:s3:::ann'],
        ContextEntries: ContextEntries ?? [],
      });
      const [on] = found!.ResourceSpecificResults!;
      return [on!.EvalResourceDecision, on!.MissingContextValues];
    };
    const name = { ContextKeyName: 'AWS:UserName', ContextKeyType: 'string', ContextKeyValues: ['ann'] } as const;
    const tag = { ContextKeyName: 'aws:principaltag/team', ContextKeyType: 'stringList' } as const;
    expect(await ask([])).toEqual(['implicitDeny', ['aws:username', 'aws:PrincipalTag/Team']]);
    expect(await ask([name])).toEqual(['implicitDeny', ['aws:PrincipalTag/Team']]);
    expect(await ask([name, { ...tag, ContextKeyValues: ['a'] }])).toEqual(['allowed', []]);
    // A key without values is not there, but nobody forgot it.
    expect(await ask([name, { ...tag, ContextKeyValues: [] }])).toEqual(['implicitDeny', []]);
  });

  it('tells what a permissions boundary says', async () => {
    const boundary = await addPolicy('limit', document(allow('s3:*'), deny('s3:Delete*')));
    await add('user', 'ann', { policies: { p: document(allow('*')) }, boundary });
    const ask = async (given?: string) => {
      const results = await principal({
        PolicySourceArn: arn('user/ann'),
        ActionNames: ['s3:GetObject', 's3:DeleteObject', 'iam:GetUser'],
        ...(given !== undefined && { PermissionsBoundaryPolicyInputList: [given] }),
      });
      return results.map((each) => [
        each.EvalDecision,
        each.PermissionsBoundaryDecisionDetail!.AllowedByPermissionsBoundary,
        each.MatchedStatements.map((statement) => [statement.SourcePolicyId, statement.SourcePolicyType]),
      ]);
    };
    const own = [['user_ann_p', 'user']];
    expect(await ask()).toEqual([
      ['allowed', true, own],
      ['explicitDeny', false, [['limit', 'user-managed']]],
      ['implicitDeny', false, own],
    ]);
    expect(await ask(document(allow('iam:*'), deny('s3:Get*')))).toEqual([
      ['explicitDeny', false, [['PermissionsBoundaryPolicyInputList.1', 'none']]],
      ['implicitDeny', false, own],
      ['allowed', true, own],
    ]);
  });
});

describe('a resource policy', () => {
  const ANN = arn('user/ann');
  const onBucket = (effect: string, AWS: string, more: Statement = {}) =>
    document({ Effect: effect, Principal: { AWS }, Action: 's3:*', Resource: 'arn:aws:s3:::bucket/*', ...more });

  interface Case {
    name: string;
    identity: string;
    policy: string;
    boundary?: string;
    caller?: string;
    owner?: string;
    decision: string;
    matched?: string[];
    details?: [string, string][];
  }

  const nothing = document(allow('iam:*'));
  const everything = document(allow('s3:*'));
  it.each<Case>([
    { name: 'may name the user', identity: nothing, policy: onBucket('Allow', ANN), decision: 'allowed' },
    {
      name: 'that names the user is not limited by the boundary',
      identity: nothing,
      policy: onBucket('Allow', ANN),
      boundary: nothing,
      decision: 'allowed',
      matched: ['ResourcePolicy'],
    },
    {
      name: 'that names everybody is limited by the boundary',
      identity: nothing,
      policy: onBucket('Allow', '*'),
      boundary: nothing,
      decision: 'implicitDeny',
    },
    {
      name: 'that names the account leaves it to the policies of the user',
      identity: nothing,
      policy: onBucket('Allow', ACCOUNT),
      decision: 'implicitDeny',
    },
    {
      name: 'about somebody else changes nothing',
      identity: everything,
      policy: onBucket('Deny', arn('user/bob')),
      decision: 'allowed',
      matched: ['PolicyInputList.1'],
    },
    {
      name: 'may deny',
      identity: everything,
      policy: onBucket('Deny', '*'),
      decision: 'explicitDeny',
      matched: ['ResourcePolicy'],
    },
    {
      name: 'of another account needs an Allow of both',
      identity: everything,
      policy: onBucket('Allow', ANN),
      owner: OTHER,
      decision: 'allowed',
      matched: ['PolicyInputList.1', 'ResourcePolicy'],
      details: [
        ['IAM Policy', 'allowed'],
        ['Resource Policy', 'allowed'],
      ],
    },
    {
      name: 'of another account may name the account',
      identity: everything,
      policy: onBucket('Allow', ACCOUNT),
      owner: OTHER,
      decision: 'allowed',
      details: [
        ['IAM Policy', 'allowed'],
        ['Resource Policy', 'allowed'],
      ],
    },
    {
      name: 'of another account alone allows nothing',
      identity: nothing,
      policy: onBucket('Allow', ANN),
      boundary: nothing,
      owner: OTHER,
      decision: 'implicitDeny',
      matched: ['ResourcePolicy'],
      details: [
        ['IAM Policy', 'implicitDeny'],
        ['Resource Policy', 'allowed'],
        ['Permissions Boundary Policy', 'implicitDeny'],
      ],
    },
    {
      name: 'of another account that is silent allows nothing',
      identity: everything,
      policy: onBucket('Allow', arn('user/bob')),
      owner: OTHER,
      decision: 'implicitDeny',
      details: [
        ['IAM Policy', 'allowed'],
        ['Resource Policy', 'implicitDeny'],
      ],
    },
    {
      name: 'of the account that the caller is of is of no other account',
      identity: nothing,
      policy: onBucket('Allow', arn('user/cid', OTHER)),
      caller: arn('user/cid', OTHER),
      decision: 'allowed',
    },
    {
      name: 'of another account is limited by the boundary',
      identity: everything,
      policy: onBucket('Allow', ANN),
      boundary: document(deny('s3:Get*')),
      owner: OTHER,
      decision: 'explicitDeny',
      matched: ['PermissionsBoundaryPolicyInputList.1'],
      details: [
        ['IAM Policy', 'allowed'],
        ['Resource Policy', 'allowed'],
        ['Permissions Boundary Policy', 'explicitDeny'],
      ],
    },
  ])('$name', async ({ identity, policy, boundary, caller = ANN, owner, decision, matched, details }) => {
    const [found] = await custom({
      PolicyInputList: [identity],
      ActionNames: ['s3:GetObject'],
      ResourceArns: [BUCKET],
      ResourcePolicy: policy,
      CallerArn: caller,
      ...(boundary !== undefined && { PermissionsBoundaryPolicyInputList: [boundary] }),
      ...(owner !== undefined && { ResourceOwner: arn('root', owner) }),
    });
    expect(found!.EvalDecision).toBe(decision);
    if (matched) expect(found!.MatchedStatements.map((each) => each.SourcePolicyId)).toEqual(matched);
    expect([...found!.EvalDecisionDetails!]).toEqual(details ?? []);
    const [on] = found!.ResourceSpecificResults!;
    expect(on!.EvalResourceDecision).toBe(decision);
    expect(on!.EvalDecisionDetails && [...on!.EvalDecisionDetails]).toEqual(details);
  });

  it('takes the owner from the ARN of a resource that names it', async () => {
    const [found] = await custom({
      PolicyInputList: [nothing],
      ActionNames: ['dsql:GetCluster'],
      ResourceArns: [CLUSTER, CLUSTER.replace(ACCOUNT, OTHER)],
      ResourcePolicy: document({ Effect: 'Allow', Principal: { AWS: ANN }, Action: 'dsql:*', Resource: '*' }),
      ResourceOwner: arn('root', OTHER),
      CallerArn: ANN,
    });
    const decisions = found!.ResourceSpecificResults!.map((each) => each.EvalResourceDecision);
    expect(decisions).toEqual(['allowed', 'implicitDeny']);
  });

  it('is about the user whose policies are simulated, or whom the call names', async () => {
    await add('user', 'ann');
    await add('role', 'reader');
    const ask = (PolicySourceArn: string, CallerArn?: string) =>
      principal({
        PolicySourceArn,
        ActionNames: ['s3:GetObject'],
        ResourceArns: [BUCKET],
        ResourcePolicy: onBucket('Allow', ANN),
        ...(CallerArn !== undefined && { CallerArn }),
      }).then(([found]) => found!.EvalDecision);
    expect(await ask(ANN)).toBe('allowed');
    expect(await ask(ANN, arn('user/bob'))).toBe('implicitDeny');
    expect(await ask(arn('role/reader'), ANN)).toBe('allowed');
    expect(await refusalOf(ask(arn('role/reader')))).toEqual([
      'invalid-input',
      'Invalid caller - Caller cannot be null or empty.',
    ]);
  });
});

describe('what is refused', () => {
  const base: Custom = { PolicyInputList: [document(allow('*'))], ActionNames: ['s3:GetObject'] };
  const entry = (ContextKeyType: string, ...ContextKeyValues: string[]) =>
    ({ ...base, ContextEntries: [{ ContextKeyName: 'a:bcd', ContextKeyType, ContextKeyValues }] }) as Custom;
  const onBucket = document({ Effect: 'Allow', Principal: '*', Action: '*', Resource: BUCKET });

  it.each<[string, Custom, RegExp]>([
    ['no action', { ...base, ActionNames: [] }, /ActionNames must name an action/],
    ['an action without a service', { ...base, ActionNames: ['GetObject'] }, /The action GetObject is not valid/],
    ['a pattern of actions', { ...base, ActionNames: ['s3:*'] }, /The action s3:\* is not valid/],
    ['a resource that is no ARN', { ...base, ResourceArns: ['*', 'bucket'] }, /not in a valid ARN format: bucket\./],
    ['a document that is no policy', { ...base, PolicyInputList: ['{}'] }, /Syntax errors in policy/],
    ['a policy with a Principal', { ...base, PolicyInputList: [onBucket] }, /should not specify a principal/],
    [
      'two boundaries',
      { ...base, PermissionsBoundaryPolicyInputList: [document(allow('*')), document(allow('*'))] },
      /cannot exceed 1 items/,
    ],
    ['a resource policy without a caller', { ...base, ResourcePolicy: onBucket }, /Caller cannot be null or empty/],
    ['a caller that is a role', { ...base, CallerArn: arn('role/r') }, /Caller must be an IAM user/],
    ['the root user as caller', { ...base, CallerArn: arn('root') }, /Caller must be an IAM user/],
    ['a resource owner that is no account', { ...base, ResourceOwner: ACCOUNT }, /not a valid as a Resource Owner/],
    [
      'a resource policy that does not apply to a resource',
      { ...base, ResourceArns: [BUCKET, 'arn:aws:s3:::y'], ResourcePolicy: onBucket, CallerArn: arn('user/u') },
      /does not apply to the resource arn:aws:s3:::y/,
    ],
    ['a context entry without a type', { ...base, ContextEntries: [{ ContextKeyName: 'a:bcd' }] }, /needs ContextKey/],
    [
      'a context key that is given twice',
      { ...base, ContextEntries: [...entry('string', '1').ContextEntries!, ...entry('ip', '::1').ContextEntries!] },
      /a:bcd is given twice/,
    ],
    ['two values of a type for one', entry('string', 'a', 'b'), /of type string needs one value/],
    ['no value of a type for one', entry('numeric'), /of type numeric needs one value/],
    ['a word as number', entry('numericList', '1', 'one'), /is not of type numericList/],
    ['a word as boolean', entry('boolean', 'yes'), /is not of type boolean/],
    ['a range as address', entry('ip', '10.0.0.0/8'), /is not of type ip/],
    ['text as binary', entry('binary', '?'), /is not of type binary/],
    ['a day that does not exist as date', entry('date', '2026-02-30'), /is not of type date/],
    [
      'too many combinations',
      {
        ...base,
        ActionNames: Array.from({ length: 101 }, () => 's3:GetObject'),
        ResourceArns: Array.from({ length: 100 }, () => BUCKET),
      },
      /more than 10000 combinations/,
    ],
  ])('is %s', async (_, input, text) => {
    expect(await refusalOf(custom(input))).toEqual(['invalid-input', expect.stringMatching(text)]);
  });

  it.each([
    ['string', 'anything'],
    ['numeric', '-1.5'],
    ['boolean', 'TRUE'],
    ['ip', '2001:db8::1'],
    ['binary', 'QmluYXJ5'],
    ['date', '2026-02-28T12:00:00Z'],
  ])('is not a value of type %s', async (type, value) => {
    expect(await custom(entry(type, value))).toHaveLength(1);
    expect(await custom(entry(`${type}List`, value, value))).toHaveLength(1);
  });

  it.each([
    [arn('root'), 'invalid-input', `Invalid Entity Arn: ${arn('root')} does not clearly define entity type and name.`],
    [
      `arn:aws:sts::${ACCOUNT}:assumed-role/r/s`,
      'invalid-input',
      `Invalid Entity Arn: arn:aws:sts::${ACCOUNT}:assumed-role/r/s does not clearly define entity type and name.`,
    ],
    [arn('user/nobody'), 'no-such-entity', 'The user with name nobody cannot be found.'],
    [arn('user/ann', OTHER), 'no-such-entity', 'The user with name ann cannot be found.'],
  ])('is to simulate %s', async (PolicySourceArn, kind, say) => {
    await add('user', 'ann');
    expect(await refusalOf(principal({ PolicySourceArn, ActionNames: ['s3:GetObject'] }))).toEqual([kind, say]);
  });

  it('is to simulate who has a policy that cannot be read', async () => {
    const ask = (name: string) => principal({ PolicySourceArn: arn(`user/${name}`), ActionNames: ['s3:GetObject'] });
    await add('user', 'ann', { policies: { p: '{' } });
    await add('user', 'bob', { boundary: arn('policy/gone') });
    for (const [name, reason] of [
      ['ann', 'the inline policies of user ann cannot be read'],
      ['bob', `managed policy ${arn('policy/gone')} does not exist any more`],
    ] as const) {
      expect(await refusalOf(ask(name))).toEqual(['policy-evaluation', expect.stringContaining(reason)]);
    }
  });
});

describe('a page', () => {
  const ActionNames = ['s3:A1', 's3:A2', 's3:A3', 's3:A4', 's3:A5'];
  const policy = document(allow('s3:A2'), allow('s3:A4'));
  const pages = async (input: Partial<Custom>) => {
    const found: string[][] = [];
    let Marker: string | undefined;
    do {
      const asked = { PolicyInputList: [policy], ActionNames, ...input, ...(Marker !== undefined && { Marker }) };
      const page = await simulateCustomPolicy(iam, asked);
      found.push((page.EvaluationResults as Result[]).map((each) => `${each.EvalActionName} ${each.EvalDecision}`));
      expect(page.IsTruncated).toBe(page.Marker !== undefined);
      Marker = page.Marker;
    } while (Marker !== undefined);
    return found;
  };
  const all = ActionNames.map((name) => `${name} ${/[24]/.test(name) ? 'allowed' : 'implicitDeny'}`);

  it('has as many results as are asked for', async () => {
    expect(await pages({})).toEqual([all]);
    expect(await pages({ MaxItems: 5 })).toEqual([all]);
    expect(await pages({ MaxItems: 2 })).toEqual([all.slice(0, 2), all.slice(2, 4), all.slice(4)]);
    expect(await refusalOf(pages({ Marker: 'eA' }))).toEqual(['validation', 'Invalid Marker.']);
  });

  it('ends when a second has gone by, with one result at least', async () => {
    clock.step = 400;
    expect(await pages({})).toEqual([all.slice(0, 2), all.slice(2, 4), all.slice(4)]);
    clock.step = 3000;
    expect(await pages({})).toEqual(all.map((each) => [each]));
  });

  it('is refused where its first result takes too long', async () => {
    clock.step = 3000;
    const ResourceArns = [BUCKET, `${BUCKET}y`];
    expect(await refusalOf(pages({ ResourceArns }))).toEqual([
      'invalid-input',
      'The simulation is too large. Ask about fewer resources at a time.',
    ]);
  });

  it('ends where too many statements would be told', async () => {
    const many = document(...Array.from({ length: 500 }, () => allow('*')));
    const ResourceArns = Array.from({ length: 30 }, (_, index) => `${BUCKET}${index}`);
    expect(await pages({ PolicyInputList: [many], ResourceArns })).toEqual([
      ['s3:A1 allowed'],
      ['s3:A2 allowed'],
      ['s3:A3 allowed'],
      ['s3:A4 allowed'],
      ['s3:A5 allowed'],
    ]);
    expect(await refusalOf(pages({ PolicyInputList: [many, many], ResourceArns }))).toContain('invalid-input');
  });

  it('is not begun where policies, resources and context are too large together', async () => {
    const pattern = `arn:aws:s3:::*${'a'.repeat(1000)}b*`;
    const large = document(
      allow(
        '*',
        Array.from({ length: 120 }, () => pattern),
      ),
    );
    const long = `arn:aws:s3:::${'a'.repeat(2000)}`;
    const text = 'The policies, the resources and the context are too large together.';
    expect(await refusalOf(pages({ PolicyInputList: [large], ResourceArns: [long] }))).toEqual(['invalid-input', text]);
    const value = { ContextKeyName: 'a:bcd', ContextKeyType: 'string' as const, ContextKeyValues: ['a'.repeat(2000)] };
    expect(await refusalOf(pages({ PolicyInputList: [large], ContextEntries: [value] }))).toEqual([
      'invalid-input',
      text,
    ]);
    expect(await pages({ PolicyInputList: [large], ResourceArns: [long.slice(0, 300)] })).toHaveLength(1);
  });
});
