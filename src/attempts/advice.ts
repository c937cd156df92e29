import { SUPERUSER } from '../engine/port.ts';
import type { AccessKind, WireKind } from '../refused.ts';
import { ADMIN_ROLE } from '../roles/catalog-sql.ts';
import type { Attempt } from './attempt.ts';

type Advice = (attempt: Attempt, detail: string) => string;

const userOf = ({ request }: Attempt) => request?.user ?? 'the user';
const keyOf = ({ token }: Attempt) => token?.accessKeyId ?? 'the token';
const quoted = (name: string) => (/^[a-z_][a-z0-9_$]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`);

/** The one thing to change, for each kind of refusal. */
const ADVICE: Readonly<Record<AccessKind | WireKind, Advice>> = {
  'tls-required': () => 'Connect with TLS: sslmode=verify-full with the server’s CA, or at least sslmode=require.',
  'unsupported-protocol': (_, detail) => `Connect with protocol 3.0 or 3.2: ${detail}.`,
  'unsupported-parameter': (_, detail) =>
    `Leave it out of the connection’s parameters and options: ${detail}. (--dialect postgres takes what PostgreSQL takes.)`,
  'server-name-missing': () =>
    'Connect to the cluster’s endpoint by name, so that the client sends it in TLS (libpq 14 or later), or add the option -c amzn-cluster-id=….',
  'unknown-cluster': (_, detail) => `Connect to the endpoint of a cluster that exists: ${detail}.`,
  'signature-malformed': (_, detail) =>
    `Give a token as the password, whole and unchanged, as generate-db-connect-auth-token or postern token makes it: ${detail}.`,
  'lifetime-too-long': () => 'Make the token for at most 604800 seconds.',
  'wrong-action': (attempt) =>
    userOf(attempt) === ADMIN_ROLE
      ? 'Make the token for DbConnectAdmin (generate-db-connect-admin-auth-token): admin needs that one.'
      : `Make the token for DbConnect (generate-db-connect-auth-token): the admin token is for the user admin only, not for ${userOf(attempt)}.`,
  'cluster-not-ready': (_, detail) => `Wait until the cluster is ACTIVE (aws dsql wait cluster-active): ${detail}.`,
  'cluster-deleting': (_, detail) => `Connect to another cluster: ${detail}.`,
  'unknown-key': (attempt, detail) =>
    attempt.token
      ? `Sign with an access key of this account; ${keyOf(attempt)} is none: ${detail}.`
      : `Name an IAM user or role that there is: ${detail}.`,
  'inactive-key': (attempt) =>
    `Make the key active (aws iam update-access-key --status Active --access-key-id ${keyOf(attempt)}), or sign with another.`,
  'session-token-invalid': (_, detail) =>
    `Get temporary credentials anew, and sign with all three parts of them: ${detail}.`,
  'session-token-expired': (_, detail) => `Get temporary credentials anew (aws sts assume-role …): ${detail}.`,
  'foreign-account': () => 'Sign with a key of this account.',
  'signature-mismatch': (attempt) =>
    `Sign with the secret access key that belongs to ${keyOf(attempt)}, and pass the token on without changing it.`,
  'scope-mismatch': (_, detail) => `Make the token for the region of the cluster: ${detail}.`,
  'signature-expired': () => 'Make a new token; one can be used until it expires, for any number of connections.',
  'signature-not-yet-valid': () => 'Set the clock of the client, or of this machine: the token is from the future.',
  'host-mismatch': ({ cluster }, detail) =>
    `Make the token for a name of the cluster that is connected to (${cluster?.id}): ${detail}.`,
  'action-denied': ({ decision }, detail) => decision?.explain().needed ?? `${detail}.`,
  'unknown-role': (attempt) =>
    userOf(attempt) === SUPERUSER || userOf(attempt).startsWith('pg_')
      ? 'Connect as another role: this one is PostgreSQL’s or the server’s own, and for no client.'
      : `As admin: CREATE ROLE ${quoted(userOf(attempt))} WITH LOGIN;`,
  'no-mapping': (attempt) =>
    `As admin: AWS IAM GRANT ${quoted(userOf(attempt))} TO '${attempt.identity?.principalArn ?? 'the ARN'}';`,
  'no-login': (attempt) => `As admin: ALTER ROLE ${quoted(userOf(attempt))} WITH LOGIN;`,
  'mapping-revoked': (attempt) =>
    `The mapping was revoked while the session was being opened. As admin: AWS IAM GRANT ${quoted(userOf(attempt))} TO '${attempt.identity?.principalArn ?? 'the ARN'}';`,
  'too-many-connections': (_, detail) =>
    `Close connections that are not needed, or let more in (--max-connections, --postgres-connections): ${detail}.`,
  'rate-exceeded': (_, detail) =>
    `Keep connections open and use them again (a pool), or allow more new ones a second (--connection-rate, --connection-burst): ${detail}.`,
  'failed-logins-exceeded': (_, detail) =>
    `Correct the credentials of the client that keeps failing (postern why tells of its other attempts), and wait; or let more fail (--failed-login-rate, --failed-login-burst): ${detail}.`,
  'address-connections-exceeded': (_, detail) =>
    `Close connections of this address that are not needed, or let it have more (--connections-per-address): ${detail}.`,
  'address-rate-exceeded': (_, detail) =>
    `Keep connections open and use them again (a pool), or let an address make more (--connection-rate-per-address): ${detail}.`,
  'principal-connections-exceeded': (_, detail) =>
    `Close connections of this principal that are not needed, or let it have more (--connections-per-principal): ${detail}.`,
  'principal-rate-exceeded': (_, detail) =>
    `Keep connections open and use them again (a pool), or let a principal make more (--connection-rate-per-principal): ${detail}.`,
  'open-files-exceeded': (_, detail) =>
    `Close connections that are not needed, or start Postern with a higher limit of open files (ulimit -n, LimitNOFILE): ${detail}.`,
  'waking-up': () => 'Connect again: the cluster is awake in a moment. (--fidelity local lets the connection wait.)',
  'cluster-deleted': () => 'Connect to a cluster that exists: this one was deleted while the session was being opened.',
  'unknown-database': () => 'Connect to the database postgres: a cluster has no other.',
  'login-timeout': () =>
    'The client must send its token sooner; look for what holds it up between connecting and that.',
  'engine-refused': (_, detail) => `Change the connection’s parameters so that PostgreSQL takes them: ${detail}.`,
  'engine-unavailable': (_, detail) => `Look at the cluster’s PostgreSQL, its disk and the server’s log: ${detail}.`,
  'audit-unavailable': (_, detail) =>
    `Make room on the disk of the data directory, or set right what else keeps it from being written: ${detail}. (--audit-required off lets logins in unseen.)`,
  'shutting-down': () => 'Connect again when the server runs again.',
  'protocol-violation': (_, detail) => `The client does not speak the PostgreSQL protocol as it must: ${detail}.`,
};

/** What to change so that the attempt would come further. Undefined where there is nothing to change. */
export function advice(attempt: Attempt): string | undefined {
  const { end, encryption } = attempt;
  if (end?.outcome === 'refused') {
    const { kind, detail } = end.why;
    return Object.hasOwn(ADVICE, kind) ? ADVICE[kind as AccessKind | WireKind](attempt, detail) : detail;
  }
  if (end?.outcome === 'failed') return 'This is a bug: the server’s log has it whole under the connection id.';
  if (end?.outcome !== 'abandoned') return undefined;
  return encryption
    ? 'The client went away by itself; look at what it says.'
    : 'The client ended the TLS handshake, usually since it does not trust the certificate: set PGSSLROOTCERT to the server’s CA, and connect by a name that the certificate has.';
}
