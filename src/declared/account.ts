import { isDeepStrictEqual } from 'node:util';
import { ConfigurationError } from '../config/configuration-error.ts';
import { IMPORT_ACCESS_KEY, importAccessKey } from '../iam/access-keys.ts';
import { nameKey, oidcProviderArn, policyArn, roleArn } from '../iam/arn.ts';
import { find, GROUP, OIDC_PROVIDER, POLICY, ROLE, USER } from '../iam/entities.ts';
import {
  ADD_USER_TO_GROUP,
  addUserToGroup,
  CREATE_GROUP,
  createGroup,
  UPDATE_GROUP,
  updateGroup,
} from '../iam/groups.ts';
import { checkInput } from '../iam/input.ts';
import { CREATE_POLICY, createPolicy } from '../iam/managed-policies.ts';
import {
  ADD_CLIENT_ID,
  addClientId,
  CREATE_OIDC_PROVIDER,
  createOidcProvider,
  UPDATE_THUMBPRINT,
  updateThumbprint,
} from '../iam/oidc-providers.ts';
import { parseTrustPolicy } from '../iam/policy/parse.ts';
import {
  CREATE_POLICY_VERSION,
  createPolicyVersion,
  deletePolicyVersion,
  setDefaultPolicyVersion,
} from '../iam/policy-versions.ts';
import { QUOTAS } from '../iam/quotas.ts';
import {
  CREATE_ROLE,
  createRole,
  UPDATE_ASSUME_ROLE_POLICY,
  UPDATE_ROLE,
  updateAssumeRolePolicy,
  updateRole,
} from '../iam/roles.ts';
import { resolveTrustPrincipals } from '../iam/trust-principals.ts';
import { CREATE_USER, createUser, UPDATE_USER, updateUser } from '../iam/users.ts';
import { ACCOUNT, type Applying } from './applying.ts';
import type { DeclaredGroup, DeclaredPolicy, DeclaredProvider, DeclaredRole, DeclaredUser } from './declaration.ts';
import { applyBoundary, applyPolicies, applyTags, namedPolicy, saysTheSame, tagList } from './policy-holders.ts';
import { below } from './shape.ts';

/* One function a kind: makes what is missing and sets right what differs, with the operations of IAM's own API. */

export async function applyProvider(applying: Applying, path: string, declared: DeclaredProvider): Promise<void> {
  const { iam } = applying;
  const { url, clientIds = [], thumbprints, tags } = declared;
  const arn = oidcProviderArn(iam.account, url);
  const there = iam.store.get('oidcProviders', arn);
  if (!there) {
    await applying.at(path, () =>
      createOidcProvider(
        iam,
        checkInput(CREATE_OIDC_PROVIDER, {
          Url: url,
          ClientIDList: clientIds,
          ThumbprintList: thumbprints ?? [],
          Tags: tagList(tags).map((tag) => ({ ...tag })),
        }),
      ),
    );
    return applying.changed(path, `OpenID Connect provider ${url} made`);
  }
  if (there.url !== url) throw new ConfigurationError(`${below(path, 'url')}: the provider is there as ${there.url}`);
  for (const [index, ClientID] of clientIds.entries()) {
    if (there.clientIds.includes(ClientID)) continue;
    const at = below(below(path, 'clientIds'), index);
    const input = { OpenIDConnectProviderArn: arn, ClientID };
    await applying.at(at, () => addClientId(iam, checkInput(ADD_CLIENT_ID, input)));
    applying.changed(at, `client id ${ClientID} of ${url}`);
  }
  if (thumbprints && !isDeepStrictEqual([...there.thumbprints], [...thumbprints])) {
    const at = below(path, 'thumbprints');
    const input = { OpenIDConnectProviderArn: arn, ThumbprintList: thumbprints };
    await applying.at(at, () => updateThumbprint(iam, checkInput(UPDATE_THUMBPRINT, input)));
    applying.changed(at, `thumbprints of ${url}`);
  }
  await applyTags(applying, path, OIDC_PROVIDER, arn, { tags, has: there.tags });
}

