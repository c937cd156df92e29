import { Refused } from '../refused.ts';
import type { AccessKeyRecord } from '../state/records.ts';
import type { Sealer } from '../state/sealer.ts';
import type { Draft } from '../state/store.ts';
import { nameKey } from './arn.ts';
import { find, USER } from './entities.ts';
import { entityExists, type Iam, noSuchEntity, type Reader } from './iam.ts';
import type { Identity } from './identity.ts';
import { type Random, secretAccessKey, uniqueId } from './ids.ts';
import { type InputOf, required } from './input.ts';
import { page } from './page.ts';
import { checkQuota } from './quotas.ts';
import { accessKeyId, existingUserName, longTermKeyId, paging, status } from './shapes.ts';
import { ownUserName } from './users.ts';

export const CREATE_ACCESS_KEY = { UserName: existingUserName } as const;
/** No operation of AWS: how a key that was made elsewhere comes in. */
export const IMPORT_ACCESS_KEY = {
  UserName: required(existingUserName),
  AccessKeyId: required(longTermKeyId),
} as const;
export const LIST_ACCESS_KEYS = { UserName: existingUserName, ...paging } as const;
export const UPDATE_ACCESS_KEY = {
  UserName: existingUserName,
  AccessKeyId: required(accessKeyId),
  Status: required(status),
} as const;
export const DELETE_ACCESS_KEY = { UserName: existingUserName, AccessKeyId: required(accessKeyId) } as const;
export const GET_ACCESS_KEY_LAST_USED = { AccessKeyId: required(accessKeyId) } as const;

/** A new key for `user` (a record key, or null for the account root user), with its secret for the only time. */
export function newAccessKey(
  sealer: Sealer,
  random: Random,
  user: string | null,
  now: Date,
): { record: AccessKeyRecord; secret: string } {
  const id = uniqueId('AKIA', random);
  const secret = secretAccessKey(random);
  const sealedSecret = sealer.seal(secret, secretContext(id));
  return { record: { id, user, sealedSecret, active: true, createdAt: now.toISOString() }, secret };
}

/** What a secret is sealed for: moved to another key's record, it does not open. */
export function secretContext(id: string): string {
  return `access-key:${id}`;
}

/** Throws Refused `no-such-entity` or `limit-exceeded`. */
export function createAccessKey(iam: Iam, input: InputOf<typeof CREATE_ACCESS_KEY>, caller: Identity) {
  const now = iam.now();
  return iam.store.change((draft) => {
    const owner = ownerOf(draft, input.UserName, caller);
    checkQuota('AccessKeysPerUser', keysOf(draft, owner.key).length + 1);
    const { record, secret } = newAccessKey(iam.sealer, iam.random, owner.key, now);
    draft.put('accessKeys', record.id, record);
    return { AccessKey: { ...describe(record, owner.name), SecretAccessKey: secret } };
  });
}

/** Who can guess it is its owner: no shorter ones than AWS makes. */
const SECRET = /^[!-~]{40,128}$/;

/**
 * The user has this key then, active. Resolves with whether anything had to be changed. Throws Refused `no-such-entity`,
 * `limit-exceeded`, `validation` for what is no secret, or `entity-exists` where the id is that of somebody else's key.
 */
export async function importAccessKey(
  iam: Iam,
  { AccessKeyId: id, UserName }: InputOf<typeof IMPORT_ACCESS_KEY>,
  secret: string,
): Promise<boolean> {
  if (!SECRET.test(secret)) {
    // Unlike other parameters it is not told.
    const say = `The secret access key of ${id} is none: 40 to 128 printable characters without blanks.`;
    throw new Refused('validation', { say, detail: say });
  }
  return await iam.store.change((draft) => {
    const user = nameKey(find(USER, draft, UserName).name);
    const there = draft.get('accessKeys', id);
    if (there && there.user !== user) throw entityExists(`The Access Key with id ${id} is another user's.`);
    if (there?.active && iam.sealer.open(there.sealedSecret, secretContext(id)) === secret) return false;
    if (!there) checkQuota('AccessKeysPerUser', keysOf(draft, user).length + 1);
    const sealedSecret = iam.sealer.seal(secret, secretContext(id));
    draft.put('accessKeys', id, {
      id,
      user,
      sealedSecret,
      active: true,
      createdAt: there?.createdAt ?? iam.now().toISOString(),
    });
    return true;
  });
}

