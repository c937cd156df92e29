/** Signing keys, derived from a secret for a day, a region and a service, and the signatures made with them. */
import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import type { Credential } from './encoding.ts';

type Scope = Omit<Credential, 'accessKeyId'>;

/** A key is 32 bytes; a thousand serve every key of an account that is in use on a day. */
const CAPACITY = 1024;

/** Oldest first. The name of an entry is a digest, so that no secret stays here longer than one call. */
const derived = new Map<string, Buffer>();

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function derive(secret: string, scope: Scope): Buffer {
  const date = hmac(`AWS4${secret}`, scope.scopeDate);
  return hmac(hmac(hmac(date, scope.region), scope.service), 'aws4_request');
}

/**
 * The signing key, from memory if it was derived lately. Every secret is remembered, also the decoy of an unknown key:
 * otherwise the time of a second attempt would tell which keys exist.
 */
export function signingKey(secret: string, scope: Scope): Buffer {
  // A scope's parts have no '/'; a secret may have one, so it stands last.
  const name = hash('sha256', `${scope.scopeDate}/${scope.region}/${scope.service}/${secret}`, 'base64');
  let key = derived.get(name);
  if (key === undefined) {
    key = derive(secret, scope);
    if (derived.size >= CAPACITY) derived.delete(derived.keys().next().value!);
  } else {
    derived.delete(name);
  }
  derived.set(name, key);
  return key;
}

export function signatureOf(key: Buffer, stringToSign: string): Buffer {
  return hmac(key, stringToSign);
}

/** Whether `signature` (64 hex digits) signs any of the texts. Computes and compares all of them, in constant time. */
export function signsAny(key: Buffer, stringsToSign: readonly string[], signature: string): boolean {
  const given = Buffer.from(signature, 'hex');
  // A signature of another length could not have been parsed; comparing must not throw for one all the same.
  const comparable = given.length === 32 ? given : Buffer.alloc(32);
  let found = 0;
  for (const text of stringsToSign) {
    found |= Number(timingSafeEqual(signatureOf(key, text), comparable));
  }
  return found === 1 && given.length === 32;
}
