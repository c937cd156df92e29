import { type Attempt, cut, tokenFacts } from '../attempts/attempt.ts';
import type { AwakeCluster, Cluster } from '../clusters/cluster.ts';
import type { AccessRequest, Authority, Decision, Identity, KeyRing } from '../iam/identity.ts';
import { denialText } from '../iam/policy/denial.ts';
import { type RequestContext, requestContext } from '../iam/request-facts.ts';
import { authenticationCleartextPassword } from '../pgwire/messages.ts';
import { Refused } from '../refused.ts';
import { ADMIN_ROLE } from '../roles/catalog-sql.ts';
import { parseToken, type TokenClaim } from '../sigv4/token.ts';
import { verifyToken } from '../sigv4/verify.ts';
import type { Client } from './client.ts';
import type { SessionRequest } from './settings.ts';
import type { LoginStep } from './traffic.ts';

export interface LoginDependencies {
  keys: KeyRing;
  authority: Authority;
  now: () => Date;
  /** Makes the cluster's database ready, and keeps it so while the connection lasts. Throws Refused. */
  wake: (cluster: Cluster) => Promise<AwakeCluster>;
  /** Throws Refused when too many logins from this address, or with this key from it, have failed. */
  checkFailures: (accessKeyId?: string) => void;
  /** Counts the connection to its principal while it lasts. Throws Refused when that has too many. */
  admitPrincipal: (principalArn: string) => void;
  /** Told at the end of each step, for its time. */
  passed: (step: LoginStep) => void;
}

let makeSigned: (claim: TokenClaim, identity: Identity) => Signed;
let makePermitted: (facts: PermittedFacts) => Permitted;

/** A token whose signature is right, for this cluster. Only `proveSignature` makes one. */
class Signed {
  readonly claim: TokenClaim;
  readonly identity: Identity;
  private constructor(claim: TokenClaim, identity: Identity) {
    this.claim = claim;
    this.identity = identity;
  }
  static {
    makeSigned = (claim, identity) => new Signed(claim, identity);
  }
}

/** An identity that may be this database role on this cluster. Only `login` makes one. */
export class Permitted {
  readonly identity: Identity;
  readonly role: string;
  readonly roleOid: number;
  readonly cluster: AwakeCluster;
  readonly decision: Decision;
  private constructor(facts: PermittedFacts) {
    this.identity = facts.identity;
    this.role = facts.role;
    this.roleOid = facts.roleOid;
    this.cluster = facts.cluster;
    this.decision = facts.decision;
  }
  static {
    makePermitted = (facts) => new Permitted(facts);
  }
}
type PermittedFacts = Pick<Permitted, 'identity' | 'role' | 'roleOid' | 'cluster' | 'decision'>;

/** A token is at most 16 KiB; with the message's length word and terminator it must stay below this. */
const MAX_PASSWORD_MESSAGE = 16 * 1024 + 8;

/**
 * Asks for the token, on the encrypted stream only, and answers the four questions in the order that the service seems
 * to ask them: does the action fit the user, is the signature right, does a policy allow it, is there a mapping.
 * What each step finds is noted in `attempt`, for the log and the operator. Throws Refused and ConnectionEnded.
 */
export async function login(
  client: Client,
  request: SessionRequest,
  cluster: Cluster,
  { keys, authority, now, wake, checkFailures, admitPrincipal, passed }: LoginDependencies,
  attempt: Attempt,
): Promise<Permitted> {
  checkFailures();
  const claim = parseToken(await askForPassword(client));
  attempt.token = tokenFacts(claim);
  passed('token');
  checkFailures(claim.accessKeyId);
  if (claim.action !== (request.user === ADMIN_ROLE ? 'DbConnectAdmin' : 'DbConnect')) {
    // Who has confused the two has a token as user: not all of it may stand in a log.
    const text = `Wrong user to action mapping. user: ${cut(request.user)}, action: ${claim.action}`;
    throw new Refused('wrong-action', { hint: text, detail: text });
  }
  const { region } = cluster;
  const permit = () => {
    const signed = proveSignature(claim, cluster, keys, { now: now(), region }, attempt);
    attempt.identity = signed.identity;
    const context = requestContext({ sourceAddress: client.remoteAddress, encrypted: true, now: now(), region });
    const decideNow = () => decide(signed.identity, claim.action, cluster, authority, context, attempt);
    return { signed, decideNow };
  };
  const first = permit();
  admitPrincipal(first.signed.identity.principalArn);
  // Nobody wakes a cluster who may not use it.
  first.decideNow();
  passed('proof');
  const awake = await wake(cluster);
  passed('wake');
  const roleOid = await checkRole(first.signed.identity, request.user, awake);
  // Waking takes its time. What was withdrawn meanwhile counts: the key, the policy, the user or role.
  const { signed, decideNow } = permit();
  const decision = decideNow();
  attempt.role = { oid: roleOid };
  passed('role');
  return makePermitted({ identity: signed.identity, role: request.user, roleOid, cluster: awake, decision });
}