export async function applyPolicy(applying: Applying, path: string, declared: DeclaredPolicy): Promise<void> {
  const { iam } = applying;
  const { name, description, tags } = declared;
  const at = below(path, 'document');
  const { text, value } = await applying.document(declared.document, at);
  const there = iam.store.all('managedPolicies').find((policy) => nameKey(policy.name) === nameKey(name));
  if (!there) {
    await applying.at(path, () =>
      createPolicy(
        iam,
        checkInput(CREATE_POLICY, {
          PolicyName: name,
          PolicyDocument: text,
          ...(declared.path !== undefined && { Path: declared.path }),
          ...(description !== undefined && { Description: description }),
          Tags: tagList(tags).map((tag) => ({ ...tag })),
        }),
      ),
    );
    return applying.changed(path, `policy ${name} made`);
  }
  refuseMoved(path, declared.path, there.path);
  const PolicyArn = policyArn(iam.account, there);
  const current = there.versions.find(({ id }) => id === there.defaultVersion);
  if (!current || !saysTheSame(current.document, value)) {
    const same = there.versions.find(({ document }) => saysTheSame(document, value));
    await applying.at(at, async () => {
      if (same) return await setDefaultPolicyVersion(iam, { PolicyArn, VersionId: same.id });
      const oldest = there.versions.find(({ id }) => id !== there.defaultVersion);
      const input = checkInput(CREATE_POLICY_VERSION, { PolicyArn, PolicyDocument: text, SetAsDefault: true });
      if (oldest && there.versions.length >= QUOTAS.VersionsPerPolicy) {
        await deletePolicyVersion(iam, { PolicyArn, VersionId: oldest.id });
      }
      await createPolicyVersion(iam, input);
    });
    applying.changed(at, `document of policy ${name}`);
  }
  await applyTags(applying, path, POLICY, PolicyArn, { tags, has: there.tags });
}

export async function applyGroup(applying: Applying, path: string, declared: DeclaredGroup): Promise<void> {
  const { iam } = applying;
  const { name } = declared;
  const there = iam.store.get('groups', nameKey(name));
  if (!there) {
    const input = { GroupName: name, ...(declared.path !== undefined && { Path: declared.path }) };
    await applying.at(path, () => createGroup(iam, checkInput(CREATE_GROUP, input)));
    applying.changed(path, `group ${name} made`);
  } else if (declared.path !== undefined && declared.path !== there.path) {
    const at = below(path, 'path');
    const NewPath = declared.path;
    await applying.at(at, () => updateGroup(iam, checkInput(UPDATE_GROUP, { GroupName: name, NewPath })));
    applying.changed(at, `path of group ${name}`);
  }
  await applyPolicies(applying, path, GROUP, name, declared);
}

export async function applyUser(
  applying: Applying,
  path: string,
  declared: DeclaredUser,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const { iam } = applying;
  const { name, tags, permissionsBoundary: boundary, groups = [], accessKeys = [] } = declared;
  const there = iam.store.get('users', nameKey(name));
  if (!there) {
    const input = {
      UserName: name,
      ...(declared.path !== undefined && { Path: declared.path }),
      ...boundaryInput(applying, path, boundary),
      Tags: tagList(tags).map((tag) => ({ ...tag })),
    };
    await applying.at(path, () => createUser(iam, checkInput(CREATE_USER, input)));
    applying.changed(path, `user ${name} made`);
  } else {
    if (declared.path !== undefined && declared.path !== there.path) {
      const at = below(path, 'path');
      const NewPath = declared.path;
      await applying.at(at, () => updateUser(iam, checkInput(UPDATE_USER, { UserName: name, NewPath })));
      applying.changed(at, `path of user ${name}`);
    }
    await applyBoundary(applying, path, USER, name, boundary);
    await applyTags(applying, path, USER, name, { tags, has: there.tags });
  }
  await applyPolicies(applying, path, USER, name, declared);
  for (const [index, GroupName] of groups.entries()) {
    if (find(USER, iam.store, name).groups.includes(nameKey(GroupName))) continue;
    const at = below(below(path, 'groups'), index);
    const input = { UserName: name, GroupName };
    await applying.at(at, () => addUserToGroup(iam, checkInput(ADD_USER_TO_GROUP, input)));
    applying.changed(at, `user ${name} in group ${GroupName}`);
  }
  for (const [index, { idFrom, secretFrom }] of accessKeys.entries()) {
    const at = below(below(path, 'accessKeys'), index);
    const AccessKeyId = fromEnvironment(env, idFrom, below(at, 'idFrom'));
    const secret = fromEnvironment(env, secretFrom, below(at, 'secretFrom'));
    const input = { UserName: name, AccessKeyId };
    const change = await applying.at(at, () => importAccessKey(iam, checkInput(IMPORT_ACCESS_KEY, input), secret));
    if (change) applying.changed(at, `access key ${AccessKeyId} of user ${name}`);
  }
}

