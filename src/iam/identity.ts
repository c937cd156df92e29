import type { Tag } from '../state/records.ts';

/** Who is calling, once a signature has been proved. A session of GetSessionToken is the user, or the root user, itself. */
export interface Identity {
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

/** What a session was given when it began, and keeps until it ends. */
export interface SessionFacts {
  issuedAt: Date;
  expiresAt: Date;
  /** Inline session policies as they were passed; undefined where no session policy of any kind was. */
  policies: readonly string[] | undefined;
  /** ARNs of managed session policies. They are looked up when it is decided: one that is gone allows nothing. */
  policyArns: readonly string[];
  /** Session tags. They count before the principal's own tags of the same key, which is compared without case. */
  tags: readonly Tag[];
  /** Keys of the tags that the sessions of this session get too. */
  transitiveTagKeys: readonly string[];
  sourceIdentity: string | undefined;
  /** ARN of the OpenID Connect provider that vouched for whoever began the session. */
  federatedProvider: string | undefined;
  /** Further condition keys of the session, in lower case: `token.example.com:sub`. */
  claims: Readonly<Record<string, readonly string[]>>;
  /** Of a federated user: the ARN of the IAM user, or the root user, who called GetFederationToken. */
  issuer: string | undefined;
}

/** Who is no AWS identity and wants to assume a role: somebody whom an OpenID Connect provider vouches for. */
export interface FederatedPrincipal {
  /** The provider's ARN. */
  provider: string;
  /** What the provider said, as condition keys in lower case: `token.example.com:aud`. */
  claims: Readonly<Record<string, readonly string[]>>;
}

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

/** The answer and why: enough to explain it to the operator. */
export interface Decision {
  allowed: boolean;
  effect: 'allowed' | 'explicit-deny' | 'implicit-deny';
  /** One sentence for the operator. */
  because: string;
  /** The statements that matched, in the order they were met. */
  matched: readonly { policy: string; statement: string; effect: 'Allow' | 'Deny' }[];
}

export interface Authority {
  decide(identity: Identity, request: AccessRequest): Decision;
  /** By the trust policy of the role that `request.resource` names, and nothing else. */
  decideTrust(federated: FederatedPrincipal, request: AccessRequest): Decision;
}
