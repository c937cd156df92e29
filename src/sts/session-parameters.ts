import { awsManagedPolicy } from '../iam/aws-managed-policies.ts';
import type { SessionGrant } from '../iam/identity.ts';
import { parseIdentityPolicy } from '../iam/policy/parse.ts';
import { key, type RequestContext } from '../iam/request-facts.ts';
import { Refused } from '../refused.ts';
import type { Tag } from '../state/records.ts';
import type { Store } from '../state/store.ts';

/** What the operations that begin a session are passed to restrict and to mark it. */

const MAX_TAGS = 50;

interface PolicyParameters {
  readonly Policy?: string;
  readonly PolicyArns?: readonly { readonly arn: string }[];
}

/**
 * The session policies, checked. Throws Refused `malformed-policy`, or `validation` for a managed policy that there is
 * not.
 */
export function sessionPolicies(
  store: Store,
  { Policy, PolicyArns }: PolicyParameters,
): Pick<SessionGrant, 'policies' | 'policyArns'> {
  if (Policy !== undefined) parseIdentityPolicy(Policy);
  const policyArns = (PolicyArns ?? []).map(({ arn }) => arn);
  for (const arn of policyArns) {
    if (!awsManagedPolicy(arn) && !store.get('managedPolicies', arn)) {
      throw invalid(`The managed policy ${arn.slice(0, 256)} does not exist or is not attachable.`);
    }
  }
  if (Policy === undefined && policyArns.length === 0) return { policies: undefined, policyArns };
  return { policies: Policy === undefined ? [] : [Policy], policyArns };
}

/** Session tags and what is inherited of them. */
export interface SessionTags {
  /** As they were passed. */
  passed: readonly Tag[];
  transitive: readonly string[];
  /** Those of the session: passed and inherited ones. */
  tags: readonly Tag[];
  transitiveTagKeys: readonly string[];
}

/**
 * The tags of a session that is begun by one with `inherited` tags. Keys are compared without regard to case (IAM User
 * Guide, "Pass session tags in AWS STS"). Throws Refused `validation`.
 */
export function sessionTags(
  passed: readonly Tag[],
  transitive: readonly string[],
  inherited: { readonly tags: readonly Tag[]; readonly transitiveTagKeys: readonly string[] },
): SessionTags {
  const problem = tagProblem(passed, transitive);
  if (problem) throw invalid(problem);
  const isTransitive = keySet(inherited.transitiveTagKeys);
  const kept = inherited.tags.filter(({ Key }) => isTransitive.has(Key.toLowerCase()));
  const keptKeys = keySet(kept.map(({ Key }) => Key));
  for (const { Key } of passed) {
    if (keptKeys.has(Key.toLowerCase())) {
      throw invalid(
        `One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.`,
      );
    }
  }
  const tags = [...kept, ...passed];
  if (tags.length > MAX_TAGS) throw invalid(`A session has at most ${MAX_TAGS} tags, inherited ones included.`);
  return { passed, transitive, tags, transitiveTagKeys: [...kept.map(({ Key }) => Key), ...transitive] };
}

/** What is wrong with tags that were passed; undefined for nothing. */
export function tagProblem(tags: readonly Tag[], transitive: readonly string[]): string | undefined {
  const keys = keySet(tags.map(({ Key }) => Key));
  if (keys.size < tags.length) return 'Duplicate tag keys found. Please note that Tag keys are case insensitive.';
  if ([...keys].some((tag) => tag.startsWith('aws:')))
    return 'Tag keys starting with aws: are reserved for system use.';
  if (keySet(transitive).size < transitive.length) return 'Duplicate transitive tag keys found.';
  if (!transitive.every((tag) => keys.has(tag.toLowerCase()))) {
    return 'The specified transitive tag key must be included in the requested tags.';
  }
  return undefined;
}

/** The condition keys of the operations that begin a session. */
export function sessionContext(session: {
  roleSessionName?: string | undefined;
  externalId?: string | undefined;
  sourceIdentity?: string | undefined;
  tags: Pick<SessionTags, 'passed' | 'transitive'>;
}): RequestContext {
  const { passed, transitive } = session.tags;
  return {
    ...key('sts:rolesessionname', session.roleSessionName),
    ...key('sts:externalid', session.externalId),
    ...key('sts:sourceidentity', session.sourceIdentity),
    ...Object.fromEntries(passed.map(({ Key, Value }) => [`aws:requesttag/${Key.toLowerCase()}`, [Value]])),
    ...(passed.length > 0 && { 'aws:tagkeys': passed.map(({ Key }) => Key) }),
    ...(transitive.length > 0 && { 'sts:transitivetagkeys': transitive }),
  };
}

export function invalid(say: string): Refused<'validation'> {
  return new Refused('validation', { say, detail: say });
}

function keySet(keys: readonly string[]): Set<string> {
  return new Set(keys.map((name) => name.toLowerCase()));
}
