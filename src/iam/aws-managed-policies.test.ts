import { describe, expect, it } from 'vitest';
import { awsManagedPolicies, awsManagedPolicy } from './aws-managed-policies.ts';
import { parseIdentityPolicy, policySize } from './policy/parse.ts';
import { QUOTAS } from './quotas.ts';

describe('a policy of AWS', () => {
  it.each(awsManagedPolicies().map((policy) => [policy.name, policy] as const))('%s is one', (name, policy) => {
    expect(awsManagedPolicy(`arn:aws:iam::aws:policy/${name}`)).toBe(policy);
    expect(policy.id).toMatch(/^ANPA[A-Z2-7]{17}$/);
    expect(policy.versionId).toMatch(/^v[1-9]\d*$/);
    expect(new Date(policy.createdAt) <= new Date(policy.updatedAt)).toBe(true);
    expect(parseIdentityPolicy(policy.document).statements.length).toBeGreaterThan(0);
    expect(policySize(policy.document)).toBeLessThanOrEqual(QUOTAS.PolicySize);
  });

  it('has a name and an id of its own', () => {
    const policies = awsManagedPolicies();
    const names = policies.map(({ name }) => name.toLowerCase());
    expect(names).toEqual([...new Set(names)].sort());
    expect(new Set(policies.map(({ id }) => id)).size).toBe(policies.length);
  });

  it('is known by its ARN alone', () => {
    expect(awsManagedPolicy('AdministratorAccess')).toBeUndefined();
    expect(awsManagedPolicy('arn:aws:iam::123456789012:policy/AdministratorAccess')).toBeUndefined();
  });
});
