import { createHmac } from 'node:crypto';
import { type Random, uniqueId } from '../iam/ids.ts';
import type { Session, Sessions } from '../iam/keys.ts';
import type { RoleRecord } from '../state/records.ts';
import type { Sealer } from '../state/sealer.ts';

/*
 * A session is nowhere stored: its token carries it, sealed. The token is sealed for its access key id, so that with
 * another key it does not open, and holds no secret: the secret access key is computed anew from the id and a nonce.
 */

export interface SessionCredentials {
  AccessKeyId: string;
  SecretAccessKey: string;
  SessionToken: string;
  Expiration: Date;
}

export interface SessionMaker extends Sessions {
  /** `seconds` is how long the session lasts from `now`. */
  issue(role: Readonly<RoleRecord>, sessionName: string, seconds: number, now: Date): SessionCredentials;
}

/** What a token of ours comes to, with names of 64 characters, is below 512. */
const MAX_TOKEN_LENGTH = 2048;
const NONCE_BYTES = 16;
const MAX_OPENED = 4096;

/** What is sealed. Times are whole seconds since 1970. */
interface Payload {
  version: 1;
  roleId: string;
  roleName: string;
  sessionName: string;
  issuedAt: number;
  expiresAt: number;
  nonce: string;
}

export function createSessionMaker({ sealer, random }: { sealer: Sealer; random: Random }): SessionMaker {
  const secretKey = sealer.derive('session-secret');
  /** What was opened before: what a sealed token says never changes, only whether it still counts. */
  const opened = new Map<string, { accessKeyId: string; session: Session }>();

  /** 240 bits, in the form of any secret access key. */
  const secretOf = (accessKeyId: string, nonce: string): string =>
    createHmac('sha256', secretKey).update(`${accessKeyId}:${nonce}`).digest().subarray(0, 30).toString('base64');

  return {
    issue(role, sessionName, seconds, now) {
      const id = uniqueId('ASIA', random);
      const issuedAt = Math.floor(now.getTime() / 1000);
      const payload: Payload = {
        version: 1,
        roleId: role.id,
        roleName: role.name,
        sessionName,
        issuedAt,
        expiresAt: issuedAt + seconds,
        nonce: random(NONCE_BYTES).toString('base64url'),
      };
      return {
        AccessKeyId: id,
        SecretAccessKey: secretOf(id, payload.nonce),
        SessionToken: sealer.seal(JSON.stringify(payload), contextOf(id)),
        Expiration: new Date(payload.expiresAt * 1000),
      };
    },

    open(accessKeyId, token) {
      if (token.length > MAX_TOKEN_LENGTH) return undefined;
      const known = opened.get(token);
      if (known?.accessKeyId === accessKeyId) return known.session;
      const text = sealer.open(token, contextOf(accessKeyId));
      const payload = text === undefined ? undefined : readPayload(text);
      if (!payload) return undefined;
      const session: Session = {
        roleName: payload.roleName,
        roleId: payload.roleId,
        sessionName: payload.sessionName,
        expiresAt: new Date(payload.expiresAt * 1000),
        secret: secretOf(accessKeyId, payload.nonce),
      };
      if (opened.size >= MAX_OPENED) opened.clear();
      opened.set(token, { accessKeyId, session });
      return session;
    },
  };
}

function contextOf(accessKeyId: string): string {
  return `session-token:${accessKeyId}`;
}

/** Only we can have sealed it, but maybe another version of us. */
function readPayload(text: string): Payload | undefined {
  const { version, roleId, roleName, sessionName, issuedAt, expiresAt, nonce } = JSON.parse(text) as Partial<Payload>;
  const texts = [roleId, roleName, sessionName, nonce];
  if (version !== 1 || !texts.every((value) => typeof value === 'string')) return undefined;
  if (!Number.isSafeInteger(issuedAt) || !Number.isSafeInteger(expiresAt)) return undefined;
  return { version, roleId, roleName, sessionName, issuedAt, expiresAt, nonce } as Payload;
}
