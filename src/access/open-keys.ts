import type { CompiledStatement } from '../iam/policy/compile.ts';
import type { IsOpen } from '../iam/policy/possible.ts';
import type { PrincipalFacts } from './report.ts';

/** Of every login: where from and when, and whether with a long-term key or with a session. */
const OF_LOGINS = new Set(['aws:sourceip', 'aws:currenttime', 'aws:epochtime', 'aws:tokenissuetime']);

/** What sessions of a role may differ in, beside: each only where the role's trust policy lets it be given. */
interface SessionTraits {
  /** The session's name. */
  name: boolean;
  tags: boolean;
  sourceIdentity: boolean;
  /** An identity provider and its claims. */
  claims: boolean;
}

/**
 * The keys that a login of this principal has and that are not known before. The same function comes for the same traits,
 * so that policies are prepared once for each.
 */
export function openKeys(kind: PrincipalFacts['kind'], trust: readonly CompiledStatement[]): IsOpen {
  const isRole = kind === 'role' || kind === 'role-session';
  const lets = (action: string) => isRole && trust.some((each) => each.effect === 'Allow' && each.action(action));
  const traits: SessionTraits = {
    name: kind === 'role',
    tags: lets('sts:tagsession'),
    sourceIdentity: lets('sts:setsourceidentity'),
    claims: lets('sts:assumerolewithwebidentity'),
  };
  const id = JSON.stringify(traits);
  let isOpen = made.get(id);
  if (!isOpen) {
    isOpen = openKeysOf(traits);
    made.set(id, isOpen);
  }
  return isOpen;
}

/** At most sixteen. */
const made = new Map<string, IsOpen>();

function openKeysOf({ name, tags, sourceIdentity, claims }: SessionTraits): IsOpen {
  return (key) =>
    OF_LOGINS.has(key) ||
    (name && key === 'aws:userid') ||
    (tags && key.startsWith('aws:principaltag/')) ||
    (sourceIdentity && key === 'aws:sourceidentity') ||
    (claims && (key === 'aws:federatedprovider' || !key.startsWith('aws:')));
}
