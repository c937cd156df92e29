/** ARNs of the account's IAM entities. Paths begin and end with a slash. */

export function rootArn(account: string): string {
  return `arn:aws:iam::${account}:root`;
}

export function userArn(account: string, user: { path: string; name: string }): string {
  return `arn:aws:iam::${account}:user${user.path}${user.name}`;
}

export function roleArn(account: string, role: { path: string; name: string }): string {
  return `arn:aws:iam::${account}:role${role.path}${role.name}`;
}

export function groupArn(account: string, group: { path: string; name: string }): string {
  return `arn:aws:iam::${account}:group${group.path}${group.name}`;
}

/** `owner` is an account, or `aws` for AWS's own. */
export function policyArn(owner: string, policy: { path: string; name: string }): string {
  return `arn:aws:iam::${owner}:policy${policy.path}${policy.name}`;
}

/** `url` with its scheme, which the ARN leaves out. */
export function oidcProviderArn(account: string, url: string): string {
  return `arn:aws:iam::${account}:oidc-provider/${url.replace(/^https?:\/\//, '')}`;
}

/** A session's ARN leaves the role's path out. */
export function sessionArn(account: string, roleName: string, sessionName: string): string {
  return `arn:aws:sts::${account}:assumed-role/${roleName}/${sessionName}`;
}

export function federatedUserArn(account: string, name: string): string {
  return `arn:aws:sts::${account}:federated-user/${name}`;
}

const ROLE = /^arn:aws:iam::(\d{12}):role(\/(?:[!-~]{1,510}\/)?)([\w+=,.@-]{1,64})$/;

/** Undefined for anything that is no role ARN. */
export function parseRoleArn(arn: string): { account: string; path: string; name: string } | undefined {
  const [, account, path, name] = ROLE.exec(arn) ?? [];
  return account !== undefined && path !== undefined && name !== undefined ? { account, path, name } : undefined;
}

const USER = /^arn:aws:iam::(\d{12}):user(\/(?:[!-~]{1,510}\/)?)([\w+=,.@-]{1,64})$/;

/** Undefined for anything that is no user ARN. */
export function parseUserArn(arn: string): { account: string; path: string; name: string } | undefined {
  const [, account, path, name] = USER.exec(arn) ?? [];
  return account !== undefined && path !== undefined && name !== undefined ? { account, path, name } : undefined;
}

const POLICY = /^arn:aws:iam::(\d{12}|aws):policy((?:\/[A-Za-z0-9.,+@=_-]+)*\/)([\w+=,.@-]{1,128})$/;

/** Undefined for anything that is no ARN of a managed policy. `owner` is `aws` for AWS's own. */
export function parsePolicyArn(arn: string): { owner: string; path: string; name: string } | undefined {
  const [, owner, path, name] = POLICY.exec(arn) ?? [];
  return owner !== undefined && path !== undefined && name !== undefined ? { owner, path, name } : undefined;
}

/** The name at the end of the ARN of a user, role, group or policy: names have no slash. */
export function nameInArn(arn: string): string {
  return arn.slice(arn.lastIndexOf('/') + 1);
}

/** Names are unique without regard to case; this is the key of their record. */
export function nameKey(name: string): string {
  return name.toLowerCase();
}
