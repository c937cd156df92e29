import { createHmac } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { PLAIN_GRANT, type SessionGrant } from '../iam/identity.ts';
import { type Random, uniqueId } from '../iam/ids.ts';
import type { Session, SessionSubject, Sessions } from '../iam/keys.ts';
import type { Sealer } from '../state/sealer.ts';
import { MAX_SESSION_TOKEN, tooLarge } from './packed-size.ts';

/*
 * A session is nowhere stored: its token carries it, deflated and sealed. The token is sealed for its access key id, so
 * that with another key it does not open, and holds no secret: the secret access key is computed anew from the id and a
 * nonce. So what deflating tells about the content tells nothing that its holder does not know.
 */

export interface SessionCredentials {
  AccessKeyId: string;
  SecretAccessKey: string;
  SessionToken: string;
  Expiration: Date;
}

export interface SessionMaker extends Sessions {
  /** `seconds` is how long the session lasts from `now`. Throws Refused `packed-policy-too-large`. */
  issue(subject: SessionSubject, grant: SessionGrant, seconds: number, now: Date): SessionCredentials;
}

/**
 * In bytes of JSON. The most that fits the limits of the parameters (a policy, ten ARNs, 50 tags with four bytes a
 * character) is below 160 KiB; a token that inflates to more is not one of ours.
 */
const MAX_INFLATED = 256 * 1024;
const NONCE_BYTES = 16;
const MAX_OPENED = 2048;
/** In bytes of JSON: larger ones are opened each time, so that what is kept stays small. */
const MAX_KEPT = 16 * 1024;

/** What is sealed. Times are whole seconds since 1970. */
interface Payload {
  /** Tokens of version 1 were sealed for another context and do not open: their sessions have to be begun again. */
  version: 2;
  subject: SessionSubject;
  grant: SessionGrant;
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
    issue(subject, grant, seconds, now) {
      const id = uniqueId('ASIA', random);
      const issuedAt = Math.floor(now.getTime() / 1000);
      const payload: Payload = {
        version: 2,
        subject,
        grant,
        issuedAt,
        expiresAt: issuedAt + seconds,
        nonce: random(NONCE_BYTES).toString('base64url'),
      };
      const json = Buffer.from(JSON.stringify(payload));
      const token = json.length > MAX_INFLATED ? undefined : sealer.seal(deflateRawSync(json), contextOf(id));
      if (token === undefined || token.length > MAX_SESSION_TOKEN) throw tooLarge(grant);
      return {
        AccessKeyId: id,
        SecretAccessKey: secretOf(id, payload.nonce),
        SessionToken: token,
        Expiration: new Date(payload.expiresAt * 1000),
      };
    },

    open(accessKeyId, token) {
      if (token.length > MAX_SESSION_TOKEN) return undefined;
      const known = opened.get(token);
      if (known?.accessKeyId === accessKeyId) return known.session;
      const json = inflated(sealer.openBytes(token, contextOf(accessKeyId)));
      const payload = json && readPayload(json);
      if (!payload) return undefined;
      const session: Session = {
        subject: payload.subject,
        facts: {
          ...PLAIN_GRANT,
          ...payload.grant,
          issuedAt: new Date(payload.issuedAt * 1000),
          expiresAt: new Date(payload.expiresAt * 1000),
        },
        secret: secretOf(accessKeyId, payload.nonce),
      };
      if (json.length > MAX_KEPT) return session;
      if (opened.size >= MAX_OPENED) opened.clear();
      opened.set(token, { accessKeyId, session });
      return session;
    },
  };
}

function contextOf(accessKeyId: string): string {
  return `session-token:2:${accessKeyId}`;
}

/** Only we can have deflated it; still, nothing is let grow beyond what we write. */
function inflated(bytes: Buffer | undefined): Buffer | undefined {
  if (!bytes) return undefined;
  try {
    return inflateRawSync(bytes, { maxOutputLength: MAX_INFLATED });
  } catch {
    return undefined;
  }
}

/** Only we can have sealed it, but maybe another version of us. */
function readPayload(json: Buffer): Payload | undefined {
  const { version, subject, grant, issuedAt, expiresAt, nonce } = JSON.parse(json.toString('utf8')) as Partial<Payload>;
  if (version !== 2 || !subject || !grant || typeof nonce !== 'string') return undefined;
  if (!Number.isSafeInteger(issuedAt) || !Number.isSafeInteger(expiresAt)) return undefined;
  return { version, subject, grant, issuedAt, expiresAt, nonce } as Payload;
}
