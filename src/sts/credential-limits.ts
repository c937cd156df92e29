import type { Identity } from '../iam/identity.ts';
import { Refused } from '../refused.ts';

/*
 * What temporary credentials cannot call, whatever the policies say (IAM User Guide, "Compare AWS STS credentials"). The
 * credentials of GetSessionToken and GetFederationToken cannot call IAM at all; without MFA, which there is none of
 * here. Both texts and codes are observed: IAM does not know the credentials, STS says why not.
 */

/** STS operations that credentials of each kind can call; undefined: all. */
const STS: Readonly<Record<CredentialKind, ReadonlySet<string> | undefined>> = {
  'long-term': undefined,
  'role-session': undefined,
  'session-token': new Set(['AssumeRole', 'GetCallerIdentity']),
  'federated-user': new Set(['GetCallerIdentity']),
};

/** What only long-term credentials can call. */
const LONG_TERM_ONLY: ReadonlySet<string> = new Set(['GetSessionToken', 'GetFederationToken']);

export type CredentialKind = 'long-term' | 'role-session' | 'session-token' | 'federated-user';

export function credentialKind({ kind, session }: Identity): CredentialKind {
  if (kind === 'role-session' || kind === 'federated-user') return kind;
  return session ? 'session-token' : 'long-term';
}

/** Throws Refused `session-token-invalid` or `action-denied`. */
export function checkCredentials(caller: Identity, service: string, operation: string): void {
  const kind = credentialKind(caller);
  if (service === 'iam' && (kind === 'session-token' || kind === 'federated-user')) {
    const detail = `credentials of a ${kind === 'federated-user' ? 'federated user' : 'session token'} cannot call IAM`;
    throw new Refused('session-token-invalid', { detail });
  }
  if (service !== 'sts' || kind === 'long-term') return;
  const permitted = STS[kind];
  if ((permitted && !permitted.has(operation)) || LONG_TERM_ONLY.has(operation)) {
    const say = `Cannot call ${operation} with session credentials`;
    throw new Refused('action-denied', { say, detail: `${say} of the kind ${kind}` });
  }
}