async function askForPassword(client: Client): Promise<string> {
  client.encrypted.write(authenticationCleartextPassword);
  const { reader } = client;
  const head = await reader.read(5);
  const length = head.readUInt32BE(1);
  if (head[0] !== 0x70 /* p */) {
    const say = `expected password response, got message type ${head[0]}`;
    throw new Refused('protocol-violation', { say, detail: say });
  }
  if (length < 5 || length > MAX_PASSWORD_MESSAGE) {
    throw new Refused('protocol-violation', {
      say: 'invalid password packet size',
      detail: `password message of ${length} bytes`,
    });
  }
  const body = await reader.read(length - 4);
  if (body.indexOf(0) !== body.length - 1) {
    throw new Refused('protocol-violation', {
      say: 'invalid password packet size',
      detail: 'zero byte inside the password',
    });
  }
  return body.toString('utf8', 0, body.length - 1);
}

/**
 * One signature is computed and compared for every key, known or not, and only then is the key's verdict looked at: the
 * time tells nothing, and the client is told nothing.
 */
function proveSignature(
  claim: TokenClaim,
  cluster: Cluster,
  keys: KeyRing,
  expected: { now: Date; region: string },
  attempt: Attempt,
): Signed {
  attempt.judgedAt = expected.now;
  const { secret, verdict } = keys.find(claim.accessKeyId, claim.sessionToken, expected.now);
  let failure: unknown;
  try {
    verifyToken(claim, secret, expected);
  } catch (error) {
    failure = error;
  }
  if (!verdict.valid) throw new Refused(verdict.kind, { detail: verdict.detail });
  attempt.keyOwner = verdict.identity.arn;
  if (failure) throw failure;
  if (!cluster.isKnownAs(claim.host)) {
    throw new Refused('host-mismatch', {
      detail: `the token is signed for ${claim.host}, the connection is to cluster ${cluster.id}`,
    });
  }
  return makeSigned(claim, verdict.identity);
}

/** May the identity log in with this action? Throws Refused `action-denied`; the decision is in `attempt` either way. */
export function decide(
  identity: Identity,
  action: TokenClaim['action'],
  cluster: Cluster,
  authority: Authority,
  context: RequestContext,
  attempt: Attempt,
): Decision {
  const request: AccessRequest = { action: `dsql:${action}`, resource: cluster.arn, context };
  const decision = authority.decide(identity, request);
  attempt.decision = decision;
  if (!decision.allowed) {
    throw new Refused('action-denied', {
      hint: denialText(identity.arn, request, decision),
      detail: decision.because,
    });
  }
  return decision;
}

/** `admin` needs no mapping: the action is its own. Everybody else needs one. The role's oid, or Refused. */
export async function checkRole(identity: Identity, role: string, { catalog }: AwakeCluster): Promise<number> {
  const facts = await catalog.facts(role, identity.principalArn);
  if (!facts)
    throw new Refused('unknown-role', { detail: `database role ${JSON.stringify(role.slice(0, 64))} does not exist` });
  if (role !== ADMIN_ROLE && !facts.mapped) {
    throw new Refused('no-mapping', {
      detail: `${identity.principalArn} is not associated with database role ${role}`,
    });
  }
  if (!facts.canLogin) throw new Refused('no-login', { detail: `database role ${role} is not permitted to log in` });
  return facts.oid;
}
