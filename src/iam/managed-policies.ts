import type { ManagedPolicyRecord } from '../state/records.ts';
import { nameKey, policyArn } from './arn.ts';
import { type AwsManagedPolicy, awsManagedPolicies, awsManagedPolicy } from './aws-managed-policies.ts';
import { find, POLICY, policyOwner } from './entities.ts';
import { deleteConflict, entityExists, type Iam, noSuchEntity, type Reader } from './iam.ts';
import { uniqueId } from './ids.ts';
import { type InputOf, required } from './input.ts';
import { page } from './page.ts';
import { parseIdentityPolicy, policySize } from './policy/parse.ts';
import { countPolicyUses, type PolicyUses } from './policy-uses.ts';
import { checkQuota } from './quotas.ts';
import {
  arn,
  boolean,
  paging,
  policyDescription,
  policyDocument,
  policyName,
  policyPath,
  policyScope,
  policyUsage,
  tagList,
} from './shapes.ts';
import { type LIST_TAGS, listTags, tagsMember, withTags } from './tags.ts';

export const CREATE_POLICY = {
  PolicyName: required(policyName),
  PolicyDocument: required(policyDocument),
  Path: policyPath,
  Description: policyDescription,
  Tags: tagList,
} as const;
export const GET_POLICY = { PolicyArn: required(arn) } as const;
export const LIST_POLICIES = {
  Scope: policyScope,
  OnlyAttached: boolean,
  PathPrefix: policyPath,
  PolicyUsageFilter: policyUsage,
  ...paging,
} as const;
export const DELETE_POLICY = { PolicyArn: required(arn) } as const;

/** One of the account's own or one of AWS's. */
export type ManagedPolicy = Readonly<ManagedPolicyRecord> & { readonly arn: string };

/** Throws Refused `no-such-entity`, or `invalid-input` for what is no ARN of a policy. */
export function findPolicy(reader: Reader, arn: string): ManagedPolicy {
  policyOwner(arn);
  const policy = lookUpPolicy(reader, arn);
  if (!policy) throw noSuchEntity(POLICY.missing(arn));
  return policy;
}

export function lookUpPolicy(reader: Pick<Reader, 'get'>, arn: string): ManagedPolicy | undefined {
  const aws = awsManagedPolicy(arn);
  if (aws) return fromAws(aws);
  const own = reader.get('managedPolicies', arn);
  return own && { ...own, arn };
}

/** Those of the account, and AWS's, each by name. */
export function allPolicies(
  iam: Iam,
  reader: Reader,
): { own: readonly ManagedPolicy[]; aws: readonly ManagedPolicy[] } {
  const own = reader.all('managedPolicies').map((policy) => ({ ...policy, arn: policyArn(iam.account, policy) }));
  own.sort((a, b) => (nameKey(a.name) < nameKey(b.name) ? -1 : 1));
  return { own, aws: awsManagedPolicies().map(fromAws) };
}

/** Lists are cut by name, since an ARN may be longer than a marker. AWS's names may be the account's, too. */
export function policySortKey({ arn, name }: { readonly arn: string; readonly name: string }): string {
  return `${policyOwner(arn) === 'aws' ? 'b' : 'a'}/${nameKey(name)}`;
}

/**
 * The text of a policy, checked. Throws Refused `malformed-policy`, or `limit-exceeded` where it is too long.
 */
export function checkedDocument(text: string): string {
  parseIdentityPolicy(text);
  checkQuota('PolicySize', policySize(text));
  return text;
}

