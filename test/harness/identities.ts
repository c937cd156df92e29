import {
  CreateAccessKeyCommand,
  CreateRoleCommand,
  CreateUserCommand,
  PutRolePolicyCommand,
  PutUserPolicyCommand,
} from '@aws-sdk/client-iam';
import { AssumeRoleCommand } from '@aws-sdk/client-sts';
import type { SigningCredentials } from '../../src/sigv4/presign.ts';
import { keepSecret } from './no-secrets.ts';
import type { TestServer } from './server.ts';

/** A policy with one statement. */
export function policy(effect: 'Allow' | 'Deny', action: string | string[], resource = '*'): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: effect, Action: action, Resource: resource }] });
}

export const TRUST_ACCOUNT = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { AWS: 'arn:aws:iam::123456789012:root' }, Action: 'sts:AssumeRole' }],
});

/** An IAM user with one inline policy, and a key of its. */
export async function makeUser({ iam }: TestServer, name: string, document: string): Promise<SigningCredentials> {
  await iam.send(new CreateUserCommand({ UserName: name }));
  await iam.send(new PutUserPolicyCommand({ UserName: name, PolicyName: 'access', PolicyDocument: document }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: name }));
  keepSecret(AccessKey?.SecretAccessKey);
  return { accessKeyId: AccessKey?.AccessKeyId as string, secretAccessKey: AccessKey?.SecretAccessKey as string };
}

/** An IAM role that the account may assume, with one inline policy. Returns its ARN. */
export async function makeRole({ iam }: TestServer, name: string, document: string, path = '/'): Promise<string> {
  const { Role } = await iam.send(
    new CreateRoleCommand({ RoleName: name, Path: path, AssumeRolePolicyDocument: TRUST_ACCOUNT }),
  );
  await iam.send(new PutRolePolicyCommand({ RoleName: name, PolicyName: 'access', PolicyDocument: document }));
  return Role?.Arn as string;
}

/** Temporary credentials of a session of the role. */
export async function assume({ sts }: TestServer, roleArn: string, session = 'test'): Promise<SigningCredentials> {
  const { Credentials } = await sts.send(new AssumeRoleCommand({ RoleArn: roleArn, RoleSessionName: session }));
  keepSecret(Credentials?.SecretAccessKey);
  keepSecret(Credentials?.SessionToken);
  return {
    accessKeyId: Credentials?.AccessKeyId as string,
    secretAccessKey: Credentials?.SecretAccessKey as string,
    sessionToken: Credentials?.SessionToken as string,
  };
}
