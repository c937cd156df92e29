import { policyArn } from '../../iam/arn.ts';
import { LIST_ENTITIES_FOR_POLICY, listEntitiesForPolicy } from '../../iam/attachments.ts';
import { POLICY } from '../../iam/entities.ts';
import type { Iam } from '../../iam/iam.ts';
import * as policies from '../../iam/managed-policies.ts';
import * as versions from '../../iam/policy-versions.ts';
import { type Operations, operation } from '../operation.ts';
import { tagOperations } from './iam-entities.ts';
import { need, needsToCreate } from './iam-needs.ts';

export function policyOperations(iam: Iam): Operations {
  const on = (action: string) => (input: { readonly PolicyArn: string }) => [need(action, input.PolicyArn)];
  return {
    CreatePolicy: operation(
      policies.CREATE_POLICY,
      (input) =>
        needsToCreate('Policy', policyArn(iam.account, { path: input.Path ?? '/', name: input.PolicyName }), input),
      (input) => policies.createPolicy(iam, input),
    ),
    GetPolicy: operation(policies.GET_POLICY, on('GetPolicy'), (input) => policies.getPolicy(iam, input)),
    ListPolicies: operation(
      policies.LIST_POLICIES,
      () => [need('ListPolicies', '*')],
      (input) => policies.listPolicies(iam, input),
    ),
    DeletePolicy: operation(policies.DELETE_POLICY, on('DeletePolicy'), (input) => policies.deletePolicy(iam, input)),
    CreatePolicyVersion: operation(versions.CREATE_POLICY_VERSION, on('CreatePolicyVersion'), (input) =>
      versions.createPolicyVersion(iam, input),
    ),
    GetPolicyVersion: operation(versions.GET_POLICY_VERSION, on('GetPolicyVersion'), (input) =>
      versions.getPolicyVersion(iam, input),
    ),
    ListPolicyVersions: operation(versions.LIST_POLICY_VERSIONS, on('ListPolicyVersions'), (input) =>
      versions.listPolicyVersions(iam, input),
    ),
    SetDefaultPolicyVersion: operation(versions.SET_DEFAULT_POLICY_VERSION, on('SetDefaultPolicyVersion'), (input) =>
      versions.setDefaultPolicyVersion(iam, input),
    ),
    DeletePolicyVersion: operation(versions.DELETE_POLICY_VERSION, on('DeletePolicyVersion'), (input) =>
      versions.deletePolicyVersion(iam, input),
    ),
    ListEntitiesForPolicy: operation(LIST_ENTITIES_FOR_POLICY, on('ListEntitiesForPolicy'), (input) =>
      listEntitiesForPolicy(iam, input),
    ),
    ...tagOperations(iam, POLICY),
  };
}
