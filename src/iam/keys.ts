import { createHmac } from 'node:crypto';
import type { AccessKeyRecord, UserRecord } from '../state/records.ts';
import type { Sealer } from '../state/sealer.ts';
import type { Store } from '../state/store.ts';
import { secretContext } from './access-keys.ts';
import { federatedUserArn, nameKey, roleArn, rootArn, sessionArn, userArn } from './arn.ts';
import type { Identity, KeyLookup, KeyRing, SessionFacts } from './identity.ts';

/** A user by unique id, and by the name it had: names change, and may be given to somebody else. */
export interface UserReference {
  /** AIDA… */
  id: string;
  name: string;
}

/** Whose session it is. It ends with the role or user, not with the key that asked for it. */
export type SessionSubject =
  | { kind: 'role'; id: string; name: string; sessionName: string }
  | ({ kind: 'user' } & UserReference)
  | { kind: 'root' }
  | { kind: 'federated-user'; name: string; issuer: ({ kind: 'user' } & UserReference) | { kind: 'root' } };

/** A session that a sealed token tells of, and the secret of its key. */
export interface Session {
  subject: SessionSubject;
  facts: Omit<SessionFacts, 'issuer'>;
  secret: string;
}

export interface Sessions {
  /** Undefined unless this server made the token, for this key. Expired sessions are opened too. */
  open(accessKeyId: string, token: string): Session | undefined;
}

type Principal = Omit<Identity, 'accessKeyId' | 'session'>;

/** Opened secrets are kept for this many keys. */
const MAX_OPENED = 20_000;
/** Longest key id that is looked at; IAM's own have 20 characters. */
const MAX_KEY_ID = 128;

/**
 * Long-term keys of users and the root user, and temporary keys. Nothing but opened secrets is kept between two calls:
 * a user, role or key that is deleted or deactivated is refused from the next call on.
 */
export function createKeyRing({
  store,
  sealer,
  sessions,
}: {
  store: Store;
  sealer: Sealer;
  sessions: Sessions;
}): KeyRing {
  const decoyKey = sealer.derive('decoy-secret');
  const opened = new Map<string, { sealed: string; secret: string }>();

  /** A secret that nobody was told, the same for each call, so that timing and texts tell nothing. */
  const decoy = (id: string): string =>
    createHmac('sha256', decoyKey).update(id.slice(0, MAX_KEY_ID)).digest('base64').slice(0, 40);

  const secretOf = (record: Readonly<AccessKeyRecord>): string | undefined => {
    const known = opened.get(record.id);
    if (known?.sealed === record.sealedSecret) return known.secret;
    const secret = sealer.open(record.sealedSecret, secretContext(record.id));
    if (secret === undefined) return undefined;
    if (opened.size >= MAX_OPENED) opened.clear();
    opened.set(record.id, { sealed: record.sealedSecret, secret });
    return secret;
  };

  const account = (): string => store.get('account', 'this')?.account ?? '';

  const longTerm = (id: string, decoySecret: string): KeyLookup => {
    const record = store.get('accessKeys', id);
    if (!record) return invalid(decoySecret, 'unknown-key', `no access key ${id.slice(0, MAX_KEY_ID)}`);
    const secret = secretOf(record);
    if (secret === undefined) return invalid(decoySecret, 'unknown-key', `the secret of key ${id} cannot be opened`);
    const identity = ownerOf(record);
    if (!identity) return invalid(secret, 'unknown-key', `the user of key ${id} does not exist any more`);
    if (!record.active) return invalid(secret, 'inactive-key', `access key ${id} is inactive`);
    return { secret, verdict: { valid: true, identity } };
  };

  const ownerOf = (record: Readonly<AccessKeyRecord>): Identity | undefined => {
    if (record.user === null) return { ...root(), accessKeyId: record.id, session: undefined };
    const user = store.get('users', record.user);
    return user && { ...userIdentity(user), accessKeyId: record.id, session: undefined };
  };

  const root = (): Principal => {
    const of = account();
    const arn = rootArn(of);
    return { kind: 'root', account: of, arn, principalArn: arn, userId: of };
  };

  const userIdentity = (user: Readonly<UserRecord>): Principal => {
    const of = account();
    const arn = userArn(of, user);
    return { kind: 'user', account: of, arn, principalArn: arn, userId: user.id };
  };

  const userOf = ({ id, name }: UserReference): Readonly<UserRecord> | undefined => {
    const named = store.get('users', nameKey(name));
    return named?.id === id ? named : store.all('users').find((user) => user.id === id);
  };

  /** Undefined where what the session is of does not exist any more. */
  const holderOf = (subject: SessionSubject): (Principal & { issuer?: string }) | undefined => {
    const of = account();
    switch (subject.kind) {
      case 'root':
        return root();
      case 'user': {
        const user = userOf(subject);
        return user && userIdentity(user);
      }
      case 'role': {
        const role = store.get('roles', nameKey(subject.name));
        if (role?.id !== subject.id) return undefined;
        return {
          kind: 'role-session',
          account: of,
          arn: sessionArn(of, role.name, subject.sessionName),
          principalArn: roleArn(of, role),
          userId: `${role.id}:${subject.sessionName}`,
        };
      }
      case 'federated-user': {
        const user = subject.issuer.kind === 'user' ? userOf(subject.issuer) : undefined;
        if (subject.issuer.kind === 'user' && !user) return undefined;
        const arn = federatedUserArn(of, subject.name);
        const issuer = user ? userArn(of, user) : rootArn(of);
        return {
          kind: 'federated-user',
          account: of,
          arn,
          principalArn: arn,
          userId: `${of}:${subject.name}`,
          issuer,
        };
      }
    }
  };

  const temporary = (id: string, token: string, decoySecret: string, now: Date): KeyLookup => {
    const session = sessions.open(id, token);
    if (!session) return invalid(decoySecret, 'session-token-invalid', `the session token is none of key ${id}`);
    const { secret, facts, subject } = session;
    // Asked so that a date which is no date is refused.
    if (!(now.getTime() < facts.expiresAt.getTime())) {
      return invalid(secret, 'session-token-expired', `the session ended at ${facts.expiresAt.toISOString()}`);
    }
    const holder = holderOf(subject);
    if (!holder) return invalid(secret, 'session-token-invalid', `${goneText(subject)} does not exist any more`);
    const { issuer, ...principal } = holder;
    return {
      secret,
      verdict: { valid: true, identity: { ...principal, accessKeyId: id, session: { ...facts, issuer } } },
    };
  };

  return {
    find(accessKeyId, sessionToken, now) {
      const decoySecret = decoy(accessKeyId);
      const isTemporary = accessKeyId.startsWith('ASIA');
      if (sessionToken === undefined) {
        if (!isTemporary) return longTerm(accessKeyId, decoySecret);
        return invalid(decoySecret, 'session-token-invalid', 'a temporary key came without its session token');
      }
      if (isTemporary && accessKeyId.length <= MAX_KEY_ID)
        return temporary(accessKeyId, sessionToken, decoySecret, now);
      return invalid(decoySecret, 'session-token-invalid', 'a session token came with a key that is not temporary');
    },
  };
}

function goneText(subject: SessionSubject): string {
  switch (subject.kind) {
    case 'root':
      return 'the account of the session';
    case 'federated-user':
      return `the user who made the session of federated user ${subject.name}`;
    default:
      return `${subject.kind} ${subject.name} of the session`;
  }
}

function invalid(
  secret: string,
  kind: Extract<KeyLookup['verdict'], { valid: false }>['kind'],
  detail: string,
): KeyLookup {
  return { secret, verdict: { valid: false, kind, detail } };
}
