/**
 * Managed policies that AWS itself provides (ARNs `arn:aws:iam::aws:policy/…`), as its "AWS Managed Policy Reference
 * Guide" had them in August 2026, newest version only. ReadOnlyAccess is a part: on AWS it has about 2,900 actions, of
 * which these are all that name a service of this server. The ids of the Aurora DSQL policies are not published: theirs
 * are made up. The description of AmazonAuroraDSQLConsoleFullAccess is known from translations only.
 */
export interface AwsManagedPolicy {
  name: string;
  /** ANPA… */
  id: string;
  path: string;
  description: string;
  document: string;
  /** Of the newest version, which is the default one. */
  versionId: string;
  createdAt: string;
  /** When the newest version was made. */
  updatedAt: string;
}

export function awsManagedPolicy(arn: string): AwsManagedPolicy | undefined {
  return BY_ARN.get(arn);
}

/** By name. */
export function awsManagedPolicies(): readonly AwsManagedPolicy[] {
  return POLICIES;
}

type Row = Omit<AwsManagedPolicy, 'path' | 'document'> & { statements: readonly object[] };

const DSQL_ACTIONS = [
  'dsql:PutClusterPolicy',
  'dsql:GetClusterPolicy',
  'dsql:DeleteClusterPolicy',
  'dsql:CreateCluster',
  'dsql:GetCluster',
  'dsql:UpdateCluster',
  'dsql:DeleteCluster',
  'dsql:ListClusters',
  'dsql:TagResource',
  'dsql:UntagResource',
  'dsql:ListTagsForResource',
  'dsql:DbConnectAdmin',
  'dsql:DbConnect',
  'dsql:PutMultiRegionProperties',
  'dsql:PutWitnessRegion',
  'dsql:AddPeerCluster',
  'dsql:RemovePeerCluster',
  'dsql:GetVpcEndpointServiceName',
  'dsql:StartBackupJob',
  'dsql:GetBackupJob',
  'dsql:StopBackupJob',
  'dsql:StartRestoreJob',
  'dsql:GetRestoreJob',
  'dsql:StopRestoreJob',
  'dsql:InjectError',
  'dsql:CreateStream',
  'dsql:DeleteStream',
  'dsql:GetStream',
  'dsql:ListStreams',
  'dsql:UpdateStream',
];

const allow = (Action: string | readonly string[], more: object = {}) => ({
  Effect: 'Allow',
  Action,
  Resource: '*',
  ...more,
});
const dsqlAll = { Sid: 'DsqlAllPermissions', ...allow(DSQL_ACTIONS) };
const dsqlServiceLinkedRole = {
  Sid: 'CreateDsqlServiceLinkedRole',
  ...allow('iam:CreateServiceLinkedRole', {
    Condition: { StringEquals: { 'iam:AWSServiceName': 'dsql.amazonaws.com' } },
  }),
};
const dsqlPassRole = {
  Sid: 'PassRoleForChangeStreams',
  ...allow('iam:PassRole', { Condition: { StringEquals: { 'iam:PassedToService': 'dsql.amazonaws.com' } } }),
};
const dsqlKeys = {
  Sid: 'KMSCryptographicPermissions',
  ...allow(['kms:Decrypt', 'kms:Encrypt', 'kms:GenerateDataKey', 'kms:ReEncryptTo', 'kms:ReEncryptFrom'], {
    Condition: {
      StringLike: { 'kms:ViaService': ['dsql.*.amazonaws.com'] },
      'ForAnyValue:StringEquals': { 'kms:EncryptionContextKeys': 'aws:dsql:ClusterId' },
    },
  }),
};

