import type { Condition, ResourcePolicy, ResourceStatement } from './document.ts';

/*
 * Block public access (Aurora DSQL User Guide, "Blocking public access with resource-based policies"): a policy is public
 * when it allows something to everybody, without a condition that pins one of these keys to fixed values.
 */

const TRUSTED_KEYS: ReadonlySet<string> = new Set(
  [
    'aws:PrincipalAccount',
    'aws:PrincipalArn',
    'aws:PrincipalOrgID',
    'aws:PrincipalOrgPaths',
    'aws:SourceAccount',
    'aws:SourceArn',
    'aws:SourceVpc',
    'aws:SourceVpce',
    'aws:UserId',
    'aws:PrincipalServiceName',
    'aws:PrincipalServiceNamesList',
    'aws:PrincipalIsAWSService',
    'aws:Ec2InstanceSourceVpc',
    'aws:SourceOrgID',
    'aws:SourceOrgPaths',
  ].map((key) => key.toLowerCase()),
);

/** Those that hold only for the values that they name. */
const PINNING: ReadonlySet<Condition['operator']> = new Set([
  'StringEquals',
  'StringEqualsIgnoreCase',
  'StringLike',
  'ArnEquals',
  'ArnLike',
  'Bool',
] as const);

/** The first statement that gives something to everybody; undefined for a policy that is not public. */
export function publicStatement(policy: ResourcePolicy): ResourceStatement | undefined {
  return policy.statements.find(
    ({ effect, principals, conditions }) =>
      effect === 'Allow' && principals.some(({ type }) => type === 'everyone') && !conditions.some(pins),
  );
}

/** An operator that holds where the key is absent pins nothing, nor does a value with a wildcard or a variable. */
function pins({ operator, quantifier, ifExists, key, values }: Condition): boolean {
  if (!TRUSTED_KEYS.has(key.toLowerCase()) || !PINNING.has(operator)) return false;
  if (ifExists || quantifier === 'all') return false;
  if (operator === 'Bool') return values.every((value) => value.toLowerCase() === 'true');
  return values.every((value) => !/[*?]|\$\{/.test(value));
}
