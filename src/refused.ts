/**
 * An expected "no". Refusals are thrown and caught in two places: `gateway/connection.ts` and `http/dispatch.ts`.
 * `gateway/refuse.ts` turns a kind into a SQLSTATE, `http/errors.ts` into an AWS error code; both are tables typed by
 * these unions, so a kind without a row does not compile.
 */

/** Both fronts can meet these: the caller is not who or what it says, may not do what it asks, or cannot be seen doing it. */
export type AccessKind =
  | 'signature-malformed'
  | 'signature-expired'
  | 'signature-not-yet-valid'
  | 'lifetime-too-long'
  | 'scope-mismatch'
  | 'host-mismatch'
  | 'unknown-key'
  | 'inactive-key'
  | 'session-token-invalid'
  | 'session-token-expired'
  | 'signature-mismatch'
  | 'action-denied'
  | 'foreign-account'
  | 'failed-logins-exceeded'
  | 'audit-unavailable';

/** Only the PostgreSQL front can meet these. */
export type WireKind =
  | 'protocol-violation'
  | 'tls-required'
  | 'server-name-missing'
  | 'unknown-cluster'
  | 'cluster-not-ready'
  | 'cluster-deleting'
  | 'unsupported-parameter'
  | 'unsupported-protocol'
  | 'wrong-action'
  | 'unknown-role'
  | 'no-mapping'
  | 'no-login'
  | 'unknown-database'
  | 'login-timeout'
  | 'mapping-revoked'
  | 'too-many-connections'
  | 'rate-exceeded'
  | 'address-connections-exceeded'
  | 'address-rate-exceeded'
  | 'principal-connections-exceeded'
  | 'principal-rate-exceeded'
  | 'open-files-exceeded'
  | 'waking-up'
  | 'cluster-deleted'
  | 'engine-unavailable'
  | 'engine-refused'
  | 'shutting-down';

/** Only the HTTP front can meet these. */
export type ApiKind =
  | 'missing-authentication'
  | 'unknown-operation'
  | 'unsupported-operation'
  | 'unsupported-parameter-value'
  | 'validation'
  | 'invalid-input'
  | 'request-too-large'
  | 'no-such-entity'
  | 'entity-exists'
  | 'delete-conflict'
  | 'limit-exceeded'
  | 'conflict'
  | 'quota-exceeded'
  | 'malformed-policy'
  | 'policy-evaluation'
  | 'packed-policy-too-large'
  | 'identity-token-invalid'
  | 'identity-token-expired'
  | 'identity-claim-rejected'
  | 'identity-provider-unreachable'
  | 'resource-not-found'
  | 'service-unavailable';

export type RefusalKind = AccessKind | WireKind | ApiKind;

export interface RefusalText {
  /** For the client. What the real service tells, and no more. Left out: the front's own text for the kind. */
  say?: string;
  /** For the client, in the field that PostgreSQL calls HINT. */
  hint?: string;
  /** For the operator only: the whole reason. Never a secret, a token or a password. */
  detail: string;
  /** Fields for machine-readable errors, such as the name of the parameter or the id of the resource. */
  fields?: Readonly<Record<string, string>>;
  /** The parameters that are wrong, each with what is wrong with it. */
  fieldList?: readonly { name: string; message: string }[];
}

export class Refused<K extends RefusalKind = RefusalKind> extends Error {
  readonly kind: K;
  readonly say: string | undefined;
  readonly hint: string | undefined;
  readonly detail: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly fieldList: readonly { name: string; message: string }[];

  constructor(kind: K, text: RefusalText) {
    super(`${kind}: ${text.detail}`);
    this.name = 'Refused';
    this.kind = kind;
    this.say = text.say;
    this.hint = text.hint;
    this.detail = text.detail;
    this.fields = text.fields ?? {};
    this.fieldList = text.fieldList ?? [];
  }
}