const ROWS: readonly Row[] = [
  {
    name: 'AdministratorAccess',
    id: 'ANPAIWMBCKSKIEE64ZLYK',
    description: 'Provides full access to AWS services and resources.',
    versionId: 'v1',
    createdAt: '2015-02-06T18:39:46Z',
    updatedAt: '2015-02-06T18:39:46Z',
    statements: [allow('*')],
  },
  {
    name: 'AmazonAuroraDSQLConsoleFullAccess',
    id: 'ANPAZKAPJZG4DSQLCONSO',
    description: 'Provides full console administrative access to Aurora DSQL',
    versionId: 'v16',
    createdAt: '2024-12-03T15:36:07Z',
    updatedAt: '2026-05-13T18:57:14Z',
    statements: [
      dsqlAll,
      {
        Sid: 'DsqlConsolePermissions',
        ...allow([
          'access-analyzer:ValidatePolicy',
          'tag:GetTagKeys',
          'tag:GetTagValues',
          'cloudwatch:GetMetricData',
          'ec2:DescribeVpcEndpoints',
          'kms:ListAliases',
          'kms:DescribeKey',
          'cloudwatch:ListMetrics',
          'kinesis:DescribeStreamSummary',
          'kinesis:ListStreams',
        ]),
      },
      dsqlKeys,
      dsqlServiceLinkedRole,
      dsqlPassRole,
    ],
  },
  {
    name: 'AmazonAuroraDSQLFullAccess',
    id: 'ANPAZKAPJZG4DSQLFULLA',
    description: 'Provides full administrative access to Aurora DSQL',
    versionId: 'v16',
    createdAt: '2024-12-03T15:36:07Z',
    updatedAt: '2026-05-13T18:57:08Z',
    statements: [
      dsqlAll,
      { Sid: 'RelatedServicesPermissions', ...allow(['cloudwatch:GetMetricData']) },
      dsqlServiceLinkedRole,
      {
        Sid: 'KMSDescribePermission',
        ...allow(['kms:DescribeKey'], {
          Condition: { StringLike: { 'kms:ViaService': ['dsql.*.amazonaws.com'] } },
        }),
      },
      dsqlPassRole,
      dsqlKeys,
    ],
  },
  {
    name: 'AmazonAuroraDSQLReadOnlyAccess',
    id: 'ANPAZKAPJZG4DSQLREADO',
    description: 'Provides read only access to Aurora DSQL',
    versionId: 'v10',
    createdAt: '2024-12-03T15:21:07Z',
    updatedAt: '2026-05-13T18:57:20Z',
    statements: [
      {
        Sid: 'DsqlReadOnlyPermissions',
        ...allow([
          'dsql:GetClusterPolicy',
          'dsql:GetCluster',
          'dsql:GetVpcEndpointServiceName',
          'dsql:ListClusters',
          'dsql:ListTagsForResource',
          'dsql:GetStream',
          'dsql:ListStreams',
        ]),
      },
      { Sid: 'RelatedServicesPermissions', ...allow(['cloudwatch:GetMetricData']) },
    ],
  },
  {
    name: 'IAMFullAccess',
    id: 'ANPAI7XKCFMBPM3QQRRVQ',
    description: 'Provides full access to IAM via the AWS Management Console.',
    versionId: 'v2',
    createdAt: '2015-02-06T18:40:38Z',
    updatedAt: '2019-06-21T19:40:00Z',
    statements: [
      allow([
        'iam:*',
        'organizations:DescribeAccount',
        'organizations:DescribeOrganization',
        'organizations:DescribeOrganizationalUnit',
        'organizations:DescribePolicy',
        'organizations:ListChildren',
        'organizations:ListParents',
        'organizations:ListPoliciesForTarget',
        'organizations:ListRoots',
        'organizations:ListPolicies',
        'organizations:ListTargetsForPolicy',
      ]),
    ],
  },
  {
    name: 'IAMReadOnlyAccess',
    id: 'ANPAJKSO7NDY4T57MWDSQ',
    description: 'Provides read only access to IAM via the AWS Management Console.',
    versionId: 'v4',
    createdAt: '2015-02-06T18:40:39Z',
    updatedAt: '2018-01-25T19:11:27Z',
    statements: [
      allow([
        'iam:GenerateCredentialReport',
        'iam:GenerateServiceLastAccessedDetails',
        'iam:Get*',
        'iam:List*',
        'iam:SimulateCustomPolicy',
        'iam:SimulatePrincipalPolicy',
      ]),
    ],
  },
  {
    name: 'PowerUserAccess',
    id: 'ANPAJYRXTHIB4FOVS3ZXS',
    description:
      'Provides full access to AWS services and resources, but does not allow management of Users and groups.',
    versionId: 'v12',
    createdAt: '2015-02-06T18:39:47Z',
    updatedAt: '2026-02-12T17:59:14Z',
    statements: [
      { Effect: 'Allow', NotAction: ['iam:*', 'organizations:*', 'account:*'], Resource: '*' },
      allow([
        'account:GetAccountInformation',
        'account:GetGovCloudAccountInformation',
        'account:GetPrimaryEmail',
        'account:ListRegions',
        'iam:CreateServiceLinkedRole',
        'iam:DeleteServiceLinkedRole',
        'iam:ListRoles',
        'organizations:DescribeEffectivePolicy',
        'organizations:DescribeOrganization',
      ]),
    ],
  },
  {
    name: 'ReadOnlyAccess',
    id: 'ANPAILL3HVNFSB6DCOWYQ',
    description: 'Provides read-only access to AWS services and resources.',
    versionId: 'v188',
    createdAt: '2015-02-06T18:39:48Z',
    updatedAt: '2026-07-21T18:42:30Z',
    statements: [
      {
        Sid: 'ReadOnlyActionsGroup1',
        ...allow([
          'dsql:GetCluster',
          'dsql:GetClusterPolicy',
          'dsql:GetStream',
          'dsql:GetVpcEndpointServiceName',
          'dsql:ListClusters',
          'dsql:ListStreams',
          'dsql:ListTagsForResource',
          'iam:Generate*',
          'iam:Get*',
          'iam:List*',
          'iam:Simulate*',
          'sts:GetAccessKeyInfo',
          'sts:GetCallerIdentity',
          'sts:GetSessionToken',
        ]),
      },
    ],
  },
];

const POLICIES: readonly AwsManagedPolicy[] = ROWS.map(({ statements, ...row }) => ({
  ...row,
  path: '/',
  document: JSON.stringify({ Version: '2012-10-17', Statement: statements }),
}));

const BY_ARN = new Map(POLICIES.map((policy) => [`arn:aws:iam::aws:policy${policy.path}${policy.name}`, policy]));
