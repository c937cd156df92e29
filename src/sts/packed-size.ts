import { deflateRawSync } from 'node:zlib';
import type { SessionGrant } from '../iam/identity.ts';
import { Refused } from '../refused.ts';

/*
 * AWS packs session policies, the ARNs of managed ones and session tags "into a packed binary format that has a separate
 * limit" and answers with the percentage of it (STS API reference, AssumeRole). Neither format nor limit is published.
 * Ours follows from where a session token has to fit: a connection token of 16 KiB carries it.
 */

/** In characters, of the whole session token: what both front doors take. */
export const MAX_SESSION_TOKEN = 8192;
/** In bytes, of the deflated policies, ARNs and tags: what is left of it beside names, claims and seal. */
export const MAX_PACKED = 4096;

/** Percent of the limit, rounded up; undefined where there is nothing to pack. Throws Refused `packed-policy-too-large`. */
export function packedPolicySize(grant: SessionGrant): number | undefined {
  const { policies, policyArns, tags } = grant;
  if (policies === undefined && policyArns.length === 0 && tags.length === 0) return undefined;
  const percent = packedPercent(grant);
  if (percent > 100) throw tooLarge(grant);
  return percent;
}

export function tooLarge(grant: SessionGrant): Refused<'packed-policy-too-large'> {
  const percent = Math.max(packedPercent(grant), 101);
  const say =
    grant.policies === undefined
      ? `Packed size of session tags consumes ${percent}% of allotted space.`
      : `Packed policy consumes ${percent}% of allotted space, please use smaller policy.`;
  return new Refused('packed-policy-too-large', { say, detail: say });
}

function packedPercent({ policies, policyArns, tags, transitiveTagKeys }: SessionGrant): number {
  const packed = deflateRawSync(JSON.stringify([policies, policyArns, tags, transitiveTagKeys]));
  return Math.ceil((packed.length / MAX_PACKED) * 100);
}
