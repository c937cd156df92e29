/** Who is calling, once a signature has been proved. */
export interface Identity {
  kind: 'root' | 'user' | 'role-session';
  account: string;
  /** As `GetCallerIdentity` prints it: `arn:aws:iam::A:root`, `arn:aws:iam::A:user/p/N`, `arn:aws:sts::A:assumed-role/N/S`. */
  arn: string;
  /** What a mapping is compared with: the ARN of the IAM user or role, path included, never the session's. */
  principalArn: string;
  /** `A`, `AIDA…` or `AROA…:session`. */
  userId: string;
  accessKeyId: string;
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
}