/** Throws Refused `entity-exists`, `malformed-policy`, `limit-exceeded` or `invalid-input`. */
export function createPolicy(iam: Iam, input: InputOf<typeof CREATE_POLICY>) {
  return iam.store.change((draft) => {
    const policies = draft.all('managedPolicies');
    const name = nameKey(input.PolicyName);
    if (policies.some((policy) => nameKey(policy.name) === name)) {
      throw entityExists(`A policy called ${input.PolicyName} already exists. Duplicate names are not allowed.`);
    }
    checkQuota('PoliciesPerAccount', policies.length + 1);
    const createdAt = iam.now().toISOString();
    const policy: ManagedPolicyRecord = {
      name: input.PolicyName,
      id: uniqueId('ANPA', iam.random),
      path: input.Path ?? '/',
      description: input.Description ?? '',
      createdAt,
      updatedAt: createdAt,
      tags: withTags([], input.Tags ?? [], 'TagsPerPolicy'),
      versions: [{ id: 'v1', document: checkedDocument(input.PolicyDocument), createdAt }],
      defaultVersion: 'v1',
      lastVersion: 1,
    };
    const arn = policyArn(iam.account, policy);
    draft.put('managedPolicies', arn, policy);
    return { Policy: { ...describePolicy({ ...policy, arn }, countPolicyUses(draft)), ...tagsMember(policy) } };
  });
}

/** Throws Refused `no-such-entity` or `invalid-input`. */
export async function getPolicy(iam: Iam, { PolicyArn }: InputOf<typeof GET_POLICY>) {
  const policy = findPolicy(iam.store, PolicyArn);
  return {
    Policy: {
      ...describePolicy(policy, countPolicyUses(iam.store)),
      ...(policy.description !== '' && { Description: policy.description }),
      ...tagsMember(policy),
    },
  };
}

export async function listPolicies(iam: Iam, input: InputOf<typeof LIST_POLICIES>) {
  const { own, aws } = allPolicies(iam, iam.store);
  const uses = countPolicyUses(iam.store);
  const inScope = [...(input.Scope === 'AWS' ? [] : own), ...(input.Scope === 'Local' ? [] : aws)];
  const found = inScope.filter((policy) => {
    const { attached, boundaries } = uses.of(policy.arn);
    if (!policy.path.startsWith(input.PathPrefix ?? '/')) return false;
    if (input.PolicyUsageFilter === 'PermissionsPolicy') return attached > 0;
    if (input.PolicyUsageFilter === 'PermissionsBoundary') return boundaries > 0;
    return !input.OnlyAttached || attached > 0;
  });
  const { items, ...rest } = page(found, policySortKey, input);
  return { Policies: items.map((policy) => describePolicy(policy, uses)), ...rest };
}

/** Throws Refused `no-such-entity`, `invalid-input`, `action-denied`, or `delete-conflict` while it is in use. */
export async function deletePolicy(iam: Iam, { PolicyArn }: InputOf<typeof DELETE_POLICY>) {
  await iam.store.change((draft) => {
    const policy = find(POLICY, draft, PolicyArn);
    const { attached, boundaries } = countPolicyUses(draft).of(PolicyArn);
    if (attached + boundaries > 0) throw deleteConflict('Cannot delete a policy attached to entities.');
    if (policy.versions.length > 1) {
      throw deleteConflict(
        "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. " +
          'The default version is deleted with the policy.',
      );
    }
    draft.delete('managedPolicies', PolicyArn);
  });
}

/** Throws Refused `no-such-entity` or `invalid-input`. AWS's own have no tags. */
export async function listPolicyTags(iam: Iam, name: string, input: InputOf<typeof LIST_TAGS>) {
  return listTags(findPolicy(iam.store, name).tags, input);
}

export function describePolicy(policy: ManagedPolicy, uses: PolicyUses) {
  const { attached, boundaries } = uses.of(policy.arn);
  return {
    PolicyName: policy.name,
    PolicyId: policy.id,
    Arn: policy.arn,
    Path: policy.path,
    DefaultVersionId: policy.defaultVersion,
    AttachmentCount: attached,
    PermissionsBoundaryUsageCount: boundaries,
    IsAttachable: true,
    CreateDate: new Date(policy.createdAt),
    UpdateDate: new Date(policy.updatedAt),
  };
}

function fromAws({ document, versionId, ...aws }: AwsManagedPolicy): ManagedPolicy {
  return {
    ...aws,
    arn: policyArn('aws', aws),
    tags: [],
    versions: [{ id: versionId, document, createdAt: aws.updatedAt }],
    defaultVersion: versionId,
    lastVersion: Number(versionId.slice(1)),
  };
}
