import type { Tag } from '../state/records.ts';
import type { AccessRequest, Identity, WebIdentity } from './identity.ts';
import type { Context } from './policy/context.ts';
import { type Resource, tagsOf, tagValues } from './resource.ts';

/*
 * The context keys that IAM itself knows (IAM User Guide, "AWS global condition context keys"): of the principal, its
 * session and the resource. They stand before whatever a front says. Keys that cannot exist here (aws:SourceVpc,
 * aws:MultiFactorAuthPresent, aws:PrincipalOrgID …) are absent.
 */

type Values = readonly string[] | undefined;

const PRINCIPAL_TYPE = {
  root: 'Account',
  user: 'User',
  'role-session': 'AssumedRole',
  'federated-user': 'FederatedUser',
} as const satisfies Record<Identity['kind'], string>;

const PRINCIPAL_TAG = 'aws:principaltag/';
const RESOURCE_TAGS = ['aws:resourcetag/', 'iam:resourcetag/'];

/** Nothing is made before a condition asks for it, and most keys are asked for by many statements. */
function remembering(find: (key: string) => Values): Context {
  const known = new Map<string, Values>();
  return {
    get(key) {
      const values = known.get(key);
      if (values !== undefined || known.has(key)) return values;
      const found = find(key);
      known.set(key, found);
      return found;
    },
  };
}

export function identityContext(
  identity: Identity,
  tags: readonly Tag[],
  resource: Resource | undefined,
  request: AccessRequest,
): Context {
  return remembering(
    (key) =>
      ofPrincipal(identity, tags, key) ??
      ofResource(resource, identity.account, key) ??
      ofFront(request, key) ??
      ofClaims(identity.session?.claims, key),
  );
}

export function webIdentityContext(
  { provider, claims }: WebIdentity,
  account: string,
  resource: Resource | undefined,
  request: AccessRequest,
): Context {
  return remembering((key) => {
    if (key === 'aws:federatedprovider') return [provider];
    return ofServices(key) ?? ofResource(resource, account, key) ?? ofFront(request, key) ?? ofClaims(claims, key);
  });
}

function ofPrincipal(identity: Identity, tags: readonly Tag[], key: string): Values {
  const { session } = identity;
  switch (key) {
    case 'aws:principalarn':
      return [identity.principalArn];
    case 'aws:principalaccount':
      return [identity.account];
    case 'aws:principaltype':
      return [PRINCIPAL_TYPE[identity.kind]];
    case 'aws:userid':
      return [identity.userId];
    case 'aws:username':
      return identity.kind === 'user' ? [identity.arn.slice(identity.arn.lastIndexOf('/') + 1)] : undefined;
    case 'aws:tokenissuetime':
      return session && [session.issuedAt.toISOString()];
    case 'aws:sourceidentity':
      return session?.sourceIdentity === undefined ? undefined : [session.sourceIdentity];
    case 'aws:federatedprovider':
      return session?.federatedProvider === undefined ? undefined : [session.federatedProvider];
    default:
      break;
  }
  if (!key.startsWith(PRINCIPAL_TAG)) return ofServices(key);
  const name = key.slice(PRINCIPAL_TAG.length);
  return (session && tagValues(session.tags).get(name)) ?? tagValues(tags).get(name);
}

/** No caller is an AWS service, and none calls through one. */
function ofServices(key: string): Values {
  return key === 'aws:principalisawsservice' || key === 'aws:viaawsservice' ? ['false'] : undefined;
}

function ofResource(resource: Resource | undefined, account: string, key: string): Values {
  if (!resource) return undefined;
  if (key === 'aws:resourceaccount') return [account];
  for (const prefix of RESOURCE_TAGS) {
    if (!key.startsWith(prefix) || (prefix.startsWith('iam:') && resource.type === 'cluster')) continue;
    return tagValues(tagsOf(resource)).get(key.slice(prefix.length));
  }
  return undefined;
}

function ofFront({ context }: AccessRequest, key: string): Values {
  return Object.hasOwn(context, key) ? context[key] : undefined;
}

/** Whatever an identity provider calls its claims, they are no keys of AWS. */
function ofClaims(claims: Readonly<Record<string, readonly string[]>> | undefined, key: string): Values {
  return claims && !key.startsWith('aws:') && Object.hasOwn(claims, key) ? claims[key] : undefined;
}
