import type { RoleRecord, UserRecord } from '../state/records.ts';
import type { Store } from '../state/store.ts';
import { nameInArn, nameKey, rootArn, userArn } from './arn.ts';
import { identityContext, webIdentityContext } from './decision-context.ts';
import type { AccessRequest, Authority, Decision, Identity } from './identity.ts';
import {
  boundaryOf,
  clusterPolicyOf,
  identityPolicies,
  sessionPolicies,
  trustPolicyOf,
  UnusablePolicy,
} from './policies-of.ts';
import type { Caller } from './policy/caller.ts';
import { closedDecision } from './policy/closed.ts';
import { evaluate, type PolicySet, type Question } from './policy/evaluate.ts';
import { type IsOpen, type Possibility, possible } from './policy/possible.ts';
import { type Resource, resourceOf } from './resource.ts';

/** Nobody becomes a role without its trust policy; tags and a source identity may be given to other sessions too. */
const ASSUMING = /^sts:AssumeRole/i;
const MARKING = /^sts:(?:TagSession|SetSourceIdentity)$/i;
const ROLE_ARN = /^arn:[^:]*:iam::[^:]*:role\//;
/** As for the bucket policies of S3: the root user can always undo a resource policy that locks everybody out. */
const ROOT_MAY_ALWAYS = new Set(['dsql:getclusterpolicy', 'dsql:putclusterpolicy', 'dsql:deleteclusterpolicy']);

type Holder = Readonly<UserRecord | RoleRecord>;

/** Decides by the policies that stand in the store at this moment; nothing is remembered from an earlier decision. */
export function createAuthority({ store, account }: { store: Pick<Store, 'get'>; account: string }): Authority {
  return {
    decide: (identity, request) => judged({ store, account }, identity, request, evaluate, (closed) => closed),

    decideTrust(identity, request) {
      const { action, resource } = request;
      const work = () => {
        const named = resourceOf(store, account, resource);
        if (named?.type !== 'role') throw noSuchRole(resource);
        const trust = {
          kind: 'trust',
          policy: trustPolicyOf(named.record),
          ids: named.record.trustPrincipals,
        } as const;
        const { provider } = identity;
        return evaluate(
          { identity: [], boundary: undefined, session: undefined, resource: trust },
          {
            action,
            resource,
            caller: {
              kind: 'web-identity',
              account: undefined,
              arn: provider,
              principalArn: provider,
              entityId: undefined,
              bounded: false,
            },
            context: webIdentityContext(identity, account, named, request),
          },
        );
      };
      return orClosed(identity.provider, request, work, (closed) => closed);
    },
  };
}

/**
 * What could be decided for an identity, when only a part of a request's context is known: for those who ask before there
 * is a request. `isOpen` says which keys are not known.
 */
export function possibility(place: Place, identity: Identity, request: AccessRequest, isOpen: IsOpen): Possibility {
  const closed = (decision: Decision): Possibility => ({ answer: 'denied', decision, through: [], unless: [] });
  return judged(place, identity, request, (set, question) => possible(set, question, isOpen), closed);
}

interface Place {
  store: Pick<Store, 'get'>;
  account: string;
}

/** Finds what has a say and lets `judge` weigh it; `closed` makes the answer where something cannot be heard. */
function judged<Answer>(
  { store, account }: Place,
  identity: Identity,
  request: AccessRequest,
  judge: (set: PolicySet, question: Question) => Answer,
  closed: (decision: Decision) => Answer,
): Answer {
  const { action, resource } = request;
  const gone = (because: string) =>
    closed(
      closedDecision({ action, resource, caller: identity.arn }, 'identity', because, 'Other credentials are needed.'),
    );
  if (identity.account !== account) return gone(`${identity.arn} is of another account`);
  const holder = findHolder(store, identity);
  if (holder === undefined) return gone(`${issuerOf(identity)} does not exist any more`);
  const work = () => {
    const named = resourceOf(store, account, resource);
    const policies: PolicySet = {
      ...ownPolicies(store, identity, holder),
      resource: resourcePolicy(identity.kind, named, request),
    };
    return judge(policies, {
      action,
      resource,
      caller: callerOf(identity, holder),
      context: identityContext(identity, holder === 'root' ? [] : holder.tags, named, request),
    });
  };
  return orClosed(identity.arn, request, work, closed);
}

function orClosed<Answer>(
  caller: string,
  { action, resource }: AccessRequest,
  work: () => Answer,
  closed: (decision: Decision) => Answer,
): Answer {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof UnusablePolicy)) throw error;
    return closed(closedDecision({ action, resource, caller }, error.limit, error.message, error.needed));
  }
}

/** The user or role whose policies count, or `root`; undefined when it does not exist any more. */
function findHolder(store: Pick<Store, 'get'>, identity: Identity): Holder | 'root' | undefined {
  const arn = issuerOf(identity);
  if (arn === rootArn(identity.account)) return 'root';
  const key = nameKey(nameInArn(arn));
  if (identity.kind === 'federated-user') {
    const user = store.get('users', key);
    return user && userArn(identity.account, user) === arn ? user : undefined;
  }
  // By the unique id: who is made again under the same name has not the old one's policies, and the other way round.
  const session = identity.kind === 'role-session';
  const holder = store.get(session ? 'roles' : 'users', key);
  const id = session ? identity.userId.slice(0, identity.userId.indexOf(':')) : identity.userId;
  return holder?.id === id ? holder : undefined;
}

/** Of a federated user: who asked for the session. */
function issuerOf(identity: Identity): string {
  return identity.kind === 'federated-user' ? (identity.session?.issuer ?? identity.arn) : identity.principalArn;
}

/** Throws UnusablePolicy. */
function ownPolicies(
  store: Pick<Store, 'get'>,
  identity: Identity,
  holder: Holder | 'root',
): Omit<PolicySet, 'resource'> {
  // Without a session policy a federated user may do only what a resource's policy gives to it by name.
  const session = sessionPolicies(store, identity.session) ?? (identity.kind === 'federated-user' ? [] : undefined);
  if (holder === 'root') return { identity: 'everything', boundary: undefined, session };
  return { identity: identityPolicies(store, holder), boundary: boundaryOf(store, holder), session };
}

/** Throws UnusablePolicy. */
function resourcePolicy(
  kind: Identity['kind'],
  named: Resource | undefined,
  { action, resource }: AccessRequest,
): PolicySet['resource'] {
  if (named?.type === 'cluster') {
    if (kind === 'root' && ROOT_MAY_ALWAYS.has(action.toLowerCase())) return undefined;
    const policy = clusterPolicyOf(named.record);
    return policy && { kind: 'resource', policy, ids: undefined };
  }
  if (!ASSUMING.test(action) && !(MARKING.test(action) && ROLE_ARN.test(resource))) return undefined;
  if (named?.type !== 'role') throw noSuchRole(resource);
  return { kind: 'trust', policy: trustPolicyOf(named.record), ids: named.record.trustPrincipals };
}

function noSuchRole(arn: string): UnusablePolicy {
  return new UnusablePolicy('trust', `there is no role ${arn} in this account`, `Role ${arn} must be created.`);
}

function callerOf(identity: Identity, holder: Holder | 'root'): Caller {
  return {
    kind: identity.kind,
    account: identity.account,
    arn: identity.arn,
    principalArn: issuerOf(identity),
    entityId: holder === 'root' ? undefined : holder.id,
    bounded: holder !== 'root' && holder.boundary !== null,
  };
}
