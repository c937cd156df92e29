import type { Identity } from '../iam/identity.ts';

/** CloudTrail's `userIdentity` (CloudTrail User Guide, "CloudTrail userIdentity element"). */
export interface UserIdentity {
  type: 'Root' | 'IAMUser' | 'AssumedRole' | 'FederatedUser' | 'WebIdentityUser' | 'AWSService' | 'Unknown';
  principalId?: string;
  arn?: string;
  accountId?: string;
  accessKeyId?: string;
  userName?: string;
  identityProvider?: string;
  invokedBy?: string;
  sessionContext?: object;
}

/** Nobody has proved to be anybody; the key is what was named. */
export function unknownIdentity(accessKeyId: string | undefined): UserIdentity {
  return { type: 'Unknown', ...(accessKeyId !== undefined && { accessKeyId }) };
}

const TYPES = {
  root: 'Root',
  user: 'IAMUser',
  'role-session': 'AssumedRole',
  'federated-user': 'FederatedUser',
} as const satisfies Record<Identity['kind'], UserIdentity['type']>;

export function userIdentity(identity: Identity): UserIdentity {
  const { kind, userId, arn, account, accessKeyId, session } = identity;
  return {
    type: TYPES[kind],
    principalId: userId,
    arn,
    accountId: account,
    accessKeyId,
    ...(kind === 'user' && { userName: nameIn(arn) }),
    ...(session && {
      sessionContext: {
        ...sessionIssuer(identity),
        ...(session.federatedProvider !== undefined && {
          webIdFederationData: { federatedProvider: session.federatedProvider },
        }),
        ...(session.sourceIdentity !== undefined && { sourceIdentity: session.sourceIdentity }),
        attributes: { creationDate: seconds(session.issuedAt), mfaAuthenticated: 'false' },
      },
    }),
  };
}

/** Of a role's session the role, of a federated user the user or root user who asked for it. */
function sessionIssuer({ kind, userId, principalArn, account, session }: Identity): object {
  if (kind === 'role-session') {
    const [principalId] = userId.split(':');
    const userName = nameIn(principalArn);
    return { sessionIssuer: { type: 'Role', principalId, arn: principalArn, accountId: account, userName } };
  }
  const issuer = kind === 'federated-user' ? session?.issuer : undefined;
  if (issuer === undefined) return {};
  const type = issuer.endsWith(':root') ? 'Root' : 'IAMUser';
  const name = type === 'IAMUser' && { userName: nameIn(issuer) };
  return { sessionIssuer: { type, arn: issuer, accountId: account, ...name } };
}

function nameIn(arn: string): string {
  return arn.slice(arn.lastIndexOf('/') + 1);
}

/** As CloudTrail writes times: to the second. */
export function seconds(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}
