import { createHmac } from 'node:crypto';
import type { AccessKeyRecord } from '../state/records.ts';
import type { Sealer } from '../state/sealer.ts';
import type { Store } from '../state/store.ts';
import { secretContext } from './access-keys.ts';
import { nameKey, roleArn, rootArn, sessionArn, userArn } from './arn.ts';
import type { Identity, KeyLookup, KeyRing } from './identity.ts';

/** A session that a sealed token tells of, and the secret of its key. */
export interface Session {
  roleName: string;
  /** AROA… */
  roleId: string;
  sessionName: string;
  expiresAt: Date;
  secret: string;
}

export interface Sessions {
  /** Undefined unless this server made the token, for this key. Expired sessions are opened too. */
  open(accessKeyId: string, token: string): Session | undefined;
}

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
    const of = account();
    if (record.user === null) {
      const arn = rootArn(of);
      return { kind: 'root', account: of, arn, principalArn: arn, userId: of, accessKeyId: record.id };
    }
    const user = store.get('users', record.user);
    if (!user) return undefined;
    const arn = userArn(of, user);
    return { kind: 'user', account: of, arn, principalArn: arn, userId: user.id, accessKeyId: record.id };
  };

  const temporary = (id: string, token: string, decoySecret: string, now: Date): KeyLookup => {
    const session = sessions.open(id, token);
    if (!session) return invalid(decoySecret, 'session-token-invalid', `the session token is none of key ${id}`);
    const { secret } = session;
    // Asked so that a date which is no date is refused.
    if (!(now.getTime() < session.expiresAt.getTime())) {
      return invalid(secret, 'session-token-expired', `the session ended at ${session.expiresAt.toISOString()}`);
    }
    const role = store.get('roles', nameKey(session.roleName));
    if (role?.id !== session.roleId) {
      return invalid(
        secret,
        'session-token-invalid',
        `role ${session.roleName} of the session does not exist any more`,
      );
    }
    const of = account();
    const identity: Identity = {
      kind: 'role-session',
      account: of,
      arn: sessionArn(of, role.name, session.sessionName),
      principalArn: roleArn(of, role),
      userId: `${role.id}:${session.sessionName}`,
      accessKeyId: id,
    };
    return { secret, verdict: { valid: true, identity } };
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

function invalid(
  secret: string,
  kind: Extract<KeyLookup['verdict'], { valid: false }>['kind'],
  detail: string,
): KeyLookup {
  return { secret, verdict: { valid: false, kind, detail } };
}
