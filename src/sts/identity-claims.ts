import type { JWTPayload } from 'jose';
import { checkInput, type StringShape } from '../iam/input.ts';
import { tagKeyList, tagList } from '../iam/shapes.ts';
import { Refused } from '../refused.ts';
import type { Tag } from '../state/records.ts';
import { tagProblem } from './session-parameters.ts';
import { sourceIdentity } from './shapes.ts';

/** Which claims of an ID token become condition keys, session tags and source identity. */
export interface SessionClaims {
  claims: Readonly<Record<string, readonly string[]>>;
  tags: readonly Tag[];
  transitiveTagKeys: readonly string[];
  sourceIdentity: string | undefined;
}

/** IAM User Guide, "Pass session tags in AWS STS" and "Monitor and control actions taken with assumed roles". */
const TAGS = 'https://aws.amazon.com/tags';
const SOURCE_IDENTITY = 'https://aws.amazon.com/source_identity';

/** Claim -> condition key, besides `aud` and `sub` ("Available keys for AWS OIDC federation"). */
const CONDITION_KEYS = { amr: 'amr', email: 'email' } as const;
/** What all of them come to, in bytes: they are part of every session token. */
const MAX_CLAIMS = 1024;
const text = { type: 'string', max: 512 } as const satisfies StringShape;

/** `audience` is what of the token's audience is registered. Throws Refused `identity-claim-rejected`. */
export function sessionClaims(url: string, payload: JWTPayload, audience: readonly string[]): SessionClaims {
  const prefix = url.replace(/^https?:\/\//, '').toLowerCase();
  const claims: Record<string, readonly string[]> = {
    [`${prefix}:aud`]: audience,
    [`${prefix}:sub`]: [payload.sub as string],
  };
  // With an `azp` the audience proper has a key of its own.
  if (payload['azp'] !== undefined) claims[`${prefix}:oaud`] = strings(payload.aud, 'aud');
  for (const [claim, name] of Object.entries(CONDITION_KEYS)) {
    if (payload[claim] !== undefined) claims[`${prefix}:${name}`] = strings(payload[claim], claim);
  }
  if (Buffer.byteLength(Object.values(claims).flat().join('')) > MAX_CLAIMS) {
    throw rejected(`The claims of the token have more than ${MAX_CLAIMS} bytes.`);
  }
  return { claims, ...tagsOf(payload), sourceIdentity: sourceIdentityOf(payload) };
}

/** The tags stand in one claim, or flattened in a claim each. */
function tagsOf(payload: JWTPayload): Pick<SessionClaims, 'tags' | 'transitiveTagKeys'> {
  const nested = payload[TAGS];
  if (nested !== undefined && !isObject(nested)) throw rejected(`The claim ${TAGS} is no object.`);
  const principalTags = nested?.['principal_tags'] ?? {};
  if (!isObject(principalTags)) throw rejected('The claim principal_tags is no object.');
  const flat = Object.entries(payload)
    .filter(([name]) => name.startsWith(`${TAGS}/principal_tags/`))
    .map(([name, value]) => [name.slice(`${TAGS}/principal_tags/`.length), value] as const);
  const tags = [...Object.entries(principalTags), ...flat].map(([Key, value]) => {
    const [Value, ...more] = strings(value, 'principal_tags');
    if (Value === undefined || more.length > 0)
      throw rejected(`The session tag ${Key.slice(0, 128)} has not one value.`);
    return { Key, Value };
  });
  const keys = nested?.['transitive_tag_keys'] ?? payload[`${TAGS}/transitive_tag_keys`] ?? [];
  const transitiveTagKeys = strings(keys, 'transitive_tag_keys');
  check({ Tags: tagList, TransitiveTagKeys: tagKeyList }, { Tags: tags, TransitiveTagKeys: transitiveTagKeys });
  const problem = tagProblem(tags, transitiveTagKeys);
  if (problem) throw rejected(problem);
  return { tags, transitiveTagKeys };
}

function sourceIdentityOf(payload: JWTPayload): string | undefined {
  const value = payload[SOURCE_IDENTITY];
  if (value === undefined) return undefined;
  const [only, ...more] = strings(value, SOURCE_IDENTITY);
  if (only === undefined || more.length > 0) throw rejected('The claim source_identity has not one value.');
  check({ SourceIdentity: sourceIdentity }, { SourceIdentity: only });
  return only;
}

/** A string or a list of strings. */
function strings(value: unknown, claim: string): string[] {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  const isFit = (item: unknown): item is string => typeof item === 'string' && item.length <= text.max;
  if (list.length > 50 || !list.every(isFit)) throw rejected(`The claim ${claim} is invalid.`);
  return list;
}

/** The constraints of the parameters that one would pass instead. */
function check(...[members, input]: Parameters<typeof checkInput>): void {
  try {
    checkInput(members, input);
  } catch (error) {
    throw error instanceof Refused ? rejected(error.say ?? error.detail) : error;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function rejected(say: string): Refused<'identity-claim-rejected'> {
  return new Refused('identity-claim-rejected', { say, detail: say });
}