export async function listAccessKeys(iam: Iam, input: InputOf<typeof LIST_ACCESS_KEYS>, caller: Identity) {
  const owner = ownerOf(iam.store, input.UserName, caller);
  const { items, ...rest } = page(keysOf(iam.store, owner.key), (key) => key.id, input);
  return { AccessKeyMetadata: items.map((key) => describe(key, owner.name)), ...rest };
}

/** Throws Refused `no-such-entity`, or `validation` for the root key that this server itself hands out. */
export async function updateAccessKey(iam: Iam, input: InputOf<typeof UPDATE_ACCESS_KEY>, caller: Identity) {
  await iam.store.change((draft) => {
    const key = ownKey(draft, input, caller);
    if (input.Status === 'Inactive') refuseBootstrapKey(draft, key);
    draft.put('accessKeys', key.id, { ...key, active: input.Status === 'Active' });
  });
}

/** Throws Refused `no-such-entity`, or `validation` for the root key that this server itself hands out. */
export async function deleteAccessKey(iam: Iam, input: InputOf<typeof DELETE_ACCESS_KEY>, caller: Identity) {
  await iam.store.change((draft) => {
    const key = ownKey(draft, input, caller);
    refuseBootstrapKey(draft, key);
    draft.delete('accessKeys', key.id);
  });
}

export async function getAccessKeyLastUsed(iam: Iam, input: InputOf<typeof GET_ACCESS_KEY_LAST_USED>) {
  const key = iam.store.get('accessKeys', input.AccessKeyId);
  if (!key) throw noSuchKey(input.AccessKeyId);
  const use = iam.keyUses.last(key.id);
  const user = key.user === null ? undefined : iam.store.get('users', key.user);
  return {
    ...(user && { UserName: user.name }),
    AccessKeyLastUsed: use
      ? { LastUsedDate: use.at, ServiceName: use.service, Region: use.region }
      : { ServiceName: 'N/A', Region: 'N/A' },
  };
}

function noSuchKey(id: string): Refused<'no-such-entity'> {
  return noSuchEntity(`The Access Key with id ${id} cannot be found.`);
}

interface Owner {
  /** As in the key's record. */
  key: string | null;
  /** The root user has no name. */
  name: string | undefined;
}

/** Where no name is given, the caller's own keys are meant. */
function ownerOf(reader: Reader, name: string | undefined, caller: Identity): Owner {
  if (name === undefined && caller.kind === 'root') return { key: null, name: undefined };
  const user = find(USER, reader, name ?? ownUserName(caller));
  return { key: nameKey(user.name), name: user.name };
}

function keysOf(reader: Reader, owner: string | null): Readonly<AccessKeyRecord>[] {
  return reader.all('accessKeys').filter((key) => key.user === owner);
}

function ownKey(
  draft: Draft,
  input: { readonly UserName?: string; readonly AccessKeyId: string },
  caller: Identity,
): Readonly<AccessKeyRecord> {
  const owner = ownerOf(draft, input.UserName, caller);
  const key = draft.get('accessKeys', input.AccessKeyId);
  if (!key || key.user !== owner.key) throw noSuchKey(input.AccessKeyId);
  return key;
}

/** Without this key nobody could manage the account any more: the operator has no console to make another. */
function refuseBootstrapKey(draft: Draft, key: Readonly<AccessKeyRecord>): void {
  if (draft.get('account', 'this')?.rootAccessKeyId !== key.id) return;
  const say = `The Access Key with id ${key.id} is the one that this server hands to its operator; it stays active.`;
  throw new Refused('validation', { say, detail: say });
}

function describe(key: Readonly<AccessKeyRecord>, userName: string | undefined) {
  return {
    ...(userName !== undefined && { UserName: userName }),
    AccessKeyId: key.id,
    Status: key.active ? 'Active' : 'Inactive',
    CreateDate: new Date(key.createdAt),
  };
}
