import type { Tag } from '../state/records.ts';
import type { Explanation } from './policy/explain.ts';

/** Who is calling, once a signature has been proved. */
export interface Identity {
  /** A session of GetSessionToken stays what asked for it, root or user, with a `session`. */
  kind: 'root' | 'user' | 'role-session' | 'federated-user';
  account: string;
  /**
   * As `GetCallerIdentity` prints it: `arn:aws:iam::A:root`, `arn:aws:iam::A:user/p/N`,
   * `arn:aws:sts::A:assumed-role/N/S`, `arn:aws:sts::A:federated-user/N`.
   */
  arn: string;
  /**
   * What a mapping is compared with: the ARN of the IAM user or role, path included, never the session's. A federated
   * user is a principal of its own.
   */
  principalArn: string;
  /** `A`, `AIDA…`, `AROA…:session` or `A:name`. */
  userId: string;
  accessKeyId: string;
  /** Only with temporary credentials. */
  session: SessionFacts | undefined;
}

/** What temporary credentials carry. */
export interface SessionFacts {
  issuedAt: Date;
  expiresAt: Date;
  /** Inline session policies, as they were passed; undefined where no session policy of any kind was. */
  policies: readonly string[] | undefined;
  /** ARNs of managed session policies. They are looked up when it is decided: one that is gone allows nothing. */
  policyArns: readonly string[];
  /** Session tags; they stand before the principal's own tags of the same key, in any case. */
  tags: readonly Tag[];
  /** Keys of the tags that the sessions of this session get too. */
  transitiveTagKeys: readonly string[];
  sourceIdentity: string | undefined;
  /** ARN of the identity provider that vouched for the session. */
  federatedProvider: string | undefined;
  /** Further context keys, in lower case: `token.example.com:sub`. */
  claims: Readonly<Record<string, readonly string[]>>;
  /** Of a federated user: ARN of the IAM user, or the root user, who asked for the session. */
  issuer: string | undefined;
}

/** What a session is given. */
export type SessionGrant = Omit<SessionFacts, 'issuedAt' | 'expiresAt' | 'issuer'>;

/** The grant of a session that nobody restricted or tagged. */
export const PLAIN_GRANT: SessionGrant = {
  policies: undefined,
  policyArns: [],
  tags: [],
  transitiveTagKeys: [],
  sourceIdentity: undefined,
  federatedProvider: undefined,
  claims: {},
};

/**
 * A key's secret, and whether it may be used. An unknown key has a secret too (a decoy that nobody can know), so that a
 * front computes and compares one signature for every key and only then looks at the verdict.
 */
export interface KeyLookup {
  secret: string;
  verdict:
    | { valid: true; identity: Identity }
    | {
        valid: false;
        kind: 'unknown-key' | 'inactive-key' | 'session-token-invalid' | 'session-token-expired';
        detail: string;
      };
}

export interface KeyRing {
  /** `sessionToken` is what the request carried, undefined for none. Takes the same time for known and unknown keys. */
  find(accessKeyId: string, sessionToken: string | undefined, now: Date): KeyLookup;
}

/** What is asked. `resource` is an ARN, or `*` for actions without a resource. */
export interface AccessRequest {
  action: string;
  resource: string;
  /** Condition context: lower-case key -> values. */
  context: Readonly<Record<string, readonly string[]>>;
}

/** What kind of policy has a say. `trust` is the trust policy of a role, `resource` the policy of a cluster. */
export type PolicyKind = 'identity' | 'boundary' | 'session' | 'resource' | 'trust';

/** A statement that matched. */
export interface Matched {
  kind: PolicyKind;
  policy: string;
  /** Where the policy stands: `user alice`, `group devs`, `role reader`, `cluster …`, or the ARN of a managed policy. */
  origin: string;
  statement: string;
  effect: 'Allow' | 'Deny';
  /** Offsets of the statement in the text of the document. */
  span: { start: number; end: number };
}

/** The answer and why: enough to explain it to the operator. All but the first three is found out when it is asked for. */
export interface Decision {
  readonly allowed: boolean;
  readonly effect: 'allowed' | 'explicit-deny' | 'implicit-deny';
  /** The kind of policy that denied, or that did not allow; undefined where it is allowed. */
  readonly limit: PolicyKind | undefined;
  /** One sentence for the operator. */
  readonly because: string;
  /** The statements that matched. */
  readonly matched: readonly Matched[];
  explain(): Explanation;
}

/** Somebody whom an identity provider vouches for, before there is a session. */
export interface WebIdentity {
  /** ARN of the provider. */
  provider: string;
  /** The token's claims as context keys, in lower case: `token.example.com:sub`. */
  claims: Readonly<Record<string, readonly string[]>>;
}

export interface Authority {
  decide(identity: Identity, request: AccessRequest): Decision;
  /** By the trust policy of the role that `request.resource` names, and nothing else. */
  decideTrust(caller: WebIdentity, request: AccessRequest): Decision;
}
