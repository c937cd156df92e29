import { Refused } from '../refused.ts';
import { changeEntity, find, POLICY } from './entities.ts';
import { deleteConflict, type Iam, noSuchEntity } from './iam.ts';
import { type InputOf, required } from './input.ts';
import { checkedDocument, findPolicy, type ManagedPolicy } from './managed-policies.ts';
import { page } from './page.ts';
import { QUOTAS } from './quotas.ts';
import { arn, boolean, paging, policyDocument, versionId } from './shapes.ts';

const version = { PolicyArn: required(arn), VersionId: required(versionId) } as const;

export const CREATE_POLICY_VERSION = {
  PolicyArn: required(arn),
  PolicyDocument: required(policyDocument),
  SetAsDefault: boolean,
} as const;
export const GET_POLICY_VERSION = { ...version } as const;
export const LIST_POLICY_VERSIONS = { PolicyArn: required(arn), ...paging } as const;
export const SET_DEFAULT_POLICY_VERSION = { ...version } as const;
export const DELETE_POLICY_VERSION = { ...version } as const;

/** Throws Refused `no-such-entity`, `malformed-policy`, `limit-exceeded`, `invalid-input` or `action-denied`. */
export function createPolicyVersion(iam: Iam, input: InputOf<typeof CREATE_POLICY_VERSION>) {
  const now = iam.now();
  return iam.store.change((draft) => {
    const policy = find(POLICY, draft, input.PolicyArn);
    if (policy.versions.length >= QUOTAS.VersionsPerPolicy) {
      const say =
        `A managed policy can have up to ${QUOTAS.VersionsPerPolicy} versions. Before you create a new version, you ` +
        'must delete an existing version.';
      throw new Refused('limit-exceeded', { say, detail: say });
    }
    const lastVersion = policy.lastVersion + 1;
    const made = {
      id: `v${lastVersion}`,
      document: checkedDocument(input.PolicyDocument),
      createdAt: now.toISOString(),
    };
    const changed = {
      ...policy,
      versions: [...policy.versions, made],
      defaultVersion: input.SetAsDefault ? made.id : policy.defaultVersion,
      lastVersion,
      updatedAt: made.createdAt,
    };
    draft.put('managedPolicies', input.PolicyArn, changed);
    return { PolicyVersion: describe(changed, made) };
  });
}

/** Throws Refused `no-such-entity` or `invalid-input`. */
export async function getPolicyVersion(iam: Iam, input: InputOf<typeof GET_POLICY_VERSION>) {
  return { PolicyVersion: describeWhole(findPolicy(iam.store, input.PolicyArn), input) };
}

/** Newest first, without their documents. Throws Refused `no-such-entity` or `invalid-input`. */
export async function listPolicyVersions(iam: Iam, input: InputOf<typeof LIST_POLICY_VERSIONS>) {
  const policy = findPolicy(iam.store, input.PolicyArn);
  const { items, ...rest } = page(policy.versions.toReversed(), sortKey, input);
  return { Versions: items.map((each) => describe(policy, each)), ...rest };
}

/** Throws Refused `no-such-entity`, `invalid-input` or `action-denied`. */
export async function setDefaultPolicyVersion(iam: Iam, input: InputOf<typeof SET_DEFAULT_POLICY_VERSION>) {
  await changeEntity(iam, POLICY, input.PolicyArn, (policy) => ({ defaultVersion: versionOf(policy, input).id }));
}

/** Throws Refused `no-such-entity`, `invalid-input`, `action-denied`, or `delete-conflict` for the default version. */
export async function deletePolicyVersion(iam: Iam, input: InputOf<typeof DELETE_POLICY_VERSION>) {
  await changeEntity(iam, POLICY, input.PolicyArn, (policy) => {
    const { id } = versionOf(policy, input);
    if (id === policy.defaultVersion) throw deleteConflict('Cannot delete the default version of a policy.');
    return { versions: policy.versions.filter((each) => each.id !== id) };
  });
}

type Versions = Pick<ManagedPolicy, 'versions' | 'defaultVersion'>;
type Version = Versions['versions'][number];

function describe({ defaultVersion }: Versions, { id, createdAt }: Version) {
  return { VersionId: id, IsDefaultVersion: id === defaultVersion, CreateDate: new Date(createdAt) };
}

/** With the document. */
export function describeVersion(policy: Versions, version: Version) {
  return { Document: version.document, ...describe(policy, version) };
}

function describeWhole(policy: Versions, input: InputOf<typeof GET_POLICY_VERSION>) {
  return describeVersion(policy, versionOf(policy, input));
}

function versionOf({ versions }: Versions, input: InputOf<typeof GET_POLICY_VERSION>): Version {
  const found = versions.find(({ id }) => id === input.VersionId);
  if (found) return found;
  throw noSuchEntity(`Policy ${input.PolicyArn} version ${input.VersionId} does not exist or is not attachable.`);
}

/** Falls from version to version, so that pages are cut from the newest on. */
function sortKey({ id }: Version): string {
  return String(10 ** 9 - Number(id.slice(1))).padStart(10, '0');
}