export async function applyRole(applying: Applying, path: string, declared: DeclaredRole): Promise<void> {
  const { iam } = applying;
  const { name, description, maxSessionDuration, tags, permissionsBoundary: boundary } = declared;
  const at = below(path, 'trustPolicy');
  const { text, value } = await applying.document(declared.trustPolicy, at);
  const trusted = await applying.at(at, () => resolveTrustPrincipals(iam.store, iam.account, parseTrustPolicy(text)));
  const there = iam.store.get('roles', nameKey(name));
  const settings = {
    RoleName: name,
    ...(description !== undefined && { Description: description }),
    ...(maxSessionDuration !== undefined && { MaxSessionDuration: maxSessionDuration }),
  };
  if (!there) {
    const input = {
      ...settings,
      AssumeRolePolicyDocument: text,
      ...(declared.path !== undefined && { Path: declared.path }),
      ...boundaryInput(applying, path, boundary),
      Tags: tagList(tags).map((tag) => ({ ...tag })),
    };
    await applying.at(path, () => createRole(iam, checkInput(CREATE_ROLE, input)));
    applying.changed(path, `role ${name} made`);
  } else {
    refuseMoved(path, declared.path, there.path);
    // The same text means somebody else when a user or role that it names was deleted and made again.
    if (!saysTheSame(there.trustPolicy, value) || !isDeepStrictEqual({ ...there.trustPrincipals }, trusted)) {
      const input = { RoleName: name, PolicyDocument: text };
      await applying.at(at, () => updateAssumeRolePolicy(iam, checkInput(UPDATE_ASSUME_ROLE_POLICY, input)));
      applying.changed(at, `trust policy of role ${name}`);
    }
    if (
      (description ?? there.description) !== there.description ||
      (maxSessionDuration ?? there.maxSessionDuration) !== there.maxSessionDuration
    ) {
      await applying.at(path, () => updateRole(iam, checkInput(UPDATE_ROLE, settings)));
      applying.changed(path, `settings of role ${name}`);
    }
    await applyBoundary(applying, path, ROLE, name, boundary);
    await applyTags(applying, path, ROLE, name, { tags, has: there.tags });
  }
  await applyPolicies(applying, path, ROLE, name, declared);
}

/**
 * The roles with their places in the file, each behind those that it trusts: a trust policy can name only who is there.
 * Roles that trust each other keep their order, and the first of them is refused.
 */
export function inOrderOfTrust(
  applying: Applying,
  roles: readonly DeclaredRole[],
): { role: DeclaredRole; index: number }[] {
  const arns = roles.map(({ name, path = '/' }) => roleArn(applying.iam.account, { name, path }));
  const waiting = roles.map((role, index) => {
    const trust = JSON.stringify(role.trustPolicy).replaceAll(ACCOUNT, applying.iam.account);
    const needs = arns.filter((arn, other) => other !== index && trust.includes(`"${arn}"`));
    return { role, index, needs };
  });
  const done = new Set<string>();
  const ordered: { role: DeclaredRole; index: number }[] = [];
  while (waiting.length > 0) {
    const next = Math.max(
      0,
      waiting.findIndex(({ needs }) => needs.every((arn) => done.has(arn))),
    );
    const [{ role, index }] = waiting.splice(next, 1) as [(typeof waiting)[number]];
    done.add(arns[index] as string);
    ordered.push({ role, index });
  }
  return ordered;
}

function boundaryInput(applying: Applying, path: string, boundary: string | undefined) {
  if (boundary === undefined) return {};
  return { PermissionsBoundary: namedPolicy(applying, boundary, below(path, 'permissionsBoundary')) };
}

/** Policies and roles stay where they are: who names them by ARN means the path, too. */
function refuseMoved(path: string, wanted: string | undefined, is: string): void {
  if (wanted === undefined || wanted === is) return;
  throw new ConfigurationError(`${below(path, 'path')}: it is there with the path ${is}, which cannot be changed`);
}

function fromEnvironment(env: NodeJS.ProcessEnv, variable: string, path: string): string {
  const value = env[variable];
  if (!value) throw new ConfigurationError(`${path}: the variable ${variable} is not set`);
  return value;
}
